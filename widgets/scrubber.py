"""The line of time: what happened when, what nobody watched, and where one stands.

Two lines: the upper one says in words which moment is shown, in a colour that nothing of the present has, the lower
one is the track.  On the track a cell is so many minutes; of several things in one cell the gravest is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import ClassVar, Final, Literal, NamedTuple, TypeAlias

from rich.segment import Segment
from textual.events import Click
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from statusboard.text import cell_len, fit
from widgets.words import Word, rich_style

What: TypeAlias = Literal["incident", "build", "release"]
"""What a mark is: an incident that opened, a build that failed, a release that came out or failed."""

GRAVEST: Final[tuple[What, ...]] = ("incident", "build", "release")
"""Of several marks in one cell the first of these is shown."""
STYLES: Final[dict[What, str]] = {"incident": "failed", "build": "warning", "release": "success"}
NAMES: Final[dict[What, str]] = {"incident": "incident", "build": "failed build", "release": "release"}
_NEXT: Final = 3
"""Cells that two labels of the track are apart at least."""
_BEING_READ: Final = "being read"
_SOME: Final = 1 / 8
"""Of a cell: from so much unwatched time on it is not shown as watched."""


class Signs(NamedTuple):
    """The signs of a track, each one cell wide."""

    marks: dict[What, str]
    watched: str
    partly: str
    unwatched: str
    here: str
    ahead: str


UNICODE: Final = Signs({"incident": "◉", "build": "✗", "release": "▴"}, "─", "╌", "░", "┃", "►")
ASCII: Final = Signs({"incident": "!", "build": "x", "release": "^"}, "-", "~", "?", "|", ">")


class Mark(NamedTuple):
    """Something that happened; ``bad``: a release that failed."""

    at: datetime
    what: What
    bad: bool = False


class Gap(NamedTuple):
    """A stretch that nobody watched, or (``partly``) that only some sources were watched in."""

    since: datetime
    until: datetime
    partly: bool = False


class Track(NamedTuple):
    """What a scrubber shows: the stretch from ``since`` to ``until``, and in it the moment ``at``; None: the present.

    ``ends_now``: the stretch reaches to the present.  ``known``: what happened in it has been read.
    """

    since: datetime
    until: datetime
    at: datetime | None = None
    marks: Sequence[Mark] = ()
    gaps: Sequence[Gap] = ()
    zone: tzinfo = UTC
    ends_now: bool = True
    known: bool = True


class Laid(NamedTuple):
    """A track in words, and which of its cells are the stretch: ``start`` is the first, ``cells`` how many."""

    words: list[Word]
    start: int
    cells: int


def place_of(moment: datetime, track: Track, cells: int) -> int | None:
    """The cell of a moment; None outside of the track."""
    if not track.since <= moment <= track.until or cells < 1:
        return None
    return min(cells - 1, int((moment - track.since) / (track.until - track.since) * cells))


def moment_at(cell: int, track: Track, cells: int) -> datetime:
    """The moment that a cell stands for: its middle; the last one stands for the end."""
    if cell >= cells - 1:
        return track.until
    return track.since + (track.until - track.since) * ((max(0, cell) + 0.5) / max(1, cells))


def lay_track(track: Track, width: int, signs: Signs = UNICODE) -> Laid:
    """The lower line in ``width`` cells: when it begins, the track, where it ends; for `put_here` one word a cell."""
    before = _label(track.since, track) + " "
    after = " now" if track.ends_now else f" {signs.ahead} now"
    if width < 3 * (cell_len(before) + cell_len(after)):
        before = after = ""
    cells = max(1, width - cell_len(before) - cell_len(after))
    if not track.known:  # nobody must take it for a time without anything, nor for one that was not watched
        blank: list[Word] = [(letter, "muted") for letter in fit(_BEING_READ.center(cells), cells)]
        return Laid([(before, "muted"), *blank, (after, "muted")], cell_len(before), cells)
    line = _watched(track, cells, signs)
    for what in reversed(GRAVEST):
        for mark in track.marks:
            if mark.what == what and (cell := place_of(mark.at, track, cells)) is not None:
                line[cell] = (signs.marks[what], "failed" if mark.bad else STYLES[what])
    _put_labels(line, track, signs)
    return Laid([(before, "muted"), *line, (after, "muted")], cell_len(before), cells)


def put_here(laid: Laid, track: Track, signs: Signs = UNICODE) -> list[Word]:
    """The track with the moment that is shown on it."""
    words = list(laid.words)
    here = place_of(track.at, track, laid.cells) if track.at is not None else None
    if here is not None:
        sign, _ = words[here + 1]
        words[here + 1] = (sign if sign in signs.marks.values() else signs.here, "past")
    return words


def _watched(track: Track, cells: int, signs: Signs) -> list[Word]:
    """A cell of which most was watched by nobody says so, and one of which less was that it was not watched whole."""
    length = (track.until - track.since) / cells
    unwatched = _shares((gap for gap in track.gaps if not gap.partly), track, cells, length)
    partly = _shares((gap for gap in track.gaps if gap.partly), track, cells, length)
    line: list[Word] = []
    for nobody, some in zip(unwatched, partly, strict=True):
        if nobody >= 0.5:
            line.append((signs.unwatched, "unknown"))
        elif nobody + some >= _SOME:
            line.append((signs.partly, "unknown"))
        else:
            line.append((signs.watched, "muted"))
    return line


def _shares(gaps: Iterable[Gap], track: Track, cells: int, length: timedelta) -> list[float]:
    """How much of each cell these take, 0 to 1; they must not overlap each other."""
    shares = [0.0] * cells
    for gap in gaps:
        since, until = max(gap.since, track.since), min(gap.until, track.until)
        if since >= until:
            continue
        first, last = (since - track.since) / length, (until - track.since) / length
        for cell in range(int(first), min(cells, int(last) + 1)):
            shares[cell] += max(0.0, min(last, cell + 1) - max(first, cell))
    return shares


def _put_labels(line: list[Word], track: Track, signs: Signs) -> None:
    """Times of day or days on the track, where it was watched and nothing else stands."""
    end = 0
    for moment, text in _ticks(track, len(line)):
        cell = place_of(moment, track, len(line))
        if cell is None or cell < end + _NEXT or cell + len(text) + 1 >= len(line):
            continue
        if all(word == (signs.watched, "muted") for word in line[cell : cell + len(text)]):
            line[cell : cell + len(text)] = [(letter, "muted") for letter in text]
            end = cell + len(text)


def _ticks(track: Track, cells: int) -> Iterable[tuple[datetime, str]]:
    """The times that are worth a label: hours of a day, days of a week, else Mondays."""
    days = (track.until - track.since) / timedelta(days=1)
    start = track.since.astimezone(track.zone)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if days <= 2:
        every = next((hours for hours in (1, 3, 6, 12) if cells * hours / (days * 24) >= 10), 24)
        times = [midnight + timedelta(hours=hour) for hour in range(0, int(days * 24) + 25, every)]
        return [(time, f"{time:%H:%M}" if time.hour else f"{time:%a}") for time in times]
    times = [midnight + timedelta(days=day) for day in range(1, int(days) + 2)]
    if days <= 14:
        return [(time, f"{time:%a}") for time in times]
    return [(time, f"{time:%d %b}") for time in times if not time.weekday()]


def _label(moment: datetime, track: Track) -> str:
    local = moment.astimezone(track.zone)
    return f"{local:%a %H:%M}" if track.until - track.since <= timedelta(days=14) else f"{local:%d %b}"


def legend(signs: Signs) -> str:
    """What the signs of a track mean."""
    told = [f"{signs.marks[what]} {NAMES[what]}" for what in GRAVEST]
    return "  ".join([*told, f"{signs.unwatched} not watched", f"{signs.partly} in part"])


class Scrubber(Widget):
    """Two lines, or the upper one alone where its height is 1.  A click on the track asks for that moment."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    ALLOW_SELECT: ClassVar[bool] = False

    class Chosen(Message):
        """A person asks for this moment; None: for the present."""

        def __init__(self, at: datetime | None) -> None:
            super().__init__()
            self.at = at

    def __init__(self, *, ascii_only: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.signs = ASCII if ascii_only else UNICODE
        self._told: tuple[str, ...] = ()
        self._right: tuple[str, ...] = ()
        self._style = ""
        self._track: Track | None = None
        self._lines: list[list[Word]] = []
        self._laid: Laid | None = None
        self._laid_of: tuple[Track, int] | None = None
        self._width = 0

    def show(self, told: Sequence[str], right: Sequence[str], track: Track, *, style: str = "past") -> None:
        """The upper line is of one style: the longest of ``told`` that there is room for beside the shortest of
        ``right``, and the longest of ``right`` that there is room for beside that."""
        self._told, self._right, self._track, self._style = tuple(told), tuple(right), track, style
        self._lay()

    def on_resize(self) -> None:
        """Another width."""
        self._lay()

    def repaint(self) -> None:
        """After a change of theme."""
        self.refresh()

    def _lay(self) -> None:
        """Lay the lines, and paint those that say something else than before."""
        width = self.size.width
        if self._track is None or width <= 0:
            return
        made_of = (self._track._replace(at=None), width)
        if self._laid is None or made_of != self._laid_of:  # a step moves the moment alone
            self._laid, self._laid_of = lay_track(self._track, max(1, width - 2), self.signs), made_of
        track = put_here(self._laid, self._track, self.signs)
        before, self._lines = self._lines, [self._upper(width), [(" ", ""), *track, (" ", "")]]
        if self._width != width or before != self._lines:
            self._width = width
            self.refresh()

    def _upper(self, width: int) -> list[Word]:
        room = width - 2
        least = min(map(cell_len, self._right), default=0)
        told = next((text for text in self._told if cell_len(text) + 2 + least <= room), self._told[-1])
        right = next((text for text in self._right if cell_len(told) + 2 + cell_len(text) <= room), "")
        return [(f" {fit(told, room - cell_len(right))}{right} ", self._style)]

    def render_line(self, y: int) -> Strip:
        """Line ``y``."""
        base = self.rich_style
        ansi = self.app.native_ansi_color
        line = self._lines[y] if y < len(self._lines) else []
        segments = [Segment(text, base + rich_style(style, ansi=ansi)) for text, style in line if text]
        return Strip(Segment.simplify(segments)).adjust_cell_length(self.size.width, base)

    def on_click(self, event: Click) -> None:
        """A click on the track."""
        laid, track = self._laid, self._track
        if laid is None or track is None or event.y != 1:
            return
        event.stop()
        cell = event.x - 1 - laid.start
        if cell < 0:
            return
        if cell >= laid.cells:
            self.post_message(self.Chosen(None))
            return
        at = moment_at(cell, track, laid.cells)
        self.post_message(self.Chosen(None if track.ends_now and at >= track.until else at))
