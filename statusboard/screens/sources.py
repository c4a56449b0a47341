"""The sources of the board: how well each is read, what could not be read, and when the next poll comes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from statusboard import presenting
from statusboard.clock import Duration, age
from statusboard.model import HealthState, SourceHealth, Status
from statusboard.presenting import Glyphs
from statusboard.screens.live import Live
from statusboard.screens.ticking import Ticking
from widgets.details import DetailsPane, Section
from widgets.table import BoardTable, Column, RowCells
from widgets.words import Word, styled

if TYPE_CHECKING:
    from statusboard.app import BoardApp

HINT = "space pause/resume   r read now   R read all   esc back"
COLUMNS = (
    Column("read", "Read", 7, 5, 90, "right"),
    Column("next", "Next", 7, 5, 60, "right"),
    Column("state", "State", 10, 10, 100),
    Column("name", "Source", 18, 10, 100),
    Column("type", "Type", 13, 12, 50),
    Column("items", "Items", 6, 5, 70, "right"),
    Column("budget", "Budget", 11, 11, 40),
    Column("every", "Every", 6, 5, 20, "right"),
    Column("skew", "Clock", 7, 6, 10, "right"),
    Column("told", "What is wrong", None, 20, 80),
)


class SourcesScreen(Screen[None], Ticking):
    """One row a source; the pane below tells everything of the one under the cursor."""

    CSS_PATH = Path(__file__).with_name("sources.tcss")
    app: BoardApp

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,S", "leave", "Back to the board", show=False, id="leave_sources"),
        Binding("space", "pause", "Pause or resume the source", show=False, id="pause"),
        Binding("r", "refresh", "Read this source now", show=False, id="refresh"),
        Binding("R", "refresh_all", "Read all sources now", show=False, id="refresh_all"),
        Binding("y", "copy", "Copy what is wrong", show=False, id="copy_url"),
        Binding("tab,shift+tab", "other", "Table or details", show=False, id="next_lane"),
    ]

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live
        empty = Content("No source has been read yet.")
        self._title = Static(id="sources-title", markup=False)
        self._table = BoardTable(COLUMNS, empty=empty, ascii_only=live.ascii_only, id="sources")
        self._pane = DetailsPane(id="source-details")
        self._hint = Static(HINT, id="sources-hint", markup=False)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._table
        yield self._pane
        yield self._hint

    def on_mount(self) -> None:
        """Show what is known."""
        self._table.set_source(self._cells)
        self._table.focus()
        self.tick()

    def tick(self) -> None:
        """Times go on; cells that are equal cost nothing."""
        names = self._names()
        self._table.styles.height = min(len(names) + 1, max(4, self.size.height // 2)) if names else 3
        self._table.set_rows(names, names)
        self._title.update(styled(self._headline(names), ansi=self.app.native_ansi_color), layout=False)
        self._tell()

    def _names(self) -> list[str]:
        board = self.live.cells.board
        return sorted({*board.health, *self.live.settings.reads})

    def _headline(self, names: Sequence[str]) -> list[Word]:
        board = self.live.cells.board
        summary = board.summary()
        role = self.live.engine.role
        return [
            ("Sources", "strong"),
            (
                f"  {summary.fresh} of {summary.sources} fresh",
                "success" if summary.fresh == summary.sources else "warning",
            ),
            (f"  this board is {role}" if names else "", "muted"),
        ]

    def _cells(self, name: str) -> RowCells:
        board = self.live.cells.board
        return source_cells(
            name,
            board.state_of(name),
            board.health.get(name),
            self.live.status(name),
            sum(1 for row in board.items() if row.fact.source == name),
            self.live.now,
            self.live.glyphs,
        )

    @property
    def _chosen(self) -> str | None:
        return self._table.cursor_key

    @on(BoardTable.Highlighted)
    def _moved(self, event: BoardTable.Highlighted) -> None:
        event.stop()
        self._tell()

    @on(BoardTable.Selected)
    def _selected(self, event: BoardTable.Selected) -> None:
        event.stop()
        self._pane.focus()

    def _tell(self) -> None:
        name = self._chosen
        if name is None:
            self._pane.show("", [("Sources", [])])
            return
        board, status, now = self.live.cells.board, self.live.status(name), self.live.now
        lines = presenting.source_lines(
            name, board.state_of(name), board.health.get(name), status, now, glyphs=self.live.glyphs
        )
        sections: list[Section] = [("Source", lines)]
        if status is not None:
            sections.append(("Volume", status_lines(status, now)))
        self._pane.show(
            name, [(heading, kept) for heading, all_ in sections if (kept := [line for line in all_ if line[1]])]
        )

    def action_leave(self) -> None:
        """Back to the board."""
        if self.focused is self._pane:
            self._table.focus()
        else:
            self.dismiss()

    def action_other(self) -> None:
        """Between the table and the pane."""
        (self._table if self.focused is self._pane else self._pane).focus()

    async def action_pause(self) -> None:
        """Stop reading the source, or go on."""
        name = self._chosen
        if name is None:
            return
        paused = self.live.cells.board.state_of(name) == "paused"
        if await self.live.engine.pause(name, not paused):
            self.app.say(f"{name} {'is read again' if paused else 'is paused: it counts as not read'}")
        else:
            self.app.say("another board polls: pause it there", severity="warning")

    async def action_refresh(self) -> None:
        """Read the source now."""
        if self._chosen is not None:
            await self.app.refresh_sources([self._chosen])

    async def action_refresh_all(self) -> None:
        """Read all sources now."""
        await self.app.refresh_sources(None)

    def action_copy(self) -> None:
        """Copy the error of the source."""
        health = self.live.cells.board.health.get(self._chosen or "")
        told = told_of(health) if health is not None else ""
        if told:
            self.app.copy(told)
        else:
            self.app.say("nothing is wrong with it")


def told_of(health: SourceHealth) -> str:
    """What is wrong with a source, in one line."""
    parts = [health.error, *(f"{part.part}: {part.error}" for part in health.errors)]
    parts += [f"heartbeat {name} is missing" for name in health.missing]
    return "; ".join(filter(None, parts))


def source_cells(
    name: str,
    state: HealthState,
    health: SourceHealth | None,
    status: Status | None,
    items: int,
    now: datetime,
    glyphs: Glyphs,
) -> RowCells:
    """One source as a row."""
    read = (status.last_success if status else None) or (health.last_success if health else None)
    cells = {
        "read": (age(now, read) if read else "never", "" if read else "unknown"),
        "state": presenting.state_cell("source", state, glyphs),
        "name": (name, ""),
        "items": (str(items), ""),
    }
    if health is not None:
        cells["type"] = (health.type, "muted")
        cells["every"] = (str(Duration(round(health.interval))), "muted")
        told = told_of(health)
        cells["told"] = (told or "; ".join(status.notes if status else ()), "warning" if told else "muted")
    if status is not None:
        if status.next_poll is not None and state != "paused":
            cells["next"] = (_ahead(status.next_poll, now), "muted")
        cells["budget"] = (_budget(status), _budget_style(status))
        if status.clock_offset is not None and abs(status.clock_offset) >= 1:
            cells["skew"] = (
                _skew(status.clock_offset).split(" ")[0],
                "warning" if abs(status.clock_offset) >= 30 else "muted",
            )
    return RowCells({key: cell for key, cell in cells.items() if cell[0]})


def status_lines(status: Status, now: datetime) -> list[tuple[str, str, str]]:
    """What moves at every poll."""
    return [
        ("requests", f"{status.requests} in the last poll" if status.requests else "", ""),
        ("took", str(Duration(round(status.duration, 3))) if status.duration is not None else "", ""),
        ("interval", str(Duration(status.interval)), ""),
        ("budget", _budget(status, now), _budget_style(status)),
        ("clock", _skew(status.clock_offset) if status.clock_offset is not None else "", ""),
        *(("note", note, "warning") for note in status.notes),
    ]


def _ahead(moment: datetime, now: datetime) -> str:
    seconds = (moment - now).total_seconds()
    return str(Duration(round(seconds))) if seconds >= 1 else "now"


def _budget(status: Status, now: datetime | None = None) -> str:
    """What is left of the quota, of how many requests; with ``now`` also when it is whole again."""
    if status.budget_left is None:
        return ""
    text = f"{status.budget_left}/{status.budget_limit}" if status.budget_limit else str(status.budget_left)
    if now is None or status.budget_reset is None or status.budget_reset <= now:
        return text
    return f"{text} requests left, whole again in {_ahead(status.budget_reset, now)}"


def _budget_style(status: Status) -> str:
    if status.budget_left is None or not status.budget_limit:
        return "muted"
    return "warning" if status.budget_left * 10 < status.budget_limit else "muted"


def _skew(seconds: float) -> str:
    """How far the source's clock is from ours."""
    if abs(seconds) < 1:
        return "in step with ours"
    return f"{'+' if seconds >= 0 else '-'}{Duration(round(abs(seconds)))} from ours"
