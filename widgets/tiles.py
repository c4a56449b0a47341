"""Tiles of a wall: what is wrong, whose it is, since when, and what changed just before, to be read from afar.  Pure.

A tile never shrinks.  On a terminal of 73x20 its words are a cell high, which is what five metres ask for there; where
there are more cells, names get type of several rows.  What does not fit goes onto another page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from statusboard.text import cell_len, clip, fit
from widgets.bigtype import big, height_of_big, largest, spelled, width_of_big
from widgets.wallcanvas import Line
from widgets.words import Word

GAP: Final = 1
"""Cells between two columns of tiles, rows between two tiles."""
MOST_COLUMNS: Final = 4
_TEXT_LINES: Final = 2
"""Of every tile: what it is, and what changed."""
_LEAST_WIDTH: Final = {0: 36, 1: 58, 2: 98}
"""Cells that a tile has at least, by the scale of its name; 0 is a name of one row."""
_FAR: Final = ((0, 0, 0), (116, 34, 1), (232, 68, 2))
"""From so many columns and rows on a terminal's cells are small: names have at least this scale."""


class Tile(NamedTuple):
    """What a tile says, all of it cleaned.  ``place`` is the environment, ``style`` that of its state."""

    key: str
    sign: str
    word: str
    style: str
    since: str
    name: str
    place: str
    team: str
    person: str
    what: str
    change: str = ""
    change_style: str = "muted"


class Plan(NamedTuple):
    """How tiles are laid out: the scale of their names, how many stand beside and below each other, how high each is.

    ``far``: the terminal's cells are small, so that states are written in large type as well.
    """

    scale: int
    columns: int
    rows: int
    height: int
    far: bool = False
    ascii_only: bool = False

    @property
    def each(self) -> int:
        """How many fit on a page."""
        return self.columns * self.rows

    def pages(self, count: int) -> int:
        """How many pages so many tiles take; one, if need be an empty one, is always there."""
        return max(1, -(-count // self.each))


def least_scale(width: int, height: int) -> int:
    """The scale that names have at least on a terminal of this size."""
    return max(scale for columns, rows, scale in _FAR if width >= columns and height >= rows)


def plan(count: int, width: int, height: int, *, least: int = 0, ascii_only: bool = False) -> Plan:
    """How ``count`` tiles stand in a field: as large as all of them fit, never smaller than ``least``."""
    found = [_plan(scale, width, height, bool(least), ascii_only) for scale in (2, 1, 0)]
    fitting = [each for each in found if each is not None]
    large = [each for each in fitting if each.scale >= least] or fitting
    if not large:
        return Plan(0, 1, 1, max(1, height), ascii_only=ascii_only)
    whole = [each for each in large if each.each >= count]
    return _spread(whole[0], count) if whole else large[-1]


def _plan(scale: int, width: int, height: int, far: bool, ascii_only: bool) -> Plan | None:
    """As many tiles of that scale as there is room for, None where there is none."""
    far = far and scale > 0
    head = height_of_big(1, ascii_only=ascii_only) if far else 1
    name = height_of_big(scale, ascii_only=ascii_only) if scale else 1
    tall = head + name + _TEXT_LINES
    # Names of one row may stand close: their first lines tell tiles apart.
    rows = (height + GAP) // (tall + GAP) if scale else max(height // tall, min(1, height))
    columns = min(MOST_COLUMNS, (width + GAP) // (_LEAST_WIDTH[scale] + GAP))
    if not scale:
        columns, tall = max(1, columns), min(tall, max(1, height))
    return Plan(scale, columns, rows, tall, far, ascii_only) if rows and columns else None


def _spread(found: Plan, count: int) -> Plan:
    """No more columns than are needed: a single tile is as wide as the wall."""
    columns = found.columns
    while columns > 1 and (columns - 1) * found.rows >= count:
        columns -= 1
    return found._replace(columns=columns)


def columns_of_cells(found: Plan, width: int) -> list[int]:
    """How wide each column is."""
    room = width - GAP * (found.columns - 1)
    return [room // found.columns + (n < room % found.columns) for n in range(found.columns)]


def column_lines(tiles: Sequence[Tile], found: Plan, width: int, height: int) -> list[Line]:
    """One column of tiles as lines of ``width`` cells."""
    lines: list[Line] = []
    gap = height - len(tiles) * found.height >= GAP * (len(tiles) - 1)
    for number, tile in enumerate(tiles):
        if number and gap:
            lines.append(())
        lines += tile_lines(tile, found, width)
    return lines[:height]


def tile_lines(tile: Tile, found: Plan, width: int) -> list[Line]:
    """One tile, ``found.height`` lines high."""
    bar = ("| " if found.ascii_only else "▌ ", "failed" if tile.style == "critical" else tile.style)
    room = width - 2
    lines = _far_head(tile, found, width) if found.far else [_head(tile, width)]
    lines += [(bar, word) for word in _name(tile, found, room)]
    what = f"{tile.place}: {tile.what}" if tile.place and found.scale else tile.what
    lines.append((bar, (clip(what, room), "plain")))
    lines.append((bar, (clip(tile.change, room), tile.change_style)))
    return lines[: found.height]


def _head(tile: Tile, width: int) -> Line:
    """State and since when, and whose it is as far as there is room."""
    state = f" {tile.sign} {tile.word}  {tile.since}"
    room = width - cell_len(state) - 3
    both = ", ".join(filter(None, (tile.team, tile.person)))
    owner = both if cell_len(both) <= room else tile.team or tile.person
    return (_apart(state, f"{clip(owner, room)} " if room > 2 else "", tile.style, width),)


def _apart(left: str, right: str, style: str, width: int) -> Word:
    """Two texts at either edge."""
    return (fit(left, width - cell_len(right)) + right, style)


def _far_head(tile: Tile, found: Plan, width: int) -> list[Line]:
    """The state in large type; since when and whose it is beside it."""
    rows = height_of_big(1, ascii_only=found.ascii_only)
    beside = [f"{tile.sign} {tile.since} ", f"{tile.team} ", f"{tile.person} "]
    room = width - 3 - max(cell_len(clip(text, width // 3)) for text in beside)
    texts = (spelled(tile.word), spelled(tile.word.partition(",")[0]))
    text = next((text for text in texts if text and width_of_big(text) <= room), None)
    left = list(big(text, 1, ascii_only=found.ascii_only)) if text else [tile.word]
    left += [""] * (rows - len(left))
    beside += [""] * (rows - len(beside))
    return [
        (_apart(f" {one}", clip(two, width // 3), tile.style, width),) for one, two in zip(left, beside, strict=True)
    ]


def _name(tile: Tile, found: Plan, room: int) -> list[Word]:
    """The name in type as large as was planned; one that is too long or cannot be spelled, in plain letters."""
    if not found.scale:
        place = f" ({tile.place})" if tile.place and cell_len(tile.name) + cell_len(tile.place) + 3 <= room else ""
        return [(clip(tile.name, room) + place, "strong")]
    rows = height_of_big(found.scale, ascii_only=found.ascii_only)
    text = spelled(tile.name)
    scale = largest(text, room, rows, most=found.scale, ascii_only=found.ascii_only) if text else 0
    lines = list(big(text, scale, ascii_only=found.ascii_only)) if text and scale else [clip(tile.name, room)]
    lines += [""] * (rows - len(lines))
    return [(line, "strong") for line in lines]
