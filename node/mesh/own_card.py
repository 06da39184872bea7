"""This node's own card: what the federation should know of it, said again whenever the view's version differs.

The card's counter is learnt back from peers: a node that lost its disk hears its own old cards first and signs the
next one above them. So is its state: a node that said it was leaving goes on leaving after a restart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from node.logs import get_logger
from protocol.errors import MaillonError
from protocol.ids import NodeId
from protocol.keys.signing import SigningKey
from protocol.members.cards import NodeCard, NodeState, make_node_card
from protocol.members.facts import Facts
from protocol.members.records import Record, RecordKind
from protocol.members.view import View
from protocol.wire import schema

_log = get_logger(__name__)


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
        self._settled_by: Facts | None = None
        self._state: NodeState | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        return self._card.addresses if self._open else ()

    def stand_at(self, addresses: tuple[str, ...], bulk_address: str | None) -> None:
        """The doors are open at these addresses."""
        self._card = replace(self._card, addresses=addresses, bulk_address=bulk_address)
        self._settled_by = None
        self._open = True

    async def declare(self, state: NodeState) -> None:
        """Say from now on that the node is active, leaving, or left."""
        self._state, self._settled_by = state, None
        await self.refresh()

    async def refresh(self) -> bool:
        """Sign and publish a new card unless the view's says the same. True if one was needed."""
        facts = self._view.facts
        if facts is self._settled_by:
            return False  # no record came since it was found to be right
        said = self._said()
        if self._state is None and said is not None:
            self._state = said.state
        self._card = replace(self._card, state=self._state or self._card.state)
        if said == self._card:
            self._settled_by = facts
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
