"""When checkpoints are made. Apart from what makes them, because a node's settings need no more than this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckpointTimes:
    """How often to look; how long a row may be dirty; how soon to settle; how many rows may be dirty at most."""

    look_s: float = 5.0
    after_s: float = 3_600.0
    settle_s: float = 60.0
    rows_most: int = 65_536
