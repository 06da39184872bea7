"""Promises that are not kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Broken:
    """A law that does not hold now: a short name, stable for reports and tests, and what was found, where."""

    law: str
    told: str


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """`law` is a short name, stable for reports and tests; `told` says what was found, where."""

    at_s: float
    law: str
    told: str
