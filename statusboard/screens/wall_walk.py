"""A wall's pages as lines of words: which one is shown now, and what it says.  Pure; the screen only paints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

from statusboard.board import Board, Delta, Row, Summary
from statusboard.model import Status
from statusboard.presenting import Glyphs
from statusboard.screens import wall_words
from statusboard.screens.wall_tiles import tile_of
from statusboard.screens.wall_words import HIDDEN, Verdict
from statusboard.text import cell_len, clip
from statusboard.wall import Deployed, Faults, Freshness, Part, Rotation, Slide, WallSpec, freshness
from widgets.bigtype import height_of_big, largest
from widgets.details import wrap
from widgets.tiles import GAP, Plan, column_lines, columns_of_cells, least_scale, plan
from widgets.wallcanvas import Line
from widgets.words import Word, width_of

LEAST: Final = (40, 10)
"""Columns and rows below which a wall says its verdict and nothing else."""
_MOST_SCALE: Final = 4
"""Of a verdict above tiles; one that stands alone may be twice as large."""
_LATEST_EVERY: Final = 5.0
_TILE_ROOM: Final = 8
"""Rows that tiles have before the verdict grows beyond the smallest type."""


class Told(NamedTuple):
    """What the engine knows at one moment; ``mono`` is its monotonic clock, in seconds.

    ``notice`` is about the store, ``aside`` about what does not touch what is shown.
    """

    board: Board
    statuses: Mapping[str, Status]
    role: str
    notice: str
    now: datetime
    mono: float
    aside: str = ""


class Picture(NamedTuple):
    """One page.  ``columns`` are the fields of the body, each with its width."""

    head: Line
    countdown: str
    top: list[Line]
    columns: list[tuple[int, list[Line]]]
    foot: list[Line]


class _Frame(NamedTuple):
    """A view's verdict and the scale of its type, what it counts, how its tiles are laid out, and whose they are."""

    verdict: Verdict
    scale: int
    counts: list[Line]
    plan: Plan
    keys: Sequence[str]

    @property
    def pages(self) -> int:
        """How many there are of the view."""
        return self.plan.pages(len(self.keys))


class Walk:
    """The faults of a wall's views, and where it is among its pages.  Tell it what changed, ask it to `paint`."""

    def __init__(
        self, spec: WallSpec, glyphs: Glyphs, zone: tzinfo, *, title: str, demo: bool, ascii_only: bool
    ) -> None:
        self.spec = spec
        self._glyphs = glyphs
        self._zone = zone
        self._title = title
        self._demo = demo
        self._ascii = ascii_only
        self._faults = Faults(spec)
        self._deployed = Deployed()
        self._rotation: Rotation | None = None
        self._seen: set[str] | None = None
        self._seen_at = -1
        self._framed: tuple[object, list[_Frame]] = (None, [])
        self._counted: tuple[int, float, list[Word]] = (-1, 0.0, [])
        self._latest: tuple[object, float, list[Line]] = (None, 0.0, [])

    @property
    def needs_clock(self) -> bool:
        """Whether time alone changes what is shown, so that `rebuild` must be called now and then."""
        return self._faults.needs_clock

    def rebuild(self, board: Board, now: datetime) -> None:
        """Look at everything."""
        self._faults.rebuild(board, now)
        self._deployed.rebuild(board)

    def follow(self, board: Board, delta: Delta, now: datetime) -> None:
        """What has changed since."""
        self._faults.update(board, delta, now)
        self._deployed.update(board, delta)

    # -- a page

    def paint(self, told: Told, width: int, height: int) -> Picture:
        """The page to show now on a terminal of this size."""
        board, now = told.board, told.now
        summary = board.summary()
        fresh = freshness(board, told.statuses, told.role, told.notice, now)
        if width < LEAST[0] or height < LEAST[1]:
            return self._tiny(summary, fresh, width, height)
        band = max(1 + height_of_big(1, ascii_only=self._ascii), height // 6)
        foot: list[Line] = [((clip(f" {told.aside}", width), "warning"),)] if told.aside else []
        foot += wall_words.freshness_lines(fresh, width, band, self._glyphs, ascii_only=self._ascii)
        hidden = wall_words.hidden_lines(self._faults, board, now, width, max(2, height // 7), self.spec.filter)
        taken = 1 + len(foot) + len(hidden)
        frames = self._frames(board, summary, fresh, width, height, taken)
        slide = self._turn(frames, told.mono)
        frame = frames[slide.view]
        top = self._top(slide.view, frame, fresh, told, width)
        body = height - taken - len(top)
        if frame.keys:
            columns = self._tiles(frame, slide.page, told, width, body)
        else:
            columns = [(width, self._calm(slide.view, told, width, body))]
        return Picture(self._head(slide, frame), self._countdown(told.mono, width), [*top, *hidden], columns, foot)

    def _frames(
        self, board: Board, summary: Summary, fresh: Freshness, width: int, height: int, taken: int
    ) -> list[_Frame]:
        """How each view's page is divided, and last that of what is hidden; the same as before while nothing counts
        otherwise."""
        state = (self._faults.revision, summary, fresh.level, width, height, taken)
        if self._framed[0] != state:
            views = [self._faults.keys(view) for view in range(len(self.spec.views))]
            views.append(self._faults.hidden_critical)
            frames = [
                self._frame(view, keys, board, summary, fresh, width, height, taken) for view, keys in enumerate(views)
            ]
            self._framed = (state, frames)
        return self._framed[1]

    def _frame(
        self,
        view: int,
        keys: Sequence[str],
        board: Board,
        summary: Summary,
        fresh: Freshness,
        width: int,
        height: int,
        taken: int,
    ) -> _Frame:
        rows = _rows(keys, board)
        if view < len(self.spec.views):
            verdict = wall_words.verdict_of(self._faults, view, summary, fresh)
        else:
            verdict = Verdict(f"{len(rows)} HIDDEN", "verdict-failed", True)
        least = least_scale(width, height)
        counts = self._counts(rows, summary, width, far=least > 0) if rows else []
        room = height - taken - max(1, len(counts))
        most = height * 2 // 5
        if rows:
            most = max(self._high(1), height // (5 if self._ascii else 4))
        limit = _MOST_SCALE if rows else 2 * _MOST_SCALE
        scale = largest(verdict.big, width - 2, min(most, room), most=limit, ascii_only=self._ascii)
        if rows and scale > 1 and room - self._high(scale) < _TILE_ROOM:
            scale = 1
        laid = plan(len(rows), width, room - self._high(scale), least=least, ascii_only=self._ascii)
        return _Frame(verdict, scale, counts, laid, keys)

    def _counts(self, rows: Sequence[Row], summary: Summary, width: int, *, far: bool) -> list[Line]:
        """What is wrong, in numbers; ``far``: in large type if there is room, and apart from the tiles below."""
        words = wall_words.counts_of(rows, summary)
        if not far:
            return [_middle(words, width)]
        return [*(wall_words.large_words(words, width, ascii_only=self._ascii) or [_middle(words, width)]), ()]

    def _high(self, scale: int) -> int:
        return height_of_big(scale, ascii_only=self._ascii) if scale else 1

    def _turn(self, frames: Sequence[_Frame], mono: float) -> Slide:
        """Walk on where it is time to, and to what is new."""
        count = len(self.spec.views)
        parts = [Part(n, frames[n].pages, self._faults.failing(n) > 0) for n in range(count)]
        if frames[count].keys:
            parts.append(Part(count, frames[count].pages, True))
        if self._rotation is None:
            self._rotation = Rotation(self.spec.every, mono)
        rotation = self._rotation
        rotation.settle(parts, mono)
        self._go_to_new(frames, mono)
        return rotation.shown

    def _go_to_new(self, frames: Sequence[_Frame], mono: float) -> None:
        """A fault that was not there before is shown at once."""
        assert self._rotation is not None
        if self._seen_at == self._faults.revision:
            return
        present = {key for frame in frames for key in frame.keys}
        new = present - self._seen if self._seen is not None else set()
        rotation = self._rotation
        slides = [
            Slide(view, index // frame.plan.each)
            for view, frame in enumerate(frames)
            for index, key in enumerate(frame.keys)
            if key in new
        ]
        wanted = [slide for slide in slides if slide in rotation.slides]
        if not wanted or rotation.shown in wanted or rotation.go_to(wanted[0], mono):
            self._seen, self._seen_at = present, self._faults.revision

    # -- its parts

    def _head(self, slide: Slide, frame: _Frame) -> Line:
        words: list[Word] = [(" DEMO ", "demo")] if self._demo else []
        words.append((f" {self._title} ", "strong"))
        name = self.spec.views[slide.view].name if slide.view < len(self.spec.views) else HIDDEN
        words.append((f" {name} ", "chosen"))
        if frame.pages > 1:
            words.append((f"  page {slide.page + 1} of {frame.pages}", ""))
        return tuple(words)

    def _countdown(self, mono: float, width: int) -> str:
        """What comes next and when, in coarse steps."""
        assert self._rotation is not None
        rotation = self._rotation
        left = rotation.left(mono)
        red = self._faults.failing(rotation.shown.view) if rotation.shown.view < len(self.spec.views) else 1
        if left is None:
            return "stays: failing" if red and len(self.spec.views) > 1 else ""
        coming = rotation.next
        if coming.view == rotation.shown.view:
            name = f"page {coming.page + 1}"
        else:
            name = self.spec.views[coming.view].name if coming.view < len(self.spec.views) else HIDDEN
        return f"{name} in {left:>2}s"

    def _top(self, view: int, frame: _Frame, fresh: Freshness, told: Told, width: int) -> list[Line]:
        """The verdict and, below it, what it counts: what is wrong, or what was read."""
        verdict = frame.verdict
        lines = wall_words.large(
            verdict.big,
            width,
            self._high(frame.scale),
            verdict.style,
            band=verdict.band,
            ascii_only=self._ascii,
            most=frame.scale or 1,
        )
        if frame.keys:
            return [*lines, *frame.counts]
        if not verdict.band:
            lines = [(), *lines, ()]
        words = self._read(view, fresh, told)
        if frame.plan.far:
            counts = [word for word in words if word[1] == "strong"]
            large = wall_words.large_words(counts, width, ascii_only=self._ascii)
            return [*lines, *large, *([()] if large else []), _middle(words[len(counts) :] if large else words, width)]
        return [*lines, _middle(words, width)]

    def _tiles(self, frame: _Frame, page: int, told: Told, width: int, body: int) -> list[tuple[int, list[Line]]]:
        laid = frame.plan
        shown = _rows(frame.keys[page * laid.each : (page + 1) * laid.each], told.board)
        tiles = [tile_of(row, told.board, self._deployed, told.now, self._glyphs, self._zone) for row in shown]
        columns = []
        rows_used = -(-len(tiles) // laid.columns)
        for number, wide in enumerate(columns_of_cells(laid, width)):
            mine = tiles[number * rows_used : (number + 1) * rows_used]
            lines = column_lines(mine, laid, wide, body)
            gap = GAP if number < laid.columns - 1 else 0
            columns.append((wide + gap, lines))
        return columns

    def _read(self, view: int, fresh: Freshness, told: Told) -> list[Word]:
        """What there is in a view in which nothing is wrong; counted now and then only."""
        before, at, words = self._counted
        if before != view or told.mono - at >= _LATEST_EVERY:
            rows = self._faults.matching(view, list(told.board.items()), told.board, told.now)
            words = wall_words.read_words(rows, self.spec.views[view].lanes, self._zone, fresh.read_at)
            self._counted = (view, told.mono, words)
        return words

    def _calm(self, view: int, told: Told, width: int, body: int) -> list[Line]:
        """What happened last; looked for now and then only."""
        state = (view, width, body)
        before, at, lines = self._latest
        if before != state or told.mono - at >= _LATEST_EVERY:
            found = wall_words.latest_lines(
                self._faults, view, told.board, told.now, width, body - 1, self._glyphs, self._zone
            )
            lines = [(), *found] if found else []
            self._latest = (state, told.mono, lines)
        return lines

    def _tiny(self, summary: Summary, fresh: Freshness, width: int, height: int) -> Picture:
        verdict = wall_words.verdict_of(self._faults, 0, summary, fresh)
        needs = f"A wall needs {LEAST[0]}x{LEAST[1]}, this terminal has {width}x{height}"
        lines: list[Line] = [((f" {line}", ""),) for line in wrap(needs, width - 1)]
        return Picture((), "", [wall_words.bar(f" {verdict.big}", verdict.style, width), *lines], [], [])


def _rows(keys: Sequence[str], board: Board) -> list[Row]:
    return [row for key in keys if (row := board.rows.get(key)) is not None]


def _middle(words: Sequence[Word], width: int) -> Line:
    """Words in the middle of a line, the first of them as far as they fit."""
    shown: list[Word] = []
    for text, style in words:
        room = width - width_of(shown)
        if cell_len(text) > room and shown:
            break
        shown.append((clip(text, room), style))
    left = max(0, (width - width_of(shown)) // 2)
    return ((" " * left, ""), *shown)
