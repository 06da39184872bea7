"""Mistakes of whoever follows a gateway, or should follow it no more: epochs, releases, and who is there at all."""

from __future__ import annotations

from typing import Any, Final

from node.store import kept_epoch
from node.vault.journal.succeed import Candidate
from protocol.members.swim import Swim
from protocol.namespace import releases
from protocol.namespace.journal import Ending, Tip, opening_hash
from protocol.succession.acceptor import AcceptorState
from tests.sim.mistakes.model import Mistake, instead


def _shortest_ending(candidate: Candidate) -> Ending:
    answers: Any = candidate._waiting.answers if candidate._waiting else {}
    shown = [promised.tip for promised in answers.values()]
    tip: Tip = min([candidate._copy.tip, *shown], key=lambda tip: tip.length)
    return Ending(opening_hash(candidate._opening), tip.length, tip.head)


def _append_whenever(_state: AcceptorState, _under: object) -> None:
    return


def _obey_whomever(_namespace: object, _epoch: int, **_more: object) -> None:
    return


def _let_them_talk(_swim: Swim, _update: object) -> None:
    return


SUCCESSIONS: Final = (
    Mistake(
        "shorter-journal",
        "A candidate ends the epoch where the shortest copy ends that it was shown, not the longest.",
        "heirs",
        ("acknowledged", "readable"),
        3,
        instead(Candidate, "_ending", _shortest_ending),
    ),
    Mistake(
        "old-epoch-accepted",
        "A holder takes entries of an epoch whose end it has promised, or heard of.",
        "rivals",
        ("acknowledged", "readable"),
        5,
        instead(kept_epoch, "check_append", _append_whenever),
        showed=2,
    ),
    Mistake(
        "late-release-obeyed",
        "A holder deletes what a gateway says may go whose epoch is over.",
        "ousted",
        ("kept", "readable"),
        5,
        instead(releases, "check_speaker", _obey_whomever),
    ),
    Mistake(
        "refutation-dropped",
        "A node that hears that it is doubted, or that it had left, says nothing.",
        "farewells",
        ("healed",),
        3,
        instead(Swim, "_hear_of_me", _let_them_talk),
    ),
)
