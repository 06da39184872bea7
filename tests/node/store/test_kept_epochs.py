"""Epochs that are copied, released, or interrupted by a crash at any moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from node.store.journals import JournalStore
from protocol.errors import MaillonError, Missing, Refused
from protocol.namespace.journal import encode_opening
from protocol.succession.ballot import Ballot
from protocol.succession.succession import encode_succession
from tests.support.crashing import Crash, Machine
from tests.support.epochs import (
    ALPHA,
    CHAIN,
    CIRCLE,
    DELTA,
    FIRST,
    NAMESPACE,
    accepting,
    begin,
    decree_of,
    promising,
    read_all,
    running,
    succession_of,
    tip_of,
)
from tests.support.laws import examples


class TestCopies:
    async def test_a_copy_is_read_and_binds_to_nothing(self) -> None:
        machine = Machine(1)
        async with running(machine) as store:
            assert await store.copy(encode_opening(FIRST), b"", 0, CHAIN[:3]) == tip_of(3)
            assert await store.copy(encode_opening(FIRST), b"", 2, CHAIN[2:]) == tip_of(8)
        async with running(machine) as store:
            assert await read_all(store) == CHAIN
            assert (await store.standing(NAMESPACE, 1)).is_fenced
            assert (await store.held(NAMESPACE))[0].is_copy
            with pytest.raises(Missing, match="journal-epoch"):
                await store.append(NAMESPACE, 1, 8, CHAIN)
            with pytest.raises(Missing, match="journal-epoch"):
                await store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST)))
            with pytest.raises(Refused, match="journal-opening-other"):
                await store.copy(encode_opening(DELTA.opening(CIRCLE.holders)), b"", 0, CHAIN)

    async def test_what_is_copied_to_a_holder_changes_nothing(self) -> None:
        async with running(Machine(1)) as store:
            await begin(store, length=3)
            assert await store.copy(encode_opening(FIRST), b"", 3, CHAIN[3:]) == tip_of(3)
            assert await store.append(NAMESPACE, 1, 3, CHAIN[3:]) == tip_of(8)

    async def test_a_copy_that_came_before_the_opening_does_not_keep_its_holder_out(self) -> None:
        async with running(Machine(1)) as store:
            await store.prepare(encode_opening(FIRST))
            await store.copy(encode_opening(FIRST), b"", 0, CHAIN[:3])
            await store.open(encode_opening(FIRST))
            assert await store.append(NAMESPACE, 1, 3, CHAIN[3:]) == tip_of(8)
            assert not (await store.held(NAMESPACE))[0].is_copy


class TestRelease:
    async def test_only_earlier_epochs_of_the_namespace_go(self) -> None:
        machine = Machine(1)
        async with running(machine) as store:
            await begin(store, length=5)
            await begin(store, decree_of(), encode_succession(succession_of()))
            await store.release_below(NAMESPACE, 2)
            await store.release_below(NAMESPACE, 2)
            assert [name.epoch for name in store.epochs()] == [2]
            assert store.newest_opening(NAMESPACE) == encode_opening(decree_of())
        assert [path.name for path in machine.files["."] if "-1" in path.name] == []

    @pytest.mark.parametrize("operations", range(1, 5))
    async def test_a_crash_in_the_middle_never_leaves_a_holder_without_its_entries(self, operations: int) -> None:
        machine = Machine(1)

        async def live() -> None:
            async with running(machine) as store:
                await begin(store, length=5)
                machine.crash_at = machine.operations + operations
                await store.release_below(NAMESPACE, 2)
                raise Crash

        with pytest.raises(BaseExceptionGroup):
            await live()
        machine.crash()
        async with running(machine) as store:
            held = await store.held(NAMESPACE)
            assert all(epoch.is_copy or epoch.length == 5 for epoch in held)
            await store.release_below(NAMESPACE, 2)
            assert store.epochs() == ()

    async def test_who_waits_for_a_turn_while_it_goes_finds_it_gone(self) -> None:
        machine = Machine(1)
        outcomes: list[str] = []

        async def append(store: JournalStore) -> None:
            try:
                await store.append(NAMESPACE, 1, 5, CHAIN[5:])
            except MaillonError as error:
                outcomes.append(error.identifier)

        async with running(machine) as store:
            await begin(store, length=5)
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(append, store)
                await store.release_below(NAMESPACE, 2)
        assert set(outcomes) <= {"journal-epoch"}
        assert not any("-1" in path.name for path in machine.files["."])


@dataclass
class Answered:
    """What this holder said, which nothing may undo."""

    length: int = 0
    ballot: Ballot | None = None
    accepted: Ballot | None = None
    openings: set[bytes] = field(default_factory=set)


async def one_life(machine: Machine, said: Answered) -> None:
    """Check that nothing that was answered is forgotten, then answer more until the crash."""
    async with running(machine) as store:
        if FIRST_BYTES in said.openings:
            await store.open(FIRST_BYTES)
            state = await store.decide(NAMESPACE, 1, lambda kept: (kept.acceptor, kept.acceptor))
            assert (await store.tail(NAMESPACE, 1)).length >= said.length
            assert said.ballot is None or (state.promised is not None and state.promised >= said.ballot)
            assert said.accepted is None or (state.accepted is not None and state.accepted.ballot >= said.accepted)
        await store.prepare(FIRST_BYTES)
        said.openings.add(FIRST_BYTES)
        await store.open(FIRST_BYTES)
        for _ in range(machine.random.randrange(1, 8)):
            await answer_something(machine, store, said)


FIRST_BYTES = encode_opening(FIRST)


async def answer_something(machine: Machine, store: JournalStore, said: Answered) -> None:
    gateway = machine.random.choice([ALPHA, DELTA])
    candidacy = gateway.candidacy(FIRST, machine.random.randrange(1, 6))
    tip = await store.tail(NAMESPACE, 1)
    try:
        luck = machine.random.randrange(3)
        if luck == 0:
            state = await store.decide(NAMESPACE, 1, lambda kept: (kept.acceptor, kept.acceptor))
            said.length = (
                await store.append(NAMESPACE, 1, tip.length, CHAIN[tip.length : tip.length + 2], state.promised)
            ).length
        elif luck == 1:
            await store.decide(NAMESPACE, 1, promising(candidacy))
            said.ballot = candidacy.ballot
        else:
            proposal = gateway.proposal(FIRST, decree_of(gateway, tip.length), candidacy.counter)
            await store.decide(NAMESPACE, 1, accepting(proposal))
            said.ballot = said.accepted = proposal.ballot
    except Refused as error:
        assert error.identifier == "journal-promised"


async def many_lives(seed: int) -> None:
    machine = Machine(seed)
    said = Answered()
    for _ in range(8):
        machine.crash_at = machine.operations + machine.random.randrange(3, 20)
        try:
            await one_life(machine, said)
        except (BaseExceptionGroup, Crash) as error:
            others = error.split(Crash)[1] if isinstance(error, BaseExceptionGroup) else None
            if others is not None:
                raise others from None
        machine.crash()
    await one_life(machine, said)


@settings(max_examples=examples(60), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_was_answered_survives_any_crash(seed: int) -> None:
    trio.run(partial(many_lives, seed))
