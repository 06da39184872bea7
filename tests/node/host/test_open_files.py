"""A node may have more files and connections open than a program is given that does not ask."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from node.cli.tree import program

SCRIPT = """
import os, resource
from node.host.open_files import allow_many_files
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
allow_many_files()
print(len([os.open("/dev/null", os.O_RDONLY) for _number in range(100)]))
"""


def test_a_node_has_as_many_open_files_as_the_system_lets_it() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=30)
    assert (done.stdout, done.stderr) == ("100\n", "")


def test_running_a_node_asks_for_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []
    for name in ("memory.share_one_heap", "memory.collect_seldom", "open_files.allow_many_files"):
        monkeypatch.setattr(f"node.host.{name}", partial(asked.append, name))
    CliRunner().invoke(program, ["--dir", str(tmp_path), "node", "run"])  # which is no node's folder
    assert "open_files.allow_many_files" in asked
