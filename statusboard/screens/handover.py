"""The hand-over on the screen: what `statusboard digest` prints, of a shift or longer, of all teams or of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from statusboard.catalog import Catalog
from statusboard.errors import StoreError
from statusboard.handover import Handover, as_markdown, gather, sections
from statusboard.handover.words import INDENT, Row, head
from statusboard.model import Item
from statusboard.screens.leaving import OnTop
from statusboard.screens.terminal import failed_words
from statusboard.text import cell_len, clean
from widgets.details import wrap_words
from widgets.words import Word, styled

if TYPE_CHECKING:
    from statusboard.app import BoardApp
    from statusboard.measuring import Measure
    from statusboard.screens.live import Live

STRETCHES: Final = (8, 24, 7 * 24)
"""Hours that can be looked back."""
_AROUND: Final = 5
"""Cells beside the text: padding and the bar to scroll with."""


class HandoverScreen(OnTop, ModalScreen[None]):
    """What whoever takes over must know; read when it is opened, and again when something else is asked for."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    AUTO_FOCUS = "#handover"
    app: BoardApp

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,H", "leave", "Leave", show=False),
        Binding("d", "longer", "8 hours, a day, a week", show=False),
        Binding("t", "team", "The next team, or all", show=False),
        Binding("y", "copy", "Copy it as Markdown", show=False),
        Binding("r", "again", "Read it again", show=False),
        Binding("j,down", "scroll(1)", "Down", show=False),
        Binding("k,up", "scroll(-1)", "Up", show=False),
        Binding("g,home", "edge(False)", "Top", show=False),
        Binding("G,end", "edge(True)", "Bottom", show=False),
        Binding("pagedown,ctrl+d,space", "page(1)", "A page down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "A page up", show=False),
    ]

    def __init__(self, live: Live) -> None:
        super().__init__()
        self._live = live
        self._hours = STRETCHES[0]
        self._team = ""
        self._told: Handover | None = None
        self._problem = ""
        self._measure: Measure | None = None

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="handover"):
            yield Static(self._content(), id="handover-text", markup=False)

    def on_mount(self) -> None:
        """What is remembered is read while the screen is there already."""
        self._read()

    def on_resize(self, event: Resize) -> None:
        """Lines are as wide as there is room."""
        self._show()

    # -- what is told

    @work(exclusive=True, group="handover")
    async def _read(self) -> None:
        live = self._live
        store, config = live.engine.store, live.settings.config
        now = live.now
        try:
            if self._measure is None or self._measure.store is not store:
                self._measure = live.settings.measure(store, live.cells.zone)
            self._told = await gather(
                store,
                live.engine.board,
                config.catalog() if config is not None else Catalog(),
                since=now - timedelta(hours=self._hours),
                until=now,
                team=self._team,
                measure=self._measure,
                weights=config.suspects if config is not None else None,
            )
            self._problem = ""
        except StoreError as error:
            self._told, self._problem = None, str(error)
        if self.is_attached:
            self._show()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """What failed is not read for ever."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self._told, self._problem = None, failed_words(event.worker.error)
            if self.is_attached:
                self._show()

    def _show(self) -> None:
        self.query_one("#handover-text", Static).update(self._content())

    def _content(self) -> Content:
        width = max(30, self.app.size.width - _AROUND)
        words = self._words(width)
        return styled(words, ansi=self.app.native_ansi_color)

    def _words(self, width: int) -> list[Word]:
        keys: Word = ("d 8h, a day, a week   t team   y copy as Markdown   esc closes\n", "muted")
        if self._problem:
            return [
                ("Hand-over\n", "heading"),
                keys,
                (f"\nit cannot be read: {clean(self._problem, 300)}\n", "unknown"),
            ]
        told, live = self._told, self._live
        if told is None:
            return [("Hand-over\n", "heading"), keys, ("\nreading what is remembered\n", "muted")]
        zone = live.cells.zone
        first, *others = head(told, zone=zone)
        words = [*_line(first, width), keys, ("\n", "")]
        for row in others:
            words += _line(row, width)
        for section in sections(told, zone=zone, glyphs=live.glyphs):
            words += [("\n", ""), *_line((0, ((f"{section.heading}: ", "strong"), *section.count), ""), width)]
            for row in section.rows:
                words += _line((row[0] + 1, row[1], ""), width)
        return words

    # -- keys

    def action_leave(self) -> None:
        """Back."""
        self.dismiss()

    def action_longer(self) -> None:
        """Look back further, or no further than a shift again."""
        self._hours = STRETCHES[(STRETCHES.index(self._hours) + 1) % len(STRETCHES)]
        self._read()

    def action_team(self) -> None:
        """The next team; after the last one all again."""
        teams = ["", *self._teams()]
        place = teams.index(self._team) if self._team in teams else -1
        self._team = teams[(place + 1) % len(teams)]
        self._read()

    def action_again(self) -> None:
        """Read it again."""
        self._read()

    def action_copy(self) -> None:
        """To the terminal's clipboard, to be pasted into a chat."""
        if self._told is None:
            self.app.say("nothing is read yet")
            return
        self.app.copy_to_clipboard(as_markdown(self._told, zone=self._live.cells.zone))
        self.app.say("copied as Markdown")

    def action_scroll(self, lines: int) -> None:
        """Up or down a line."""
        self.query_one("#handover", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, way: int) -> None:
        """Up or down a page."""
        scroll = self.query_one("#handover", VerticalScroll)
        scroll.scroll_relative(y=way * max(1, scroll.size.height - 2), animate=False)

    def action_edge(self, bottom: bool) -> None:
        """To the top or the bottom."""
        scroll = self.query_one("#handover", VerticalScroll)
        (scroll.scroll_end if bottom else scroll.scroll_home)(animate=False)

    def _teams(self) -> Sequence[str]:
        live = self._live
        found = {row.fact.team for row in live.engine.board.items() if isinstance(row.fact, Item)}
        found |= set(live.settings.services.values())
        return sorted(filter(None, found), key=str.casefold)


def _line(row: Row, width: int) -> list[Word]:
    """The words of one line; what is too long for the screen goes on below, further in."""
    depth, cells, _ = row
    lines = wrap_words(cells, width - cell_len(INDENT) * (depth + 2))
    words: list[Word] = []
    for number, line in enumerate(lines):
        words += [(INDENT * (depth + (2 if number else 0)), ""), *line, ("\n", "")]
    return words
