"""The sources of the board: how well each is read, what could not be read, and when the next poll comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from statusboard import presenting
from statusboard.board import Delta
from statusboard.clock import Duration, age
from statusboard.keys import key_name
from statusboard.model import ShownHealth, SourceHealth, Status, health_key
from statusboard.presenting import Glyphs
from statusboard.presenting.sources import never_read
from statusboard.query import Query, parse
from statusboard.screens.faces import Face
from statusboard.screens.live import Live
from statusboard.screens.rewindkeys import RewindKeys
from statusboard.view import ViewSpec
from widgets.details import Section
from widgets.lanes import LanePanel, Lanes
from widgets.table import BoardTable, Column, RowCells
from widgets.words import Word

if TYPE_CHECKING:
    from statusboard.app import BoardApp

HINT: Final = (
    ("pause", "pause"),
    ("refresh", "read now"),
    ("refresh_all", "all"),
    ("copy_url", "copy error"),
    ("table.select", "more"),
)
"""Action -> what it does, in so few words that 60 cells hold them."""
COLUMNS: Final = (
    Column("read", "Read", 7, 5, 90, "right"),
    Column("next", "Next", 5, 5, 60, "right"),
    Column("state", "State", 10, 10, 100),
    Column("name", "Source", 18, 10, 100),
    Column("type", "Type", 13, 12, 50),
    Column("items", "Items", 6, 5, 70, "right"),
    Column("budget", "Budget", 11, 11, 40),
    Column("every", "Every", 6, 5, 20, "right"),
    Column("skew", "Clock", 7, 6, 10, "right"),
    Column("told", "What is wrong", None, 20, 80),
)


SOON: Final = (10, 30, 60, 120)
"""Seconds within which a next poll is told to come."""
BEFORE: Final = "not read yet with its present options: its items are from before"


def columns(*, past: bool) -> list[Column]:
    """Those of a past moment have room for what nobody watched then."""
    return [c._replace(width=13, min_width=13) if past and c.id == "state" else c for c in COLUMNS]


class SourcesFace(Face):
    """One row a source."""

    DEFAULT_CSS = """
    SourcesFace {
        layout: vertical;
        & > #sources-hint { height: 1; padding: 0 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """
    app: BoardApp

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause or resume the source", show=False, id="pause"),
        Binding("y", "copy_error", "Copy what is wrong", show=False, id="copy_url"),
    ]

    def __init__(self, live: Live) -> None:
        super().__init__(live, id="sources")
        self._area = Lanes()
        self._panel = LanePanel(columns(past=live.newest is not None), ascii_only=live.ascii_only, name="sources")
        self._hint = Static(self._keys(), id="sources-hint", markup=False)
        self._query = parse("")
        self._faults_only = False
        self._names: list[str] = []
        self._items: Counter[str] = Counter()
        self._counted: tuple[str, int] = ("", -1)

    def compose(self) -> ComposeResult:
        with self._area:
            yield self._panel
        yield self._hint

    def on_mount(self) -> None:
        """The cells are made when they come into sight."""
        self._table.set_source(self._cells)

    def _keys(self) -> str:
        return "  ".join(f"{key_name(self.live.keys_of(action)[0])} {what}" for action, what in HINT)

    @property
    def _table(self) -> BoardTable:
        return self._panel.table

    # -- what is shown

    def ask(self, view: ViewSpec, query: Query, *, faults_only: bool) -> None:
        """The sources that pass this filter; with faults only, those that are not read well."""
        self._query, self._faults_only = query, faults_only
        self._show()

    async def rebuild(self) -> None:
        """All rows; there are few."""
        self._show()

    def follow(self, delta: Delta) -> None:
        """Another state, another number of items."""
        if self.display:
            self._show()

    def age(self) -> None:
        """Ages move on."""
        self._show()

    def tell(self) -> None:
        """Times and budgets move with each poll, and the title with the states; what is equal costs nothing."""
        self._show()

    def repaint(self) -> None:
        """The title in other colours."""
        self._panel.repaint_title()

    def resized(self) -> None:
        """Another number of rows fits."""
        self._area.divide()

    def _show(self) -> None:
        board = self.live.cells.board
        if self._counted != (board.store_id, board.seq):
            self._counted = (board.store_id, board.seq)
            self._items = Counter(row.fact.source for row in board.items())
        everything = sorted({*board.health, *self.live.settings.reads})
        self._names = [name for name in everything if self._passes(name)]
        self._table.set_rows(self._names, self._names)
        self._panel.want(len(self._names))
        self._panel.tell(self._title(len(everything)))
        if (keys := self._keys()) != str(self._hint.content):
            self._hint.update(keys, layout=False)
        self._area.divide()

    def _passes(self, name: str) -> bool:
        board = self.live.cells.board
        state = board.state_of(name)
        if self._faults_only and state in ("fresh", "paused"):
            return False
        if self._query.matches_all:
            return True
        fact = board.health.get(name) or SourceHealth(key=health_key(name), source=name, title=name, state="starting")
        return self._query.matches(fact, current=True, failing=board.is_blind(name), now=self.live.now, health=state)

    def _title(self, everything: int) -> list[Word]:
        summary = self.live.cells.board.summary()
        words: list[Word] = [("Sources ", "strong")]
        if not everything:
            return [*words, (" none has been read yet", "muted")]
        all_fresh = summary.fresh == summary.sources
        words.append((f" {summary.fresh} of {summary.sources} fresh", "success" if all_fresh else "warning"))
        if everything > len(self._names):
            words.append((f"  {everything - len(self._names)} hidden", "muted"))
        role = f"  this board is {self.live.engine.role}" if self.live.newest is None else "  as they were read then"
        return [*words, (role, "muted")]

    def _cells(self, name: str) -> RowCells:
        board = self.live.cells.board
        return source_cells(
            name,
            board.state_of(name),
            board.health.get(name),
            self.live.status(name),
            self._items[name],
            self.live.now,
            self.live.glyphs,
        )

    # -- what it says of itself

    @property
    def sources(self) -> list[str]:
        """The one under the cursor."""
        return [name] if (name := self._chosen) is not None else []

    @property
    def places(self) -> Sequence[Widget]:
        """The table, where it has rows."""
        return [self._table] if self._names else []

    def focus_something(self) -> None:
        """The table, rows or none."""
        self._table.focus()

    @property
    def _chosen(self) -> str | None:
        return self._table.cursor_key

    @property
    def subject(self) -> str | None:
        """The key of the source's health."""
        return health_key(name) if (name := self._chosen) is not None else None

    def matches(self) -> list[tuple[BoardTable, str]]:
        """All sources that are listed."""
        return [(self._table, name) for name in self._names]

    def faulty(self) -> list[tuple[BoardTable, str]]:
        """Those whose silence proves nothing."""
        blind = self.live.cells.board.is_blind
        return [match for match in self.matches() if blind(match[1])]

    def sections(self) -> list[Section]:
        """Everything that is known of the source."""
        name = self._chosen
        if name is None:
            return []
        board, status, now = self.live.cells.board, self.live.status(name), self.live.now
        lines = presenting.source_lines(
            name, board.state_of(name), board.health.get(name), status, now, glyphs=self.live.glyphs
        )
        sections: list[Section] = [("Source", [line for line in lines if line[1]])]
        if status is not None:
            sections.append(("Volume", [line for line in status_lines(status, now) if line[1]]))
        return sections

    @on(BoardTable.Highlighted)
    def _moved(self, event: BoardTable.Highlighted) -> None:
        event.stop()
        if event.table is self.screen.focused:
            self.post_message(self.Moved())

    @on(BoardTable.Selected)
    def _selected(self, event: BoardTable.Selected) -> None:
        event.stop()
        self.post_message(self.Opened())

    # -- what can be done with a source

    async def action_pause(self) -> None:
        """Stop reading the source, or go on; while a stretch is played, hold that."""
        if isinstance(self.screen, RewindKeys) and self.screen.holds_or_refuses("paused"):
            return
        self.hold()
        name = self._chosen
        if name is None:
            self.app.say("no source is chosen")
            return
        paused = self.live.cells.board.state_of(name) == "paused"
        if await self.live.engine.pause(name, not paused):
            self.app.say(f"{name} {'is read again' if paused else 'is paused: it counts as not read'}")
        else:
            self.app.say("another board polls: pause it there", severity="warning")

    def action_copy_error(self) -> None:
        """Copy what is wrong with the source."""
        self.hold()
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
    state: ShownHealth,
    health: SourceHealth | None,
    status: Status | None,
    items: int,
    now: datetime,
    glyphs: Glyphs,
) -> RowCells:
    """One source as a row."""
    read = (status.last_success if status else None) or (health.last_success if health else None)
    cells = {
        "read": (age(now, read) if read else never_read(state), "" if read else "unknown"),
        "state": presenting.state_cell("source", state, glyphs),
        "name": (name, ""),
        "items": (str(items), ""),
    }
    if health is not None:
        cells["type"] = (health.type, "muted")
        cells["every"] = (str(Duration(round(health.interval))), "muted")
        told = told_of(health) or (BEFORE if items and not read else "")
        cells["told"] = (told or "; ".join(status.notes if status else ()), "warning" if told else "muted")
    if status is not None:
        if status.next_poll is not None and state != "paused":
            cells["next"] = (_ahead(status, now), "muted")
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


def _ahead(status: Status, now: datetime) -> str:
    """In how long, coarsely: a board at rest does not count down to each poll, which jitter and rest may put off."""
    assert status.next_poll is not None
    seconds = (status.next_poll - now).total_seconds()
    within = next((step for step in SOON if max(seconds, 2 * status.interval) <= step), SOON[-1])
    return age(status.next_poll, now) if seconds >= SOON[-1] else f"<{Duration(within)}"


def _budget(status: Status, now: datetime | None = None) -> str:
    """What is left of the quota, of how many requests; with ``now`` also when it is whole again."""
    if status.budget_left is None:
        return ""
    text = f"{status.budget_left}/{status.budget_limit}" if status.budget_limit else str(status.budget_left)
    if now is None or status.budget_reset is None or status.budget_reset <= now:
        return text
    return f"{text} requests left, whole again in {age(status.budget_reset, now)}"


def _budget_style(status: Status) -> str:
    if status.budget_left is None or not status.budget_limit:
        return "muted"
    return "warning" if status.budget_left * 10 < status.budget_limit else "muted"


def _skew(seconds: float) -> str:
    """How far the source's clock is from ours."""
    if abs(seconds) < 1:
        return "in step with ours"
    return f"{'+' if seconds >= 0 else '-'}{Duration(round(abs(seconds)))} from ours"
