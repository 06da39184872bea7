"""What surrounds a run costs it nothing: no library before it is needed, and a word now and then on how far it is."""

from __future__ import annotations

import subprocess
import sys

from sim.run.pulse import EVERY_S, with_pulse

OWN_LIBRARIES = ("joblib", "matplotlib", "numpy", "pyarrow")


def test_playing_and_all_commands_import_none_of_the_simulators_own_libraries() -> None:
    code = (
        "import sys, importlib, sim.run.play, sim.run.recorded\n"
        "from sim.cli.tree import SIM\n"
        "for leaf in SIM.commands.values(): importlib.import_module(f'sim.cli.{leaf.module}')\n"
        f"heavy = set({OWN_LIBRARIES!r}) & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_how_far_a_run_is_is_told_every_few_seconds_of_real_time() -> None:
    now_s, lines, told = [0.0], list[str](), list[float]()
    write = with_pulse(lines.append, told.append, lambda: now_s[0])
    for real_s, virtual_s in ((1.0, 10), (EVERY_S, 20), (EVERY_S + 1, 30), (2 * EVERY_S, 40), (2 * EVERY_S + 1, 50)):
        now_s[0] = real_s
        write(f'{{"t": {virtual_s}, "event": "x"}}')
    assert len(lines) == 5
    assert told == [20, 40]
