"""Shares to and from other holders, several in one exchange where several wait.

Built on `lanes`: one lane for each holder and carriage. A share that travels alone uses the plain request, so a node
that does not know the plural ones can still be written to and read from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from node.mesh.peering import Peering
from node.net.exchange import Room
from node.net.failures import RemoteError, error_of
from node.vault.lanes import Lane, Outcomes
from protocol.errors import MaillonError, Malformed, OverLimit
from protocol.ids import NodeId
from protocol.limits import BLOCK_BYTES_MAX, SHARES_PER_CALL_BYTES_MAX, SHARES_PER_CALL_MAX
from protocol.requests import (
    Done,
    FoundShare,
    GetShare,
    GetShares,
    GetSharesReply,
    Kind,
    PutShare,
    PutShares,
    PutSharesReply,
    ShareReply,
)
from protocol.wire import schema
from protocol.wire.envelopes import Carriage, Failure

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A share to be kept."""

    message: PutShare
    share: memoryview


@dataclass(frozen=True, slots=True)
class Fetch:
    """A share that is wanted, and room for its bytes."""

    question: GetShare
    into: memoryview


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the holder says of the share; `size_bytes` of its bytes are in the room."""

    reply: ShareReply
    size_bytes: int


class ShareLanes:
    """To each holder, shares that are to be kept; from each, shares that are wanted."""

    def __init__(self, mesh: Peering, *, deadline_s: float) -> None:
        self._mesh = mesh
        self._deadline_s = deadline_s
        self._puts: dict[tuple[NodeId, Carriage], Lane[Parcel, Done]] = {}
        self._gets: dict[tuple[NodeId, Carriage], Lane[Fetch, Fetched]] = {}

    async def put(self, node: NodeId, carriage: Carriage, parcels: Sequence[Parcel]) -> Sequence[Done | MaillonError]:
        """What became of each share once the holder has answered: kept durably, or what stood in the way."""

        async def carry(parcels: Sequence[Parcel]) -> Outcomes[Done]:
            if len(parcels) > 1:
                # What is refused as a whole (by a node that does not know the plural, too) is sent one by one, so
                # that each share hears its own answer.
                with suppress(RemoteError):
                    return await self._put_several(node, carriage, parcels)
            return [await _outcome_of(self._put_one(node, carriage, parcel)) for parcel in parcels]

        return await _travel(self._puts, (node, carriage), parcels, lambda: Lane(carry, _parcels_fit))

    async def get(
        self, node: NodeId, carriage: Carriage, fetches: Sequence[Fetch]
    ) -> Sequence[Fetched | MaillonError]:
        """Each share, its bytes unchecked, or what stood in its way."""

        async def carry(fetches: Sequence[Fetch]) -> Outcomes[Fetched]:
            if len(fetches) > 1:
                with suppress(RemoteError):
                    return await self._get_several(node, carriage, fetches)
            return [await _outcome_of(self._get_one(node, carriage, one)) for one in fetches]

        return await _travel(self._gets, (node, carriage), fetches, lambda: Lane(carry, _fetches_fit))

    async def _put_one(self, node: NodeId, carriage: Carriage, parcel: Parcel) -> Done:
        payload, deadline_s = [parcel.share], self._deadline_s
        answer = await self._mesh.ask(
            node, Kind.PUT_SHARE, parcel.message, Done, deadline_s=deadline_s, payload=payload, over=carriage
        )
        return answer.message

    async def _put_several(self, node: NodeId, carriage: Carriage, parcels: Sequence[Parcel]) -> Outcomes[Done]:
        answer = await self._mesh.ask(
            node,
            Kind.PUT_SHARES,
            PutShares(tuple(parcel.message for parcel in parcels)),
            PutSharesReply,
            deadline_s=self._deadline_s,
            payload=[parcel.share for parcel in parcels],
            over=carriage,
        )
        outcomes = answer.message.outcomes
        if len(outcomes) != len(parcels):
            raise Malformed("answer-items", expected=len(parcels), found=len(outcomes))
        return [_failure(encoded, node) if encoded else Done() for encoded in outcomes]

    async def _get_one(self, node: NodeId, carriage: Carriage, fetch: Fetch) -> Fetched:
        deadline_s, into = self._deadline_s, fetch.into
        answer = await self._mesh.ask(
            node, Kind.GET_SHARE, fetch.question, ShareReply, deadline_s=deadline_s, into=into, over=carriage
        )
        return Fetched(answer.message, answer.payload_bytes)

    async def _get_several(self, node: NodeId, carriage: Carriage, fetches: Sequence[Fetch]) -> Outcomes[Fetched]:
        """Each share is received straight to where it is wanted; the answer's message says which ones come."""

        def places(answer: GetSharesReply) -> list[memoryview]:
            if len(answer.found) != len(fetches):
                raise Malformed("answer-items", expected=len(fetches), found=len(answer.found))
            return [_place(fetch, one) for fetch, one in zip(fetches, answer.found, strict=True) if one.reply]

        answer = await self._mesh.ask(
            node,
            Kind.GET_SHARES,
            GetShares(tuple(fetch.question for fetch in fetches)),
            GetSharesReply,
            deadline_s=self._deadline_s,
            into=Room(GetSharesReply, sum(len(fetch.into) for fetch in fetches), places),
            over=carriage,
        )
        return [
            _failure(one.failure, node) if one.reply is None else Fetched(one.reply, one.size_bytes)
            for one in answer.message.found
        ]


async def _travel(
    lanes: dict[tuple[NodeId, Carriage], Lane[T, R]],
    key: tuple[NodeId, Carriage],
    items: Sequence[T],
    make: Callable[[], Lane[T, R]],
) -> list[R | MaillonError]:
    """Send the items by the lane of this key, which lives for as long as it is used."""
    lane = lanes.get(key)
    if lane is None:
        lane = lanes[key] = make()
    try:
        return await lane.send_all(items)
    finally:
        if lane.is_idle and lanes.get(key) is lane:
            del lanes[key]


async def _outcome_of(work: Awaitable[R]) -> R | MaillonError:
    try:
        return await work
    except MaillonError as error:
        return error


def _place(fetch: Fetch, found: FoundShare) -> memoryview:
    """Where the share goes. One that is too large for that is no share of the block that was asked for."""
    if found.size_bytes > len(fetch.into):
        raise OverLimit("answer-payload", size_bytes=found.size_bytes, limit_bytes=len(fetch.into))
    return fetch.into[: found.size_bytes]


def _parcels_fit(chosen: Sequence[Parcel], one_more: Parcel) -> bool:
    return _fit([parcel.share for parcel in chosen], one_more.share, SHARES_PER_CALL_BYTES_MAX)


def _fetches_fit(chosen: Sequence[Fetch], one_more: Fetch) -> bool:
    return _fit([fetch.into for fetch in chosen], one_more.into, BLOCK_BYTES_MAX)


def _fit(chosen: Sequence[memoryview], one_more: memoryview, room_bytes: int) -> bool:
    size_bytes = sum(map(len, chosen)) + len(one_more)
    return len(chosen) < SHARES_PER_CALL_MAX and size_bytes <= room_bytes


def _failure(encoded: bytes, node: NodeId) -> MaillonError:
    return error_of(schema.decode(Failure, encoded), node)
