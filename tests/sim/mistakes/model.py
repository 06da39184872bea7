"""A mistake: one decision of the real code made wrong, for all nodes of the process, while its context lasts.

Each is the smallest change that somebody in a hurry would make, and each looks harmless on a calm day. Where it shows
is in a scenario: the laws of the oracle, under faults drawn from seeds. How many seeds that took is what says whether
the swarm is worth its electricity.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from unittest import mock


@dataclass(frozen=True, slots=True)
class Mistake:
    """`told`: what the programmer got wrong. One of `laws` breaks within `seeds` seeds of the scenario `scene`.

    `showed` is the seed in which it last did.
    """

    name: str
    told: str
    scene: str
    laws: tuple[str, ...]
    seeds: int
    made: Callable[[], AbstractContextManager[object]]
    showed: int = 1


def instead(owner: object, name: str, wrong: object) -> Callable[[], AbstractContextManager[object]]:
    """The mistake that has `wrong` in the place of `owner.name`."""
    return lambda: mock.patch.object(owner, name, wrong)
