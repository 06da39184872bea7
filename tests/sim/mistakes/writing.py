"""Mistakes of whoever writes: acknowledging too soon, naming too much, sealing too little."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from node.vault import put
from node.vault.complete import Completer
from node.vault.journal.epoch import EpochWriter
from node.vault.spread import Spread
from node.vault.workspaces import Desks, Loan
from protocol.placement import place
from protocol.placement.classes import Caps, Code, DataClass, lawful_caps
from tests.sim.mistakes.model import Mistake, instead


def _acknowledged_alone(writer: EpochWriter) -> int:
    reached = writer._reached(1)
    writer._acknowledged = max(writer._acknowledged, reached)
    return writer._acknowledged


async def _complete_in_name_only(_completer: Completer, _reference: object, _rules: object, now: Spread) -> Spread:
    return Spread(now.placing, 0)


def _seal_nothing(_key: bytes, plain: bytes, into: memoryview, **_more: Any) -> None:
    into[: len(plain)] = plain


def _caps_one_more(data_class: DataClass, code: Code) -> Caps:
    caps = lawful_caps(data_class, code)
    return Caps(caps.organisation + 1, caps.zone + 1, caps.jurisdiction)


@asynccontextmanager
async def _lend_for_good(desks: Desks) -> AsyncIterator[Loan]:
    await desks._slots.acquire()
    loan = Loan(desks, desks._take())
    yield loan
    for desk in loan.held:
        desks._free.append(desk)
        desks._slots.release()


WRITING: Final = (
    Mistake(
        "acknowledged-before-the-quorum",
        "An entry counts as acknowledged once the gateway's own disk has it.",
        "storm",
        ("quorum", "acknowledged"),
        3,
        instead(EpochWriter, "acknowledged", _acknowledged_alone),
    ),
    Mistake(
        "put-without-margin",
        "A put is answered when k shares are durable, and the margin is forgotten.",
        "strict",
        ("margin",),
        10,
        instead(Code, "least", property(lambda code: code.k)),
        showed=3,
    ),
    Mistake(
        "completed-in-name-only",
        "The completer journals a block as complete without having stored what was missing.",
        "storm",
        ("kept",),
        10,
        instead(Completer, "_send_missing", _complete_in_name_only),
    ),
    Mistake(
        "inline-in-the-clear",
        "A small object rides in its journal entry unsealed.",
        "storm",
        ("secrecy",),
        1,
        instead(put, "seal_into", _seal_nothing),
    ),
    Mistake(
        "cap-off-by-one",
        "An organisation or zone may hold one share more than the code can lose.",
        "few",
        ("placement",),
        10,
        instead(place, "lawful_caps", _caps_one_more),
    ),
    Mistake(
        "desk-kept-by-failures",
        "A put that fails does not give its desk back, and at last nobody has one.",
        "narrow",
        ("answers",),
        10,
        instead(Desks, "loan", _lend_for_good),
    ),
)
