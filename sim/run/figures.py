"""The figures of a run: how its clients fared while faults struck, and how much redundancy the blocks had left.

Drawn from the tables, without a screen, as SVG to print and PNG to look at. The same tables give the same SVG.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from node.text import _
from sim.run.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMS: Final = ("svg", "png")
# Colours that also those tell apart who see few (Okabe and Ito).
_ANSWERED, _REFUSED, _FAULT, _RUNNING = "#0072B2", "#D55E00", "#000000", "#009E73"
_SPARE: Final = ("#D55E00", "#E69F00", "#F0E442", "#56B4E9", "#0072B2", "#009E73")


def write_figures(tables: Sequence[Table], folder: Path, title: str) -> None:
    """Every figure, in every form."""
    import matplotlib  # a library of the simulator's own: only when it is needed

    named = {table.name: table for table in tables}
    folder.mkdir()
    for name, figure in (("availability", _availability(named, title)), ("blocks", _blocks(named, title))):
        for form in FORMS:
            with matplotlib.rc_context({"svg.hashsalt": "maillon"}):
                figure.savefig(folder / f"{name}.{form}", dpi=120, metadata={"Date": None} if form == "svg" else None)


def _availability(tables: Mapping[str, Table], title: str) -> Figure:
    """Calls above, faults as a timeline in the middle, how many nodes run below; one axis of time for all."""
    from matplotlib.figure import Figure

    kinds = sorted({str(row[1]) for row in tables["faults"].rows})
    figure = Figure(figsize=(10, 5 + 0.25 * len(kinds)), layout="constrained")
    calls, faults, nodes = figure.subplots(3, 1, sharex=True, height_ratios=(3, max(1.0, 0.35 * len(kinds)), 1.5))
    figure.suptitle(title)
    _draw_calls(calls, tables["availability"])
    for at_s, kind, _nodes, _details in tables["faults"].rows:
        faults.plot([at_s], [kinds.index(str(kind))], marker="|", markersize=12, color=_FAULT)
    faults.set_yticks(range(len(kinds)), kinds)
    faults.set_ylim(-0.6, max(len(kinds), 1) - 0.4)
    faults.set_ylabel(_("faults"))
    for at_s, *_law in tables["violations"].rows:
        calls.axvline(at_s, color=_REFUSED, linestyle="--", linewidth=1)
    times, counts = _running(tables["nodes"])
    nodes.step(times, counts, where="post", color=_RUNNING)
    nodes.set_ylim(bottom=0)
    nodes.set_ylabel(_("nodes that run"))
    nodes.set_xlabel(_("virtual time in seconds"))
    return figure


def _draw_calls(axes: Any, table: Table) -> None:
    """Bars of answered and refused calls, one on the other."""
    answered: Counter[float] = Counter()
    refused: Counter[float] = Counter()
    for at_s, _call, done, failed, *_times in table.rows:
        answered[float(at_s or 0)] += int(done or 0)
        refused[float(at_s or 0)] += int(failed or 0)
    times = sorted(answered)
    width = min((after - before for before, after in pairwise(times)), default=1.0)
    good, bad = [answered[at_s] for at_s in times], [refused[at_s] for at_s in times]
    axes.bar(times, good, width, align="edge", color=_ANSWERED, label=_("answered"))
    axes.bar(times, bad, width, align="edge", bottom=good, color=_REFUSED, label=_("not answered"))
    axes.set_ylabel(_("calls of clients"))
    _finish(axes, "")


def _running(nodes: Table) -> tuple[list[float], list[int]]:
    """How many nodes run, from each moment on at which that changes."""
    now: set[str] = set()
    times, counts = [0.0], [0]
    for at_s, node, state in nodes.rows:
        (now.add if state == "runs" else now.discard)(str(node))
        times.append(float(at_s or 0))
        counts.append(len(now))
    return times, counts


def _blocks(tables: Mapping[str, Table], title: str) -> Figure:
    """A band for each number of spare shares, the thinnest blocks below."""
    from matplotlib.figure import Figure

    found: dict[tuple[float, int], int] = {
        (float(at_s or 0), int(spare or 0)): int(count or 0) for at_s, spare, count in tables["blocks"].rows
    }
    times, spares = sorted({at_s for at_s, _spare in found}), sorted({spare for _at_s, spare in found})
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    if found:
        bands = [[found.get((at_s, spare), 0) for at_s in times] for spare in spares]
        colours = [_SPARE[min(max(spare + 1, 0), len(_SPARE) - 1)] for spare in spares]
        axes.stackplot(times, bands, labels=[_label(spare) for spare in spares], colors=colours, step="pre")
        _finish(axes, _("shares to spare"))
    axes.set_ylabel(_("blocks that objects need"))
    axes.set_xlabel(_("virtual time in seconds"))
    return figure


def _finish(axes: Any, title: str) -> None:
    """What is counted has whole numbers, and the legend stands beside what it explains."""
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title=title or None)


def _label(spare: int) -> str:
    return _("too few to read ({spare})").format(spare=spare) if spare < 0 else str(spare)
