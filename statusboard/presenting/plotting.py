"""Numbers over time as text: a sparkline of one line, a plot of several.  Pure.

What is not known is a sign of its own or a gap, and never nothing at all: a bar of 0 is a bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

Values: TypeAlias = Sequence[float | None]
"""Oldest first; None where nothing is known."""

_BARS: Final = "⣀⣤⣶⣿"  # braille takes one cell everywhere, block elements two in some terminals
_GAP: Final = "∙"
_ASCII_BARS: Final = "_-+#"
_ASCII_GAP: Final = "."
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a braille sign: four lines of two."""
_BLANK: Final = 0x2800
_DASH: Final = 3
"""Every how many dots the line of a goal has one."""


def sparkline(values: Values, *, ascii_only: bool = False) -> str:
    """One sign a value, the higher the larger: the lowest for 0, a sign of its own for what is not known."""
    bars, gap = (_ASCII_BARS, _ASCII_GAP) if ascii_only else (_BARS, _GAP)
    top = max((value for value in values if value is not None), default=0.0)
    return "".join(gap if value is None else bars[_level(value, top, len(bars))] for value in values)


def _level(value: float, top: float, levels: int) -> int:
    """0 for nothing, then as many equal steps as there are other levels."""
    if value <= 0 or top <= 0:
        return 0
    return min(levels - 1, max(1, round(value / top * (levels - 1))))


def plot(
    values: Values, *, width: int, height: int, goal: float | None = None, ascii_only: bool = False
) -> tuple[list[str], float]:
    """``values`` as ``height`` lines of ``width`` cells, and what the uppermost line stands for; the lowest is 0.

    Neighbours are joined; a dashed line stands at the ``goal``.
    """
    known = [value for value in values if value is not None]
    top = max([*known, *([goal] if goal is not None else [])], default=0.0) or 1.0
    across, down = (1, 1) if ascii_only else (2, 4)
    columns, lines = width * across, height * down
    drawn: dict[tuple[int, int], str] = {}
    if goal is not None:
        line = _line(goal, top, lines)
        drawn.update({(column, line): "-" for column in range(0, columns, _DASH)})
    before: int | None = None
    for column in range(columns if values else 0):
        value = values[column * len(values) // columns]
        if value is None:
            before = None
            continue
        line = _line(value, top, lines)
        passed = range(min(line, before), max(line, before) + 1) if before is not None else (line,)
        drawn.update({(column, each): "*" for each in passed})
        before = line
    if ascii_only:
        return ["".join(drawn.get((x, y), " ") for x in range(width)) for y in range(height)], top
    cells = [[_BLANK] * width for _ in range(height)]
    for x, y in drawn:
        cells[y // down][x // across] |= _DOTS[y % down][x % across]
    return ["".join(map(chr, row)) for row in cells], top


def _line(value: float, top: float, lines: int) -> int:
    """On which line from above a value lies."""
    return min(lines - 1, max(0, round((1 - min(1.0, value / top)) * (lines - 1))))
