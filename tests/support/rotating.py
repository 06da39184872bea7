"""`namespace rotate` in the small deterministic world: what the command does with a running member's node."""

from __future__ import annotations

from node.admin import namespace_calls, takeovers
from node.recovery import Newest, next_secrets
from node.vault.secrets import encode_secrets
from node.vault.sheet import Sheet
from tests.support.namespaces import some
from tests.support.township import Township


async def rotate(township: Township, sheet: Sheet, number: int) -> None:
    """Give n`number` the namespace's next secrets."""
    question = namespace_calls.NamespaceNewest(sheet.root.namespace)
    found = await township.on(number, lambda services: takeovers.newest(services, question))
    newest = Newest(found.epoch, found.generation, found.gateway)
    secrets = encode_secrets(next_secrets(sheet, found.node, some(f"writer {number}"), newest))
    await township.on(number, lambda services: takeovers.adopt(services, namespace_calls.NamespaceAdopt(secrets)))
