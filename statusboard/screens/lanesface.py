"""The lanes: one table for each kind of item, and how they share the body of the screen."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from statusboard.board import Delta
from statusboard.model import ItemKind
from statusboard.query import Query
from statusboard.screens.faces import Face
from statusboard.screens.lanes import columns_of, sources_of, title_of
from statusboard.screens.live import Live
from statusboard.view import LANES, ViewSpec
from widgets.lanes import LanePanel, Lanes
from widgets.table import BoardTable


class LanesFace(Face):
    """Lanes of what is wrong and what goes on."""

    def __init__(self, live: Live) -> None:
        super().__init__(live, id="lanes")
        self.lanes = live.lanes
        self._area = Lanes()
        self._panels: dict[ItemKind, LanePanel] = {
            kind: LanePanel(columns_of(kind), ascii_only=live.ascii_only, name=kind) for kind in LANES
        }

    def compose(self) -> ComposeResult:
        with self._area:
            yield from self._panels.values()

    def on_mount(self) -> None:
        """The rows are there already: the first picture is a whole one."""
        for panel in self._panels.values():
            panel.table.set_source(self.live.cells)
        for kind in self.lanes.view.lanes:
            self._show(kind, ())
        self._arrange()

    # -- what is shown

    def ask(self, view: ViewSpec, query: Query, *, faults_only: bool) -> None:
        """The lanes of this view."""
        self.lanes.ask(view, query, faults_only=faults_only)
        self._arrange()

    async def rebuild(self) -> None:
        """All lanes anew, that in focus first; each is shown as soon as it is ready."""
        panel = self._panel
        first: ItemKind | None = next((kind for kind, each in self._panels.items() if each is panel), None)
        async for done in self.lanes.rebuild(self.live.cells.board, self.live.clock, first):
            self._show(done, self.lanes.lanes[done].keys)
        self._arrange()

    def follow(self, delta: Delta) -> None:
        """Rows that came, went, moved or look different."""
        changes = self.lanes.update(self.live.cells.board, delta, self.live.now)
        for kind, change in changes.items():
            self._show(kind, change.changed)
        if changes:
            self._area.divide()

    def age(self) -> None:
        """Of rows out of sight only what was painted before is forgotten."""
        for kind in self.lanes.view.lanes:
            lane = self.lanes.lanes[kind]
            self._panels[kind].table.set_rows(lane.keys, lane.keys)

    def tell(self) -> None:
        """The titles."""
        live = self.live
        for kind in self.lanes.view.lanes:
            words = title_of(kind, self.lanes.lanes[kind], live.cells.board, live.settings.reads, live.glyphs)
            self._panels[kind].tell(words)

    def repaint(self) -> None:
        """The titles in other colours."""
        for panel in self._panels.values():
            panel.repaint_title()

    def resized(self) -> None:
        """Divide the lines anew."""
        self._area.divide()

    def _show(self, kind: ItemKind, changed: Collection[str]) -> None:
        lane, panel = self.lanes.lanes[kind], self._panels[kind]
        panel.table.set_rows(lane.keys, changed)
        panel.want(len(lane.keys))

    def _arrange(self) -> None:
        """The panels of this view, in its order."""
        if not self._area.is_mounted:
            return
        wanted = [self._panels[kind] for kind in self.lanes.view.lanes]
        for panel in self._panels.values():
            if panel.display != (panel in wanted):
                panel.display = panel in wanted
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

    def matches(self) -> list[tuple[BoardTable, str]]:
        """All rows of all lanes that are shown."""
        lanes = self.lanes
        return [(self._panels[kind].table, key) for kind in lanes.view.lanes for key in lanes.lanes[kind].keys]

    @on(BoardTable.Highlighted)
    def _moved(self, event: BoardTable.Highlighted) -> None:
        event.stop()
        if event.table is self.screen.focused:
            self.post_message(self.Moved())

    @on(BoardTable.Selected)
    def _selected(self, event: BoardTable.Selected) -> None:
        event.stop()
        self.post_message(self.Opened())
