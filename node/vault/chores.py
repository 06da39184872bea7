"""What keeps a namespace beside its blocks: the checkpointer, and the expirer, which obeys lifecycle rules.

Both work on a tenancy that serves, as `node.vault.serving` puts it together, from above.
"""

from __future__ import annotations

from node.vault.checkpoint.checkpointer import Checkpointer, CheckpointTools, EpochKeeper
from node.vault.secrets import GatewaySecrets
from node.vault.serving import Open, table_blocks
from node.vault.shelf.expirer import Expirer
from node.vault.shelf.tools import ShelfTools
from node.vault.tenancy_tools import TenancyTools


def checkpointer_for(
    tools: TenancyTools, secrets: GatewaySecrets, serving: Open, epochs: EpochKeeper
) -> Checkpointer:
    """What makes the namespace's checkpoints; `epochs` ends and begins its epochs."""
    return Checkpointer(
        CheckpointTools(
            host=tools.host,
            catalog=serving.catalog,
            blocks=table_blocks(tools, secrets, lambda: serving.journal.next_position),
            epochs=epochs,
            unnamed=serving.unnamed,
            position=lambda: serving.journal.next_position,
            pack_all=serving.packer.pack_all,
            times=tools.checkpoint_times,
        )
    )


def expirer_for(tools: TenancyTools, name: str, serving: Open) -> Expirer:
    """What deletes what the lifecycle rules of the namespace's buckets say."""
    return Expirer(ShelfTools(name, tools.host, lambda: serving, lambda: serving), tools.expire_every_s)
