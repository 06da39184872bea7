"""Members and strangers that misbehave: they waste their own time, nobody else's memory, view or peace."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from node.host.ports import Stream
from node.mesh.gossip import JUDGED_AT_ONCE, TURNS_MOST_EACH
from node.mesh.peers import HANDSHAKES_MAX
from protocol import limits
from protocol.errors import Forged, MaillonError, Malformed, OverLimit, Refused, Unavailable
from protocol.ids import Digest, NodeId
from protocol.keys.signing import SigningKey
from protocol.members import reconcile
from protocol.members.governance import expel_node
from protocol.members.records import Record, RecordKind, encode_record, sign_record
from protocol.members.swim import Status
from protocol.members.swim_updates import Update, encode_update, sign_accusation, sign_claim
from protocol.requests import Done, FetchRecords, Kind, Ping, PingVia, PingViaReply, PushRecords, Reconcile
from protocol.wire.envelopes import Role
from tests.support.members import Party, introduced
from tests.support.village import Village, address_of, in_a_village

_SALT = bytes(reconcile.SALT_BYTES)
SOME_QUESTION = reconcile.encode_question(reconcile.Question(_SALT, (reconcile.Query(b"", b""),)))


def pushed(*records: Record) -> PushRecords:
    return PushRecords(tuple(encode_record(record) for record in records))


def test_a_record_with_a_bad_signature_is_refused_and_the_good_one_beside_it_kept() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        good = introduced(village.founded, Party(9))
        bad = replace(good[2], signature=bytes(64))
        async with village.at_the_door(village.parties[2], Role.NODE) as connection:
            with pytest.raises(Forged, match="signature"):
                await connection.ask(Kind.PUSH_RECORDS, pushed(*good[:2], bad), Done, deadline_s=5)
        organisations = {facts.organisation for facts in village.meshes[1].view.organisations()}
        assert Party(9).organisation.organisation in organisations
        assert village.meshes[1].view.node(Party(9).node) is None

    in_a_village(main)


def test_a_message_full_of_bad_signatures_leaves_the_processor_to_others_between() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        good = introduced(village.founded, Party(9))
        bad = [replace(good[2], counter=number + 1, signature=bytes(64)) for number in range(128)]
        turns = 0

        async def watch() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await trio.lowlevel.checkpoint()
            before = turns
            absorbed = await village.meshes[1]._gossip.absorb([*bad, *reversed(good)], None)
            between = turns - before
            nursery.cancel_scope.cancel()
        assert between >= 128 // JUDGED_AT_ONCE
        assert isinstance(absorbed.error, Forged)
        assert village.meshes[1].view.node(Party(9).node) is not None

    in_a_village(main)


def test_a_long_chain_of_decisions_that_comes_backwards_is_kept_at_once() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        village.kill(2)
        view = village.meshes[1].view
        backwards: list[Record] = []
        for number in range(2 * JUDGED_AT_ONCE):
            await village.decide(expel_node(NodeId(bytes([200, number]) * 16)))
            certificates = {record for record in view.records() if record.kind == RecordKind.CERTIFICATE}
            backwards = [*(certificates - set(backwards)), *backwards]
        late = await village.start(2)
        assert late.view.chain.after != view.chain.after
        absorbed = await late._gossip.absorb(backwards, None)
        assert absorbed.early == ()
        assert late.view.chain.after == view.chain.after

    in_a_village(main)


@pytest.mark.parametrize(
    ("kind", "question"), [(Kind.PUSH_RECORDS, PushRecords(())), (Kind.RECONCILE, Reconcile(SOME_QUESTION))]
)
def test_one_peer_has_few_of_its_questions_judged_at_a_time(kind: Kind, question: object) -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        village.kill(2)  # so that nothing but what is asked here is judged
        gossip = village.meshes[1]._gossip
        most = now = 0

        async def slowly(*_arguments: object) -> None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            await trio.sleep(0.1)
            now -= 1
            raise Refused("bulk-none", kind=int(kind))

        gossip.absorb = gossip._trie_for = slowly  # type: ignore[assignment, method-assign]
        async with village.at_the_door(village.parties[2], Role.NODE) as connection, trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(Refused, match="bulk-none"):
                    await connection.ask(kind, question, Done, deadline_s=5)

            for _ in range(10):
                nursery.start_soon(ask)
        assert most == TURNS_MOST_EACH

    in_a_village(main)


def test_a_member_that_makes_itself_due_again_and_again_does_not_keep_us_from_the_others() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        mesh, greedy = village.meshes[1], village.node(3)
        gossip = mesh._gossip
        compared: list[NodeId] = []

        async def dawdle(node: NodeId) -> None:
            compared.append(node)
            if node == greedy:
                gossip.compare_soon(greedy)
                await trio.sleep_forever()

        gossip.compare_with = dawdle  # type: ignore[method-assign]
        gossip.compare_soon(greedy)
        await trio.sleep(600)
        assert compared.count(village.node(2)) >= 3

    in_a_village(main)


def test_a_strangers_record_is_not_kept() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        before = village.meshes[1].view.ids()
        stranger = Party(9).node_card(village.federation)
        async with village.at_the_door(village.parties[2], Role.NODE) as connection:
            await connection.ask(Kind.PUSH_RECORDS, pushed(stranger), Done, deadline_s=5)
        await trio.sleep(30)
        assert village.meshes[1].view.ids() == before

    in_a_village(main)


def test_a_record_of_another_federation_is_refused() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        foreign = sign_record(Party(2).key, Digest(b"x" * 32), 7, 1, Party(2).node, b"")  # type: ignore[arg-type]
        async with village.at_the_door(village.parties[2], Role.NODE) as connection:
            with pytest.raises(Refused, match="record-federation"):
                await connection.ask(Kind.PUSH_RECORDS, pushed(foreign), Done, deadline_s=5)

    in_a_village(main)


def test_a_record_over_the_bound_never_leaves_and_never_enters() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        async with village.at_the_door(village.parties[2], Role.NODE) as connection:
            too_large = PushRecords((bytes(limits.RECORD_BYTES_MAX + 1),))
            with pytest.raises(OverLimit):
                await connection.ask(Kind.PUSH_RECORDS, too_large, Done, deadline_s=5)

    in_a_village(main)


@pytest.mark.parametrize(
    ("kind", "question"),
    [
        (Kind.PUSH_RECORDS, PushRecords((b"\x00",))),
        (Kind.PUSH_RECORDS, PushRecords((b"\x91" * 40,))),
        (Kind.RECONCILE, Reconcile(b"\xc1")),
        (Kind.RECONCILE, Reconcile(SOME_QUESTION)),
        (Kind.PING, Done()),
        (Kind.FETCH_RECORDS, Done()),
    ],
)
def test_nonsense_is_answered_with_a_name_and_the_node_goes_on(kind: Kind, question: object) -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        await village.until(village.agree)
        async with village.at_the_door(village.parties[2], Role.NODE) as connection:
            with pytest.raises(MaillonError) as caught:
                await connection.ask(kind, question, Done, deadline_s=5)
            assert isinstance(caught.value, Malformed | OverLimit)
            answer = await connection.ask(Kind.PING, Ping(()), Ping, deadline_s=5)
            assert answer.message.updates
        assert village.agree()

    in_a_village(main)


def test_asking_for_records_that_do_not_exist_brings_none() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        async with village.at_the_door(village.parties[2], Role.NODE) as connection:
            question = FetchRecords(tuple(Digest(bytes([n]) * 32) for n in range(128)))
            answer = await connection.ask(Kind.FETCH_RECORDS, question, PushRecords, deadline_s=5)
            assert answer.message.records == ()

    in_a_village(main)


def test_nobody_runs_errands_to_strangers() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        async with village.at_the_door(village.parties[2], Role.NODE) as connection:
            question = PingVia(Party(77).node)
            answer = await connection.ask(Kind.PING_VIA, question, PingViaReply, deadline_s=5)
            assert not answer.message.answered

    in_a_village(main)


def test_a_liar_that_accuses_without_pause_buries_nobody() -> None:
    async def main(village: Village) -> None:
        await village.grow(5)
        await village.until(village.agree)
        liar, victim = village.parties[5], village.node(2)
        village.kill(5)
        downs: list[int] = []
        async with village.at_the_door(liar, Role.NODE, of=1) as connection:
            for _ in range(200):
                claim = village.meshes[1].swim._members[victim].claim
                assert claim is not None
                lie = encode_update(sign_accusation(village.federation, liar.key, claim))
                await connection.ask(Kind.PING, Ping((lie,)), Ping, deadline_s=5)
                await trio.sleep(0.3)
                downs += [n for n in (1, 3, 4) if village.meshes[n].swim.status(victim) is Status.DOWN]
        assert downs == []

    in_a_village(main)


@pytest.mark.parametrize("spoilt", ["forged", "broken"])
def test_a_spoilt_rumour_changes_nothing_and_spoils_neither_the_probe_nor_the_others(spoilt: str) -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        forger = SigningKey.from_seed(b"f" * 32)
        forged = replace(sign_claim(village.federation, forger, 2**40, leaving=True), node=village.node(3))
        bad = encode_update(Update(forged, None, b"")) if spoilt == "forged" else b"\x93\x01"
        leaving = sign_claim(village.federation, village.parties[2].key, 2**40, leaving=True)
        async with village.at_the_door(village.parties[2], Role.NODE) as connection:
            good = encode_update(Update(leaving, None, b""))
            answer = await connection.ask(Kind.PING, Ping((bad, good)), Ping, deadline_s=5)
            assert answer.message.updates
        assert village.meshes[1].swim.status(village.node(3)) is Status.ALIVE
        assert village.meshes[1].swim.status(village.node(2)) is Status.LEFT

    in_a_village(main)


def test_silent_callers_do_not_keep_members_out_for_long() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        await village.until(village.agree)
        network = village.world.host("flood").network
        held: list[Stream] = [await network.dial(address_of(1)) for _ in range(HANDSHAKES_MAX + 50)]
        await trio.sleep(1)
        assert village.meshes[1]._peers._entering == HANDSHAKES_MAX
        assert village.agree()  # open connections are not touched
        await trio.sleep(village.configs[1].net.handshake_s)
        assert village.meshes[1]._peers._entering == 0
        async with village.at_the_door(village.parties[2], Role.NODE):
            pass
        for stream in held:
            await stream.aclose()

    in_a_village(main)


def test_a_member_that_opens_connection_after_connection_keeps_only_a_few() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        greedy = village.parties[2]
        async with trio.open_nursery() as nursery:

            async def linger() -> None:
                async with village.at_the_door(greedy, Role.NODE):
                    await trio.sleep(60)

            for _ in range(3 * limits.CONNECTIONS_PER_PEER_MAX):
                nursery.start_soon(linger)
            await trio.sleep(5)
            route = village.meshes[1]._peers._routes[greedy.node]
            assert len(route.connections) <= limits.CONNECTIONS_PER_PEER_MAX
            nursery.cancel_scope.cancel()

    in_a_village(main)


def test_a_peer_that_accepts_and_says_nothing_costs_its_caller_a_bounded_time() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        village.kill(3)

        async def mute(stream: Stream) -> None:
            await trio.sleep_forever()

        listener = await village.world.host("mute").network.listen(address_of(3))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listener.serve, mute)
            await village.until(lambda: village.all_see(3, Status.DOWN))
            began_s = trio.current_time()
            with pytest.raises(Unavailable, match="node-unreachable"):
                await village.meshes[1].ask(village.node(3), Kind.PING, Ping(()), Ping, deadline_s=60)
            assert trio.current_time() - began_s <= 2 * village.configs[1].dial_timeout_s + 15
            assert village.meshes[1].live() == {village.node(1), village.node(2)}
            nursery.cancel_scope.cancel()

    in_a_village(main)


def test_another_node_at_a_members_address_is_not_taken_for_it() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        village.kill(3)
        village.kill(2)
        await village.start(2, listen=address_of(3), advertise=(address_of(2),))
        await village.until(lambda: village.all_see(3, Status.DOWN))
        with pytest.raises(Unavailable, match="peer-unexpected"):
            await village.meshes[1].ask(village.node(3), Kind.PING, Ping(()), Ping, deadline_s=20)

    in_a_village(main)
