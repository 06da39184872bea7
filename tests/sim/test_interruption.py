"""Ctrl-C in real processes: one run, and several on all cores. What was written says that it was interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from node.cli.exits import INTERRUPTED
from sim.run.folder import EVENTS, MANIFEST, plan_in

# Whoever runs the tests in the background has them ignore SIGINT, and so would all that they start.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from sim.cli.tree import SIM; from node.cli.tree import LazyGroup; LazyGroup(SIM.commands, 'sim', SIM.line)()"
)
ENDLESS = 'name = "endless"\n[phases]\nsafety_s = 1e6\n'
# For a machine that is busy with everything else. Nothing here waits for it to pass.
PATIENCE_S = 300.0
ASKED = {"one": (("--seed", "1"), (1,)), "several": (("--seeds", "1..2", "--jobs", "2"), (1, 2))}


def has_begun(runs: Path, seed: int) -> bool:
    """Whether its log has a line: from then on there is something to interrupt."""
    return any(log.stat().st_size for log in runs.glob(f".endless-{seed}.*.partial/{EVENTS}"))


@pytest.mark.parametrize(("asked", "seeds"), ASKED.values(), ids=ASKED)
def test_an_interrupted_run_is_named_so(asked: tuple[str, ...], seeds: tuple[int, ...], tmp_path: Path) -> None:
    (tmp_path / "endless.toml").write_text(ENDLESS)
    runs = tmp_path / "runs"
    playing = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", str(tmp_path / "endless.toml"), "--dir", str(runs), *asked],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # its workers hear of it too, as they do on a terminal, and this test does not
    )
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while not all(has_begun(runs, seed) for seed in seeds):
            assert time.monotonic() < deadline_s
            assert playing.poll() is None
            time.sleep(0.05)
        os.killpg(playing.pid, signal.SIGINT)
        _nothing, told = playing.communicate(timeout=PATIENCE_S)
    finally:
        playing.kill()
    assert playing.returncode == INTERRUPTED
    assert "Interrupted." in told
    assert {path.name for path in runs.iterdir()} == {f"endless-{seed}-interrupted" for seed in seeds}
    for seed in seeds:
        assert plan_in(runs / f"endless-{seed}-interrupted").seed == seed
        assert (runs / f"endless-{seed}-interrupted" / EVENTS).stat().st_size
    if seeds == (1,):
        assert json.loads((runs / "endless-1-interrupted" / MANIFEST).read_text())["state"] == "interrupted"
