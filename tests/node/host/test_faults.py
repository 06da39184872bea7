"""Faults of a real process, armed by its environment."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path, PurePath

import pytest

from node.host.faults import VARIABLE, NoFaults, PlannedFault, PlannedFaults, parse_faults
from node.host.real import real_host
from protocol.errors import Malformed, Unavailable

CHILD = """
import sys, trio
from pathlib import Path, PurePath
from node.host.real import real_host
host = real_host(Path(sys.argv[1]))
async def main():
    for number in range(5):
        await host.faults.reach("vault.before-journal")
        print(number, flush=True)
trio.run(main)
"""


def test_a_plan_is_read_as_written() -> None:
    assert parse_faults("a=kill9, b=delay:250@3,disk.sync=EIO@2+") == (
        PlannedFault("a", "kill9", 1, None),
        PlannedFault("b", "delay:250", 3, 3),
        PlannedFault("disk.sync", "EIO", 2, None),
    )


@pytest.mark.parametrize(
    "text", ["a", "=kill9", "a=", "a=explode", "a=delay:", "a=kill9@", "a=kill9@x", "a=ENOTHING"]
)
def test_a_plan_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_faults(text)
    assert caught.value.identifier == "faults"


async def test_a_fault_strikes_when_its_time_has_come() -> None:
    faults = PlannedFaults(parse_faults("p=error@2"))
    await faults.reach("p")
    await faults.reach("q")
    with pytest.raises(Unavailable) as caught:
        await faults.reach("p")
    assert caught.value.identifier == "fault-injected"
    await faults.reach("p")


async def test_a_delay_passes(autojump_clock: object) -> None:
    import trio

    await PlannedFaults(parse_faults("p=delay:2500")).reach("p")
    assert trio.current_time() == pytest.approx(2.5)


def test_a_full_disk_and_a_failing_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "disk.write=ENOSPC@2,disk.sync.second=EIO")
    host = real_host(tmp_path)
    first, second = host.open_disk("first"), host.open_disk("second")
    file = first.open(PurePath("v"))
    file.write(0, [b"fits"])
    with pytest.raises(OSError, match="No space") as caught:
        file.write(4, [b"does not"])
    assert caught.value.errno == errno.ENOSPC
    file.write(4, [b"fits again"])
    file.sync()
    other = second.open(PurePath("v"))
    with pytest.raises(OSError, match="error") as caught:
        other.sync()
    assert caught.value.errno == errno.EIO
    with pytest.raises(OSError, match="error"):
        second.replace(PurePath("small"), b"x")
    assert not second.exists(PurePath("small"))
    assert second.list(PurePath()) == ["v"]


def test_a_process_dies_at_the_named_point_and_time(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        env={VARIABLE: "vault.before-journal=kill9@3", "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == -signal.SIGKILL
    assert [line for line in finished.stdout.split() if line.isdigit()] == [b"0", b"1"]


async def test_an_ordinary_node_has_no_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    faults = real_host(tmp_path).faults
    assert isinstance(faults, NoFaults)
    await faults.reach("anything")
    faults.reach_blocking("anything")
