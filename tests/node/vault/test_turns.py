"""Turns at keys: one at a time at each, and nobody in a bucket while somebody has it alone."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from node.vault.shelf.turns import Turns
from protocol.errors import Unavailable


class Settled:
    """A journal of which everybody heard."""

    in_doubt = False

    async def settle(self) -> None:
        raise AssertionError


class Unsettled(Settled):
    """One with a change that nobody heard of, until it is known a second later."""

    in_doubt = True

    async def settle(self) -> None:
        await trio.sleep(1)
        self.in_doubt = False


async def hold(turns: Turns, seen: list[str], name: str, *keys: str | bytes) -> None:
    async with turns.of("photos", *keys):
        seen.append(f"{name} in")
        await trio.sleep(1)
        seen.append(f"{name} out")


async def test_a_key_has_one_turn_at_a_time_and_other_keys_do_not_wait(autojump_clock: MockClock) -> None:
    turns, seen = Turns(Settled()), list[str]()
    async with trio.open_nursery() as nursery:
        for name, key in (("one", "a"), ("other", "b"), ("next", "a")):
            nursery.start_soon(hold, turns, seen, name, key)
            await trio.sleep(0.1)
    assert seen == ["one in", "other in", "one out", "next in", "other out", "next out"]


async def test_several_keys_are_one_turn(autojump_clock: MockClock) -> None:
    turns, seen = Turns(Settled()), list[str]()
    async with trio.open_nursery() as nursery:
        for name, keys in (("both", (b"upload", "a")), ("one", ("a",)), ("upload", (b"upload",))):
            nursery.start_soon(hold, turns, seen, name, *keys)
            await trio.sleep(0.1)
    assert seen[:2] == ["both in", "both out"]
    assert len(seen) == 6


async def test_who_has_the_bucket_alone_waits_for_all_and_all_wait_for_it(autojump_clock: MockClock) -> None:
    turns, seen = Turns(Settled()), list[str]()

    async def alone() -> None:
        async with turns.alone("photos"):
            seen.append("alone in")
            await trio.sleep(1)
            seen.append("alone out")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, turns, seen, "before", "a")
        await trio.sleep(0.1)
        nursery.start_soon(alone)
        nursery.start_soon(alone)
        await trio.sleep(0.1)
        nursery.start_soon(hold, turns, seen, "after", "b")
    whose = [said.split()[0] for said in seen]
    assert whose[::2] == whose[1::2], "somebody came in while another had it"
    assert whose[0] == "before"
    assert sorted(whose[2::2]) == ["after", "alone", "alone"]


@pytest.mark.parametrize("waiting_for", ["a key", "the bucket"])
async def test_who_gives_up_waiting_is_in_nobodys_way(autojump_clock: MockClock, waiting_for: str) -> None:
    turns, seen = Turns(Settled()), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold, turns, seen, "one", "a")
        await trio.sleep(0.1)
        with trio.move_on_after(0.1) as impatience:
            if waiting_for == "a key":
                await hold(turns, seen, "other", "b", "a")
            else:
                async with turns.alone("photos"):
                    seen.append("alone")
        assert impatience.cancelled_caught
        nursery.start_soon(hold, turns, seen, "next", "b")
        await trio.sleep(0.1)
        assert seen == ["one in", "next in"]
    with trio.fail_after(1):
        async with turns.alone("photos"):
            pass


async def test_nobody_looks_before_it_is_known_what_those_before_did(autojump_clock: MockClock) -> None:
    journal = Unsettled()
    turns, begun_s = Turns(journal), trio.current_time()
    async with turns.of("photos", "a"):
        assert trio.current_time() == begun_s + 1
    journal.in_doubt = True
    async with turns.alone("photos"):
        assert trio.current_time() == begun_s + 2


async def test_who_cannot_be_told_leaves_no_turn_behind(autojump_clock: MockClock) -> None:
    class Lost(Unsettled):
        async def settle(self) -> None:
            raise Unavailable("journal-unacknowledged")

    journal = Lost()
    turns = Turns(journal)
    for turn in (turns.of("photos", "a"), turns.alone("photos")):
        with pytest.raises(Unavailable):
            async with turn:
                raise AssertionError
    journal.in_doubt = False
    with trio.fail_after(1):
        async with turns.alone("photos"):
            pass
        async with turns.of("photos", "a"):
            pass
