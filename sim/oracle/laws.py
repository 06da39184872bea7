"""What must always hold, whatever strikes: looked at from outside, on the nodes' own disks and on the wires.

The numbers are those of "What must hold" in docs/architecture.md. What clients see (1, 6, 8) is judged by the
ledger. Nothing here asks the code that it judges: caps are counted again, from what the scenario says of the nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from node.admin.services import Services
from node.store.shares import ShareKey
from node.vault.objects import BlockExplanation
from protocol.coding.header import Header
from protocol.coding.label import Label
from protocol.errors import MaillonError
from protocol.ids import BlockId, short_text_of
from protocol.wire import schema
from sim.federation.federation import Federation
from sim.federation.lives import Lost
from sim.oracle.bounds import Bounds, Kept
from sim.oracle.clients import Patron
from sim.oracle.content import MARK
from sim.oracle.violations import Broken

_PAGE = 500


@dataclass(slots=True)
class Watch:
    """The eyes on one federation. Labels are read once: they never change."""

    federation: Federation
    headers: dict[BlockId, Header] = field(default_factory=dict)
    bounds: Bounds = field(init=False)

    def __post_init__(self) -> None:
        self.bounds = Bounds(self.federation)

    def always(self, kept: Kept) -> list[Broken]:
        """Laws 2 (on the wires), 3, 5 and 9."""
        return [*self._leaks_on_wires(), *self._unlawful(kept), *self.bounds.broken(kept, self.headers)]

    def at_rest(self, patrons: Sequence[Patron]) -> list[Broken]:
        """Law 2 on the disks of those who are nobody's gateway, the dead among them too."""
        gateways = {node for patron in patrons for node in patron.gateways}
        return [
            Broken("secrecy", f"plain bytes of an object are in {path} of {name}")
            for name in self.federation.cast.names
            if name not in gateways
            for platter, path in self.federation.files(name, "")
            if MARK in platter.files[path].seen
        ]

    def _leaks_on_wires(self) -> Iterator[Broken]:
        wires = self.federation.world.wires
        leaks, wires.leaks = wires.leaks, []
        for source, target in leaks:
            yield Broken("secrecy", f"plain bytes of an object went from {source} to {target}")

    async def kept(self) -> dict[BlockId, list[tuple[str, int]]]:
        """Who keeps which shares, of all nodes that run and answer."""
        kept: dict[BlockId, list[tuple[str, int]]] = {}
        for name in self.federation.running:
            try:
                keys = await self.federation.lives.on(name, self._shares_of)
            except (MaillonError, Lost):
                continue
            for key in keys:
                kept.setdefault(key.block, []).append((name, key.index))
        return kept

    async def _shares_of(self, services: Services) -> list[ShareKey]:
        found: list[ShareKey] = []
        while page := await services.store.list_shares(found[-1] if found else None, _PAGE):
            found += page
        for key in found:
            if key.block not in self.headers:
                facts = await services.store.get_label(key.block)
                self.headers[key.block] = schema.decode(Label, facts.label).header
        return found

    def _unlawful(self, kept: Kept) -> Iterator[Broken]:
        for block, places in sorted(kept.items()):
            header = self.headers.get(block)
            if header is None:
                continue
            spare = header.n - header.k
            shares_of: dict[int, str] = {}
            for name, index in places:
                shares_of.setdefault(index, name)
            actors = [self.federation.cast[name] for name in shares_of.values()]
            for what, most, found in (
                ("node", 1, Counter(actor.name for actor in actors)),
                ("organisation", spare, Counter(actor.house.counts_as for actor in actors)),
                ("zone", spare, Counter(actor.zone for actor in actors)),
            ):
                for where, count in sorted(found.items()):
                    if count > most:
                        told = f"{count} shares of block {short_text_of(block)} in {what} {where}, {most} at most"
                        yield Broken("placement", told)


def short(named: Mapping[BlockId, BlockExplanation], kept: Kept) -> list[Broken]:
    """Law 4: the blocks that k shares are left of, and less than n."""
    found = []
    for block, where in named.items():
        left = len({index for _, index in kept.get(block, ())})
        if where.k <= left < where.n:
            found.append(Broken("full", f"block {short_text_of(block)} has {left} of its {where.n} shares"))
    return found


def held_on_to(unnamed: Mapping[BlockId, BlockExplanation], kept: Kept) -> list[Broken]:
    """Law 6: the blocks that nothing refers to any more, and that somebody still keeps who was known to have them.

    A holder that stored a share and died before it said so was replaced by another, and is never told: only comparing
    inventories will find such shares.
    """
    found = []
    for block, where in unnamed.items():
        holders = {share.node_name for share in where.shares if share.complete}
        keepers = sorted(holders & {name for name, _ in kept.get(block, ())})
        if keepers:
            found.append(Broken("given-up", f"{', '.join(keepers)} keeps deleted block {short_text_of(block)}"))
    return found
