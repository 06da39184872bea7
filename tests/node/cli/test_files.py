"""Files as sinks: a file appears when it is whole, never before, and never over another unasked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from node.admin.lines import ObjectLine
from node.cli.files import FileSink, FileSource
from protocol.errors import Refused

FOUND = ObjectLine("b", "k", 5, 0, "internal", 0, inline=True, version="", stored_bytes=0)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_file_appears_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "file"
    with FileSink(target, replace=False) as sink:
        await sink.begin(FOUND)
        await sink.write(memoryview(b"he"))
        assert not target.exists()
        await sink.write(memoryview(b"llo"))
    assert target.read_bytes() == b"hello"
    assert names_in(target.parent) == ["file"]


async def test_a_transfer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    async def fail_half_way() -> None:
        with FileSink(target, replace=True) as sink:
            await sink.begin(FOUND)
            await sink.write(memoryview(b"half"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_half_way()
    assert target.read_bytes() == b"old"
    assert names_in(tmp_path) == ["file"]


def test_an_object_that_is_missing_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), FileSink(tmp_path / "new" / "file", replace=False):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("replace", [True, False])
def test_a_folder_is_never_replaced(tmp_path: Path, replace: bool) -> None:
    with pytest.raises(Refused, match="local-file-is-folder"), FileSink(tmp_path, replace=replace):
        pass


def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(Refused, match="local-file-exists"), FileSink(tmp_path / "file", replace=False):
        pass


async def test_the_longest_names_fit(tmp_path: Path) -> None:
    target = tmp_path / ("é" * 127)
    with FileSink(target, replace=False) as sink:
        await sink.begin(FOUND)
    assert names_in(tmp_path) == [target.name]


async def test_a_source_gives_all_bytes_of_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"some bytes")
    os.close(writing)
    source, buffer, got = FileSource(reading), memoryview(bytearray(4)), b""
    while count := await source.read_into(buffer):
        got += bytes(buffer[:count])
    os.close(reading)
    assert got == b"some bytes"
