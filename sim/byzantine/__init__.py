"""Members that lie: nodes with their own keys that obey the rules no more, each by one lie with a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sim.federation.federation import Federation
    from sim.federation.lives import Begin

# How a node of the federation starts when it tells this lie.
Lying = Callable[["Federation", str], "Begin"]

LIES: Final[Mapping[str, Lying]] = {}
