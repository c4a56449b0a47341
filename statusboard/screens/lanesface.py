"""The lanes: one table for each kind of item, and how they share the body of the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from statusboard import presenting
from statusboard.board import Delta
from statusboard.columns import KEPT
from statusboard.grouping import MARK
from statusboard.model import Fact, ItemKind
from statusboard.presenting import Cell
from statusboard.query import Query
from statusboard.screens.faces import Face
from statusboard.screens.lanes import FLOOD_BY, GONE, NAMES, columns_of, failing_above, sources_of, title_of
from statusboard.screens.live import Live
from statusboard.screens.work import begin_work
from statusboard.view import LANES, ViewSpec
from widgets.lanes import LanePanel, Lanes
from widgets.table import BoardTable, RowCells

LOOKED_AT: Final = 300
"""How many rows of a lane decide whether a column says anything."""
SUSPECTED: Final = 40
"""How many incidents decide whether there is a column for what stood before them."""
SUSPECTED_EVERY: Final = 1.0
PAINTED: Final = 0.1
"""Seconds after which what was built is painted: what takes longer is begun then."""
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "assignee": ("assignee", "acknowledged_by"),
    "branch": ("branch", "change"),
    "duration": ("ended_at",),
    "previous": ("previous_version",),
    "run": ("run_number",),
    "version": ("version", "revision"),
}
"""What columns are made of, where that is not the field of their name."""


class LanesFace(Face):
    """Lanes of what is wrong and what goes on."""

    def __init__(self, live: Live) -> None:
        super().__init__(live, id="lanes")
        self.lanes = live.lanes
        self._area = Lanes()
        self._panels: dict[ItemKind, LanePanel] = {
            kind: LanePanel(columns_of(kind), ascii_only=live.ascii_only, name=kind) for kind in LANES
        }
        self._suspected = 0.0
        self._above: dict[ItemKind, tuple[object, object, Cell]] = {}

    def compose(self) -> ComposeResult:
        with self._area:
            yield from self._panels.values()

    def on_mount(self) -> None:
        """The rows are there already: the first picture is a whole one."""
        for panel in self._panels.values():
            panel.table.set_source(partial(self._cells, panel))
        for kind in self.lanes.view.lanes:
            self._show_all(kind)
        self._arrange()

    # -- what is shown

    def ask(self, view: ViewSpec, query: Query, *, faults_only: bool) -> None:
        """The lanes of this view; those that are known already are shown at once.

        A table was told nothing while it was not shown, and its rows grew no older: any of them may be different.
        """
        self.lanes.ask(view, query, faults_only=faults_only)
        self._set_columns()
        for kind in view.lanes:
            self._show_all(kind)
        self._arrange()

    def forget(self) -> None:
        """Build all lanes anew, those that are not shown too."""
        self.lanes.forget()

    async def rebuild(self) -> None:
        """All lanes anew, that in focus first; each is shown as soon as it is ready."""
        panel = self._panel
        first: ItemKind | None = next((kind for kind, each in self._panels.items() if each is panel), None)
        built = False
        async for done in self.lanes.rebuild(self.live.cells.board, self.live.clock, first):
            self._show_all(done)
            built = True
        if built:
            self._set_columns()
            self._arrange()

    def follow(self, delta: Delta) -> None:
        """Rows that came, went, moved or look different."""
        changes = self.lanes.update(self.live.cells.board, delta, self.live.now)
        if not self.display:
            return
        for kind, change in changes.items():
            # A group says something of each of its rows.
            groups = self.lanes.groups.get(kind, {}).keys() if self.lanes.by(kind) else frozenset()
            self._show(kind, change.changed | groups)
        if changes:
            if any(change.order_changed for change in changes.values()):
                self._set_columns()
            self._area.divide()

    def move(self, delta: Delta) -> None:
        """Each lane is gone through once; no incident keeps a suspect of which nothing was known then."""
        cells = self.live.cells
        if cells.suspicion is not None and any(":release:" in key for key in (*delta.changed, *delta.gone)):
            cells.suspicion.settle(cells.board)
        changes = self.lanes.update(cells.board, delta, self.live.now)
        if not self.display:
            return
        for kind in self.lanes.view.lanes:
            self._show_all(kind)
        if any(change.order_changed for change in changes.values()):
            self._set_columns()
            self._area.divide()

    def age(self) -> None:
        """Of rows out of sight only what was painted before is forgotten."""
        for kind in self.lanes.view.lanes:
            self._show_all(kind)
        self._set_columns()

    def tell(self) -> None:
        """The titles, and a flood of incidents that has begun or ended."""
        live = self.live
        flood = live.chatter.flood if not self.lanes.view.group else None
        if "incident" in self.lanes.view.lanes and self.lanes.gather("incident", FLOOD_BY if flood else ""):
            self._flooded()
        self._suspect()
        for kind in self.lanes.view.lanes:
            self._tell(kind)

    def _tell(self, kind: ItemKind) -> None:
        live, lane = self.live, self.lanes.lanes[kind]
        if not self.lanes.is_ready(kind) and not lane.keys:
            self._panels[kind].tell([(NAMES[kind], "strong")])  # there may be some
            return
        flood = live.chatter.flood if kind == "incident" and not self.lanes.view.group else None
        board, reads, above = live.cells.board, live.settings.reads, self._failing_above(kind)
        self._panels[kind].tell(title_of(kind, lane, board, reads, live.glyphs, flood, above))

    def _failing_above(self, kind: ItemKind) -> Cell:
        """What fails above the rows in sight, looked at again where those above may be others."""
        place = self._panels[kind].table.rows_above
        if not place:
            return ("", "")
        board = self.live.cells.board
        lines = self.lanes.lines(kind, board)
        now = (board.store_id, board.seq, place, self.lanes.by(kind))
        then, of, told = self._above.get(kind, (None, None, ("", "")))
        if then != now or of is not lines:
            groups = self.lanes.groups.get(kind, {}) if self.lanes.by(kind) else {}
            told = failing_above(self.lanes.lanes[kind], lines[:place], groups, board.rows, self.live.glyphs)
            self._above[kind] = (now, lines, told)
        return told

    def _suspect(self) -> None:
        """What stood before each incident: found once the screen is up, then looked at again with each `tell`."""
        cells = self.live.cells
        if "incident" not in self.lanes.view.lanes or not self.display:
            return
        if cells.suspicion is None:
            if not any(worker.group == "suspects" and worker.node is self for worker in self.workers):
                begin_work(self, self._begin_suspecting, group="suspects")
        elif asyncio.get_running_loop().time() - self._suspected >= SUSPECTED_EVERY:
            self._suspected = asyncio.get_running_loop().time()
            if cells.suspicion.settle(cells.board):
                self._show_suspects()

    async def _begin_suspecting(self) -> None:
        from statusboard.screens.suspecting import begin

        await asyncio.sleep(PAINTED)
        async for _ in begin(self.live):
            await asyncio.sleep(0)
        if self.is_attached and "incident" in self.lanes.view.lanes:
            self._show_suspects()

    def _show_suspects(self) -> None:
        self._show_all("incident")
        self._set_columns(("incident",))

    def _flooded(self) -> None:
        """Incidents are gathered now, or no longer; what somebody is looking at stays in sight."""
        table = self._panels["incident"].table
        key = table.cursor_key if table.held else None
        lines = self.lanes.lines("incident", self.live.cells.board)
        if key is not None and key not in lines and (group := self.lanes.group_of("incident", key)) is not None:
            self.lanes.fold("incident", group, False)
        self._show("incident", lines)
        self._area.divide()

    def repaint(self) -> None:
        """The titles in other colours."""
        for panel in self._panels.values():
            panel.repaint_title()

    def resized(self) -> None:
        """Divide the lines anew."""
        self._area.divide()

    def _show(self, kind: ItemKind, changed: Collection[str]) -> None:
        lines, panel = self.lanes.lines(kind, self.live.cells.board), self._panels[kind]
        panel.table.set_rows(lines, changed)
        panel.want(len(lines))
        self._tell(kind)

    def _show_all(self, kind: ItemKind) -> None:
        """Rows that may all look different."""
        self._show(kind, self.lanes.lines(kind, self.live.cells.board))

    def _cells(self, panel: LanePanel, key: str) -> RowCells:
        if not key.startswith(MARK):
            return self.live.cells(key)
        kind = self._kind_of(panel)
        group = self.lanes.groups.get(kind, {}).get(key)
        if group is None:
            return GONE
        worst = self.live.cells.row(group.worst)
        state = self.live.cells.board.state_of(worst.fact.source) if worst is not None else "starting"
        line = presenting.group_line(
            group,
            kind,
            group.by,  # the view may be another one already
            worst,
            state,
            folded=self.lanes.is_folded(kind, key),
            glyphs=self.live.glyphs,
            width=self.lanes.widths[kind],
        )
        return RowCells({}, line=line)

    def _kind_of(self, panel: LanePanel) -> ItemKind:
        return next(kind for kind, each in self._panels.items() if each is panel)

    def _set_columns(self, kinds: Iterable[ItemKind] = LANES) -> None:
        """The columns of lanes: those of the view, without those in which nothing stands, the sorted one marked."""
        view, live = self.lanes.view, self.live
        rows = live.cells.board.rows
        up, down = ("^", "v") if live.ascii_only else ("▴", "▾")
        for kind in view.lanes:
            if kind not in kinds:
                continue
            columns = columns_of(kind, view.columns, wide=view.wide, times=live.cells.times)
            facts = [row.fact for key in self.lanes.lanes[kind].keys[:LOOKED_AT] if (row := rows.get(key)) is not None]
            shown = [column for column in columns if column.priority >= KEPT or not facts or says(column.id, facts)]
            if kind == "incident" and facts and live.cells.suspected(self.lanes.lanes[kind].keys[:SUSPECTED]):
                shown = [column for column in columns if column in shown or column.id == "suspect"]
            mark = down if view.sort.descending else up
            self._panels[kind].table.set_columns(
                [c._replace(title=mark + c.title) if c.id == view.sort.by else c for c in shown]
            )

    @property
    def sortable(self) -> Sequence[str]:
        """The columns of the lane in focus that are shown."""
        panel = self._panel
        return panel.table.shown_columns if panel is not None else ()

    def fold(self) -> bool:
        """Fold the group of the line under the cursor, or open it; False where there is none."""
        panel = self._panel
        key = panel.table.cursor_key if panel is not None else None
        if panel is None or key is None:
            return False
        kind = self._kind_of(panel)
        group = self.lanes.group_of(kind, key)
        if group is None:
            return False
        self.lanes.fold(kind, group, not self.lanes.is_folded(kind, group))
        self._show(kind, (group,))
        panel.table.move_to(group)
        self._area.divide()
        return True

    def fold_all(self, folded: bool) -> bool:
        """Fold all groups, or open them; False where there is none."""
        if not any(self.lanes.by(kind) for kind in self.lanes.view.lanes):
            return False
        self.lanes.fold_all(folded)
        for kind in self.lanes.view.lanes:
            self._show(kind, self.lanes.groups.get(kind, ()))
        self._area.divide()
        return True

    def _arrange(self) -> None:
        """The panels of this view, in its order."""
        if not self._area.is_mounted:
            return
        wanted = [self._panels[kind] for kind in self.lanes.view.lanes]
        for panel in wanted:
            panel.display = True
        if self._panel is not None and self._panel not in wanted:
            self.focus_something()  # before the focus is hidden: Textual would look for a place for it first
        for panel in self._panels.values():
            if panel not in wanted:
                panel.display = False
        shown = [child for child in self._area.children if child.display]
        # While the app ends, what was mounted a moment ago may have lost its place already.
        if shown != wanted and all(panel.parent is self._area for panel in wanted):
            for position, panel in enumerate(wanted):
                self._area.move_child(panel, before=position)
        self._area.divide()

    # -- what it says of itself

    @property
    def settled(self) -> bool:
        """Whether every lane shows what was asked for."""
        return self.lanes.settled

    @property
    def faults(self) -> int:
        """How many failing rows are shown."""
        return self.lanes.faults

    @property
    def sources(self) -> list[str]:
        """Those that feed the lane in focus, or all lanes."""
        panel = self._panel
        kinds = [kind for kind, each in self._panels.items() if each is panel] or list(self.lanes.view.lanes)
        board, reads = self.live.cells.board, self.live.settings.reads
        return sorted({name for kind in kinds for name in sources_of(kind, board, reads)})

    # -- places and the cursor

    @property
    def _panel(self) -> LanePanel | None:
        focused = self.screen.focused
        return next((panel for panel in self._panels.values() if panel.table is focused), None)

    @property
    def places(self) -> Sequence[Widget]:
        """The tables that have rows."""
        return [table for kind in self.lanes.view.lanes if (table := self._panels[kind].table).row_count]

    def focus_something(self) -> None:
        """The first lane with rows, else the first lane."""
        (self.places[0] if self.places else self._panels[self.lanes.view.lanes[0]].table).focus()

    def focused_another(self) -> None:
        """The lane in focus gets its lines first."""
        if self._panel is None:
            return
        for panel in self._panels.values():
            panel.favoured = panel is self._panel
        self._area.divide()

    @property
    def subject(self) -> str | None:
        """The key of the item under the cursor; a group is none."""
        subject = super().subject
        return None if subject is None or subject.startswith(MARK) else subject

    def reveal(self, table: BoardTable, key: str) -> None:
        """Open the group that the row is in, if it is folded."""
        kind = next(kind for kind, panel in self._panels.items() if panel.table is table)
        group = self.lanes.group_of(kind, key)
        if group is not None and self.lanes.is_folded(kind, group):
            self.lanes.fold(kind, group, False)
            self._show(kind, (group,))
        super().reveal(table, key)

    def matches(self) -> list[tuple[BoardTable, str]]:
        """All rows of all lanes that are shown."""
        lanes = self.lanes
        return [(self._panels[kind].table, key) for kind in lanes.view.lanes for key in lanes.lanes[kind].keys]

    @on(BoardTable.Highlighted)
    def _moved(self, event: BoardTable.Highlighted) -> None:
        event.stop()
        if event.table is self.screen.focused:
            self.post_message(self.Moved())

    @on(BoardTable.Scrolled)
    def _scrolled(self, event: BoardTable.Scrolled) -> None:
        event.stop()
        kind = next(kind for kind, panel in self._panels.items() if panel.table is event.table)
        if kind in self.lanes.view.lanes:
            self._tell(kind)

    @on(BoardTable.Selected)
    def _selected(self, event: BoardTable.Selected) -> None:
        event.stop()
        if event.key.startswith(MARK):
            self.fold()
        else:
            self.post_message(self.Opened())

    @on(BoardTable.HeaderClicked)
    def _sort(self, event: BoardTable.HeaderClicked) -> None:
        event.stop()
        self.post_message(self.SortAsked(event.column))


def says(column: str, facts: Iterable[Fact]) -> bool:
    """Whether any of these has something to say in a column."""
    names = _FIELDS.get(column, (column,))
    return any(getattr(fact, name, None) for fact in facts for name in names)
