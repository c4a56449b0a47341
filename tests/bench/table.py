"""The bench's table: what was measured beside what is to be reached."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One line: ``value`` is to be at most ``reach`` (at ``least``, where so); ``note`` tells the parts of a ratio."""

    name: str
    value: float
    reach: float
    unit: str
    note: str = ""
    least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.reach if self.least else self.value <= self.reach


def interleaved(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each measure, taken in turns, so that what else the machine does falls on all alike."""
    taken: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for values, measure in zip(taken, measures, strict=True):
            values.append(measure())
    return [statistics.median(values) for values in taken]


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which ``part`` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))]


def printed(rows: Iterable[Row]) -> str:
    """The table as text."""
    lines = [f"{'':4} {'row':58} {'measured':>12} {'reach':>12}  notes"]
    for row in rows:
        mark = "ok" if row.met else "MISS"
        lines.append(
            f"{mark:4} {row.name:58} {row.value:9.4g} {row.unit:2} {row.reach:9.4g} {row.unit:2}  {row.note}".rstrip()
        )
    return "\n".join(lines)
