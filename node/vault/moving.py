"""Moving a namespace from the gateway that writes it to one that follows it, with a pause of seconds.

The writer signs off, so that nobody has to wait for its lease, and asks the follower in its last entry to go on. Then
it follows in turn. Should the follower not take over in time (it may be down, or not follow at all), the writer takes
the namespace back: by succession, so that whichever of the two is faster, just one of them writes.
"""

from __future__ import annotations

from typing import Final

import trio

from node.mesh.peering import Peering
from node.vault.tenancy import Tenancy
from protocol.errors import MaillonError, Refused, Unavailable
from protocol.ids import NodeId

LOOK_S: Final = 0.1


async def move(mesh: Peering, tenancy: Tenancy, successor: NodeId, deadline_s: float) -> None:
    """Return when the members know `successor` as the namespace's gateway.

    Raises:
        Refused: `namespace-here` when it is this node; `namespace-followed` or `namespace-superseded` when another
            gateway writes the namespace: it is that one's to hand over.
        Unavailable: `namespace-not-moved` when it does not take over in time; this node writes again then.
        MaillonError: why it could not be handed over; the same.
    """
    if successor == mesh.me:
        raise Refused("namespace-here", namespace=tenancy.secrets.name)
    tenancy.require_open()
    try:
        await tenancy.hand_over(successor)
    except MaillonError:
        await tenancy.take_over()
        raise
    with trio.move_on_after(deadline_s):
        while not _is_at(mesh, tenancy, successor):  # noqa: ASYNC110 (the view has no event for one card)
            await trio.sleep(LOOK_S)
    if not _is_at(mesh, tenancy, successor):
        await tenancy.take_over()
        await tenancy.wait_open(deadline_s)
        raise Unavailable("namespace-not-moved", namespace=tenancy.secrets.name, node=successor)


def _is_at(mesh: Peering, tenancy: Tenancy, gateway: NodeId) -> bool:
    facts = mesh.view.namespace(tenancy.secrets.namespace)
    return facts is not None and facts.gateway == gateway
