"""How far a run is, told every few seconds of real time: a long one would seem to be dead otherwise.

It listens at the log, and so changes nothing of the run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 5.0


def with_pulse(
    write: Callable[[str], None], tell: Callable[[float], None], clock: Callable[[], float] = time.monotonic
) -> Callable[[str], None]:
    """What writes each line of the log, and tells the virtual time now and then."""
    next_s = clock() + EVERY_S

    def written(line: str) -> None:
        nonlocal next_s
        write(line)
        if clock() >= next_s:
            next_s = clock() + EVERY_S
            tell(json.loads(line)["t"])

    return written
