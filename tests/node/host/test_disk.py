"""What every disk promises; the same tests over the real one and the one in memory."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from node.host.faults import NoFaults
from node.host.files import RealDisk
from node.host.ports import Disk
from protocol.errors import OverLimit
from sim.host.world import World


@pytest.fixture(params=["real", "memory"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return RealDisk(tmp_path, NoFaults()) if request.param == "real" else World(1).host("n1").disk


def read(disk: Disk, path: PurePath, offset: int, size: int) -> bytes:
    buffer = bytearray(size)
    file = disk.open(path)
    count = file.read_into(offset, memoryview(buffer))
    file.close()
    return bytes(buffer[:count])


def test_a_write_is_read_back_by_position(disk: Disk) -> None:
    file = disk.open(PurePath("volumes/v1"))
    file.write(0, [b"head", bytearray(b"er"), memoryview(b"-body")])
    file.write(6, [b"+"])
    file.sync()
    assert file.size() == 11
    assert read(disk, PurePath("volumes/v1"), 4, 100) == b"er+body"
    assert read(disk, PurePath("volumes/v1"), 11, 5) == b""


def test_many_parts_go_in_one_write(disk: Disk) -> None:
    parts = [bytes([number % 256]) * (number % 7) for number in range(5000)]
    file = disk.open(PurePath("v"))
    file.write(10, list(parts))
    whole = b"".join(parts)
    assert read(disk, PurePath("v"), 10, len(whole) + 1) == whole
    assert read(disk, PurePath("v"), 0, 10) == bytes(10)


def test_truncate_shortens_and_lengthens(disk: Disk) -> None:
    file = disk.open(PurePath("v"))
    file.write(0, [b"abcdef"])
    file.truncate(3)
    file.truncate(5)
    assert file.size() == 5
    assert read(disk, PurePath("v"), 0, 10) == b"abc\0\0"


def test_a_punched_hole_reads_as_zeros_and_keeps_the_size(disk: Disk) -> None:
    file = disk.open(PurePath("v"))
    file.write(0, [b"x" * 3 * 65_536])
    file.sync()
    assert file.punch(65_536, 65_536)
    assert file.size() == 3 * 65_536
    assert read(disk, PurePath("v"), 65_536, 65_536) == bytes(65_536)
    assert read(disk, PurePath("v"), 65_535, 1) == b"x"
    assert read(disk, PurePath("v"), 131_072, 1) == b"x"


def test_names_are_listed_in_order_and_only_where_they_are(disk: Disk) -> None:
    for name in ("volumes/b", "volumes/a", "volumes/deep/c", "keys/node"):
        disk.replace(PurePath(name), b"")
    assert disk.list(PurePath("volumes")) == ["a", "b", "deep"]
    assert disk.list(PurePath("absent")) == []
    assert disk.exists(PurePath("volumes/a"))
    assert disk.exists(PurePath("volumes"))
    assert not disk.exists(PurePath("volumes/c"))


def test_replace_is_whole_and_leaves_nothing_beside_it(disk: Disk) -> None:
    disk.replace(PurePath("keys/node"), b"old" * 100, private=True)
    disk.replace(PurePath("keys/node"), b"new", private=True)
    assert disk.read(PurePath("keys/node"), size_bytes_max=10) == b"new"
    assert disk.list(PurePath("keys")) == ["node"]


def test_a_file_over_the_bound_is_refused_unread(disk: Disk) -> None:
    disk.replace(PurePath("big"), b"x" * 11)
    assert disk.read(PurePath("big"), size_bytes_max=11) == b"x" * 11
    with pytest.raises(OverLimit) as caught:
        disk.read(PurePath("big"), size_bytes_max=10)
    assert caught.value.identifier == "file-size"


def test_an_absent_file_is_not_read(disk: Disk) -> None:
    with pytest.raises(FileNotFoundError):
        disk.read(PurePath("absent"), size_bytes_max=10)


def test_removing_is_final_and_may_be_repeated(disk: Disk) -> None:
    disk.open(PurePath("volumes/v")).close()
    disk.remove(PurePath("volumes/v"))
    disk.remove(PurePath("volumes/v"))
    disk.remove(PurePath("nowhere/v"))
    assert not disk.exists(PurePath("volumes/v"))


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b"])
def test_no_path_leaves_the_disk(disk: Disk, path: str) -> None:
    with pytest.raises(ValueError, match="leaves the disk"):
        disk.open(PurePath(path))
    with pytest.raises(ValueError, match="leaves the disk"):
        disk.replace(PurePath(path), b"")


def test_there_is_room(disk: Disk) -> None:
    assert disk.free_bytes() > 0


def test_private_files_are_closed_to_others(tmp_path: Path) -> None:
    disk = RealDisk(tmp_path, NoFaults())
    disk.replace(PurePath("keys/node"), b"secret", private=True)
    disk.open(PurePath("volumes/v")).close()
    assert (tmp_path / "keys/node").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "volumes/v").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
