"""What the node writes to standard error: one line an event, for people or for programs."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace

import pytest
import structlog

from node.config import LogSection
from node.logs import configure, get_logger
from protocol.ids import short_text_of

log = get_logger(__name__)
ID = b"\x01" * 32


@contextmanager
def written(section: LogSection) -> Iterator[io.StringIO]:
    """What a node with this configuration writes to standard error, which is no terminal."""
    errors = io.StringIO()
    with redirect_stderr(errors):
        configure(section)
        try:
            yield errors
        finally:
            structlog.reset_defaults()


def test_a_line_is_the_event_and_what_it_says() -> None:
    with written(LogSection()) as errors:
        log.info("request", status=200, path="/a b", key="plain", node=ID, empty="", forged="x\nevent=y")
        log.debug("unheard")
    stamp, told = errors.getvalue().split(" ", 1)
    assert stamp.endswith("Z")
    assert told.startswith("[info     ] request                        empty='' forged='x\\nevent=y' key=plain node=")
    assert f" node={short_text_of(ID)} path=" in told, "an id as people know it"
    assert told.endswith(" path='/a b' status=200\n")
    assert errors.getvalue().count("\n") == 1


def test_a_failure_comes_with_where_it_was() -> None:
    with written(LogSection()) as errors:
        try:
            raise RuntimeError("a bug")
        except RuntimeError:
            log.exception("failed", request="ABC")
    first, *rest = errors.getvalue().splitlines()
    assert first.endswith("request=ABC")
    assert rest[-1] == "RuntimeError: a bug"


def test_programs_get_json() -> None:
    with written(LogSection(format="json")) as errors:
        log.warning("full", open=3)
    said = json.loads(errors.getvalue())
    assert (said["event"], said["level"], said["open"]) == ("full", "warning", 3)


class FullDisk(io.StringIO):
    """A file that takes nothing while it is full, as standard error on a disk without room."""

    is_full = True

    def flush(self) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_disk_of_the_log_costs_lines_and_stops_nobody(form: str) -> None:
    disk = FullDisk()
    with redirect_stderr(disk):
        configure(replace(LogSection(), format=form))
        try:
            log.info("request")
            log.error("failed")
            disk.truncate(0)
            disk.is_full = False
            log.info("again")
        finally:
            structlog.reset_defaults()
    lost, again = disk.getvalue().lstrip("\0").splitlines()
    assert "log-lines-lost" in lost
    assert "lines" in lost
    assert "again" in again
