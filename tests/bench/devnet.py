"""The devnet that all benchmarks with real processes use, and the command that makes it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

NODES = 6
CODE = "4/6"
MIB = 1 << 20


def maillon(*arguments: str) -> Any:
    """Run one command; its last JSON document."""
    command = [sys.executable, "-m", "node", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr}")
    document = json.loads(done.stdout.splitlines()[-1])
    return document.get("result", document)
