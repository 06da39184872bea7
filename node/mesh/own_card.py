"""This node's own card: what the federation should know of it, said again whenever the view's version differs.

The card's counter is learnt back from peers: a node that lost its disk hears its own old cards first and signs the
next one above them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from protocol.errors import MaillonError
from protocol.ids import NodeId
from protocol.keys.signing import SigningKey
from protocol.members.cards import NodeCard, make_node_card
from protocol.members.records import Record, RecordKind
from protocol.members.view import View
from protocol.wire import schema

_log = structlog.get_logger(__name__)


class OwnCard:
    """`card` is what the configuration says; where the node stands is known once its doors are open."""

    def __init__(
        self, key: SigningKey, view: View, card: NodeCard, *, publish: Callable[[Record], Awaitable[None]]
    ) -> None:
        self._key = key
        self._view = view
        self._card = card
        self._publish = publish
        self._open = False

    @property
    def addresses(self) -> tuple[str, ...]:
        return self._card.addresses if self._open else ()

    def stand_at(self, addresses: tuple[str, ...], bulk_address: str | None) -> None:
        """The doors are open at these addresses."""
        self._card = replace(self._card, addresses=addresses, bulk_address=bulk_address)
        self._open = True

    async def refresh(self) -> bool:
        """Sign and publish a new card unless the view's says the same. True if one was needed."""
        if self._said() == self._card:
            return False
        me = NodeId(self._key.public)
        counter = self._view.next_counter(self._key.public, RecordKind.NODE, me)
        record = make_node_card(self._key, self._view.federation, self._card, counter=counter)
        try:
            await self._publish(record)
        except MaillonError as error:
            _log.error("card-unpublished", because=str(error))
            return True
        _log.info("card-published", addresses=self._card.addresses, counter=counter)
        return True

    def _said(self) -> NodeCard | None:
        ours = (
            record
            for record in self._view.records()
            if record.kind == RecordKind.NODE and record.author == self._key.public
        )
        return next((schema.decode(NodeCard, record.body) for record in ours), None)
