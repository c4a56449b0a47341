"""Delivery metrics: a row a scope, a column for each of the five numbers, and what is behind the chosen one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget

from statusboard import presenting
from statusboard.board import Delta, Row
from statusboard.errors import StoreError
from statusboard.metrics import METRICS, WINDOWS, Metric
from statusboard.model import Release
from statusboard.presenting.metrics import (
    Evidence,
    Form,
    Standing,
    evidence,
    evidence_columns,
    legend,
    metric_columns,
    number_sections,
    number_words,
    order_of,
    spark_cell,
    standing_cells,
)
from statusboard.query import Query, parse
from statusboard.screens.faces import Face, File
from statusboard.screens.lanes import GONE
from statusboard.screens.live import Live
from statusboard.screens.standings import Standings
from statusboard.view import ViewSpec
from widgets.details import Section
from widgets.lanes import LanePanel, Lanes
from widgets.table import BoardTable, Column, RowCells
from widgets.words import Word

if TYPE_CHECKING:
    from statusboard.app import BoardApp
    from statusboard.exporting import Format

REST: Final = 2.0
"""Seconds between two looks at what is new: numbers over weeks need not be newer."""
REST_PAST: Final = 0.3
"""The same at past moments, which follow each other quickly while a key is held."""
WIDEST: Final = 64
"""Cells that a plot is worth."""
BESIDE: Final = 38
"""Per cent of the screen that the details have beside the numbers."""
FIRST: Final[Metric] = "change_fail_rate"
_AT: Final = "\x1f"
"""Between the key of a scope and a number of it."""
_KINDS: Final = (":release:", ":incident:", ":annotation:")


class MetricsFace(Face):
    """Scopes by numbers; Enter lists what is behind a number, one step back leads to the numbers again."""

    app: BoardApp
    DEFAULT_CSS: ClassVar[str] = """
    MetricsFace { layout: vertical; }
    MetricsFace > #numbers { height: 1fr; }
    MetricsFace > #evidence { height: 1; }
    MetricsFace.-open > #numbers { display: none; }
    MetricsFace.-open > #evidence { height: 1fr; }
    """

    def __init__(self, live: Live) -> None:
        super().__init__(live, id="metrics")
        self._areas = Lanes(id="numbers"), Lanes(id="evidence")
        self._numbers = LanePanel((), ascii_only=live.ascii_only, name="numbers")
        self._behind = LanePanel((), ascii_only=live.ascii_only, name="evidence")
        self._view = ViewSpec(layout="metrics")
        self._query = parse("")
        self._faults_only = False
        self._days = 30
        self._metric: Metric = FIRST
        self._form: Form = "short"
        self._book = Standings(live)
        self._found: dict[str, Standing] = {}
        self._keys: list[str] = []
        self._asked: object = None
        self._evidence: dict[str, Evidence] = {}
        #: Of which scope what is behind a number is listed.
        self._opened: str | None = None
        self._problem = ""
        self._stirred = False
        #: Whether something was stored while nobody saw this.
        self._missed = False
        self._settled = False

    def compose(self) -> ComposeResult:
        for area, panel in zip(self._areas, (self._numbers, self._behind), strict=True):
            with area:
                yield panel

    def on_mount(self) -> None:
        """The cells are made when they come into sight."""
        self._table.set_source(self._cells)
        self._list.set_source(self._evidence_cells)
        self._fit()

    @property
    def _table(self) -> BoardTable:
        return self._numbers.table

    @property
    def _list(self) -> BoardTable:
        return self._behind.table

    @property
    def _zone(self) -> tzinfo:
        return UTC if self.live.cells.times == "utc" else self.live.cells.zone

    # -- what is shown

    def ask(self, view: ViewSpec, query: Query, *, faults_only: bool) -> None:
        """The scopes that this filter lets through; with faults only those that miss a goal."""
        self._view, self._query, self._faults_only = view, query, faults_only
        self._settled = self._settled and bool(self._found) and self._table.is_mounted and not self._missed
        if self._found and self._table.is_mounted:  # what is known already is shown at once
            self._show()

    async def rebuild(self) -> None:
        """Bring the numbers up to date, in steps, and show them."""
        self._missed = False
        try:
            standings = await self._book.read(self._days)
            self._problem = ""
        except StoreError as error:
            standings, self._problem = [], str(error)
        self._found = {standing.key: standing for standing in order_of(standings)}
        self._settled = True
        self._show()

    def follow(self, delta: Delta) -> None:
        """What was stored may be a release or an incident: then the numbers are looked at again, in a while."""
        if self._stirred or self._missed:
            return
        if any(kind in key for key in (*delta.changed, *delta.gone) for kind in _KINDS):
            if self.display:
                self._stirred = True
                self._look_again()
            else:
                self._missed = True

    def move(self, delta: Delta) -> None:
        """Another past moment has other numbers; they are read once it is stayed at."""
        if self.display:
            self.tell()
            self._stirred = True
            self._look_again(REST_PAST)

    def _is_of_another_moment(self) -> bool:
        """Whether the numbers are of another past moment than the one that is shown."""
        return self.live.newest is not None and self._book.read_at != self.live.now

    @work(exclusive=True, group="metrics")
    async def _look_again(self, rest: float = REST) -> None:
        await asyncio.sleep(rest)
        self._stirred = False
        await self.rebuild()
        self.post_message(self.Moved())

    def age(self) -> None:
        """Ages move on, and with them the window."""
        if self._opened is not None:
            self._list.set_rows(list(self._evidence), list(self._evidence))
        if self.display and not self._stirred and self._book.is_old():
            self._stirred = True
            self._look_again()

    def _show(self) -> None:
        self._keys = [key for key, standing in self._found.items() if self._shows(standing)]
        self._fit()
        none = "no releases are known yet" if self.live.newest is None else "no releases were known then"
        told = "nothing passes the filter" if self._found else self._problem or none
        self._table.set_empty(Content("" if self._keys else told))
        self._table.set_rows(self._keys, self._keys)
        self._numbers.want(max(1, len(self._keys)))  # an empty one says why
        self._areas[0].divide()
        if self._opened is not None:
            self._list_evidence()
        self.tell()

    def _shows(self, standing: Standing) -> bool:
        if self._faults_only and not standing.missed:
            return False
        if self._query.matches_all:
            return True
        scope = standing.report.scope
        services = (scope.service,) if scope.service else ()
        fact = Release(
            key="", source="", state="success", title=standing.name, services=services, team=scope.team or standing.team
        )
        return self._query.matches(fact, current=True, failing=bool(standing.missed), now=self.live.now, health="")

    def tell(self) -> None:
        """What the numbers are of, what the signs mean, and the chosen number in a sentence."""
        glyphs = self.live.glyphs
        days = " ".join(f"[{each}]" if each == self._days else str(each) for each in WINDOWS)
        words: list[Word] = [(f"{self._view.name} ", "strong"), (f" {days} days", "")]
        if self._problem:
            words.append((f"  the history cannot be read: {self._problem}", "failed"))
        elif not self._settled:
            words.append(("  being read", "muted"))
        elif self._is_of_another_moment():
            words.append(("  of another moment: being read", "warning"))
        else:
            missed = sum(len(standing.missed) for standing in self._found.values())
            if missed:
                words.append((f"  {glyphs.of('build', 'failed')} {missed} missed", "failed"))
            if self.live.newest is not None:
                less = ", without what was read back later" if self._book.filled_later else ""
                words.append((f"  by what was known then{less}", "warning"))
            words += legend(glyphs)
        self._numbers.tell(words)
        standing = self._found.get(self._opened or self._table.cursor_key or "")
        self._behind.tell(self._sentence(standing) if standing is not None else [("", "")])

    def _sentence(self, standing: Standing) -> list[Word]:
        words = number_words(standing, self._metric, glyphs=self.live.glyphs)
        if self._opened is not None:
            return [(f"{len(self._evidence)} behind ", "strong"), *words]
        return words

    def repaint(self) -> None:
        """The titles in other colours."""
        self._numbers.repaint_title()
        self._behind.repaint_title()

    def resized(self) -> None:
        """Other columns fit."""
        self._fit()

    def on_resize(self) -> None:
        """At once, so that nothing is drawn with the columns of the old size."""
        self._fit()

    def _fit(self) -> None:
        width = self.size.width - self._table.styles.scrollbar_size_vertical
        if width <= 0:
            return
        names = max((len(standing.name) for standing in self._found.values()), default=0)
        spans = max((len(standing.spans) for standing in self._found.values()), default=0)
        specs, form = metric_columns(width, names, spans, self._metric, glyphs=self.live.glyphs)
        if form != self._form:
            self._form = form
            self._table.set_rows(self._keys, self._keys)
        for table, columns in ((self._table, specs), (self._list, evidence_columns(width))):
            table.set_columns([Column(c.id, c.title, c.width, c.min_width, c.priority, c.align) for c in columns])

    def _cells(self, key: str) -> RowCells:
        standing = self._found.get(key)
        if standing is None:
            return GONE
        chosen = self._metric if key == self._table.cursor_key and self._table.held else None
        cells = standing_cells(standing, chosen, self._form, glyphs=self.live.glyphs)
        cells["spark"] = spark_cell(self._book.values(standing, self._metric), glyphs=self.live.glyphs)
        return RowCells(cells)

    # -- what is behind a number

    def _list_evidence(self) -> None:
        standing = self._found.get(self._opened or "")
        found = evidence(standing.report[self._metric]) if standing is not None else []
        self._evidence = {each.key: each for each in found}
        self._list.set_empty(Content("" if found else "nothing is behind it any more"))
        self._list.set_rows(list(self._evidence), list(self._evidence))
        self._behind.want(max(1, len(found)))

    def _evidence_cells(self, key: str) -> RowCells:
        found = self._evidence.get(key)
        row = self.row(key)
        if found is None or row is None:
            return GONE
        live = self.live
        text = presenting.cells(row, live.now, glyphs=live.glyphs, zone=self._zone, absolute=live.cells.times != "ago")
        cells = {**text.cells, "by": (found.fact.actor, "")}
        if isinstance(found.fact, Release) and found.fact.version:
            cells["title"] = (found.fact.version, "strong")
        cells["why"] = found.why
        return RowCells(cells, text.style)

    def back(self) -> bool:
        """From what is behind a number to the numbers."""
        if self._opened is None:
            return False
        self._opened = None
        self._evidence = {}
        self._behind.want(0)
        self.remove_class("-open")
        self._table.focus()
        self.tell()
        return True

    # -- what it says of itself

    @property
    def settled(self) -> bool:
        """Whether what was asked for is shown."""
        return self._settled

    @property
    def places(self) -> Sequence[Widget]:
        """The numbers, or what is behind one."""
        table = self._list if self._opened is not None else self._table
        return [table] if table.row_count else []

    def focus_something(self) -> None:
        """The numbers, or what is behind one; rows or none."""
        (self._list if self._opened is not None else self._table).focus()

    @property
    def subject(self) -> str | None:
        """The key of the row under the cursor."""
        return (self._list if self._opened is not None else self._table).cursor_key

    def row(self, key: str) -> Row | None:
        """The release or incident of this key: as the board has it, else as it was when it counted."""
        found = self._evidence.get(key)
        if found is None:
            return None
        row = self.live.cells.row(found.fact.key)
        if row is not None and getattr(row.fact, "started_at", None) == found.fact.started_at:
            return row
        return Row(0, found.at, found.fact, b"")

    def sections(self) -> list[Section]:
        """The chosen number in full; of what is behind it, what it did."""
        if self._opened is not None:
            found = self._evidence.get(self._list.cursor_key or "")
            why, style = found.why if found is not None else ("", "")
            return [("Here", [("", why.strip(), style)])] if why else []
        standing = self._found.get(self._table.cursor_key or "")
        if standing is None:
            return []
        size, beside = self.screen.size, self.screen.has_class("-beside")
        told = number_sections(
            standing,
            self._metric,
            self._book.values(standing, self._metric),
            self.live.now,
            width=min(WIDEST, (size.width * BESIDE // 100 if beside else size.width) - 6),
            roomy=size.height >= (30 if beside else 46),
            glyphs=self.live.glyphs,
            zone=self._zone,
        )
        return [*told]

    def files(self) -> Mapping[Format, File]:
        """The numbers that are seen, as ``statusboard metrics`` prints them; of an opened number all of its scope."""
        from statusboard import exporting_metrics as forms

        keys = self._keys if self._opened is None else [self._opened]
        reports = [self._found[key].report for key in keys if key in self._found]
        at, zone = self._book.read_at or self.live.now, self.live.cells.zone
        return {
            "csv": File("a number a line, as metrics --csv has them", lambda: forms.as_csv(reports)),
            "json": File("the numbers, as metrics --json has them", lambda: forms.as_json(reports, at, zone) + "\n"),
        }

    # -- the cursor

    def step(self, step: int) -> bool:
        """To the next number of the row, or the one before; False past either end."""
        if self._opened is not None:
            return False
        if not self._table.held:
            self._table.hold()
            return True
        place = METRICS.index(self._metric) + step
        if not 0 <= place < len(METRICS):
            return False
        self._choose(METRICS[place])
        return True

    def _choose(self, metric: Metric) -> None:
        self._metric = metric
        self._fit()
        self._table.set_rows(self._keys, self._keys)
        self.tell()
        self.post_message(self.Moved())

    def stretch(self) -> str | None:
        """Another window: 7, 30, 90 days."""
        self._days = WINDOWS[(WINDOWS.index(self._days) + 1) % len(WINDOWS)]
        self._settled = False
        self.tell()
        self._turn()
        return f"{self._days} days"

    @work(exclusive=True, group="metrics")
    async def _turn(self) -> None:
        self._stirred = False
        await self.rebuild()
        self.post_message(self.Moved())

    @property
    def here(self) -> tuple[BoardTable, str] | None:
        """The number under the cursor, as `matches` has it."""
        if self._opened is not None:
            return super().here
        key = self._table.cursor_key
        return (self._table, f"{key}{_AT}{self._metric}") if self._table.held and key is not None else None

    def matches(self) -> list[tuple[BoardTable, str]]:
        """All numbers, or all that is behind one."""
        if self._opened is not None:
            return [(self._list, key) for key in self._evidence]
        return [(self._table, f"{key}{_AT}{metric}") for key in self._keys for metric in METRICS]

    def faulty(self) -> list[tuple[BoardTable, str]]:
        """The numbers that miss their goal."""
        if self._opened is not None:
            return self.matches()
        return [(self._table, f"{key}{_AT}{metric}") for key in self._keys for metric in self._found[key].missed]

    def reveal(self, table: BoardTable, key: str) -> None:
        """Put the cursor on a number, or on something behind one."""
        row, at, metric = key.partition(_AT)
        super().reveal(table, row)
        if at:
            self._choose(metric)  # type: ignore[arg-type]

    @on(BoardTable.Highlighted)
    def _moved(self, event: BoardTable.Highlighted) -> None:
        event.stop()
        if event.table is self._table:
            self._table.set_rows(self._keys, self._keys)
            self.tell()
        if event.table is self.screen.focused:
            self.post_message(self.Moved())

    @on(BoardTable.Selected)
    def _selected(self, event: BoardTable.Selected) -> None:
        event.stop()
        if event.table is self._list:
            self.post_message(self.Opened())
            return
        standing = self._found.get(event.key)
        if standing is None:
            return
        if not standing.report[self._metric].behind:
            number = standing.report[self._metric]
            self.app.say(f"nothing is behind it: {number.why or 'nothing of the kind happened'}")
            return
        self._opened = event.key
        self._list_evidence()
        self.add_class("-open")
        self._list.focus()
        self._list.move_to(next(iter(self._evidence)))
        self.tell()
        self.post_message(self.Moved())

    @on(BoardTable.HeaderClicked)
    def _clicked(self, event: BoardTable.HeaderClicked) -> None:
        event.stop()
        if event.column in METRICS:
            self._choose(event.column)
