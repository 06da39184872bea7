"""Whole meshes on the deterministic host: they form a federation and agree, whatever the network loses."""

from __future__ import annotations

import pytest
import trio

from protocol.limits import CALL_BYTES_MAX, RECORD_BYTES_MAX, UNKNOWN_RECORDS_PER_ORGANISATION_MAX
from protocol.members.records import encode_record, sign_record
from protocol.members.swim import Status
from sim.host.network import Conditions
from tests.support.village import Village, in_a_village

LOSSY = Conditions(latency_min_s=0.005, latency_max_s=0.2, dial_loss=0.1, send_loss=0.02)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_nodes_form_a_federation_and_agree(seed: int) -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        took_s = await village.until(village.agree)
        assert took_s < 10

    in_a_village(main, seed=seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_six_nodes_agree_although_dials_fail_and_streams_break(seed: int) -> None:
    async def main(village: Village) -> None:
        await village.grow(6)
        village.world.wires.conditions = LOSSY
        await trio.sleep(30)
        await village.until(village.agree, within_s=60)

    in_a_village(main, seed=seed)


def test_a_run_repeats_to_the_byte() -> None:
    async def main(village: Village) -> str:
        await village.grow(4)
        village.world.wires.conditions = LOSSY
        await trio.sleep(20)
        return str(village.world.trace.digest())

    assert in_a_village(main, seed=5) == in_a_village(main, seed=5)
    assert in_a_village(main, seed=5) != in_a_village(main, seed=6)


def test_a_silent_death_is_noticed_and_the_return_too() -> None:
    async def main(village: Village) -> None:
        await village.grow(5)
        await village.until(village.agree)
        village.world.wires.silence("n3")
        dead = village.meshes.pop(3)
        took_s = await village.until(lambda: village.all_see(3, Status.DOWN))
        assert took_s < 40
        village.world.wires.heal()
        village.meshes[3] = dead
        await village.until(village.agree)

    in_a_village(main)


def test_a_killed_process_is_noticed_sooner_than_a_silent_machine() -> None:
    async def main(village: Village) -> None:
        await village.grow(5)
        await village.until(village.agree)
        village.kill(3)
        assert await village.until(lambda: village.all_see(3, Status.DOWN)) < 25
        await village.start(3)
        assert await village.until(village.agree) < 30

    in_a_village(main)


def test_a_node_that_says_goodbye_is_left_at_once_and_nobody_suspects_it() -> None:
    async def main(village: Village) -> None:
        await village.grow(4)
        await village.until(village.agree)
        await village.meshes[2].goodbye()
        village.kill(2)
        assert await village.until(lambda: village.all_see(2, Status.LEFT)) < 3
        await trio.sleep(60)
        assert village.all_see(2, Status.LEFT)
        await village.start(2)
        await village.until(village.agree)

    in_a_village(main)


def test_halves_of_a_partition_agree_again_once_it_heals() -> None:
    async def main(village: Village) -> None:
        await village.grow(6)
        await village.until(village.agree)
        village.world.wires.partition(["n1", "n2", "n3"], ["n4", "n5", "n6"])
        left = {village.node(n) for n in (1, 2, 3)}
        await village.until(lambda: all(village.meshes[n].live() == left for n in (1, 2, 3)))
        await village.join(7)  # known to one half only
        assert len(village.meshes[4].view.nodes()) == 6
        village.world.wires.heal()
        await village.until(village.agree, within_s=180)
        assert len(village.meshes[4].view.nodes()) == 7

    in_a_village(main)


def test_what_pushing_missed_comes_by_anti_entropy() -> None:
    async def main(village: Village) -> None:
        await village.grow(3)
        await village.until(village.agree)
        village.kill(3)
        await village.join(4)
        await village.start(3)
        await village.until(lambda: len(village.meshes[3].view.nodes()) == 4)

    in_a_village(main)


def test_a_link_cut_between_two_leaves_both_alive_for_all() -> None:
    async def main(village: Village) -> None:
        await village.grow(5)
        await village.until(village.agree)
        village.world.wires.partition(["n2"], ["n4"])
        await trio.sleep(120)
        assert village.agree()

    in_a_village(main)


def test_more_records_than_one_message_holds_reach_newcomers_and_old_members() -> None:
    async def main(village: Village) -> None:
        await village.grow(2)
        await village.until(village.agree)
        await say_much(village, 1)
        large = sum(len(encode_record(record)) for record in village.meshes[1].view.records())
        assert large > CALL_BYTES_MAX
        await village.join(3)
        await village.start(3)
        await village.until(village.agree)

    in_a_village(main)


async def say_much(village: Village, author: int) -> None:
    """As many records of a kind of the future as one author may have, each of them large."""
    key, kind = village.parties[author].key, 40_000
    for number in range(UNKNOWN_RECORDS_PER_ORGANISATION_MAX):
        subject = number.to_bytes(32, "big")
        await village.meshes[author].publish(
            sign_record(key, village.federation, kind, 1, subject, bytes(RECORD_BYTES_MAX - 512))
        )
