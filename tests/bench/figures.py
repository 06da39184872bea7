"""What a benchmark found: one line for each figure, beside what is demanded of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `least` and `most`: what it must reach and may be; `cpu_ms`: the CPU of one call."""

    name: str
    value: float
    least: float | None = None
    most: float | None = None
    cpu_ms: float | None = None

    @property
    def held(self) -> bool:
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    @property
    def bound(self) -> str:
        bounds = (("≥", self.least), ("≤", self.most))
        return " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


def show(title: str, figures: Sequence[Figure]) -> None:
    """The table, with a column for the CPU of a call where any figure has it; in red what is missed."""
    table = Table(title=title)
    has_cpu = any(figure.cpu_ms is not None for figure in figures)
    for heading in ("measurement", "figure", "floor", *(["CPU of a call, ms"] if has_cpu else [])):
        table.add_column(heading, justify="left" if heading == "measurement" else "right")
    for figure in figures:
        row = [figure.name, f"{figure.value:,.2f}", figure.bound]
        if has_cpu:
            row.append("" if figure.cpu_ms is None else f"{figure.cpu_ms:.2f}")
        table.add_row(*row, style="" if figure.held else "bold red")
    Console(width=110).print(table)
