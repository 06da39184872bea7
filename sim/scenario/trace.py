"""When real machines were up and down, from a file: what a researcher measured instead of drawing it.

Each line says a node, when, and which way it went: `n3,12.5,down`. Empty lines and those that begin with # count for
nothing. Nodes are up until the file says otherwise.
"""

from __future__ import annotations

import math
from pathlib import Path

from protocol.errors import Malformed, Missing
from sim.faults.kinds import Fault, Kill, Planned, PowerCut, Start, Stop, nodes_of
from sim.scenario.model import ChurnSection

ENDS: dict[str, type[Kill | PowerCut | Stop]] = {"kill": Kill, "power-cut": PowerCut, "stop": Stop}


def read_trace(path: Path, churn: ChurnSection) -> list[Planned]:
    """What the file says, as faults; nodes that the scenario spares stay up.

    Raises:
        Missing: `scenario-trace-absent`. Malformed: `scenario-trace`, with the line; `scenario-unreadable`.
    """
    planned = []
    for number, line in enumerate(text_in(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        turn = _turn(line, churn)
        if turn is None:
            raise Malformed("scenario-trace", path=str(path), line=number, text=line[:80])
        if not set(nodes_of(turn.fault)) <= set(churn.spared):
            planned.append(turn)
    return planned


def text_in(path: Path) -> str:
    """The file, word for word. Raises Missing(`scenario-trace-absent`), Malformed(`scenario-unreadable`)."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Missing("scenario-trace-absent", path=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise Malformed("scenario-unreadable", path=str(path), problem=problem) from error


def _turn(line: str, churn: ChurnSection) -> Planned | None:
    node, _comma, rest = line.partition(",")
    at, _comma, way = rest.partition(",")
    try:
        at_s = float(at)
    except ValueError:
        return None
    if not math.isfinite(at_s) or at_s < 0 or way.strip() not in ("up", "down"):
        return None
    fault: Fault = Start(node.strip()) if way.strip() == "up" else ENDS[churn.end](node.strip())
    return Planned(at_s, fault)
