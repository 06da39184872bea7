"""What a holder bound itself to about an epoch's end outlives restarts, or is known to be lost."""

from __future__ import annotations

import errno

import pytest

from node.store.epoch_state import PREPARED_MAX, state_path
from node.store.journal_copy import JournalName, part_path
from node.store.journals import EPOCHS_PER_NAMESPACE_MAX
from protocol.errors import Damaged, Forged, Missing, OverLimit, Refused, Unavailable
from protocol.namespace.journal import encode_opening
from protocol.succession.succession import encode_succession
from tests.support.crashing import Machine
from tests.support.epochs import (
    ALPHA,
    CHAIN,
    CIRCLE,
    DELTA,
    FIRST,
    NAME,
    NAMESPACE,
    accepting,
    begin,
    decree_of,
    promised,
    promising,
    read_all,
    running,
    spoil,
    succession_of,
    tip_of,
)


class TestBeforeItIsDecided:
    async def test_a_prepared_opening_takes_no_entries(self) -> None:
        async with running(Machine(1)) as store:
            await store.prepare(encode_opening(FIRST))
            for asked in (
                store.append(NAMESPACE, 1, 0, CHAIN),
                store.tail(NAMESPACE, 1),
                store.read(NAMESPACE, 1, 0, 100),
                store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST))),
            ):
                with pytest.raises(Unavailable, match="journal-not-open"):
                    await asked
            assert await store.held(NAMESPACE) == ()

    async def test_of_several_prepared_openings_the_decided_one_is_opened(self) -> None:
        machine = Machine(1)
        decrees = [decree_of(CIRCLE.gateway(name)) for name in ("delta", "epsilon", "zeta")]
        proof = encode_succession(succession_of(CIRCLE.gateway("epsilon")))
        async with running(machine) as store:
            for decree in decrees:
                await store.prepare(encode_opening(decree))
        async with running(machine) as store:
            await store.open(encode_opening(decrees[1]), proof)
            await store.open(encode_opening(decrees[1]), proof)
            with pytest.raises(Refused, match="journal-opening-other"):
                await store.open(encode_opening(decrees[0]))
            assert await store.opening(NAMESPACE, 2) == encode_opening(decrees[1])
            assert await store.succession(NAMESPACE, 2) == proof

    async def test_what_was_not_prepared_here_is_not_opened(self) -> None:
        async with running(Machine(1)) as store:
            with pytest.raises(Missing, match="journal-epoch"):
                await store.open(encode_opening(FIRST))
            assert store.epochs() == ()

    async def test_only_so_many_are_kept_prepared(self) -> None:
        gateways = [CIRCLE.gateway(f"gateway {number}") for number in range(PREPARED_MAX + 1)]
        openings = [encode_opening(gateway.opening(CIRCLE.holders)) for gateway in gateways]
        async with running(Machine(1)) as store:
            for opening in openings:
                await store.prepare(opening)
            with pytest.raises(Missing, match="journal-epoch"):
                await store.open(openings[0])
            await store.open(openings[1])

    async def test_an_epoch_that_is_past_is_not_prepared(self) -> None:
        async with running(Machine(1)) as store:
            await begin(store, decree_of(), encode_succession(succession_of()))
            with pytest.raises(Refused, match="journal-past"):
                await store.prepare(encode_opening(FIRST))

    async def test_but_no_epoch_of_a_stolen_writer_key_makes_the_next_generation_past(self) -> None:
        far = encode_opening(DELTA.opening(CIRCLE.holders, epoch=9, previous=decree_of().previous))
        owners = CIRCLE.gateway("delta", 2).opening(CIRCLE.holders, epoch=2, previous=decree_of().previous)
        async with running(Machine(1)) as store:
            await store.copy(far, b"", 0, ())
            with pytest.raises(Refused, match="journal-past"):
                await store.prepare(encode_opening(decree_of()))
            await store.prepare(encode_opening(owners))

    async def test_who_was_made_a_copy_before_it_heard_of_the_decision_is_not_forgotten(self) -> None:
        async with running(Machine(1)) as store:
            await store.prepare(encode_opening(FIRST))
            await store.copy(encode_opening(FIRST), b"", 0, CHAIN[:2])
            with pytest.raises(Unavailable, match="journal-not-open"):
                await store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST)))
            await store.open(encode_opening(FIRST))
            assert await store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST))) == tip_of(2)

    async def test_a_namespace_has_only_so_many_epochs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert EPOCHS_PER_NAMESPACE_MAX > 3
        monkeypatch.setattr("node.store.journals.EPOCHS_PER_NAMESPACE_MAX", 3)
        async with running(Machine(1)) as store:
            for epoch in (1, 2, 3):
                ending = None if epoch == 1 else decree_of().previous
                await store.prepare(encode_opening(ALPHA.opening(CIRCLE.holders, epoch=epoch, previous=ending)))
            with pytest.raises(OverLimit, match="journal-epochs-many"):
                await store.prepare(
                    encode_opening(ALPHA.opening(CIRCLE.holders, epoch=4, previous=decree_of().previous))
                )


class TestPromises:
    async def test_a_promise_fences_the_writer_also_after_a_restart(self) -> None:
        machine = Machine(1)
        candidacy = DELTA.candidacy(FIRST, 2)
        async with running(machine) as store:
            await begin(store, length=3)
            assert not (await store.standing(NAMESPACE, 1)).is_fenced
            assert await store.decide(NAMESPACE, 1, promising(candidacy)) == tip_of(3)
        async with running(machine) as store:
            assert (await store.standing(NAMESPACE, 1)).is_fenced
            with pytest.raises(Refused, match="journal-promised"):
                await store.append(NAMESPACE, 1, 3, CHAIN[3:])
            with pytest.raises(Refused, match="journal-promised"):
                await store.decide(NAMESPACE, 1, promising(ALPHA.candidacy(FIRST, 1)))
            assert await store.append(NAMESPACE, 1, 3, CHAIN[3:5], candidacy.ballot) == tip_of(5)

    async def test_a_holder_accepts_only_what_it_has(self) -> None:
        proposal = DELTA.proposal(FIRST, decree_of(length=5))
        async with running(Machine(1)) as store:
            await begin(store, length=3)
            await store.decide(NAMESPACE, 1, promising(proposal.candidacy))
            with pytest.raises(Unavailable, match="journal-behind"):
                await store.decide(NAMESPACE, 1, accepting(proposal))
            await store.append(NAMESPACE, 1, 3, CHAIN[3:5], proposal.ballot)
            await store.decide(NAMESPACE, 1, accepting(proposal))

    @pytest.mark.parametrize("length", [0, 2, 5])
    async def test_an_end_before_the_last_entry_is_accepted(self, length: int) -> None:
        async with running(Machine(1)) as store:
            await begin(store, length=5)
            await store.decide(NAMESPACE, 1, accepting(DELTA.proposal(FIRST, decree_of(length=length))))

    async def test_nothing_changes_when_the_state_cannot_be_written(self) -> None:
        machine = Machine(1)
        async with running(machine) as store:
            await begin(store, length=3)
            for code, problem in ((errno.ENOSPC, "store-full"), (errno.EIO, "store-failing")):
                machine.write_errors = [code]
                with pytest.raises(Unavailable, match=problem):
                    await store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST)))
            assert await promised(store) is None
            assert await store.append(NAMESPACE, 1, 3, CHAIN[3:]) == tip_of(8)

    async def test_damaged_entries_must_be_healed_before_anything_is_promised(self) -> None:
        machine = Machine(1)
        async with running(machine) as store:
            await begin(store)
            for position, entry in enumerate(CHAIN):
                await store.append(NAMESPACE, 1, position, [entry])
        content = machine.files["."][part_path(NAME, 0)]
        content.current[content.current.index(CHAIN[6]) + 30] ^= 8
        content.durable = content.current
        async with running(machine) as store:
            with pytest.raises(Damaged, match="journal-damaged") as caught:
                await store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST)))
            assert caught.value.parameters["position"] == 6
            await store.append(NAMESPACE, 1, 6, CHAIN[6:])
            await store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST)))

    @pytest.mark.parametrize("seed", range(30))
    async def test_what_a_crash_tore_and_nobody_heard_of_is_no_damage(self, seed: int) -> None:
        machine = Machine(seed)

        async def live() -> None:
            async with running(machine) as store:
                await begin(store, length=2)
                machine.crash_at = machine.operations + 2  # the write is done, the sync is not
                await store.append(NAMESPACE, 1, 2, CHAIN[2:])

        with pytest.raises(BaseExceptionGroup):
            await live()
        machine.crash()
        async with running(machine) as store:
            assert (await store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST)))).length >= 2


class TestForgetting:
    @pytest.mark.parametrize("is_gone", [True, False])
    async def test_a_holder_whose_state_is_lost_shows_its_entries_and_counts_no_more(self, is_gone: bool) -> None:
        machine = Machine(1)
        async with running(machine) as store:
            await begin(store, length=5)
            await store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST)))
        if is_gone:
            del machine.files["."][state_path(NAME)]
        else:
            spoil(machine)
        for _ in range(2):
            async with running(machine) as store:
                assert await read_all(store) == CHAIN[:5]
                assert [(held.length, held.is_copy) for held in await store.held(NAMESPACE)] == [(5, True)]
                for asked in (
                    store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST, 9))),
                    store.append(NAMESPACE, 1, 5, CHAIN[5:]),
                    store.prepare(encode_opening(FIRST)),
                    store.open(encode_opening(FIRST)),
                ):
                    with pytest.raises(Missing, match="journal-epoch"):
                        await asked

    async def test_nor_does_one_whose_entries_are_lost_even_when_a_copy_of_them_comes_back(self) -> None:
        machine = Machine(1)
        async with running(machine) as store:
            await begin(store, length=5)
        del machine.files["."][part_path(NAME, 0)]
        for _ in range(2):
            async with running(machine) as store:
                assert (await store.standing(NAMESPACE, 1)).is_fenced
                for asked in (
                    store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST, 9))),
                    store.append(NAMESPACE, 1, 0, CHAIN[:5]),
                    store.open(encode_opening(FIRST)),
                ):
                    with pytest.raises(Missing, match="journal-epoch"):
                        await asked
                await store.copy(encode_opening(FIRST), b"", 0, CHAIN[:5])
                assert await store.tail(NAMESPACE, 1) == tip_of(5)

    async def test_a_state_that_is_lost_without_entries_leaves_nothing(self) -> None:
        machine = Machine(1)
        async with running(machine) as store:
            await begin(store)
        spoil(machine)
        async with running(machine) as store:
            with pytest.raises(Missing, match="journal-epoch"):
                await store.decide(NAMESPACE, 1, promising(DELTA.candidacy(FIRST)))

    async def test_a_state_in_the_place_of_another_is_not_believed(self) -> None:
        machine = Machine(1)
        async with running(machine) as store:
            await begin(store, length=5)
            await begin(store, decree_of(), encode_succession(succession_of()))
        files = machine.files["."]
        files[state_path(NAME)] = files[state_path(JournalName(NAMESPACE, 2))]
        async with running(machine) as store:
            assert (await store.held(NAMESPACE))[0].is_copy


class TestEnded:
    async def test_entries_beyond_the_end_are_not_shown(self) -> None:
        machine = Machine(1)
        async with running(machine) as store:
            await begin(store, length=8)
            await store.learn(succession_of(length=5))
            await store.learn(succession_of(length=5))
        async with running(machine) as store:
            assert await store.tail(NAMESPACE, 1) == tip_of(5)
            assert await read_all(store) == CHAIN[:5]
            assert [(held.length, held.is_ended) for held in await store.held(NAMESPACE)] == [(5, True)]
            with pytest.raises(Refused, match="journal-ended"):
                await store.append(NAMESPACE, 1, 8, CHAIN)
            with pytest.raises(Refused, match="journal-ended"):
                await store.decide(NAMESPACE, 1, promising(ALPHA.candidacy(FIRST, 99)))
            assert store.newest_succession(NAMESPACE) == succession_of(length=5)

    async def test_what_is_decided_stays(self) -> None:
        async with running(Machine(1)) as store:
            await begin(store, length=8)
            await store.learn(succession_of(DELTA))
            with pytest.raises(Forged, match="succession-decree"):
                await store.learn(succession_of(CIRCLE.gateway("epsilon")))

    async def test_a_copy_learns_its_end_too(self) -> None:
        async with running(Machine(1)) as store:
            await store.copy(encode_opening(FIRST), b"", 0, CHAIN)
            await store.learn(succession_of(length=5))
            assert await store.tail(NAMESPACE, 1) == tip_of(5)

    async def test_nobody_learns_the_end_of_what_is_not_kept(self) -> None:
        async with running(Machine(1)) as store:
            with pytest.raises(Missing, match="journal-epoch"):
                await store.learn(succession_of())
