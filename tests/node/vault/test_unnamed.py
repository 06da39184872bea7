"""How far an inventory may reach: never past a write that is under way, or may yet be found in the journal."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from node.vault.release.unnamed import Unnamed, Writing
from protocol.coding.label import Stamp
from protocol.errors import MaillonError, Unavailable
from protocol.ids import BlockId
from tests.support.namespaces import node, some

START = Stamp(3, 10)


def block(number: int) -> BlockId:
    return BlockId(some("block", number))


def test_it_reaches_to_the_journal_s_end_when_nothing_is_under_way() -> None:
    assert Unnamed().horizon(START, Stamp(3, 12)) == Stamp(3, 12)


def test_a_write_under_way_holds_it_up_until_it_ends() -> None:
    unnamed, later = Unnamed(), Stamp(4, 2)
    with unnamed.writing(START):
        assert unnamed.horizon(later, later) == START
    assert unnamed.horizon(later, later) == later


@pytest.mark.parametrize("error", [Unavailable("journal-unacknowledged"), KeyboardInterrupt(), trio.TooSlowError()])
def test_a_write_whose_end_is_not_known_holds_it_up_until_that_is_settled(error: BaseException) -> None:
    unnamed = Unnamed()
    with pytest.raises(type(error)), unnamed.writing(START) as writing, writing.naming(lambda: Stamp(3, 20), ()):
        raise error
    assert unnamed.horizon(Stamp(3, 20), Stamp(3, 25)) == START
    assert unnamed.horizon(Stamp(3, 21), Stamp(3, 25)) == Stamp(3, 25)


def test_one_of_which_nothing_was_journaled_holds_nothing_up_and_is_released() -> None:
    unnamed = Unnamed()

    def write() -> None:
        with unnamed.writing(START) as writing:
            writing.spreads([block(1)], [node(1)])
            with writing.naming(lambda: Stamp(3, 20), [block(1)]):
                raise Unavailable("journal-holders-away")

    with pytest.raises(Unavailable):
        write()
    assert unnamed.horizon(Stamp(3, 19), Stamp(3, 20)) == Stamp(3, 20)
    assert unnamed.blocks == {block(1): (node(1),)}


def test_what_is_being_written_is_known() -> None:
    unnamed = Unnamed()
    with unnamed.writing(START) as writing:
        writing.spreads([block(1)], [node(1)])
        assert unnamed.knows(block(1))
        assert not unnamed.knows(block(2))
    assert not unnamed.knows(block(1))


@dataclass
class Tenancy:
    """A journal that lies about nothing, but does not tell everything; and who writes to it.

    `entries[i]` is the write that entry i names; `applied` of them are in the catalog.
    """

    unnamed: Unnamed = field(default_factory=Unnamed)
    entries: list[int] = field(default_factory=list)
    applied: int = 0
    under_way: dict[int, tuple[ExitStack, Writing]] = field(default_factory=dict)
    stamps: dict[int, Stamp] = field(default_factory=dict)

    def position(self) -> Stamp:
        return Stamp(1, len(self.entries))

    def begin(self) -> None:
        stack, number = ExitStack(), len(self.stamps)
        self.under_way[number] = stack, stack.enter_context(self.unnamed.writing(self.position()))
        self.stamps[number] = self.position()

    def end(self, number: int, how: str) -> None:
        """`named`: acknowledged; `refused`: for certain not journaled; `open`: in the journal, but not acknowledged;
        `late`: our own disk has it, and says so only later; `lost`: it will never be there."""
        stack, writing = self.under_way.pop(number)
        error = {
            "named": None,
            "refused": Unavailable("journal-holders-away"),
            "open": Unavailable("journal-unacknowledged"),
            "late": Unavailable("store-failing"),
            "lost": Unavailable("journal-unacknowledged"),
        }[how]
        try:
            with stack, writing.naming(self.position, ()):
                if how in ("named", "open"):
                    self.entries.append(number)
                if how == "named":
                    self.applied = len(self.entries)
                if error is not None:
                    raise error
        except MaillonError:
            if how == "late":
                self.entries.append(number)

    def horizon(self) -> Stamp:
        return self.unnamed.horizon(Stamp(1, self.applied), self.position())

    def may_yet_be_named(self) -> set[int]:
        """Whatever is not in the catalog now and may be there one day."""
        return set(self.under_way) | set(self.entries[self.applied :])


STEPS = st.tuples(st.sampled_from(["begin", "apply", "named", "refused", "open", "late", "lost"]), st.integers(0, 99))


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40))
def test_no_share_of_a_write_that_may_yet_be_named_is_stamped_before_it(steps: list[tuple[str, int]]) -> None:
    tenancy = Tenancy()
    for step, choice in steps:
        if step == "begin":
            tenancy.begin()
        elif step == "apply":
            tenancy.applied = min(len(tenancy.entries), tenancy.applied + 1 + choice % 3)
        elif tenancy.under_way:
            tenancy.end(sorted(tenancy.under_way)[choice % len(tenancy.under_way)], step)
        horizon = tenancy.horizon()
        assert all(tenancy.stamps[number] >= horizon for number in tenancy.may_yet_be_named())
    for number in sorted(tenancy.under_way):
        tenancy.end(number, "named")
    tenancy.begin()
    tenancy.end(max(tenancy.stamps), "named")
    assert tenancy.horizon() == tenancy.position(), "what is settled holds up nothing for ever"
