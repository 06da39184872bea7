"""`sim.run.child` with a mistake planted: one event lists a set of texts in the order in which it happens to be."""

from __future__ import annotations

import sys

from sim.host.trace import Detail, Trace
from sim.run import child

honest = Trace.record


def record(trace: Trace, event: str, **details: Detail) -> None:
    if event == "settled":
        details["names"] = list({f"n{number}" for number in range(20)})
    honest(trace, event, **details)


if __name__ == "__main__":
    Trace.record = record  # type: ignore[method-assign]
    child.main(*sys.argv[1:])
