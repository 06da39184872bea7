"""A guest becomes a node of its organisation again: certified by the organisation's words, let in by any member.

Which of the organisation's keys is in use follows from the lineage that the members know. The members admitted the
organisation already, so nobody need invite its new node.
"""

from __future__ import annotations

from node.config import Config
from node.folder import NodeFolder, Organisation
from node.host.ports import Host
from node.membership import Newcomer
from node.membership import join as entry_for
from node.mesh.join import Door, keep, rejoin
from node.mesh.records_file import open_records
from node.settings import mesh_config
from protocol.errors import Refused
from protocol.ids import NodeId, OrganisationId
from protocol.members.cards import NodeState
from protocol.members.facts import OrganisationFacts
from protocol.members.lineage import OrganisationKeys
from protocol.members.view import View


async def take_in(host: Host, folder: NodeFolder, config: Config, keys: OrganisationKeys) -> Organisation:
    """Make the guest's folder a member's; whose, says the return.

    Raises:
        Refused: `organisation-not-known`, or what the members say.
        Unavailable: `inviter-unreachable` when no member answers.
    """
    node_key, federation = folder.node_key(), folder.guest().federation
    records_file, view = await open_records(host, federation)
    facts, generation = _known(keys, view)
    organisation = Organisation(facts.name, facts.contact, keys.lineage(generation), taken_over=True)
    key = keys.key(generation)
    entry = entry_for(Newcomer(config, node_key, organisation, key), federation, invitation=None)
    doors = _doors(view, NodeId(node_key.public))
    records = await rejoin(host, node_key, federation, doors, entry.records, mesh_config(config))
    await keep(records_file, view, (*records, *entry.records))
    folder.take_in(organisation, key.seed, entry.membership)
    return organisation


def _known(keys: OrganisationKeys, view: View) -> tuple[OrganisationFacts, int]:
    """What the members know of the organisation, and which of its keys is the current one."""
    facts = view.organisation(OrganisationId(keys.organisation))
    if facts is None:
        raise Refused("organisation-not-known", organisation=keys.organisation)
    return facts, len(facts.lineage.keys) - 1


def _doors(view: View, me: NodeId) -> list[Door]:
    """Every member's node and its addresses."""
    others = [facts for facts in view.nodes() if facts.state is not NodeState.LEFT and facts.node != me]
    return [(facts.node, address) for facts in others for address in facts.addresses]
