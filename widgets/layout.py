"""Where things stand: lanes on a screen, columns in a table, its cursor when rows change. Pure, and quick to import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

GUTTER = 1
"""Cells left of the first column, for the mark of the cursor."""


TITLE = 1
"""Lines of a lane's title."""
HEADER = 1
"""Lines of a table's header."""
LEAST_ROWS = 3
"""Rows that a lane is worth having open for."""
TWO_COLUMNS = 150
"""Cells from which on lanes stand in two columns."""
LEAST_WIDTH, LEAST_HEIGHT = 40, 8
"""Below this the board says so instead of showing what nobody could read."""
ONE_LINE = 130
"""Cells from which on the board's header is one line."""
LOW = 14
"""Below this many lines the header is one line, and the list of views is left out."""
NEVER_CUT = 100
"""The priority from which on a column has its full width before any text has its share."""

TEXT_SHARE = 32
"""Per cent of a table's cells that flexible columns get before columns of a fixed width grow beyond their least."""


class Column(NamedTuple):
    """A column: `width` in cells, or None to share what the others leave. Where the table is too narrow for every
    column at its `min_width`, the one of lowest `priority` is left out first; a flexible column goes last of all."""

    id: str
    title: str
    width: int | None = None
    min_width: int = 1
    priority: int = 0
    align: Literal["left", "right"] = "left"

    @property
    def least(self) -> int:
        """The fewest cells this column is worth showing with."""
        return max(1, self.min_width if self.width is None else min(self.min_width, self.width))


def share(needs: Sequence[int], room: int, favoured: int = 0) -> list[int]:
    """Lines for each lane, given how many each could use (1 is an empty lane: its title alone).

    Nobody gets more than it needs while another has too little; what nobody needs goes to the last lane that has rows.
    Where little room is left, the ``favoured`` lane and then the upper ones get enough to be read, the others their
    title; where there is not even room for titles, the last lanes get nothing.
    """
    if not needs:
        return []
    if sum(needs) <= room:
        given = list(needs)
        open_lanes = [index for index, need in enumerate(needs) if need > TITLE]
        if open_lanes:
            given[open_lanes[-1]] += room - sum(needs)
        return given
    order = sorted(range(len(needs)), key=lambda index: index != favoured)
    given = [0] * len(needs)
    for index in order[: max(0, room)]:
        given[index] = TITLE
    spare = room - sum(given)
    for index in order:
        wanted = min(needs[index] - TITLE, HEADER + LEAST_ROWS)
        taken = wanted if wanted <= spare else spare if index == favoured else 0
        given[index] += taken if given[index] else 0
        spare = room - sum(given)
    while spare > 0:
        hungry = [index for index, need in enumerate(needs) if TITLE < given[index] < need]
        if not hungry:
            # Nobody that is open needs more: the favoured one takes it rather than a lane that could not be read.
            given[favoured] += spare
            break
        given[min(hungry, key=lambda index: given[index])] += 1
        spare -= 1
    return given


def place(needs: Sequence[int], width: int, height: int, favoured: int = 0) -> list[tuple[int, int, int, int]]:
    """Where each lane stands in an area of this size: x, y, width, height."""
    double = width >= TWO_COLUMNS and len(needs) > 1
    left = (width - 1) // 2 if double else width
    count = 2 if double else 1
    heights = [
        share(needs[column::count], height, favoured // count if favoured % count == column else 0)
        for column in range(count)
    ]
    tops = [0] * count
    found: list[tuple[int, int, int, int]] = []
    for index in range(len(needs)):
        column = index % count
        lines = heights[column][index // count]
        x, cells = (left + 1, width - left - 1) if column else (0, left)
        found.append((x, tops[column], cells, lines))
        tops[column] += lines
    return found


class Layout(NamedTuple):
    """The columns that fit into `width` cells, each with its first cell, the cells of its text, and the first cell
    after it: one blank cell divides columns, and the last one reaches to the edge."""

    width: int
    columns: tuple[Column, ...]
    starts: tuple[int, ...]
    widths: tuple[int, ...]
    ends: tuple[int, ...]


def lay_out(columns: Sequence[Column], width: int) -> Layout:
    """Which columns are shown in `width` cells, and where."""
    room = max(0, width - GUTTER)
    kept = list(columns)
    while len(kept) > 1 and sum(column.least for column in kept) + len(kept) - 1 > room:
        candidates = [column for column in kept if column.width is not None] or kept
        # Of equals the rightmost goes: min() keeps the first it meets.
        kept.remove(min(reversed(candidates), key=lambda column: column.priority))
    widths = {column.id: column.least for column in kept}
    spare = room - sum(widths.values()) - max(0, len(kept) - 1)
    if spare < 0:  # a single column that is still too wide
        widths = {column.id: room for column in kept}
    flexible = [column for column in kept if column.width is None]
    share_of_text = room * TEXT_SHARE // 100 // max(1, len(flexible))
    fixed = sorted((column for column in kept if column.width is not None), key=lambda column: -column.priority)
    first = [column for column in fixed if column.priority >= NEVER_CUT]
    # What flexes holds what people read: it gets its share before the others grow to their full width, but for those
    # (a state) that nobody should have to guess.
    for column in (*first, *flexible, *fixed):
        full = share_of_text if column.width is None else column.width
        grown = max(0, min(full - widths[column.id], spare))
        widths[column.id] += grown
        spare -= grown
    for position, column in enumerate(flexible):
        share = max(0, spare) // (len(flexible) - position)
        widths[column.id] += share
        spare -= share
    starts: list[int] = []
    x = GUTTER
    for column in kept:
        starts.append(x)
        x += widths[column.id] + 1
    ends = (*starts[1:], width) if starts else ()
    return Layout(width, tuple(kept), tuple(starts), tuple(widths[column.id] for column in kept), ends)


class Place(NamedTuple):
    """Where the cursor is and which row is the uppermost visible one; `cursor` is -1 when there are no rows."""

    cursor: int
    top: int


def follow(
    keys: Sequence[str], was: Place, cursor_key: str | None, visible: Sequence[str], page: int, held: bool
) -> Place:
    """Cursor and scroll position after the rows became `keys`; `visible` are the keys that `page` lines showed before.

    The cursor stays on its key; when that is gone, on its line. A table at its top stays there, so that what comes in
    above is seen, unless that would push a cursor `held` by a person out of sight. Elsewhere the cursor's row, or the
    first visible row that is still there, stays where it is on the screen.
    """
    if not keys:
        return Place(-1, 0)
    bottom = len(keys) - 1
    lost = False
    cursor = max(0, was.cursor)
    if cursor_key is not None and not (cursor <= bottom and keys[cursor] == cursor_key):
        try:
            cursor = keys.index(cursor_key)
        except ValueError:
            lost = True
    cursor = min(cursor, bottom)
    in_sight = was.top <= was.cursor < was.top + page
    top = was.top
    if top == 0:
        if held and in_sight and cursor >= page:
            top = cursor - was.cursor
    elif in_sight:
        if not lost:
            top = cursor - (was.cursor - was.top)
    elif not (top <= bottom and visible and keys[top] == visible[0]):
        present = set(keys)
        for line, key in enumerate(visible):
            if key in present:
                top = keys.index(key) - line
                break
    return Place(cursor, max(0, min(top, len(keys) - page) if page else top))
