"""Members that ask too much, and members whose bytes are no messages.

What one peer may cost is bounded before anything is spent on it: its connections, exchanges, turns, buffers and
records are counted apart from everybody else's, so whoever uses up its own keeps nobody waiting. Bytes that break the
protocol end the connection that they came on, and nothing else.
"""

from __future__ import annotations

import itertools
from typing import Final

import trio

from node.admin.services import Services
from node.host.ports import Host
from node.net.identity import Credentials, prove_as_dialler
from node.net.reading import FrameReader
from protocol.ids import NodeId
from protocol.limits import KIB, RECONCILE_QUERIES_MAX, SWIM_UPDATES_MAX
from protocol.members.cards import make_node_card
from protocol.members.reconcile import DIGEST_BYTES, Query, Question, encode_question
from protocol.members.records import Record, sign_record
from protocol.members.swim_updates import Update, encode_update, sign_claim
from protocol.requests import JournalAppend, Kind, Ping, Reconcile
from protocol.wire.envelopes import Role
from protocol.wire.frames import FrameType, pack_header, pack_window
from sim.byzantine.gossip import own_card, push
from sim.byzantine.liar import Liar, Lie, try_to

_BURST_EVERY_S: Final = 1.0
_ASK_S: Final = 2.0
_DIALS: Final = 4
_SALTS: Final = 2
_CARDS: Final = 2
_RECORDS: Final = 8
_RECORD_BYTES: Final = 1 * KIB
_UNKNOWN_KIND: Final = 60_000
_HALF_SENT: Final = 6
_HALF_BYTES: Final = 256 * KIB
_FAR_POSITION: Final = 10**6

_GARBAGE_EVERY_S: Final = 0.25


def floods(liar: Liar) -> Lie:
    """Asks of everybody as much as the protocol lets it: connections that say nothing, appends that never come to
    their end, new records, rumours and comparisons without end.

    It wastes its own turns and fills its own places; others wait for what they asked themselves, as ever.
    """

    async def work(services: Services) -> None:
        for burst in itertools.count(1):
            await trio.sleep(_BURST_EVERY_S)
            others = sorted(services.mesh.live() - {services.mesh.me})
            liar.tells("too much", others=len(others), burst=burst)
            async with trio.open_nursery() as nursery:
                nursery.cancel_scope.deadline = trio.current_time() + _BURST_EVERY_S
                for place, other in enumerate(others):
                    nursery.start_soon(_flood, services, liar, other, burst * len(others) + place)

    return Lie(work=work)


async def _flood(services: Services, liar: Liar, other: NodeId, number: int) -> None:
    """All that one member gets of one burst; `number` is another each time."""
    async with trio.open_nursery() as nursery:
        for address in _addresses_of(services, other) * _DIALS:
            nursery.start_soon(try_to, _hold_connection(services.host, address))
        for namespace in services.mesh.view.namespaces()[:1] * _HALF_SENT:
            question = JournalAppend(
                namespace.namespace, namespace.epoch, _FAR_POSITION, (2 * _HALF_BYTES,), under=None
            )
            nursery.start_soon(try_to, _half_append(services, other, question))
        nursery.start_soon(push, services, other, *_records(services, liar, number))
        nursery.start_soon(try_to, _rumours(services, liar, other, number))
        for salt in range(_SALTS):
            nursery.start_soon(try_to, _compare(services, other, number * _SALTS + salt))


def _addresses_of(services: Services, other: NodeId) -> tuple[str, ...]:
    facts = services.mesh.view.node(other)
    return () if facts is None else facts.addresses


async def _hold_connection(host: Host, address: str) -> None:
    stream = await host.network.dial(address)
    try:
        await trio.sleep_forever()
    finally:
        await stream.aclose()


async def _half_append(services: Services, other: NodeId, question: JournalAppend) -> None:
    total_bytes = sum(question.sizes_bytes)
    asking = services.mesh.open(other, Kind.JOURNAL_APPEND, question, deadline_s=_ASK_S, payload_bytes=total_bytes)
    async with asking as exchange:
        await exchange.send([bytes(_HALF_BYTES)])
        await trio.sleep_forever()


def _records(services: Services, liar: Liar, number: int) -> list[Record]:
    """New cards of its own, and records of a kind that nobody knows, which views keep for a later protocol."""
    federation = services.mesh.view.federation
    card, counter = own_card(services)
    cards = [make_node_card(liar.key, federation, card, counter=counter + step) for step in range(_CARDS)]
    subjects = [(number * _RECORDS + place).to_bytes(32, "big") for place in range(_RECORDS)]
    unknown = [
        sign_record(liar.key, federation, _UNKNOWN_KIND, 1, subject, bytes(_RECORD_BYTES)) for subject in subjects
    ]
    return [*cards, *unknown]


async def _rumours(services: Services, liar: Liar, other: NodeId, number: int) -> None:
    federation = services.mesh.view.federation
    first = services.host.wall.now_s() + number * SWIM_UPDATES_MAX
    claims = [sign_claim(federation, liar.key, first + step, leaving=False) for step in range(SWIM_UPDATES_MAX)]
    updates = tuple(encode_update(Update(claim, None, b"")) for claim in claims)
    await services.mesh.ask(other, Kind.PING, Ping(updates), Ping, deadline_s=_ASK_S)


async def _compare(services: Services, other: NodeId, number: int) -> None:
    """As many branches as may be asked for, under a salt for which the other has no trie yet."""
    pairs = itertools.islice(itertools.product(range(16), repeat=2), RECONCILE_QUERIES_MAX)
    queries = tuple(Query(bytes(path), bytes(DIGEST_BYTES)) for path in pairs)
    question = encode_question(Question(number.to_bytes(32, "big"), (Query(b"", b""), *queries[1:])))
    await services.mesh.ask(other, Kind.RECONCILE, Reconcile(question), Reconcile, deadline_s=_ASK_S)


# --- what is no message ------------------------------------------------------------------------------------------

_NOT_CANONICAL: Final = b"\xc1" * 40

# Before anybody is proven, and on a proven connection.
_AT_THE_DOOR: Final = (
    bytes(range(200, 256)),
    pack_header(FrameType.HELLO, 0, len(_NOT_CANONICAL)) + _NOT_CANONICAL,
    pack_header(FrameType.REQUEST, 1, 1),
    b"\x4d\x01\x01",
)
_INSIDE: Final = (
    bytes(range(200, 256)),
    b"\x4d\x01\x03\x00" + (1).to_bytes(8, "big") + (2**31).to_bytes(4, "big"),
    b"\x4d\x01\x63\x00" + bytes(12),
    pack_header(FrameType.REQUEST, 1, len(_NOT_CANONICAL)) + _NOT_CANONICAL,
    pack_header(FrameType.REQUEST, 2, 1) + b"\x00",
    pack_header(FrameType.REPLY, 2, 1) + b"\x00",
    pack_header(FrameType.DATA, 7, 4) + b"data",
    pack_header(FrameType.WINDOW, 9, 4) + pack_window(1),
    pack_header(FrameType.FAILURE, 0, len(_NOT_CANONICAL)) + _NOT_CANONICAL,
    pack_header(FrameType.REQUEST, 1, 1_000) + b"cut short",
)


def sends_garbage(liar: Liar) -> Lie:
    """Opens connections, some of them proven to be its own, and sends bytes that are no frames, or frames that have
    no business where they come.

    The other end closes that connection and says in its log who broke the protocol.
    """

    async def work(services: Services) -> None:
        federation = services.mesh.view.federation
        for turn in itertools.count():
            await trio.sleep(_GARBAGE_EVERY_S)
            others = sorted(services.mesh.live() - {services.mesh.me})
            if not others:
                continue
            addresses = _addresses_of(services, others[turn % len(others)])
            is_proven = turn % 3 > 0
            choice = _INSIDE if is_proven else _AT_THE_DOOR
            liar.tells("no message", number=turn % len(choice), is_proven=is_proven)
            credentials = Credentials(Role.NODE, federation, liar.key) if is_proven else None
            for address in addresses:
                await try_to(_send_garbage(services.host, address, credentials, choice[turn % len(choice)]))

    return Lie(work=work)


async def _send_garbage(host: Host, address: str, proving: Credentials | None, garbage: bytes) -> None:
    stream = await host.network.dial(address)
    try:
        if proving is not None:
            await prove_as_dialler(
                stream,
                FrameReader(stream),
                proving,
                expected=None,
                gate=lambda _role, _node: None,
                entropy=host.entropy,
            )
        await stream.send_all([garbage])
        with trio.move_on_after(_ASK_S):
            buffer = memoryview(bytearray(KIB))
            while await stream.receive_into(buffer):
                pass
    finally:
        await stream.aclose()
