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

PROGRAM = (
    "from sim.cli.tree import SIM; from node.cli.tree import LazyGroup; LazyGroup(SIM.commands, 'sim', SIM.line)()"
)
ENDLESS = 'name = "endless"\n[phases]\nsafety_s = 1e6\n'
BEGINS_WITHIN_S = 60.0


@pytest.mark.parametrize("asked", [("--seed", "1"), ("--seeds", "1..2", "--jobs", "2")], ids=["one", "several"])
def test_an_interrupted_run_is_named_so(asked: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "endless.toml").write_text(ENDLESS)
    runs = tmp_path / "runs"
    playing = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", str(tmp_path / "endless.toml"), "--dir", str(runs), *asked],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # its workers hear of it too, as they do on a terminal, and this test does not
    )
    try:
        deadline_s = time.monotonic() + BEGINS_WITHIN_S
        while not any(log.stat().st_size for log in runs.glob(f".endless-1.*.partial/{EVENTS}")):
            assert time.monotonic() < deadline_s
            assert playing.poll() is None
            time.sleep(0.05)
        os.killpg(playing.pid, signal.SIGINT)
        _nothing, told = playing.communicate(timeout=BEGINS_WITHIN_S)
    finally:
        playing.kill()
    assert playing.returncode == INTERRUPTED
    assert "Interrupted." in told
    left = {path.name for path in runs.iterdir()}
    assert "endless-1-interrupted" in left
    assert left <= {"endless-1-interrupted", "endless-2-interrupted"}
    assert plan_in(runs / "endless-1-interrupted").seed == 1
    assert (runs / "endless-1-interrupted" / EVENTS).stat().st_size
    if asked[0] == "--seed":
        assert json.loads((runs / "endless-1-interrupted" / MANIFEST).read_text())["state"] == "interrupted"
