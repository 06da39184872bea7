"""Guests at the door: machines that recover a namespace, and prove nothing but that its root lets them in.

A guest shows a certificate by the namespace's root for the very node key that it proved on the connection. From then
on it may read that namespace's journal, fetch shares and records, and succeed the namespace's writer; all of that is
sealed, signed by certified writers, or proves itself. It may not write: who belongs to nobody has no quota.

A certificate of a generation that was replaced opens nothing, so a gateway that was stolen does not come in by this
door either. Guests are few, and served one after the other at a bounded pace: members do not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from node.logs import get_logger
from node.net.connection import Handler
from node.net.exchange import Exchange
from protocol.errors import Forged, Refused, Unavailable
from protocol.ids import NamespaceId, NodeId, short_text_of
from protocol.members.view import View
from protocol.namespace.root import verify_certificate
from protocol.requests import Done, JournalAppend, JournalRead, JournalTail, Kind, NamespaceShow
from protocol.succession.requests import SuccessionAsk

# Questions of all guests together that are served at a time, and in a second.
SERVED_AT_ONCE: Final = 8
SERVED_PER_S: Final = 400
NAMESPACES_SHOWN_MAX: Final = 256

_OF_A_NAMESPACE: Final = {
    Kind.JOURNAL_TAIL: JournalTail,
    Kind.JOURNAL_READ: JournalRead,
    Kind.JOURNAL_APPEND: JournalAppend,
    Kind.SUCCESSION_ASK: SuccessionAsk,
}
# What is answered by block id, compares records, or proves itself by the signatures in it.
_FREE: Final = frozenset(
    {
        Kind.RECONCILE,
        Kind.FETCH_RECORDS,
        Kind.GET_SHARE,
        Kind.GET_SHARES,
        Kind.JOURNAL_OPEN,
        Kind.JOURNAL_PREPARE,
        Kind.SUCCESSION_PROMISE,
        Kind.SUCCESSION_ACCEPT,
        Kind.SUCCESSION_LEARN,
    }
)

# The generation of the newest opening of a namespace that is kept here; 0 when none is.
Generation = Callable[[NamespaceId], int]

_log = get_logger(__name__)


class Guests:
    """Serves what guests ask, by the members' own handlers."""

    def __init__(self, view: View, generation: Generation, handle: Handler) -> None:
        self._view = view
        self._generation = generation
        self._handle = handle
        self._shown: dict[NodeId, dict[NamespaceId, int]] = {}
        self._at_once = trio.Semaphore(SERVED_AT_ONCE)
        self._next_s = 0.0

    async def serve(self, exchange: Exchange) -> None:
        """Raises Refused(`stranger`) for what is not a guest's to ask."""
        guest = exchange.peer.node
        if guest is None:
            raise Refused("stranger", kind=exchange.kind)
        async with self._at_once:
            await self._keep_pace()
            if exchange.kind == Kind.NAMESPACE_SHOW:
                await self._take_certificate(exchange, guest)
                return
            self._check(exchange, self._shown.get(guest, {}))
            await self._handle(exchange)

    def forget(self, guest: NodeId) -> None:
        """Its last connection is over."""
        self._shown.pop(guest, None)

    async def _take_certificate(self, exchange: Exchange, guest: NodeId) -> None:
        certificate = exchange.decode(NamespaceShow).certificate
        namespace = certificate.namespace
        verify_certificate(certificate)
        if certificate.node != guest:
            raise Forged("namespace-node", node=certificate.node)
        self._check_generation(namespace, certificate.generation)
        shown = self._shown.setdefault(guest, {})
        if len(shown) >= NAMESPACES_SHOWN_MAX and namespace not in shown:
            raise Refused("stranger", kind=exchange.kind)
        shown[namespace] = certificate.generation
        _log.info("guest-let-in", node=short_text_of(guest), namespace=short_text_of(namespace))
        await exchange.answer(Done())

    def _check_generation(self, namespace: NamespaceId, generation: int) -> None:
        """Again with each question: secrets may be replaced while a thief is inside."""
        facts = self._view.namespace(namespace)
        newest = max(self._generation(namespace), 0 if facts is None else facts.generation)
        if not newest:
            raise Unavailable("namespace-unknown", namespace=namespace)
        if generation < newest:
            raise Refused("journal-generation", namespace=namespace, generation=newest)

    def _check(self, exchange: Exchange, shown: dict[NamespaceId, int]) -> None:
        for namespace, generation in shown.items():
            self._check_generation(namespace, generation)
        if shown and exchange.kind in _FREE:
            return
        question = _OF_A_NAMESPACE.get(Kind(exchange.kind)) if shown and exchange.kind in set(Kind) else None
        if question is None:
            raise Refused("stranger", kind=exchange.kind)
        asked: JournalTail | JournalRead | JournalAppend | SuccessionAsk = exchange.decode(question)
        is_writing = isinstance(asked, JournalAppend) and asked.under is None
        if asked.namespace not in shown or is_writing:
            raise Refused("stranger", kind=exchange.kind)

    async def _keep_pace(self) -> None:
        now_s = trio.current_time()
        self._next_s = max(self._next_s, now_s - 1.0) + 1 / SERVED_PER_S
        await trio.sleep_until(max(self._next_s, now_s))
