"""`namespace rotate` and `follow` in the small deterministic world: what they do with a running member's node."""

from __future__ import annotations

from collections.abc import Callable

from node.admin import namespace_calls, takeovers
from node.recovery import Newest, following_secrets, next_secrets
from node.vault.secrets import GatewaySecrets, encode_secrets
from node.vault.sheet import Sheet
from protocol.ids import NodeId
from tests.support.namespaces import some
from tests.support.township import Township


async def rotate(township: Township, sheet: Sheet, number: int) -> None:
    """Give n`number` the namespace's next secrets."""
    await _adopt(township, sheet, number, next_secrets)


async def follow(township: Township, sheet: Sheet, number: int) -> None:
    """Have n`number` follow whoever writes the namespace."""
    await _adopt(township, sheet, number, following_secrets)


async def _adopt(
    township: Township, sheet: Sheet, number: int, make: Callable[[Sheet, NodeId, bytes, Newest], GatewaySecrets]
) -> None:
    question = namespace_calls.NamespaceNewest(sheet.root.namespace)
    found = await township.on(number, lambda services: takeovers.newest(services, question))
    newest = Newest(found.epoch, found.generation, found.gateway)
    secrets = encode_secrets(make(sheet, found.node, some(f"writer {number}"), newest))
    await township.on(number, lambda services: takeovers.adopt(services, namespace_calls.NamespaceAdopt(secrets)))
