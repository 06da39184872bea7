"""Staying a member: restarts, moves, lost disks, expulsions, and what the own card says meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from node.mesh.config import MeshConfig
from node.mesh.records_file import RECORDS_PATH
from protocol.errors import MaillonError, Refused, Unavailable
from protocol.ids import BlockId
from protocol.members.cards import NodeState
from protocol.members.governance import expel_node, expel_organisation
from protocol.members.records import RecordKind
from protocol.members.swim import Status
from protocol.requests import HasShares, HasSharesReply, Kind
from protocol.wire.envelopes import Role
from tests.support.village import Village, address_of, in_a_village

QUESTION = HasShares((BlockId(bytes(32)),))


async def ask(village: Village, asker: int, asked: int) -> tuple[int, ...]:
    node = village.node(asked)
    answer = await village.meshes[asker].ask(node, Kind.HAS_SHARES, QUESTION, HasSharesReply, deadline_s=10)
    return answer.message.held


def card_counter(village: Village, at: int, of: int) -> int:
    view, key = village.meshes[at].view, village.parties[of].key
    return view.next_counter(key.public, RecordKind.NODE, key.public) - 1


def test_every_member_can_ask_every_other() -> None:
    async def main(village: Village) -> None:
        await village.grow(4)
        await village.until(village.agree)
        for asker in village.meshes:
            for asked in village.meshes:
                if asker != asked:
                    assert await ask(village, asker, asked) == (7,)

    in_a_village(main)


def test_a_node_does_not_ask_itself() -> None:
    async def main(village: Village) -> None:
        await village.grow(1)
        with pytest.raises(ValueError, match="itself"):
            await ask(village, 1, 1)

    in_a_village(main)


def test_one_connection_is_enough_for_two_nodes() -> None:
    async def main(village: Village) -> None:
        dials: list[str] = []
        record = village.world.trace.touch

        def count(*words: str) -> None:
            dials.extend(words[1:2] if words[0] == "dial" else ())
            record(*words)

        village.world.trace.touch = count  # type: ignore[method-assign]
        await village.grow(2)
        await village.until(village.agree)
        await trio.sleep(60)
        assert len(dials) <= 3  # the join, and one each if both dialled at once

    in_a_village(main)


def test_a_restarted_node_knows_its_federation_from_its_disk() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        for number in (1, 2, 3):
            village.kill(number)
        await village.start(2)
        assert len(village.meshes[2].view.nodes()) == 3
        await village.start(3)
        await village.until(lambda: village.meshes[2].live() == {village.node(2), village.node(3)})

    in_a_village(main)


def test_a_node_cut_off_by_a_power_failure_keeps_what_was_written() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        known = village.meshes[3].view.ids()
        village.world.cut_power("n3")
        del village.meshes[3]
        mesh = await village.start(3)
        assert set(known) <= set(mesh.view.ids())
        await village.until(village.agree)

    in_a_village(main)


def test_a_node_that_moved_is_found_at_its_new_address() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        village.kill(3)
        await village.start(3, listen="elsewhere:1")
        moved = village.node(3)

        def known_everywhere() -> bool:
            facts = [mesh.view.node(moved) for mesh in village.meshes.values()]
            return all(each is not None and each.addresses == ("elsewhere:1",) for each in facts)

        await village.until(known_everywhere)
        assert await ask(village, 1, 3) == (7,)
        assert card_counter(village, 1, 3) == 2

    in_a_village(main)


def test_a_card_that_already_says_it_all_is_not_said_again() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        village.kill(2)
        await village.start(2)
        await village.until(village.agree)
        await trio.sleep(30)
        assert card_counter(village, 1, 2) == 1

    in_a_village(main)


def test_a_node_with_an_old_disk_learns_its_counter_back_and_does_not_contradict_itself() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        old = village.world.host("n3").disk.read(RECORDS_PATH, size_bytes_max=2**20)
        for address in ("b:1", "c:1"):
            village.kill(3)
            await village.start(3, listen=address)
            await village.until(lambda where=address: where in str(village.meshes[1].view.node(village.node(3))))
        await village.until(village.agree)  # whomever it asks when it is back must know
        village.kill(3)
        village.world.host("n3").disk.replace(RECORDS_PATH, old)
        await village.start(3, listen="d:1")
        await village.until(lambda: "d:1" in str(village.meshes[1].view.node(village.node(3))))
        assert card_counter(village, 1, 3) == 4
        await village.until(village.agree)
        assert all(not mesh.view.evidence() for mesh in village.meshes.values())

    in_a_village(main)


@pytest.mark.parametrize("whole_organisation", [False, True])
def test_an_expelled_node_is_cut_off_by_everybody(whole_organisation: bool) -> None:
    async def main(village: Village) -> None:
        await village.grow(4)
        await village.until(village.agree)
        out = village.node(4)
        organisation = village.parties[4].organisation.organisation
        await village.decide(expel_organisation(organisation) if whole_organisation else expel_node(out))
        rest = [village.meshes[n] for n in (1, 2, 3)]
        await village.until(lambda: all(out not in mesh.live() for mesh in rest))
        await trio.sleep(20)
        assert all(out not in {peer.node for peer in mesh.peers()} for mesh in rest)
        with pytest.raises(MaillonError):
            await ask(village, 1, 4)
        with pytest.raises(MaillonError):
            await ask(village, 4, 1)
        for role in (Role.NODE, Role.JOINER):
            with pytest.raises(Refused, match="node-expelled"):
                async with village.at_the_door(village.parties[4], role, of=2):
                    pass
        assert all(mesh.live() == {village.node(n) for n in (1, 2, 3)} for mesh in rest)

    in_a_village(main)


def test_an_open_connection_ends_with_the_expulsion() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        async with village.at_the_door(village.parties[3], Role.NODE) as connection:
            await village.decide(expel_node(village.node(3)))
            await trio.sleep(2)
            assert connection.closed

    in_a_village(main)


def test_a_dead_member_is_unreachable_at_once_not_after_a_timeout() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        village.kill(3)
        await village.until(lambda: village.all_see(3, Status.DOWN))
        began_s = trio.current_time()
        with pytest.raises(Unavailable, match="node-unreachable"):
            await ask(village, 1, 3)
        assert trio.current_time() - began_s < 1

    in_a_village(main)


def test_a_silent_machine_costs_the_deadline_and_no_more() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        village.world.wires.silence("n3")
        began_s = trio.current_time()
        with pytest.raises(Unavailable):
            await village.meshes[1].ask(village.node(3), Kind.HAS_SHARES, QUESTION, HasSharesReply, deadline_s=2)
        assert trio.current_time() - began_s == pytest.approx(2, abs=0.1)

    in_a_village(main)


def test_a_probe_reaches_through_others_where_the_own_link_is_cut() -> None:
    async def main(village: Village) -> None:
        await village.grow(4)
        await village.until(village.agree)
        village.world.wires.partition(["n1"], ["n3"])
        assert await village.meshes[1].probe(village.node(3))
        village.world.wires.silence("n3")
        assert not await village.meshes[1].probe(village.node(3))

    in_a_village(main)


def test_connections_nobody_uses_are_closed_and_dialled_again_when_needed() -> None:
    async def main(village: Village) -> None:
        for number in range(1, 7):
            village.configs[number] = replace(MeshConfig(listen=address_of(number)), idle_close_s=0.3)
        await village.grow(6)
        await trio.sleep(30)
        # Probes come one a round, so at any time somebody's connection rests; and nobody takes that for a death.
        assert any(not peer.connected for mesh in village.meshes.values() for peer in mesh.peers())
        assert village.agree()
        assert await ask(village, 1, 3) == (7,)

    in_a_village(main)


def test_closing_an_idle_connection_is_no_sign_of_death() -> None:
    async def main(village: Village) -> None:
        for number in range(1, 4):
            village.configs[number] = replace(MeshConfig(listen=address_of(number)), idle_close_s=0.01)
        await village.grow(3)
        await village.until(village.agree)
        seen: list[Status] = []
        for _ in range(60):
            await trio.sleep(1)
            seen += [mesh.swim.status(peer.node) for mesh in village.meshes.values() for peer in mesh.peers()]
        assert set(seen) == {Status.ALIVE}

    in_a_village(main)


def states(village: Village, of: int) -> set[NodeState | None]:
    facts = [mesh.view.node(village.node(of)) for mesh in village.meshes.values()]
    return {None if each is None else each.state for each in facts}


def test_a_node_that_leaves_goes_on_serving_and_stays_leaving_over_a_restart() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        await village.meshes[3].leave()
        await village.until(lambda: states(village, 3) == {NodeState.LEAVING})
        assert village.agree()
        assert await ask(village, 1, 3) == (7,)
        village.kill(3)
        await village.start(3)
        await trio.sleep(30)
        assert states(village, 3) == {NodeState.LEAVING}
        await village.meshes[3].declare(NodeState.ACTIVE)
        await village.until(lambda: states(village, 3) == {NodeState.ACTIVE})

    in_a_village(main)


def test_a_node_that_left_is_not_probed_any_more() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        out = village.node(3)
        await village.meshes[3].declare(NodeState.LEFT)
        await village.until(lambda: states(village, 3) == {NodeState.LEFT})
        village.kill(3)
        await trio.sleep(30)
        assert all(out not in mesh.live() for mesh in village.meshes.values())
        assert all(mesh.swim.status(out) is Status.UNKNOWN for mesh in village.meshes.values())

    in_a_village(main)
