"""Gateways that lie once they are gateways no more: somebody has the keys of a machine that was replaced.

Before it is succeeded a gateway may say what it likes about its namespace: there is nothing to withstand. After that
its certificate is as good as ever, and only that its epoch is over speaks against it.
"""

from __future__ import annotations

from collections.abc import Iterator

import trio

from node.admin.services import Services
from node.vault.secrets import GatewaySecrets, load_secrets, saved_namespaces
from protocol.ids import ID_BYTES, BlockId, NamespaceId, NodeId, identity_from_text
from protocol.limits import BLOCKS_PER_RELEASE_MAX, INVENTORY_BLOCKS_MAX
from protocol.namespace.journal import decode_opening
from protocol.namespace.releases import encode_release, sign_release
from protocol.requests import Kind, ReleaseReply, ReleaseShares
from sim.byzantine.liar import Liar, Lie, try_to

# By then every member has heard who the new gateway is: before, each obeys the writer that it knows.
_LATE_S = 3.0
_ASK_S = 5.0


def releases_late(liar: Liar) -> Lie:
    """Once another gateway has taken its namespace over, it has all members told that every block of it may go.

    The release is signed as it should be, and its epoch is over: nobody obeys.
    """

    async def work(services: Services) -> None:
        while True:
            await trio.sleep(_LATE_S)
            for secrets in _lost(services):
                blocks = await _blocks(services, secrets.namespace)
                for start in range(0, len(blocks), BLOCKS_PER_RELEASE_MAX):
                    await release(services, secrets, tuple(blocks[start : start + BLOCKS_PER_RELEASE_MAX]))

    async def release(services: Services, secrets: GatewaySecrets, blocks: tuple[BlockId, ...]) -> None:
        epoch = decode_opening(secrets.opening).epoch
        release = encode_release(sign_release(secrets.writer_key, secrets.namespace, epoch, blocks))
        liar.tells("that all blocks may go", blocks=len(blocks), epoch=epoch)

        async def ask(other: NodeId) -> None:
            question = ReleaseShares(release)
            await services.mesh.ask(other, Kind.RELEASE_SHARES, question, ReleaseReply, deadline_s=_ASK_S)

        async with trio.open_nursery() as nursery:
            for other in sorted(services.mesh.live() - {services.mesh.me}):
                nursery.start_soon(try_to, ask(other))

    return Lie(work=work)


def _lost(services: Services) -> Iterator[GatewaySecrets]:
    """The namespaces of which this node has the keys of a writer, and another writes now."""
    disk = services.host.disk
    for name in saved_namespaces(disk):
        secrets = load_secrets(disk, NamespaceId(identity_from_text(name)))
        facts = services.mesh.view.namespace(secrets.namespace)
        if facts is not None and facts.writer != secrets.writer_key.public:
            yield secrets


async def _blocks(services: Services, namespace: NamespaceId) -> tuple[BlockId, ...]:
    """Those that it still has shares of itself."""
    most = bytes([255]) * ID_BYTES
    return await services.store.blocks_of(namespace, bytes(ID_BYTES), most, INVENTORY_BLOCKS_MAX)
