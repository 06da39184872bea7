"""Serving releases to the owners of shares: what a namespace needs no more is deleted here, for good.

A holder judges the release by its own view, as it judges a share: only the namespace's present writer may speak, and
only of shares that were kept for this namespace. Shares that are locked stay until the holder's own clock says
otherwise, whatever the writer wants. The answer is sent when the tombstones are durable, so the owner may forget.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from node.host.ports import Host
from node.mesh.share_law import ShareLaw
from node.mesh.turns import Turns
from node.net.connection import Handler
from node.net.exchange import Exchange
from node.store.store import Store
from protocol.ids import NodeId
from protocol.members.view import View
from protocol.namespace.releases import decode_release, verify_release
from protocol.requests import Kind, ReleaseReply, ReleaseShares

TURNS_MOST: Final = 8
TURNS_MOST_EACH: Final = 2


class ReleaseServer:
    """The handler for RELEASE_SHARES, over this node's store and view."""

    def __init__(self, host: Host, store: Store, view: View, me: NodeId) -> None:
        self._faults = host.faults
        self._store = store
        self._law = ShareLaw(view, me)
        self._turns = Turns(most=TURNS_MOST, most_each=TURNS_MOST_EACH)

    def handlers(self) -> Mapping[Kind, Handler]:
        return {Kind.RELEASE_SHARES: self.serve_release}

    async def serve_release(self, exchange: Exchange) -> None:
        """Judge, delete, answer.

        Raises:
            Malformed, OverLimit, Forged, Refused, Unavailable: the release, as in `verify_release`; an unknown
                namespace; what the store raises.
        """
        release = decode_release(exchange.decode(ReleaseShares).release)
        async with self._turns.of(exchange.peer.node):
            known = self._law.writable_namespace(release.namespace)
            verify_release(release, writer=known.writer, epoch=known.epoch)
            await self._faults.reach("release.before-delete")
            kept_until_s = await self._store.release(release.namespace, release.blocks)
        await self._faults.reach("release.before-answer")
        await exchange.answer(ReleaseReply(kept_until_s))
