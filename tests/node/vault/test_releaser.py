"""The releaser alone: whom it tells, how often, and when it takes a block for released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from node.vault.catalog.catalog import PendingRelease
from node.vault.pins import Pins
from node.vault.release import releaser
from node.vault.release.releaser import Releaser, ReleaserTools
from node.vault.release.unnamed import Unnamed
from protocol.coding.label import Stamp
from protocol.errors import Refused, Unavailable
from protocol.ids import BlockId, NodeId
from protocol.keys.signing import SigningKey
from protocol.limits import BLOCKS_PER_RELEASE_MAX
from protocol.namespace.changes import BlocksReleased, Change, UploadAborted
from protocol.namespace.releases import BlockRelease, verify_release
from protocol.namespace.root import Root
from sim.host.world import World
from tests.support.namespaces import node, some

WRITER = SigningKey.from_seed(some("writer"))
NAMESPACE = Root(some("root")).namespace
A, B, C = node(1), node(2), node(3)


def block(number: int) -> BlockId:
    return BlockId(some("block", number))


@dataclass
class Scene:
    """A releaser over a catalog, a journal and holders that remember what they were asked."""

    pending: dict[BlockId, tuple[NodeId, ...]] = field(default_factory=dict)
    uploads_: tuple[bytes, ...] = ()
    journaled: list[Change] = field(default_factory=list)
    told: list[tuple[NodeId, int]] = field(default_factory=list)
    refusing: dict[NodeId, Exception] = field(default_factory=dict)
    kept_until_s: dict[NodeId, int] = field(default_factory=dict)
    away: set[NodeId] = field(default_factory=set)
    members: set[NodeId] = field(default_factory=lambda: {A, B, C})
    pins: Pins = field(default_factory=Pins)
    unnamed: Unnamed = field(default_factory=Unnamed)
    epoch: int = 4
    in_doubt: bool = False
    can_settle: bool = True

    def releaser(self) -> Releaser:
        me: Any = cast(Any, self)
        host = World(1).host("n1")
        is_member = self.members.__contains__
        tools = ReleaserTools(host, NAMESPACE, WRITER, me, me, me, self.pins, self.unnamed, is_member, 1.0)
        return Releaser(tools)

    # --- the catalog

    async def releases(self, *, after: BlockId | None, limit: int) -> tuple[PendingRelease, ...]:
        found = sorted(one for one in self.pending if after is None or one > after)[:limit]
        return tuple(PendingRelease(one, self.pending[one]) for one in found)

    async def uploads(self) -> tuple[bytes, ...]:
        return self.uploads_

    # --- the journal

    @property
    def next_position(self) -> Stamp:
        return Stamp(self.epoch, 0)

    async def settle(self) -> None:
        if not self.can_settle:
            raise Unavailable("journal-unacknowledged")
        self.in_doubt = False

    async def append(self, changes: Sequence[Change]) -> None:
        self.journaled += changes
        for change in changes:
            if isinstance(change, BlocksReleased):
                for one in change.blocks:
                    del self.pending[one]

    # --- the holders

    def unreachable(self) -> frozenset[NodeId]:
        return frozenset(self.away)

    def name(self, who: NodeId) -> str:
        return who.hex()[:8]

    async def release(self, who: NodeId, release: BlockRelease) -> tuple[int, ...]:
        self.told.append((who, len(release.blocks)))
        verify_release(release, writer=WRITER.public, epoch=self.epoch)
        if who in self.refusing:
            raise self.refusing[who]
        return (self.kept_until_s.get(who, 0),) * len(release.blocks)


async def test_a_block_is_left_alone_for_a_round_then_all_its_holders_are_told_once() -> None:
    scene = Scene({block(1): (A, B), block(2): (B, C)})
    releasing = scene.releaser()
    assert await releasing.round() == 0
    assert scene.told == []
    assert await releasing.round() == 2
    assert sorted(scene.told) == sorted([(A, 1), (B, 2), (C, 1)])
    assert scene.journaled == [BlocksReleased(tuple(sorted([block(1), block(2)])))]
    assert await releasing.round() == 0


async def test_nobody_is_told_while_a_change_that_nobody_heard_of_may_name_the_block_again() -> None:
    """A copy whose client gave up has its blocks pinned no more, and may be journaled."""
    scene = Scene({block(1): (A, B)})
    releasing = scene.releaser()
    await releasing.round()
    scene.in_doubt, scene.can_settle = True, False
    with pytest.raises(Unavailable):
        await releasing.round()
    scene.can_settle = True
    asked = scene.releases

    async def meanwhile(*, after: BlockId | None, limit: int) -> tuple[PendingRelease, ...]:
        scene.in_doubt = True
        return await asked(after=after, limit=limit)

    scene.releases = meanwhile  # type: ignore[method-assign]
    assert await releasing.round() == 0
    assert scene.told == []
    scene.releases = asked  # type: ignore[method-assign]
    assert await releasing.round() == 1
    assert sorted(scene.told) == sorted([(A, 1), (B, 1)])


async def test_only_those_who_have_not_let_go_are_told_again() -> None:
    scene = Scene({block(1): (A, B, C)}, away={A}, refusing={B: Unavailable("release-ahead")})
    releasing = scene.releaser()
    for _ in range(3):
        assert await releasing.round() == 0
    assert scene.told.count((C, 1)) == 1
    assert (A, 1) not in scene.told
    scene.away.clear()
    scene.refusing.clear()
    scene.told.clear()
    assert await releasing.round() == 1
    assert sorted(scene.told) == sorted([(A, 1), (B, 1)])


async def test_a_refusal_is_never_taken_for_obedience() -> None:
    scene = Scene({block(1): (A,)}, refusing={A: Refused("release-superseded", namespace=NAMESPACE, epoch=9)})
    releasing = scene.releaser()
    for _ in range(5):
        assert await releasing.round() == 0
    assert scene.journaled == []


async def test_nobody_waits_for_a_node_that_is_no_member_any_more() -> None:
    scene = Scene({block(1): (A, B)})
    scene.members.discard(B)
    releasing = scene.releaser()
    await releasing.round()
    assert await releasing.round() == 1
    assert scene.told == [(A, 1)]


async def test_a_locked_share_is_asked_for_again_when_its_time_has_come() -> None:
    scene = Scene({block(1): (A,)}, kept_until_s={A: 2**40})
    releasing = scene.releaser()
    for _ in range(5):
        assert await releasing.round() == 0
    assert scene.told == [(A, 1)]
    scene.kept_until_s[A] = 0
    another = scene.releaser()  # a new life asks again, whatever the last one was told
    await another.round()
    assert await another.round() == 1


async def test_what_is_pinned_waits() -> None:
    scene = Scene({block(1): (A,), block(2): (A,)})
    releasing = scene.releaser()
    with scene.pins.hold([block(1)]):
        await releasing.round()
        assert await releasing.round() == 1
        assert scene.journaled == [BlocksReleased((block(2),))]
    assert await releasing.round() == 1


async def test_many_blocks_travel_in_messages_of_bounded_size_and_in_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(releaser, "LOOKED_AT_PER_ROUND", 300)
    scene = Scene({block(number): (A,) for number in range(700)}, away={B})
    scene.pending[block(10_000)] = (B,)
    releasing = scene.releaser()
    for _ in range(20):
        await releasing.round()
    assert list(scene.pending) == [block(10_000)]
    assert max(count for _, count in scene.told) <= BLOCKS_PER_RELEASE_MAX
    assert sum(count for _, count in scene.told) == 700


async def test_what_failed_writes_left_is_released_and_nothing_journaled_about_it() -> None:
    scene = Scene()

    def fail() -> None:
        with scene.unnamed.writing(Stamp(4, 0)) as writing:
            writing.spreads([block(1)], [A, B])
            raise Unavailable("holders-too-few")

    with pytest.raises(Unavailable):
        fail()
    releasing = scene.releaser()
    await releasing.round()
    assert await releasing.round() == 1
    assert sorted(scene.told) == sorted([(A, 1), (B, 1)])
    assert scene.journaled == []
    assert scene.unnamed.blocks == {}


class Journal:
    """Refuses as it is told."""

    next_position = Stamp(4, 1)

    def __init__(self, error: Unavailable | None = None) -> None:
        self.error = error

    async def append(self, changes: Sequence[Change], inline: Sequence[bytes] = ()) -> None:
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (Unavailable("journal-holders-away"), {block(1), block(2)}),
        (Unavailable("journal-unacknowledged"), {block(2)}),
    ],
    ids=lambda value: getattr(value, "identifier", ""),
)
async def test_what_may_have_been_journaled_is_never_released(error: Unavailable, left: set[BlockId]) -> None:
    unnamed = Unnamed()

    async def write() -> None:
        with unnamed.writing(Stamp(4, 0)) as writing:
            writing.spreads([block(0), block(1), block(2)], [A])
            await writing.journal(cast(Any, Journal()), UploadAborted(bytes(16)), [block(0)])
            await writing.journal(cast(Any, Journal(error)), UploadAborted(bytes(16)), [block(1)])

    with pytest.raises(Unavailable):
        await write()
    assert unnamed.blocks.keys() == left


async def test_an_upload_is_aborted_when_nobody_went_on_with_it_for_a_round() -> None:
    scene = Scene(uploads_=(b"one", b"two"))
    releasing = scene.releaser()
    with scene.pins.hold([b"one"]):
        assert await releasing.abort_uploads() == 0
        assert await releasing.abort_uploads() == 1
        assert await releasing.abort_uploads() == 1  # the catalog of this scene never forgets
    assert scene.journaled == [UploadAborted(b"two"), UploadAborted(b"two")]
    assert await releasing.abort_uploads() == 1
