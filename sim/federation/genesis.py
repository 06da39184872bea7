"""How a federation came to be, written straight onto its nodes' disks.

Invitations, joining and voting cost a round of messages for each member and are tested elsewhere; a world of a
hundred nodes wants to begin on the day after. So the records are signed here in the order in which a patient founder
would have gathered them, a view accepts each of them, and every node's folder gets what the commands would have left
there. Nothing in the nodes knows the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.config import Config
from node.folder import Membership, NodeFolder, Organisation
from node.host.ports import Host
from node.membership import Newcomer, node_card
from node.mesh.records_file import open_records
from protocol.ids import Digest, FederationId
from protocol.keys.derive import digest
from protocol.members.cards import OrganisationCard, make_introduction, make_node_card, make_organisation_card
from protocol.members.charter import Admissions, Charter, Quorum, make_charter
from protocol.members.governance import Admission, Ballot, admit, make_ballot
from protocol.members.lineage import certify_node
from protocol.members.records import Record
from protocol.members.view import View
from protocol.placement.classes import DataClass
from sim.federation.cast import Actor, Cast, House
from sim.host.world import START_S

_INVITATION = "maillon sim invitation 1"


@dataclass(frozen=True)
class Genesis:
    """A founded federation: its id, and everything its members signed."""

    cast: Cast
    federation: FederationId
    records: tuple[Record, ...]

    async def settle_in(self, actor: Actor, host: Host, config: Config) -> None:
        """Make the node's folder, with all records in it."""
        folder = NodeFolder(host.disk, actor.name)
        newcomer = _newcomer(actor, config)
        folder.create(
            f"# {actor.name} of a simulated federation\n",
            newcomer.node_key,
            newcomer.organisation,
            newcomer.organisation_key.seed,
        )
        folder.become_member(self.membership(actor))
        records_file, _view = await open_records(host, self.federation)
        await records_file.append(self.records)  # which a view admitted already

    def membership(self, actor: Actor) -> Membership:
        house = actor.house
        return Membership(self.federation, certify_node(house.key, house.lineage, self.federation, actor.node))


def found(cast: Cast, classes: tuple[DataClass, ...], configs: Sequence[Config]) -> Genesis:
    """The federation of all these nodes, each organisation admitted by the founder's ballot."""
    founder = cast.houses[0]
    charter = Charter(
        name="simulated",
        founder=founder.lineage,
        founder_standing=founder.standing,
        founded_s=START_S,
        admissions=Admissions.SPONSORED,
        quorum=Quorum.MAJORITY,
        founder_alone_up_to=len(cast.houses),
        classes=classes,
    )
    federation, founding = make_charter(founder.key, charter)
    genesis = Genesis(cast, federation, ())
    view = View(federation)
    view.admit(founding)
    for house in cast.houses:
        view.admit_all(list(_entering(genesis, house)))
        if house != founder and not house.is_pending:
            view.admit(_ballot(view, founder, house))
    view.admit_all([_card(genesis, actor, config) for actor, config in zip(cast.actors, configs, strict=True)])
    return Genesis(cast, federation, tuple(view.records()))


def _entering(genesis: Genesis, house: House) -> Iterable[Record]:
    """The organisation's card, and for all but the founder the word of the founder's node for it."""
    federation, founder = genesis.federation, genesis.cast.actors[0]
    invitation = None if house == founder.house else digest(_INVITATION, house.name.encode())
    if invitation is not None:
        sponsor = genesis.membership(founder).certification
        organisation = house.lineage.organisation
        yield make_introduction(founder.key, federation, sponsor, Digest(invitation), organisation)
    card = OrganisationCard(house.lineage, invitation, house.name, "")
    yield make_organisation_card(house.key, federation, card, counter=1)


def _ballot(view: View, founder: House, house: House) -> Record:
    motion = view.motion(admit(Admission(house.lineage, house.standing)))
    return make_ballot(founder.key, view.federation, Ballot(founder.lineage, motion, approve=True))


def _card(genesis: Genesis, actor: Actor, config: Config) -> Record:
    card = node_card(genesis.membership(actor), config, (actor.address,))
    return make_node_card(actor.key, genesis.federation, card, counter=1)


def _newcomer(actor: Actor, config: Config) -> Newcomer:
    house = actor.house
    organisation = Organisation(house.name, "", house.lineage, taken_over=False)
    return Newcomer(config, actor.key, organisation, house.key)
