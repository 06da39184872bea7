"""A holder promises, accepts and learns by the rules, and its word is on its disk before it is on the wire."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from node.mesh.serve_succession import SuccessionServer
from node.net.connection import Connection
from node.store.journals import JournalStore
from protocol.errors import Damaged, Forged, MaillonError, Missing, Refused, Unavailable
from protocol.namespace.journal import Opening, Tip, check_chain, encode_opening, start_of
from protocol.requests import Done, Kind
from protocol.succession.ballot import Candidacy, encode_candidacy
from protocol.succession.proposal import Proposal, decode_proposal, encode_proposal, vote_of
from protocol.succession.requests import (
    AcceptReply,
    PromiseReply,
    ReleaseJournals,
    SuccessionAccept,
    SuccessionAsk,
    SuccessionAskReply,
    SuccessionLearn,
    SuccessionPromise,
)
from protocol.succession.succession import (
    Succession,
    decode_succession,
    encode_succession,
    sign_release,
    verify_acceptance,
)
from protocol.wire import schema
from tests.support.circle import Circle, Gateway
from tests.support.crashing import Machine
from tests.support.federations import node_id, node_key
from tests.support.serving import ME, NAMESPACE, ORGS, PLACING, asking, view_of

CIRCLE = Circle(tuple(org.name for org in ORGS))
OLD, NEW = CIRCLE.gateway("alpha"), CIRCLE.gateway("gamma")
FIRST = OLD.opening(PLACING)
START = start_of(FIRST)
CHAIN = OLD.chain(FIRST, START, 6)


def tip_of(length: int) -> Tip:
    return check_chain(FIRST, START, CHAIN[:length])


def successions(count: int) -> list[Succession]:
    """Each goes on from the one before, from the first opening on."""
    found: list[Succession] = []
    opening = FIRST
    for _ in range(count):
        decree = NEW.decree(opening, start_of(opening), PLACING)
        found.append(CIRCLE.succession(opening, NEW.proposal(opening, decree)))
        opening = decree
    return found


@asynccontextmanager
async def holder(
    *, machine: Machine | None = None, length: int = 0, generation: int = 1
) -> AsyncIterator[tuple[Connection, JournalStore]]:
    host = (machine or Machine(1)).host()
    journals = JournalStore(host)
    server = SuccessionServer(host, journals, view_of(generation=generation), node_key("beta"))
    async with trio.open_nursery() as nursery:
        await nursery.start(journals.run)
        if not journals.epochs():
            await journals.prepare(encode_opening(FIRST))
            await journals.open(encode_opening(FIRST))
            await journals.append(NAMESPACE, 1, 0, CHAIN[:length])
        # Whoever asks is nobody in particular: everything here proves itself.
        async with asking(server.handlers()) as member:
            yield member, journals
        nursery.cancel_scope.cancel()


async def ask(member: Connection, kind: Kind, question: Any, reply: type[Any]) -> Any:
    return (await member.ask(kind, question, reply, deadline_s=20)).message


async def promise(member: Connection, candidacy: Candidacy) -> PromiseReply:
    question = SuccessionPromise(encode_candidacy(candidacy))
    reply: PromiseReply = await ask(member, Kind.SUCCESSION_PROMISE, question, PromiseReply)
    return reply


async def accept(member: Connection, proposal: Proposal) -> bytes:
    question = SuccessionAccept(encode_proposal(proposal))
    reply: AcceptReply = await ask(member, Kind.SUCCESSION_ACCEPT, question, AcceptReply)
    return reply.signature


async def learn(member: Connection, succession: Succession) -> None:
    await ask(member, Kind.SUCCESSION_LEARN, SuccessionLearn(encode_succession(succession)), Done)


async def known(member: Connection, least: int = 1) -> SuccessionAskReply:
    question = SuccessionAsk(NAMESPACE, least)
    reply: SuccessionAskReply = await ask(member, Kind.SUCCESSION_ASK, question, SuccessionAskReply)
    return reply


async def release(member: Connection, gateway: Gateway, opening: Opening, below: int) -> None:
    signed = sign_release(gateway.writer, opening, below=below)
    await ask(member, Kind.JOURNAL_RELEASE, ReleaseJournals(schema.encode(signed)), Done)


def proposal_to_end_at(length: int, *, gateway: Gateway = NEW, counter: int = 1) -> Proposal:
    return gateway.proposal(FIRST, gateway.decree(FIRST, tip_of(length), PLACING), counter)


class TestPromises:
    async def test_it_says_how_far_it_goes_and_appends_end(self) -> None:
        async with holder(length=4) as (member, journals):
            reply = await promise(member, NEW.candidacy(FIRST))
            assert (Tip(reply.length, reply.head), reply.accepted) == (tip_of(4), b"")
            assert await promise(member, NEW.candidacy(FIRST)) == reply
            with pytest.raises(Refused, match="journal-promised"):
                await journals.append(NAMESPACE, 1, 4, CHAIN[4:])

    async def test_lower_ballots_are_told_which_one_is_followed(self) -> None:
        async with holder() as (member, _):
            await promise(member, NEW.candidacy(FIRST, 5))
            with pytest.raises(Refused, match="journal-promised") as caught:
                await promise(member, OLD.candidacy(FIRST, 4))
            assert caught.value.parameters["counter"] == 5
            await promise(member, OLD.candidacy(FIRST, 6))

    async def test_a_later_candidate_is_shown_what_was_accepted(self) -> None:
        proposal = proposal_to_end_at(3)
        async with holder(length=4) as (member, _):
            await accept(member, proposal)
            reply = await promise(member, OLD.candidacy(FIRST, 2))
            assert decode_proposal(reply.accepted) == proposal

    async def test_the_promise_is_durable_before_it_is_answered(self) -> None:
        machine = Machine(1)
        machine.on_point["serve.before-promise-answer"] = Unavailable("store-closed")
        async with holder(machine=machine) as (member, _):
            with pytest.raises(Unavailable, match="store-closed"):
                await promise(member, NEW.candidacy(FIRST, 5))
        machine.crash()
        async with holder(machine=machine) as (member, _):
            with pytest.raises(Refused, match="journal-promised"):
                await promise(member, OLD.candidacy(FIRST, 4))

    async def test_a_forged_candidacy_promises_nothing(self) -> None:
        forged = dataclasses.replace(NEW.candidacy(FIRST), counter=9)
        elsewhere = NEW.candidacy(OLD.opening(PLACING[:2]))
        async with holder() as (member, _):
            with pytest.raises(Forged, match="signature"):
                await promise(member, forged)
            with pytest.raises(Forged, match="succession-decree"):
                await promise(member, elsewhere)
            await promise(member, OLD.candidacy(FIRST, 1))

    async def test_a_gateway_whose_secrets_were_replaced_is_promised_nothing(self) -> None:
        async with holder(generation=2) as (member, _):
            with pytest.raises(Refused, match="journal-generation"):
                await promise(member, NEW.candidacy(FIRST, 99))
            await promise(member, CIRCLE.gateway("gamma", 2).candidacy(FIRST, 1))

    async def test_without_the_epoch_nothing_is_promised(self) -> None:
        async with holder() as (member, _):
            with pytest.raises(Missing, match="journal-epoch"):
                await promise(member, NEW.candidacy(successions(1)[0].decree))


class TestAcceptances:
    async def test_an_acceptance_is_the_nodes_own_word(self) -> None:
        proposal = proposal_to_end_at(4)
        async with holder(length=4) as (member, _):
            signature = await accept(member, proposal)
            verify_acceptance(ME, vote_of(proposal), signature)
            assert await accept(member, proposal) == signature

    async def test_a_holder_that_is_behind_is_completed_first(self) -> None:
        proposal = proposal_to_end_at(6)
        async with holder(length=4) as (member, journals):
            await promise(member, proposal.candidacy)
            with pytest.raises(Unavailable, match="journal-behind"):
                await accept(member, proposal)
            await journals.append(NAMESPACE, 1, 4, CHAIN[4:], proposal.ballot)
            await accept(member, proposal)

    async def test_a_lower_ballot_than_was_promised_is_not_accepted(self) -> None:
        async with holder(length=4) as (member, _):
            await promise(member, OLD.candidacy(FIRST, 9))
            with pytest.raises(Refused, match="journal-promised"):
                await accept(member, proposal_to_end_at(4, counter=8))

    async def test_damaged_entries_are_not_built_on(self) -> None:
        machine = Machine(1)
        async with holder(machine=machine) as (_, journals):
            for position, entry in enumerate(CHAIN):
                await journals.append(NAMESPACE, 1, position, [entry])
        for content in machine.files["."].values():
            if CHAIN[2] in content.current:
                content.current[content.current.index(CHAIN[2]) + 30] ^= 8
        async with holder(machine=machine) as (member, _):
            with pytest.raises(Damaged, match="journal-damaged"):
                await accept(member, proposal_to_end_at(2))


class TestSuccessors:
    async def test_a_late_comer_is_led_to_the_successor(self) -> None:
        proof = CIRCLE.succession(FIRST, proposal_to_end_at(4))
        async with holder(length=6) as (member, journals):
            await learn(member, proof)
            await learn(member, proof)
            for late in (promise(member, OLD.candidacy(FIRST, 99)), accept(member, proposal_to_end_at(6))):
                with pytest.raises(Refused, match="journal-ended") as caught:
                    await late
                assert caught.value.parameters["node"] == NEW.node
            with pytest.raises(Refused, match="journal-ended"):
                await journals.append(NAMESPACE, 1, 6, CHAIN)
            reply = await known(member)
            assert decode_succession(reply.newest) == proof
            assert [(held.epoch, held.length, held.is_ended) for held in reply.epochs] == [(1, 4, True)]
            assert reply.opening == encode_opening(FIRST)

    async def test_the_newest_is_told_though_it_is_not_held(self) -> None:
        chain = successions(4)
        async with holder() as (member, _):
            for proof in (chain[0], chain[3], chain[1]):
                await learn(member, proof)
            assert decode_succession((await known(member)).newest) == chain[3]
            assert (await known(member, 2)).epochs == ()

    async def test_of_a_namespace_that_is_not_kept_nothing_is_remembered(self) -> None:
        async with holder() as (member, journals):
            await journals.release_below(NAMESPACE, 2)
            with pytest.raises(Missing, match="journal-epoch"):
                await learn(member, successions(1)[0])
            assert await known(member) == SuccessionAskReply((), b"", b"")

    async def test_nobody_ends_an_epoch_with_a_proof_of_his_own_making(self) -> None:
        mine = [node_id(f"mine {number}") for number in range(3)]
        of_others = OLD.opening(mine)
        circle = Circle(tuple(f"mine {number}" for number in range(3)))
        decree = OLD.decree(of_others, start_of(of_others), mine)
        async with holder() as (member, _):
            with pytest.raises(Forged, match="succession-decree"):
                await learn(member, circle.succession(of_others, OLD.proposal(of_others, decree)))
            proof = CIRCLE.succession(FIRST, proposal_to_end_at(0))
            for wrong in (
                dataclasses.replace(proof, acceptances=proof.acceptances[:1]),
                dataclasses.replace(proof, acceptances=(proof.acceptances[0], proof.acceptances[0])),
                dataclasses.replace(proof, decree=OLD.decree(FIRST, tip_of(2), PLACING)),
            ):
                with pytest.raises(MaillonError) as caught:
                    await learn(member, wrong)
                assert isinstance(caught.value, Forged)
            await promise(member, NEW.candidacy(FIRST))


class TestReleases:
    async def test_the_present_writer_releases_what_is_past(self) -> None:
        chain = successions(3)
        async with holder(length=4) as (member, journals):
            await learn(member, chain[0])
            await release(member, NEW, chain[0].decree, 2)
            assert journals.epochs() == ()

    async def test_an_epoch_that_is_not_known_to_be_decided_releases_nothing(self) -> None:
        chain = successions(3)
        async with holder(length=4) as (member, journals):
            with pytest.raises(Missing, match="journal-epoch"):
                await release(member, NEW, chain[2].decree, 4)
            await learn(member, chain[2])
            await release(member, NEW, chain[2].decree, 4)
            assert journals.epochs() == ()

    async def test_a_prepared_opening_proves_nothing(self) -> None:
        decree = successions(1)[0].decree
        async with holder(length=4) as (member, journals):
            await journals.prepare(encode_opening(decree))
            with pytest.raises(Unavailable, match="journal-not-open"):
                await release(member, NEW, decree, 2)

    async def test_only_that_writer_s_word_counts_and_only_for_earlier_epochs(self) -> None:
        proof = successions(1)[0]
        async with holder(length=4) as (member, journals):
            await learn(member, proof)
            with pytest.raises(Forged, match="signature"):
                await release(member, OLD, proof.decree, 2)
            with pytest.raises(Forged, match="journal-release"):
                await release(member, NEW, proof.decree, 3)
            assert len(journals.epochs()) == 1

    async def test_a_stolen_gateway_releases_nothing_once_its_secrets_were_replaced(self) -> None:
        proof = successions(1)[0]
        async with holder(length=4, generation=2) as (member, journals):
            await learn(member, proof)
            with pytest.raises(Refused, match="journal-generation"):
                await release(member, NEW, proof.decree, 2)
            with pytest.raises(Refused, match="journal-generation"):
                await learn(member, successions(3)[2])
            assert len(journals.epochs()) == 1
