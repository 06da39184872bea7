"""A flight on its way: the shares of a few blocks to their holders, each holder's share of the flight in one go.

All holders are sent to at once. What a holder refuses, or cannot be reached with, goes at once to the next lawful
holder in rendezvous order, if there is one: a full disk or a dead member costs a detour, not the write. There is one
task for each holder and not for each share, because a flight has few holders and many shares. Whoever ends the
flight early (stragglers were waited for long enough) has every buffer back when `send` returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import trio

from node.logs import get_logger
from node.store.shares import ShareFacts
from node.vault.holders import Holders
from protocol.coding.block import EncodedBlock
from protocol.coding.label import Stamp, sign_label
from protocol.errors import MaillonError
from protocol.ids import NodeId
from protocol.keys.signing import SigningKey
from protocol.members.roster import Rules
from protocol.placement.place import replace
from protocol.wire import schema

log = get_logger(__name__)


class Outbound:
    """One block of a flight: where its shares are to go now, and what has come of each."""

    def __init__(self, encoded: EncodedBlock, placing: tuple[NodeId, ...], durable: set[int]) -> None:
        self.encoded = encoded
        self.placing = placing
        self.durable = durable
        self.failed: dict[NodeId, MaillonError] = {}
        self._labelled: tuple[NodeId, ...] = ()
        self._label = b""

    @property
    def missing(self) -> list[int]:
        """The indices of the shares that are not durable yet."""
        return [index for index in range(len(self.placing)) if index not in self.durable]

    @property
    def is_settled(self) -> bool:
        """Every share is durable, or has no holder left to try."""
        return all(self.placing[index] in self.failed for index in self.missing)

    def facts(self, index: int, writer: SigningKey, stamp: Stamp, keep_until_s: int) -> ShareFacts:
        """What travels with share `index`; the label is signed anew when the placing has changed."""
        header = self.encoded.header
        if self._labelled != self.placing:
            label = sign_label(writer, header, self.placing, stamp, keep_until_s)
            self._labelled, self._label = self.placing, schema.encode(label)
        proof = schema.encode(self.encoded.proofs[index])
        return ShareFacts(self.encoded.block_id, index, header.namespace, self._label, proof)


# A share of a block of the flight, by its index.
Item = tuple[Outbound, int]


class Flight:
    """`stamp` and `keep_until_s` go into the labels of all its blocks."""

    def __init__(
        self,
        holders: Holders,
        writer: SigningKey,
        rules: Rules,
        stamp: Stamp,
        keep_until_s: int,
        blocks: Sequence[Outbound],
    ) -> None:
        self._holders = holders
        self._writer = writer
        self._rules = rules
        self._stamp = stamp
        self._keep_until_s = keep_until_s
        self._blocks = blocks
        self._changed = trio.Event()

    async def send(self, patience_s: float) -> None:
        """Send what is missing; return when all shares are settled, or when each block has enough of them and the
        stragglers had `patience_s`."""
        async with trio.open_nursery() as nursery:
            self._send_to_holders([(block, index) for block in self._blocks for index in block.missing], nursery)
            await self._wait_enough(patience_s)
            nursery.cancel_scope.cancel()

    def _send_to_holders(self, items: Iterable[Item], nursery: trio.Nursery) -> None:
        by_holder: dict[NodeId, list[Item]] = {}
        for block, index in items:
            by_holder.setdefault(block.placing[index], []).append((block, index))
        for node, its_items in by_holder.items():
            nursery.start_soon(self._deliver, node, its_items, nursery)

    async def _deliver(self, node: NodeId, items: list[Item], nursery: trio.Nursery) -> None:
        """Send these shares to one holder, and what it does not take to others."""
        for (block, index), error in zip(items, await self._outcomes(node, items), strict=True):
            if error is None:
                block.durable.add(index)
                continue
            log.info("spread.holder-failed", node=self._holders.name(node), error=str(error))
            block.failed[node] = error
        moved = [(block, index) for block, index in items if index not in block.durable]
        self._send_to_holders([item for item in moved if self._move_on(*item)], nursery)
        self._changed.set()
        self._changed = trio.Event()

    async def _outcomes(self, node: NodeId, items: list[Item]) -> Sequence[MaillonError | None]:
        """What became of each share: None where it is durable."""
        try:
            # A member known to be down would only cost its dial's deadline; the completer tries it again.
            self._holders.require_reachable(node)
            shares = [
                (block.facts(index, self._writer, self._stamp, self._keep_until_s), block.encoded.shares[index])
                for block, index in items
            ]
            return await self._holders.put(node, shares)
        except MaillonError as error:
            return [error] * len(items)

    def _move_on(self, block: Outbound, index: int) -> bool:
        """Name another holder for the share; False when there is none."""
        rules, before = self._rules, block.placing
        avoid = self._holders.unreachable() | block.failed.keys()
        name = block.encoded.block_id
        block.placing = replace(name, before, {index}, rules.data_class, rules.code, rules.candidates, avoid=avoid)
        return block.placing != before

    async def _wait_enough(self, patience_s: float) -> None:
        least = self._rules.code.least
        while not all(len(block.durable) >= least or block.is_settled for block in self._blocks):
            await self._changed.wait()
        with trio.move_on_after(patience_s):
            while not all(block.is_settled for block in self._blocks):
                await self._changed.wait()
