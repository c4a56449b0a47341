"""What stands around the face of the board's screen: headline, notice and bar of views; and what a terminal is told
that is too small for any of it.  Each is written only where it says something else than before."""

from __future__ import annotations

from datetime import UTC
from typing import Final

from textual.dom import DOMNode
from textual.geometry import Size
from textual.widgets import Static

from statusboard.board import Summary
from statusboard.screens.bars import hints, view_at, view_words
from statusboard.screens.header import live_words, moment_words, role_words
from statusboard.screens.live import Live
from statusboard.screens.viewing import Viewing
from widgets.headline import Headline
from widgets.layout import LEAST_HEIGHT, LEAST_WIDTH, LOW, ONE_LINE
from widgets.words import Word, styled

NARROW: Final = 70
"""Cells below which the clock stands without the revision."""
BESIDE: Final = 140
"""Cells from which on the details stand beside the face."""


class Frame:
    """Four widgets for the screen to put up, which are told here what to say."""

    def __init__(self, live: Live, viewing: Viewing) -> None:
        self.headline = Headline(id="headline")
        self.notice = Static(id="notice", markup=False)
        self.views = Static(id="views", markup=False)
        self.small = Static(id="too-small", markup=False)
        self.size = Size(0, 0)
        #: The present, or the past moment in its place.
        self.live = live
        self._viewing = viewing
        self._said: dict[Static, tuple[list[Word], bool]] = {}

    @property
    def is_small(self) -> bool:
        """Whether there is no room for anything."""
        width, height = self.size
        return width < LEAST_WIDTH or height < LEAST_HEIGHT

    def fit(self, size: Size, screen: DOMNode) -> None:
        """What stands where depends on the size alone."""
        self.size = size
        width, height = size
        screen.set_class(self.is_small, "-small")
        screen.set_class(width >= BESIDE, "-beside")
        screen.set_class(height < LOW, "-low")
        screen.set_class(width >= ONE_LINE or height < LOW, "-one-line")
        self.headline.set_class(width < NARROW, "-narrow")

    def tick(self) -> None:
        """The clock: once a second."""
        self.headline.set_class(self.live.newest is not None, "-past")
        self.headline.tick(self.live.local_time, f"r{self.live.cells.board.seq}")

    def paint(self, faults: int | None, *, ansi: bool) -> None:
        """All words.  ``faults`` are those that the face shows, where it tells; ``ansi``: in the terminal's colours."""
        live = self.live
        board = live.cells.board
        summary = board.summary()
        words, more = live_words(
            summary,
            board,
            live.glyphs,
            title=live.settings.title,
            demo=live.settings.demo,
            hidden_faults=_hidden(summary, faults),
            filtered=self._viewing.filtered,
            moment=self._moment,
        )
        self.headline.show(words, more, role_words(live.engine.role, board.overlay) if live.newest is None else [])
        self._give_notice(live.notice)
        self.paint_views(ansi=ansi)
        if self.is_small:
            self._say(self.small, [words[0], (f"\n{self._needed()}", "")], ansi)

    @property
    def _moment(self) -> str:
        """The past moment that is shown, in words; "" for the present."""
        live = self.live
        if live.newest is None:
            return ""
        return moment_words(live.now, live.engine.clock.now(), UTC if live.cells.times == "utc" else live.cells.zone)

    def paint_views(self, *, ansi: bool) -> None:
        """The bar of views."""
        viewing = self._viewing
        keys = hints(self.live.keys_of, filtered=bool(viewing.typed))
        names = [view.name for view in viewing.views]
        self._say(self.views, view_words(names, viewing.place, max(0, self.size.width - 2), keys), ansi)

    def view_at(self, cell: int) -> int | None:
        """The place of the view whose name stands at this cell of the bar; None where none does."""
        words, _ = self._said.get(self.views, ([], False))
        return view_at(words, [view.name for view in self._viewing.views], cell)

    def _give_notice(self, notice: str) -> None:
        if self.notice.display != bool(notice):
            self.notice.display = bool(notice)
        if notice:
            self._say(self.notice, [(notice, "")], ansi=False, layout=True)

    def _needed(self) -> str:
        return f"Needs {LEAST_WIDTH}x{LEAST_HEIGHT}, this terminal has {self.size.width}x{self.size.height}"

    def _say(self, place: Static, words: list[Word], ansi: bool, *, layout: bool = False) -> None:
        # The words are compared with their styles: contents are equal where their texts are.
        if self._said.get(place) != (words, ansi):
            self._said[place] = (words, ansi)
            place.update(styled(words, ansi=ansi), layout=layout)


def _hidden(summary: Summary, faults: int | None) -> int:
    """How many faults the board has that its face does not show, as far as that tells."""
    return max(0, summary.failing - faults) if faults is not None else 0
