"""What nodes say becomes events of the run; what they say too often to be read only counts for its hash."""

from __future__ import annotations

import json

import pytest

from node.config import LogSection
from node.logs import configure, get_logger
from protocol.ids import BlockId, short_text_of
from sim.host.trace import Trace
from sim.host.world import speaking
from sim.run.saying import TOO_OFTEN, heard

BLOCK = BlockId(bytes(32))


async def test_an_event_says_who_spoke_and_ids_by_their_first_letters() -> None:
    lines: list[str] = []
    with heard(Trace(lines.append)):
        token = speaking.set("n3")
        get_logger("test").debug("share.kept", block=BLOCK, share=2)
        speaking.reset(token)
    (event,) = map(json.loads, lines)
    assert (event["event"], event["node"], event["what"]) == ("said", "n3", "share.kept")
    assert (event["block"], event["share"]) == (short_text_of(BLOCK), 2)


async def test_what_is_said_too_often_is_in_the_hash_alone() -> None:
    lines: list[str] = []
    trace = Trace(lines.append)
    with heard(trace):
        before = trace.digest()
        for what in TOO_OFTEN:
            get_logger("test").debug(what)
    assert lines == []
    assert trace.digest() != before


async def test_a_logger_that_spoke_as_a_nodes_is_heard_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    logger = get_logger("test")
    configure(LogSection(level="warning"))
    logger.warning("before")
    lines: list[str] = []
    with heard(Trace(lines.append)):
        logger.debug("share.kept")
    assert [json.loads(line)["what"] for line in lines] == ["share.kept"]
    assert "before" in capsys.readouterr().err
