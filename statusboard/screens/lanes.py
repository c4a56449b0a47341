"""The rows of the screen's lanes and what each says, apart from any widget: under which filter, live or last known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from statusboard import presenting
from statusboard.board import BLIND, Board, Delta, Row
from statusboard.clock import Clock
from statusboard.columns import Times, columns
from statusboard.model import ItemKind
from statusboard.presenting import Glyphs
from statusboard.query import Query, parse
from statusboard.view import Lane, LaneChange, ViewSpec
from widgets.table import Column, RowCells
from widgets.words import Word

NAMES: Final[Mapping[ItemKind, str]] = {
    "incident": "Incidents",
    "build": "Builds",
    "release": "Releases",
    "ticket": "Tickets",
}
GONE: Final = RowCells({"title": ("gone", "muted")})
_KEPT_CELLS = 2_000


def columns_of(
    kind: ItemKind, chosen: Sequence[str] = (), *, wide: bool = False, times: Times = "ago"
) -> list[Column]:
    """The columns of a lane as the table wants them."""
    return [
        Column(spec.id, spec.title, spec.width, spec.min_width, spec.priority, spec.align)
        for spec in columns(kind, chosen, wide=wide, times=times)
    ]


def combined(view: str, typed: str) -> Query:
    """What passes both filters.  QueryError where one does not parse."""
    if view.strip() and typed.strip():
        parse(typed)  # its mistakes are its own: a bracket too many must not close ours
        return parse(f"({view}) ({typed})")
    return parse(view or typed)


class LaneSet:
    """The lanes of one view under one filter.

    ``lanes`` are those that are shown.  A rebuild makes new ones and puts each in the place of the old one when it is
    ready, so that there is always something to see; changes that come meanwhile reach both.
    """

    def __init__(self, view: ViewSpec) -> None:
        self.view = view
        self.query = parse(view.filter)
        self.faults_only = False
        self.lanes: dict[ItemKind, Lane] = {kind: Lane(kind) for kind in view.lanes}
        self._coming: dict[ItemKind, Lane] = {}
        self._built = False

    def ask(self, view: ViewSpec, query: Query, *, faults_only: bool) -> None:
        """What the next rebuild shows."""
        self.view, self.query, self.faults_only = view, query, faults_only
        self._built = False
        self.lanes = {kind: self.lanes.get(kind) or Lane(kind) for kind in view.lanes}

    async def rebuild(self, board: Board, clock: Clock, first: ItemKind | None = None) -> AsyncIterator[ItemKind]:
        """Build all lanes anew, that of ``first`` first; yields each kind as soon as its lane is in place.

        Lets others run after every thousand rows; whoever begins another one stops this one.
        """
        kinds = sorted(self.view.lanes, key=lambda kind: kind != first)
        coming = {kind: Lane(kind, self.query, faults_only=self.faults_only) for kind in kinds}
        self._coming = coming
        for kind in kinds:
            lane = coming[kind]
            for _ in lane.rebuild_steps(board, clock.now()):
                await asyncio.sleep(0)
                if self._coming is not coming:
                    return
            self.lanes[kind] = lane
            del coming[kind]
            self._built = not coming
            yield kind
            if self._coming is not coming:
                return

    def update(self, board: Board, delta: Delta, now: datetime) -> dict[ItemKind, LaneChange]:
        """Follow what a fold changed; returns what that does to each lane that is shown."""
        for lane in self._coming.values():
            lane.update(board, delta, now)
        changes = {kind: lane.update(board, delta, now) for kind, lane in self.lanes.items()}
        return {kind: change for kind, change in changes.items() if change}

    @property
    def settled(self) -> bool:
        """Whether every lane shows what was asked for."""
        return not self._coming and self._built

    @property
    def faults(self) -> int:
        """How many failing rows are shown."""
        return sum(lane.faults for lane in self.lanes.values())


class Cells:
    """What the rows of a board say."""

    def __init__(self, board: Board, clock: Clock, glyphs: Glyphs, zone: tzinfo) -> None:
        self.board = board
        self.clock = clock
        self.glyphs = glyphs
        self.zone = zone
        self.times: Times = "ago"
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
            row, self.clock.now(), glyphs=self.glyphs, source_state=state, zone=zone, absolute=self.times != "ago"
        )
        made = RowCells(text.cells, text.style)
        if len(self._made) >= _KEPT_CELLS:
            self._made.clear()
        self._made[key] = made
        return made


def sources_of(kind: ItemKind, board: Board, reads: Mapping[str, Sequence[ItemKind]]) -> list[str]:
    """The sources that are asked for this kind; one we know nothing of may be."""
    return sorted(name for name in {*board.health, *reads} if name not in reads or kind in reads[name])


def title_of(
    kind: ItemKind,
    lane: Lane,
    board: Board,
    reads: Mapping[str, Sequence[ItemKind]],
    glyphs: Glyphs,
) -> list[Word]:
    """What a live lane's title says.  It is calm only where everything that feeds the lane was read."""
    name = NAMES[kind]
    shown = len(lane.keys)
    sources = sources_of(kind, board, reads)
    unread = [(source, state) for source in sources if (state := board.state_of(source)) in BLIND or state == "aging"]
    blind = [(source, state) for source, state in unread if state in BLIND]
    words: list[Word] = [(f"{name} ", "strong")]
    if shown:
        words.append((f" {shown}", ""))
        if lane.faults:
            words.append((f"  {glyphs.of('build', 'failed')} {lane.faults} failing", "failed"))
    elif not lane.total:
        if blind:
            words.append((f" nothing known: {_told(blind)}", "unknown"))
            return words
        words.append((f" no {name.lower()}" if sources else f" no source reads {name.lower()}", "muted"))
    else:
        words.append((" none in this view", "muted"))
    if lane.hidden:
        words.append((f"  {lane.hidden} hidden", "muted"))
    if lane.hidden_faults:
        words.append((f"  {lane.hidden_faults} failing hidden", "failed"))
    if unread:
        words.append((f"  {_told(unread)}", "unknown" if blind else "warning"))
    return words


def _told(states: Iterable[tuple[str, str]]) -> str:
    """``am is stale, ci is down``, at most three of them."""
    told = [f"{source} is {_word(state)}" for source, state in states]
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


def _word(state: str) -> str:
    return "not read yet" if state == "starting" else state
