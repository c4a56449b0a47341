"""What the rows and titles of the screen's lanes say, apart from any widget."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Final

from statusboard import presenting
from statusboard.board import BLIND, Board, Row
from statusboard.chatter import FLOOD_WITHIN, Chatter, Flood
from statusboard.clock import Clock
from statusboard.columns import Times, columns
from statusboard.grouping import Group
from statusboard.model import Incident, ItemKind
from statusboard.presenting import Cell, Glyphs
from statusboard.sorting import UNKNOWN, URGENCY, urgency
from statusboard.view import Lane
from widgets.table import Column, RowCells
from widgets.words import Word

if TYPE_CHECKING:
    from statusboard.suspicion import Suspicion

NAMES: Final[Mapping[ItemKind, str]] = {
    "incident": "Incidents",
    "build": "Builds",
    "release": "Releases",
    "ticket": "Tickets",
}
GONE: Final = RowCells({"title": ("gone", "muted")})
FLOOD_BY: Final = "service"
"""What incidents are gathered by while they flood the board."""
_KEPT_CELLS = 2_000


def columns_of(kind: ItemKind, chosen: Sequence[str] = (), *, wide: bool = False, times: Times = "ago") -> list[Column]:
    """The columns of a lane as the table wants them."""
    return [
        Column(spec.id, spec.title, spec.width, spec.min_width, spec.priority, spec.align)
        for spec in columns(kind, chosen, wide=wide, times=times)
    ]


class Cells:
    """What the rows of a board say."""

    def __init__(self, board: Board, clock: Clock, glyphs: Glyphs, zone: tzinfo, chatter: Chatter) -> None:
        self.board = board
        self.chatter = chatter
        self.clock = clock
        self.glyphs = glyphs
        self.zone = zone
        self.times: Times = "ago"
        #: The keys of rows that changed while nobody looked, and the first change of each.
        self.marked: Mapping[str, int] = {}
        #: What finds the suspects of incidents, once somebody has begun it.
        self.suspicion: Suspicion | None = None
        self._made: dict[str, RowCells] = {}

    def row(self, key: str) -> Row | None:
        """The row of a key, if there still is one."""
        return self.board.rows.get(key)

    def __call__(self, key: str) -> RowCells:
        """The cells of a key.  One that has left the board since the last flush says what it said last."""
        row = self.board.rows.get(key)
        if row is None:
            return self._made.get(key, GONE)
        state = self.board.state_of(row.fact.source)
        zone = UTC if self.times == "utc" else self.zone
        text = presenting.cells(
            row,
            self.clock.now(),
            glyphs=self.glyphs,
            source_state=state,
            zone=zone,
            absolute=self.times != "ago",
            said=self.board.annotations(key),
            flips=self.chatter.flips(row.slot),
            suspect=self._suspect(row),
        )
        made = RowCells(text.cells, text.style, marked=key in self.marked)
        if len(self._made) >= _KEPT_CELLS:
            self._made.clear()
        self._made[key] = made
        return made

    def _suspect(self, row: Row) -> Cell:
        if self.suspicion is None or not isinstance(row.fact, Incident):
            return ("", "")
        from statusboard.presenting.suspects import suspect_cell

        return suspect_cell(self.suspicion.of(row), row.fact)

    def suspected(self, keys: Iterable[str]) -> bool:
        """Whether any of these incidents has a suspect."""
        found = (row for key in keys if (row := self.board.rows.get(key)) is not None)
        return any(self._suspect(row)[0] for row in found)


def sources_of(kind: ItemKind, board: Board, reads: Mapping[str, Sequence[ItemKind]]) -> list[str]:
    """The sources that are asked for this kind; one we know nothing of may be."""
    return sorted(name for name in {*board.health, *reads} if name not in reads or kind in reads[name])


def title_of(
    kind: ItemKind,
    lane: Lane,
    board: Board,
    reads: Mapping[str, Sequence[ItemKind]],
    glyphs: Glyphs,
    flood: Flood | None = None,
    above: Cell = ("", ""),
) -> list[Word]:
    """What a live lane's title says.  It is calm only where everything that feeds the lane was read.

    ``above`` is what fails out of sight (`failing_above`).
    """
    name = NAMES[kind]
    shown = len(lane.keys)
    sources = sources_of(kind, board, reads)
    unread = [(source, state) for source in sources if (state := board.state_of(source)) in BLIND or state == "aging"]
    blind = [(source, state) for source, state in unread if state in BLIND]
    words: list[Word] = [(f"{name} ", "strong")]
    if shown:
        words.append((f" {shown}", ""))
        if above[0]:
            words += [("  ", ""), above]
        if flood is not None:
            minutes = int(FLOOD_WITHIN.total_seconds() // 60)
            words.append((f"  FLOOD: {flood.count} new in {minutes} min, grouped by {FLOOD_BY} ", "critical"))
        if lane.faults:
            words.append((f"  {glyphs.of('build', 'failed')} {lane.faults} failing", "failed"))
    elif not lane.total:
        if blind:
            words.append((f" nothing known: {told(blind)}", "unknown"))
            return words
        words.append((f" no {name.lower()}" if sources else f" no source reads {name.lower()}", "muted"))
    else:
        words.append((" none in this view", "muted"))
    if lane.hidden:
        words.append((f"  {lane.hidden} hidden", "muted"))
    if lane.hidden_faults:
        words.append((f"  {lane.hidden_faults} failing hidden", "failed"))
    if unread:
        words.append((f"  {told(unread)}", "unknown" if blind else "warning"))
    return words


def failing_above(
    lane: Lane, lines: Sequence[str], groups: Mapping[str, Group], rows: Mapping[str, Row], glyphs: Glyphs
) -> Cell:
    """The worst that fails among these lines of a lane, those above what is in sight: ``▴ 2 critical above``.

    ``groups`` are the lane's groups by key; of one that is folded no row is among the lines.
    """
    if not lines or not lane.faults:
        return ("", "")
    if lane.sort == URGENCY and not groups:
        worst = rows.get(lines[0])
        if worst is None or not worst.failing:
            return ("", "")
        count = bisect_right(lines, urgency(worst)[0], key=lambda key: _rank(rows.get(key)))
        return _above(worst, count, glyphs)
    hidden = {key for line in lines for key in (groups[line].keys if line in groups else (line,))}
    failing = [row for key in hidden if (row := rows.get(key)) is not None and row.failing]
    if not failing:
        return ("", "")
    rank = min(map(_rank, failing))
    worst, *more = (row for row in failing if _rank(row) == rank)
    return _above(worst, 1 + len(more), glyphs)


def _rank(row: Row | None) -> int:
    return urgency(row)[0] if row is not None else UNKNOWN


def _above(worst: Row, count: int, glyphs: Glyphs) -> Cell:
    fact = worst.fact
    word, style = (fact.severity, fact.severity) if isinstance(fact, Incident) else ("failed", "failed")
    return (f"{glyphs.above} {count} {word} above", style)


def told(states: Iterable[tuple[str, str]]) -> str:
    """``am is stale, ci is down``, at most three of them."""
    words = [f"{source} is {_word(state)}" for source, state in states]
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")


def _word(state: str) -> str:
    return {"starting": "not read yet", "unwatched": "not watched"}.get(state, state)
