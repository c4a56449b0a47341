"""The wall: large type and tiles that nobody has to touch, and nobody can leave by accident."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.screen import ModalScreen

from statusboard.board import Delta
from statusboard.palettes import NIGHT
from statusboard.screens.guarded import Guarded
from statusboard.screens.leaving import LeftOnce
from statusboard.screens.live import Live
from statusboard.screens.wall_walk import Picture, Told, Walk
from statusboard.screens.wall_words import bar
from statusboard.text import cell_len, clip
from statusboard.themes import theme_of
from widgets.tiles import MOST_COLUMNS
from widgets.wallcanvas import WallCanvas

if TYPE_CHECKING:
    from statusboard.app import BoardApp

TWICE_WITHIN: Final = 2.0
"""Seconds in which the key must be pressed again."""
CLOCK_EVERY: Final = 60.0
"""Seconds between two looks at everything, where a filter asks for times."""


class WallScreen(LeftOnce, ModalScreen[None], Guarded):
    """Follows the engine once a second.  It is modal so that none of the app's keys reach past it.

    ``locked``: the wall is all that this process shows, and is left by ending it.
    """

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    AUTO_FOCUS = ""
    ALLOW_SELECT: ClassVar[bool] = False
    app: BoardApp

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f,escape", "leave_wall", "Back to the board", show=False, id="leave_wall"),
        Binding("q", "app.quit", "End, pressed twice", show=False, id="quit"),
    ]

    def __init__(self, live: Live, *, locked: bool = False) -> None:
        super().__init__()
        self.live = live
        self.locked = locked
        self._walk = self._new_walk()
        self._board = live.engine.board
        self._changed: set[str] = set()
        self._gone: set[str] = set()
        self._looked = live.clock.monotonic()
        self._asked = float("-inf")
        self._day_theme = ""
        self._forget = live.engine.subscribe(self._hear)
        self._head = WallCanvas(id="wall-head")
        self._countdown = WallCanvas(id="wall-countdown")
        self._clock = WallCanvas(id="wall-clock")
        self._top = WallCanvas(id="wall-top")
        self._columns = [WallCanvas() for _ in range(MOST_COLUMNS)]
        self._foot = WallCanvas(id="wall-foot")

    @property
    def _wanted(self) -> tuple[object, ...]:
        """What of the config a walk is made of."""
        settings = self.live.settings
        return settings.wall, settings.title, self.live.cells.zone

    def _new_walk(self) -> Walk:
        settings, live = self.live.settings, self.live
        self._made_of = self._wanted
        walk = Walk(
            settings.wall,
            live.glyphs,
            live.cells.zone,
            title=settings.title,
            demo=settings.demo,
            ascii_only=live.ascii_only,
        )
        walk.rebuild(live.engine.board, live.now)
        return walk

    def compose(self) -> ComposeResult:
        """One line, the verdict, columns of tiles, and how fresh it is."""
        with Horizontal(id="wall-line"):
            yield self._head
            yield self._countdown
            yield self._clock
        yield self._top
        with Horizontal(id="wall-body"):
            yield from self._columns
        yield self._foot

    def on_mount(self) -> None:
        """Paint, and from now on once a second."""
        self.tick()
        self.set_interval(1.0, self.tick)

    def on_unmount(self) -> None:
        """Nobody tells us any more."""
        self._forget()
        self._dim(night=False)

    def on_resize(self, event: Resize) -> None:
        """Another size, another page."""
        self.tick()

    # -- following

    def _hear(self, delta: Delta) -> None:
        self._changed |= delta.changed
        self._gone -= delta.changed
        self._gone |= delta.gone
        self._changed -= delta.gone

    def tick(self) -> None:
        """Once a second: what has changed, the next page where it is time, the clock."""
        if not self.is_attached:
            return
        live, engine = self.live, self.live.engine
        mono = live.clock.monotonic()
        if self._made_of != self._wanted:
            self._walk = self._new_walk()
        elif engine.board is not self._board or (self._walk.needs_clock and mono - self._looked >= CLOCK_EVERY):
            self._looked = mono
            self._walk.rebuild(engine.board, live.now)
        elif self._changed or self._gone:
            self._walk.follow(engine.board, Delta(frozenset(self._changed), frozenset(self._gone)), live.now)
        self._board = engine.board
        self._changed.clear()
        self._gone.clear()
        told = Told(engine.board, engine.statuses, engine.role, engine.notice, live.now, mono, live.aside)
        night = live.settings.wall.night
        self._dim(night=night is not None and night.holds(live.now, live.cells.zone))
        self._show(self._walk.paint(told, *self.app.size))

    def _show(self, picture: Picture) -> None:
        width = self.app.size.width
        faint = self.app.native_ansi_color and bool(self._day_theme)
        foot = picture.foot
        if self.live.clock.monotonic() - self._asked < TWICE_WITHIN:
            words = f" Press it once more within {TWICE_WITHIN:.0f} s to end"
            foot = [bar(f"{words} this wall" if self.locked else f"{words} the board", "chosen", width), *foot[1:]]
        for canvas, lines in ((self._top, picture.top), (self._foot, foot)):
            canvas.styles.height = len(lines)
            canvas.show(lines, faint=faint)
        for number, canvas in enumerate(self._columns):
            wide, lines = picture.columns[number] if number < len(picture.columns) else (0, [])
            canvas.display = bool(wide)
            if wide:
                canvas.styles.width = wide
            canvas.show(lines, faint=faint)
        self._head.show([picture.head], faint=faint)
        countdown = clip(picture.countdown, width // 2)
        self._countdown.styles.width = cell_len(countdown) + 1
        self._countdown.show([((countdown, "marker"),)], faint=faint)
        self._clock.show([((f" {self.live.local_time}", ""),)], faint=faint)

    def _dim(self, *, night: bool) -> None:
        """The theme of the night, or that of the day again; a terminal's own colours are dimmed instead."""
        app = self.app
        if night:
            if not self._day_theme or (app.theme != NIGHT.name and not app.native_ansi_color):
                self._day_theme = app.theme
                if not app.native_ansi_color:
                    if NIGHT.name not in app.available_themes:
                        app.register_theme(theme_of(NIGHT))
                    app.theme = NIGHT.name
        elif self._day_theme:
            if app.theme == NIGHT.name:
                app.theme = self._day_theme
            self._day_theme = ""

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A locked wall is not left."""
        return not (self.locked and action == "leave_wall")

    def action_leave_wall(self) -> None:
        """Back to the board."""
        self.dismiss()

    def may_end(self) -> bool:
        """At the second press only, within two seconds of the first."""
        mono = self.live.clock.monotonic()
        if mono - self._asked < TWICE_WITHIN:
            return True
        self._asked = mono
        self.tick()
        self.set_timer(TWICE_WITHIN + 0.1, self.tick)
        return False
