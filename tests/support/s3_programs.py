"""S3's real clients, run as people run them: where each program is, and what it is told of the door.

Those made in Python, and rclone, are locked with the tests' dependencies and stand beside the interpreter. restic is
no Python package: it is taken from PATH, or unpacked from Debian's archive by `apt-get download`, which needs no
rights and checks its signature. Where neither is possible its test is skipped, and says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from node.cli.devnet_book import DevS3

DEADLINE_S = 120.0
UNPACKED = Path(__file__).resolve().parents[2] / "build" / "programs"


@dataclass(frozen=True, slots=True)
class Programs:
    """What is told to every program, and where it may leave files of its own."""

    s3: DevS3
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """For the AWS CLI, rclone (the remote `m`) and restic."""
        return {
            "AWS_ACCESS_KEY_ID": self.s3.access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3.secret_key,
            "AWS_DEFAULT_REGION": self.s3.region,
            "AWS_ENDPOINT_URL": self.s3.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_M_TYPE": "s3",
            "RCLONE_CONFIG_M_PROVIDER": "Other",
            "RCLONE_CONFIG_M_ACCESS_KEY_ID": self.s3.access_key,
            "RCLONE_CONFIG_M_SECRET_ACCESS_KEY": self.s3.secret_key,
            "RCLONE_CONFIG_M_ENDPOINT": self.s3.endpoint,
            "RESTIC_REPOSITORY": f"s3:{self.s3.endpoint}/restic",
            "RESTIC_PASSWORD": "a word of the test",
            "RESTIC_CACHE_DIR": str(self.folder / "restic-cache"),
        }

    def s3cmd_config(self) -> Path:
        """s3cmd reads a file."""
        address = self.s3.endpoint.removeprefix("http://")
        path = self.folder / "s3cfg"
        path.write_text(
            f"[default]\naccess_key = {self.s3.access_key}\nsecret_key = {self.s3.secret_key}\nuse_https = False\n"
            f"host_base = {address}\nhost_bucket = {address}/%(bucket)\n"
        )
        return path

    async def run(self, program: Path, *arguments: str | Path) -> str:
        """Run it; it must succeed. What it said on standard output."""
        with trio.fail_after(DEADLINE_S):
            done = await trio.run_process(
                [str(program), *(str(argument) for argument in arguments)],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env={**os.environ, **self.environment},
            )
        assert done.returncode == 0, f"{program.name} {arguments}: {done.stdout!r} {done.stderr!r}"
        return done.stdout.decode()


def locked(name: str) -> Path:
    """A program that came with the tests' dependencies."""
    found = Path(sys.executable).parent / name
    if not found.exists():
        pytest.skip(f"{name} is not installed beside this Python: `make install` does that")
    return found


def restic() -> Path:
    """restic, from wherever it can be had."""
    found = shutil.which("restic")
    if found is not None:
        return Path(found)
    unpacked = UNPACKED / "usr" / "bin" / "restic"
    if not unpacked.exists():
        _unpack("restic")
    if not unpacked.exists():
        pytest.skip("restic is not installed, and apt-get cannot download it here")
    return unpacked


def _unpack(package: str) -> None:
    """Debian's package, without installing it."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return
    UNPACKED.mkdir(parents=True, exist_ok=True)
    quiet = {
        "cwd": UNPACKED,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "check": False,
        "timeout": 60,
    }
    subprocess.run(["apt-get", "download", package], **quiet)  # type: ignore[call-overload]
    for archive in sorted(UNPACKED.glob(f"{package}_*.deb")):
        subprocess.run(["dpkg-deb", "--extract", archive, UNPACKED], **quiet)  # type: ignore[call-overload]
