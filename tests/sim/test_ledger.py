"""Which answers are lawful, after what clients were told."""

from __future__ import annotations

from sim.oracle.ledger import ABSENT, Ledger, Write


def written(ledger: Ledger, size: int, began_s: float, ended_s: float) -> Write:
    write = ledger.begin("key", size, began_s)
    ledger.done(write, ended_s)
    return write


def shows(ledger: Ledger, write: Write, asked_s: float, answered_s: float) -> bool:
    return not ledger.judge_presence("key", write.number, write.size_bytes, asked_s, answered_s)


def absent(ledger: Ledger, asked_s: float, answered_s: float) -> bool:
    return not ledger.judge_absence("key", asked_s, answered_s)


def test_before_any_write_nothing_is_there() -> None:
    assert absent(Ledger(), 0, 1)


def test_what_was_acknowledged_must_be_shown() -> None:
    ledger = Ledger()
    write = written(ledger, 10, 0, 1)
    assert shows(ledger, write, 2, 3)
    assert not absent(ledger, 2, 3)


def test_an_overwritten_object_must_not_come_back() -> None:
    ledger = Ledger()
    first, second = written(ledger, 10, 0, 1), written(ledger, 20, 2, 3)
    assert not shows(ledger, first, 4, 5)
    assert shows(ledger, second, 4, 5)


def test_while_a_write_is_under_way_either_may_be_shown() -> None:
    ledger = Ledger()
    first, second = written(ledger, 10, 0, 1), written(ledger, 20, 2, 6)
    assert shows(ledger, first, 3, 4)
    assert shows(ledger, second, 4, 5)


def test_once_a_read_showed_the_new_the_old_does_not_come_back() -> None:
    ledger = Ledger()
    first, second = written(ledger, 10, 0, 1), written(ledger, 20, 2, 9)
    assert shows(ledger, second, 3, 4)
    assert not shows(ledger, first, 5, 6)


def test_a_write_that_failed_may_have_happened_or_not() -> None:
    ledger = Ledger()
    first = written(ledger, 10, 0, 1)
    failed = ledger.begin("key", 20, 2)
    ledger.unknown(failed, 3)
    assert shows(ledger, first, 4, 5)
    assert shows(ledger, failed, 6, 7)
    assert not shows(ledger, first, 8, 9), "a read showed that it had happened"


def test_a_write_that_failed_does_not_happen_after_a_later_one() -> None:
    ledger = Ledger()
    failed = ledger.begin("key", 20, 0)
    ledger.unknown(failed, 1)
    later = written(ledger, 30, 2, 3)
    assert not shows(ledger, failed, 4, 5)
    assert shows(ledger, later, 4, 5)


def test_what_was_deleted_stays_deleted() -> None:
    ledger = Ledger()
    write = written(ledger, 10, 0, 1)
    written(ledger, ABSENT, 2, 3)
    assert absent(ledger, 4, 5)
    assert not shows(ledger, write, 4, 5)


def test_nobody_shows_what_nobody_wrote() -> None:
    ledger = Ledger()
    write = written(ledger, 10, 0, 1)
    assert ledger.judge_presence("key", write.number, 11, 2, 3)
    assert ledger.judge_presence("key", 7, 10, 2, 3)
