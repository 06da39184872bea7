"""One anti-entropy session over any way of asking: find what differs, then fetch and offer it in bounded messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from node.host.ports import Host
from node.net.failures import RemoteError
from protocol import limits
from protocol.ids import Digest
from protocol.members import reconcile
from protocol.members.reconcile import Session, Trie
from protocol.members.records import Record, decode_record, encode_record, record_id
from protocol.members.view import View
from protocol.requests import Done, FetchRecords, Kind, PushRecords, Reconcile

T = TypeVar("T")

BATCH_BYTES_MAX = 192 * limits.KIB
WAITING_MAX = 1_024


class Ask(Protocol):
    """Ask one peer, with a deadline of its own."""

    async def __call__(self, kind: Kind, message: object, reply: type[T], /) -> T: ...


# Takes what came, returns the records that lack their author: they are offered again with the next batch.
Absorb = Callable[[Sequence[Record]], Awaitable[Sequence[Record]]]


async def find_difference(host: Host, view: View, ask: Ask) -> tuple[list[Digest], list[Digest]]:
    """The ids that only the peer has, and those that only we have, both sorted."""
    salt = host.entropy.random_bytes(reconcile.SALT_BYTES)
    session = Session(await host.threads.run_blocking(Trie, salt, view.ids()))
    while (question := session.question()) is not None:
        answer = await ask(Kind.RECONCILE, Reconcile(reconcile.encode_question(question)), Reconcile)
        session.take(reconcile.decode_answers(answer.message))
    return sorted(session.wanted), sorted(session.offered)


async def fetch(ask: Ask, wanted: Sequence[Digest], absorb: Absorb) -> None:
    """Get these records and hand them over, batch after batch."""
    left = list(wanted)
    waiting: Sequence[Record] = ()
    while left:
        asked = left[: limits.RECORDS_PER_MESSAGE_MAX]
        reply = await ask(Kind.FETCH_RECORDS, FetchRecords(tuple(asked)), PushRecords)
        records = [decode_record(raw) for raw in reply.records]
        got = {Digest(record_id(record)) for record in records}
        # A peer that gives nothing of what was asked no longer has it.
        left = [identity for identity in left if identity not in got] if got & set(asked) else left[len(asked) :]
        waiting = (await absorb([*waiting, *records]))[:WAITING_MAX]


async def learn(host: Host, view: View, ask: Ask, absorb: Absorb) -> None:
    """Get every record that only the peer has."""
    wanted, _offered = await find_difference(host, view, ask)
    await fetch(ask, wanted, absorb)


async def offer(ask: Ask, records: Iterable[Record]) -> None:
    """Push these records, all of them, even when the peer refuses some; its first refusal is raised at the end."""
    refusal: RemoteError | None = None
    # A record depends only on records of lower kinds: in this order few come before what they stand on.
    for batch in batches(sorted(records, key=lambda record: record.kind)):
        try:
            await ask(Kind.PUSH_RECORDS, PushRecords(batch), Done)
        except RemoteError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal


def batches(records: Iterable[Record]) -> Iterator[tuple[bytes, ...]]:
    """Encoded records, in messages that one call can carry."""
    batch: list[bytes] = []
    size_bytes = 0
    for record in records:
        raw = encode_record(record)
        if batch and (size_bytes + len(raw) > BATCH_BYTES_MAX or len(batch) == limits.RECORDS_PER_MESSAGE_MAX):
            yield tuple(batch)
            batch, size_bytes = [], 0
        batch.append(raw)
        size_bytes += len(raw)
    if batch:
        yield tuple(batch)
