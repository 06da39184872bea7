"""A member whose machines burned comes back with its organisation's key alone, through any member."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import pytest

from node.mesh.join import rejoin
from protocol.errors import Forged, Malformed, Refused, Unavailable
from protocol.keys.signing import SigningKey
from protocol.members.cards import make_node_card
from protocol.members.governance import expel_organisation
from protocol.members.lineage import certify_node
from protocol.members.records import Record
from tests.support.members import Party
from tests.support.meshes import fast_config
from tests.support.village import Village, address_of, in_a_village


@dataclass(frozen=True)
class NewMachine(Party):
    """The same organisation with another node."""

    @cached_property
    def key(self) -> SigningKey:
        return SigningKey.from_seed((5_000 + self.number).to_bytes(32, "big"))


async def come_back(village: Village, machine: Party, by: int, records: tuple[Record, ...] | None = None) -> None:
    federation, door = village.federation, (village.node(by), address_of(by))
    cards = records or (machine.node_card(federation, ("new:7000",)),)
    host = village.world.host("new")
    known = await rejoin(host, machine.key, federation, [door], cards, fast_config("new:7000"))
    assert {record.subject for record in known} >= {party.node for party in village.parties.values()}


def test_an_admitted_organisation_needs_no_invitation_for_a_further_node() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        village.kill(1)
        machine = NewMachine(1)
        await come_back(village, machine, by=2)
        facts = village.meshes[2].view.node(machine.node)
        assert facts is not None
        assert facts.admitted
        assert facts.organisation == village.parties[1].organisation.organisation

    in_a_village(main)


def test_a_pending_organisation_needs_one() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        with pytest.raises(Refused, match="join-uninvited"):
            await come_back(village, NewMachine(2), by=1)
        with pytest.raises(Refused, match="join-uninvited"):
            await come_back(village, NewMachine(7), by=1)

    in_a_village(main)


def test_an_expelled_organisation_does_not_come_back() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.decide(expel_organisation(village.parties[3].organisation.organisation))
        with pytest.raises(Refused, match="organisation-expelled"):
            await come_back(village, NewMachine(3), by=1)

    in_a_village(main)


def test_a_card_that_the_current_key_did_not_certify_opens_nothing() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        machine, thief = NewMachine(1), Party(66)
        keys = machine.organisation
        later = certify_node(keys.key(1), keys.lineage(1), village.federation, machine.node)
        card = replace(machine.card(village.federation), certification=later)
        with pytest.raises(Forged, match="lineage"):
            await come_back(village, machine, 1, (make_node_card(machine.key, village.federation, card, counter=1),))
        stolen = replace(thief.card(village.federation), certification=machine.certification(village.federation))
        with pytest.raises(Forged, match="signature"):
            await come_back(village, thief, 1, (make_node_card(thief.key, village.federation, stolen, counter=1),))
        with pytest.raises(Malformed, match="join-card"):
            await come_back(village, thief, 1, (machine.node_card(village.federation),))
        assert len(village.meshes[1].view.nodes()) == 1

    in_a_village(main)


def test_when_nobody_answers_the_addresses_tried_are_told() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        village.kill(1)
        with pytest.raises(Unavailable, match="inviter-unreachable") as caught:
            await come_back(village, NewMachine(1), by=1)
        assert "n1:7000" in str(caught.value)

    in_a_village(main)
