"""Progress: silence for what is quick, a line a second for programs, a bar with rate and time left for people."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from node.cli.output import Output
from node.cli.progress import metered


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def move(output: Output, seconds: float, *, total_bytes: int | None = 10_000) -> None:
    async with metered(output, "put", total_bytes=total_bytes, total_files=4) as meter:
        for _step in range(10):
            await trio.sleep(seconds / 10)
            meter.advance(1_000)
        meter.finish_file()


async def test_a_program_hears_once_a_second_how_far_it_is(
    autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    await move(Output(json=True), 3.5)
    lines: list[Any] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["step"] for line in lines] == ["put"] * 3
    done = [line["done_bytes"] for line in lines]
    assert done == sorted(done)
    assert all(line["total_bytes"] == 10_000 and line["total_files"] == 4 for line in lines)
    assert lines[1]["rate_bytes_per_s"] == pytest.approx(2_857, rel=0.2)
    assert lines[1]["left_s"] == pytest.approx(1.5, abs=0.6)


async def test_without_a_known_size_there_is_no_time_left(
    autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    await move(Output(json=True), 2.5, total_bytes=None)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["left_s"] is None


async def test_what_takes_less_than_a_second_shows_nothing(
    autojump_clock: MockClock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    await move(Output(json=False), 0.9)
    await move(Output(json=True), 0.9)
    assert terminal.getvalue() == ""
    assert capsys.readouterr().out == ""


async def test_people_see_files_rate_and_time_left(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    await move(Output(json=False), 4.0)
    shown = terminal.getvalue()
    assert "put 0/4" in shown
    assert "/s" in shown
    assert "0:00:" in shown


async def test_nothing_is_drawn_where_nobody_looks(
    autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    await move(Output(json=False), 4.0)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
