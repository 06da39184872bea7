"""Real processes for tests: a devnet in a temporary folder, and the `maillon` program run as people run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND_DEADLINE_S = 180.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: bytes
    err: str

    @property
    def documents(self) -> list[Any]:
        """The JSON documents on standard output, one a line."""
        return [json.loads(line) for line in self.out.decode().splitlines()]

    @property
    def result(self) -> Any:
        """The last document, or what it holds as the result of a long command."""
        last = self.documents[-1]
        return last.get("result", last) if isinstance(last, dict) else last

    @property
    def problem(self) -> str:
        """The identifier of the error that the command ended with."""
        identifier: str = self.documents[-1]["error"]["identifier"]
        return identifier


def maillon(*arguments: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> Ran:
    """Run the program; it must end by itself."""
    done = subprocess.run(
        [sys.executable, "-m", "node", *(str(argument) for argument in arguments)],
        input=stdin,
        capture_output=True,
        timeout=COMMAND_DEADLINE_S,
        check=False,
        env={**os.environ, "LANGUAGE": "en", **(env or {})},
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def succeed(*arguments: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> Ran:
    """Run the program with --json; it must succeed."""
    ran = maillon(*arguments, "--json", stdin=stdin, env=env)
    assert ran.code == 0, f"{arguments}: {ran.code}\n{ran.out.decode()}\n{ran.err}"
    return ran


@dataclass(frozen=True, slots=True)
class Devnet:
    """A running devnet: its folder, and what `devnet up --json` printed."""

    folder: Path
    described: Any

    @property
    def gateway(self) -> Path:
        """The folder of the namespace's gateway."""
        return self.node(self.described["namespace"]["gateway"])

    def node(self, name: str) -> Path:
        """The folder of a node."""
        return next(Path(node["dir"]) for node in self.described["nodes"] if node["name"] == name)

    @property
    def others(self) -> list[str]:
        """The names of all nodes but the gateway."""
        return [
            node["name"] for node in self.described["nodes"] if node["name"] != self.described["namespace"]["gateway"]
        ]

    def kill(self, name: str, *, wipe: bool = False) -> None:
        succeed("devnet", "kill", name, *(["--wipe"] if wipe else []), "--dir", self.folder)

    def start(self, name: str) -> None:
        succeed("devnet", "start", name, "--dir", self.folder)

    def logs(self) -> str:
        """The ends of all logs, for a test that failed."""
        return "\n".join(
            f"== {node['name']}\n{(Path(node['dir']) / 'node.log').read_text()[-4000:]}"
            for node in self.described["nodes"]
        )


@contextmanager
def devnet(folder: Path, *options: str) -> Iterator[Devnet]:
    """A devnet that is gone afterwards, whatever happens."""
    ran = succeed("devnet", "up", "--dir", folder, *options)
    try:
        yield Devnet(folder, json.loads(ran.out))
    finally:
        maillon("devnet", "down", "--dir", folder, "--wipe")
