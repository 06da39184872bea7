"""One run in a process of its own: `python -m sim.run.child FOLDER LOG` plays the plan that is saved in FOLDER.

Its log goes to LOG; it ends with the digest of everything, also of what is too small for the log.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sim.run.folder import by_line, plan_in
from sim.run.play import play


def main(folder: str, log: str) -> None:
    """Play, and write."""
    plan = plan_in(Path(folder))
    with Path(log).open("w", encoding="utf-8") as file:
        outcome = play(plan.scenario, plan.seed, plan.faults, by_line(file))
        file.write(json.dumps({"event": "digest", "digest": outcome.digest}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
