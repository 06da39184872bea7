"""What stands above a namespace's blocks: its shelf, its checkpointer, and its expirer, which obeys lifecycle rules.

All work on a tenancy that serves, as `node.vault.serving` puts it together, from above.
"""

from __future__ import annotations

from collections.abc import Callable

from node.vault.checkpoint.checkpointer import Checkpointer, CheckpointTools, EpochKeeper
from node.vault.secrets import GatewaySecrets
from node.vault.serving import Open, Readable, table_blocks
from node.vault.shelf.expirer import Expirer
from node.vault.shelf.shelf import Shelf
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


def shelf_of(
    tools: TenancyTools, secrets: GatewaySecrets, reading: Callable[[], Readable], writing: Callable[[], Open]
) -> Shelf:
    """The namespace as S3 sees it, by whatever serves it at the moment."""
    return Shelf(ShelfTools(secrets.name, secrets.namespace, tools.host, reading, writing))


def expirer_for(tools: TenancyTools, secrets: GatewaySecrets, serving: Open) -> Expirer:
    """What deletes what the lifecycle rules of the namespace's buckets say."""
    of_shelf = ShelfTools(secrets.name, secrets.namespace, tools.host, lambda: serving, lambda: serving)
    return Expirer(of_shelf, tools.expire_every_s)
