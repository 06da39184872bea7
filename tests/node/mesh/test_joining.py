"""Who gets in: the holder of an invitation, once, in time, into the right federation; nobody else sees anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from node.mesh.join import join
from node.net.failures import RemoteError
from protocol.errors import Forged, MaillonError, Malformed, Refused, Unavailable
from protocol.ids import Digest, FederationId
from protocol.limits import PENDING_ORGANISATIONS_PER_SPONSOR_MAX
from protocol.members.governance import expel_organisation
from protocol.members.invitations import encode_invitation, invitation_id
from protocol.members.records import encode_record
from protocol.requests import (
    FetchRecords,
    HasShares,
    HasSharesReply,
    Join,
    Kind,
    Ping,
    PushRecords,
    Reconcile,
)
from protocol.wire.envelopes import Role
from tests.support.members import Party, introduced
from tests.support.meshes import fast_config, invite
from tests.support.village import Village, address_of, in_a_village

EVERYTHING_A_STRANGER_MIGHT_TRY = [
    (Kind.PING, Ping(())),
    (Kind.PUSH_RECORDS, PushRecords(())),
    (Kind.RECONCILE, Reconcile(b"")),
    (Kind.FETCH_RECORDS, FetchRecords((Digest(bytes(32)),))),
    (Kind.HAS_SHARES, HasShares((bytes(32),))),  # type: ignore[arg-type]
]


def test_a_newcomer_learns_everything_and_everybody_learns_of_it() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.join(4)
        newcomer = village.node(4)
        await village.until(lambda: all(mesh.view.node(newcomer) for mesh in village.meshes.values()))
        await village.start(4)
        await village.until(village.agree)
        facts = village.meshes[2].view.node(newcomer)
        assert facts is not None
        assert (facts.name, facts.admitted, facts.addresses) == ("n4", False, (address_of(4),))
        assert facts.sponsor == village.parties[1].organisation.organisation

    in_a_village(main)


def test_an_invitation_is_good_once() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        invitation = village.invitation()
        await village.join(2, invitation)
        with pytest.raises(Refused, match="invitation-used"):
            await village.join(3, invitation)
        assert len(village.meshes[1].view.nodes()) == 2

    in_a_village(main)


def test_of_two_who_come_at_once_with_one_invitation_one_gets_in() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        invitation = village.invitation()
        outcomes: list[str] = []

        async def try_to_join(number: int) -> None:
            try:
                await village.join(number, invitation)
                outcomes.append("in")
            except Refused as refusal:
                outcomes.append(refusal.identifier)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(try_to_join, 2)
            nursery.start_soon(try_to_join, 3)
        assert sorted(outcomes) == ["in", "invitation-used"]
        assert len(village.meshes[1].view.nodes()) == 2

    in_a_village(main)


def test_who_lost_the_answer_may_show_the_invitation_again() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        invitation = village.invitation()
        await village.join(2, invitation)
        await village.join(2, invitation)
        await village.start(2)
        await village.until(village.agree)

    in_a_village(main)


def test_an_expired_invitation_is_refused_by_the_inviters_clock() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        invitation = village.invitation(for_s=60)
        await trio.sleep(61)
        with pytest.raises(Refused, match="invitation-expired"):
            await village.join(2, invitation)

    in_a_village(main)


def test_an_invitation_to_another_federation_leads_nowhere() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        other = invite(
            village.parties[1],
            FederationId(b"x" * 32),
            (address_of(1),),
            expires_s=2**40,
            nonce=77,
        )
        with pytest.raises(Refused, match="federation-other"):
            await village.join(2, other)

    in_a_village(main)


def test_an_invitation_of_another_node_is_refused() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        by_two = replace(village.invitation(2), addresses=(address_of(1),))
        with pytest.raises((Refused, Unavailable)):
            await village.join(3, by_two)

    in_a_village(main)


def test_a_forged_invitation_is_refused() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        forged = replace(village.invitation(), expires_s=2**50)
        with pytest.raises(Forged, match="invitation"):
            await village.join(2, forged)

    in_a_village(main)


def test_an_invitation_whose_addresses_answer_nobody_says_which_were_tried() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        lost = replace(village.invitation(), addresses=("nowhere:1", "nowhere:2"))
        with pytest.raises(Unavailable, match="inviter-unreachable") as caught:
            await village.join(2, lost)
        assert len(caught.value.parameters["reasons"]) == 2  # type: ignore[arg-type]

    in_a_village(main)


def test_cards_of_somebody_else_do_not_get_in() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        invitation = village.invitation()
        thief, victim = Party(8), Party(9)
        cards = introduced(village.founded, victim, invitation=invitation_id(invitation))[1:]
        with pytest.raises(Malformed, match="join-card"):
            await join(village.world.host("n8"), thief.key, invitation, cards, fast_config("n8:1"))
        assert len(village.meshes[1].view.nodes()) == 1

    in_a_village(main)


def test_a_member_that_is_only_pending_cannot_bring_in_others() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        await village.until(village.agree)
        with pytest.raises(Refused, match="sponsor-not-admitted"):
            await village.join(3, village.invitation(2))

    in_a_village(main)


def test_puppets_beyond_the_sponsors_bound_stay_out_and_push_nobody_out() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        for number in range(2, 2 + PENDING_ORGANISATIONS_PER_SPONSOR_MAX):
            await village.join(number)
        before = village.meshes[1].view.ids()
        with pytest.raises(Refused, match="sponsor-full"):
            await village.join(99)
        assert village.meshes[1].view.ids() == before

    in_a_village(main)


def test_an_expelled_organisation_does_not_come_back_with_an_old_invitation() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        await village.decide(expel_organisation(village.parties[2].organisation.organisation))
        invitation = village.invitation()
        with pytest.raises(Refused, match="expelled"):
            await village.join(2, invitation)

    in_a_village(main)


@pytest.mark.parametrize(("kind", "question"), EVERYTHING_A_STRANGER_MIGHT_TRY)
def test_a_stranger_may_ask_nothing_but_to_join(kind: Kind, question: object) -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        async with village.at_the_door(Party(66), Role.JOINER) as connection:
            with pytest.raises(Refused, match="stranger"):
                await connection.ask(kind, question, HasSharesReply, deadline_s=5)

    in_a_village(main)


def test_a_stranger_does_not_pass_for_a_node() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        with pytest.raises(Refused, match="node-unknown"):
            async with village.at_the_door(Party(66), Role.NODE):
                pass

    in_a_village(main)


@pytest.mark.parametrize("invitation", [b"\x00", b"\xc1" * 200, bytes(1_000)])
def test_noise_in_place_of_an_invitation_is_refused_with_a_name(invitation: bytes) -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        cards = tuple(encode_record(record) for record in village.founded.records)
        async with village.at_the_door(Party(66), Role.JOINER) as connection:
            with pytest.raises(MaillonError) as caught:
                await connection.ask(Kind.JOIN, Join(invitation, cards), PushRecords, deadline_s=5)
        assert isinstance(caught.value, RemoteError)

    in_a_village(main)


def test_a_stranger_that_lingers_is_shown_the_door() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        async with village.at_the_door(Party(66), Role.JOINER) as connection:
            await trio.sleep(31)
            assert connection.closed

    in_a_village(main)


def test_invitations_stay_secret_in_records() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        invitation = village.invitation()
        await village.join(2, invitation)
        written = b"".join(encode_record(record) for record in village.meshes[1].view.records())
        assert invitation.nonce not in written
        assert encode_invitation(invitation) not in written

    in_a_village(main)
