"""What a gateway remembers of who has what, when some of the others are silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from trio.testing import MockClock

from node.doors.finding import Finder
from node.net.exchange import Answer
from protocol.errors import Unavailable
from protocol.ids import NodeId
from protocol.passing import GatewayFound

FIRST, SECOND = NodeId(b"\1" * 32), NodeId(b"\2" * 32)
BOX = ("", "box")


@dataclass
class Siblings:
    """Two gateways. `having`: who has whatever is sought; `silent`: who does not answer."""

    having: set[NodeId] = field(default_factory=set)
    silent: set[NodeId] = field(default_factory=set)

    def siblings(self) -> Sequence[NodeId]:
        return FIRST, SECOND

    def answers(self, node: NodeId) -> bool:
        return node not in self.silent

    async def ask(self, node: NodeId, kind: Any, message: object, reply: Any, *, deadline_s: float) -> Any:
        if node in self.silent:
            raise Unavailable("node-unreachable", node=node)
        return Answer(GatewayFound(node in self.having), 0)


async def test_what_was_found_is_known_to_have_been_while_who_had_it_is_silent(autojump_clock: MockClock) -> None:
    others = Siblings(having={FIRST})
    finder = Finder(others, others)
    assert await finder.find(BOX, None) == (FIRST, True)
    others.silent.add(FIRST)
    assert await finder.find(BOX, None) == (None, False)
    assert finder.has_found(BOX)


async def test_who_had_it_may_say_that_it_is_gone_though_another_is_silent(autojump_clock: MockClock) -> None:
    """Or programs would be told "not now" of a deleted bucket for as long as some gateway is away."""
    others = Siblings(having={FIRST}, silent={SECOND})
    finder = Finder(others, others)
    assert await finder.find(BOX, None) == (FIRST, True)
    others.having.clear()
    finder.doubt(BOX)
    assert await finder.find(BOX, None) == (None, False)
    assert not finder.has_found(BOX)
    others.silent.clear()
    others.having.add(SECOND)
    assert await finder.find(BOX, None) == (SECOND, True)
    assert finder.has_found(BOX)
