"""Which of two epochs that members show is the newer."""

from __future__ import annotations

from node.vault.journal.discover import newer
from node.vault.journal.tools import Known
from protocol.ids import Digest
from protocol.namespace.journal import Ending
from tests.support.namespaces import some
from tests.support.successions import gateway, succession_of

FIRST = gateway(1).opening()
SECOND = succession_of(FIRST, gateway(1).proposal(FIRST))
NOWHERE = Ending(Digest(some("nowhere")), 0, Digest(some("nowhere")))


def test_the_later_epoch_is_newer_and_of_one_epoch_the_proven() -> None:
    first, second = Known(FIRST, None), Known(SECOND.decree, SECOND)
    assert newer(None, first) == first
    assert newer(first, second) == newer(second, first) == second
    assert newer(Known(SECOND.decree, None), second) == newer(second, Known(SECOND.decree, None)) == second


def test_no_epoch_that_a_stolen_key_claims_is_newer_than_the_next_generation() -> None:
    stolen = Known(gateway(1).opening(2**39, NOWHERE), None)
    rotated = Known(gateway(2, generation=2).opening(2, NOWHERE), None)
    assert newer(stolen, rotated) == newer(rotated, stolen) == rotated
