"""A promise that was not kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """`law` is a short name, stable for reports and tests; `told` says what was found, where."""

    at_s: float
    law: str
    told: str
