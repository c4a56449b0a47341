"""Rewind: the board's screen at a past moment.

The present goes on underneath: its faces, its marks and its notices belong to a `Live` of their own that nothing here
touches.  A past moment is another one (`statusboard.screens.then.Then`) with faces of its own, so that what is done to
it changes nothing else.

Keys come faster than moments can be shown.  What is asked for meanwhile is gathered: a held key runs as fast as the
screen can follow, and stops when it is let go.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from statusboard.board import Delta
from statusboard.errors import HistoryGone, MomentError, StoreError
from statusboard.model import Incident
from statusboard.rewind import Past
from statusboard.screens.header import moment_words
from statusboard.screens.line_of_time import LineOfTime
from statusboard.screens.rewound import (
    SPANS,
    bar_texts,
    days_for,
    distance,
    key_hints,
    since_texts,
)
from statusboard.screens.then import Then
from statusboard.screens.work import begin_work
from statusboard.sorting import urgency
from widgets.scrubber import Scrubber, legend

if TYPE_CHECKING:
    from statusboard.screens.rewindkeys import RewindKeys
    from statusboard.store.base import Store

log = logging.getLogger("statusboard.rewind")

Way = Literal[-1, 1]

AT_ONCE: Final = 0.03
"""Seconds after which steps that were asked for together are shown, though some are still to come."""
LOOKED_AT: Final = 100
"""How many of the incidents that came in at one moment are looked at for one that was new."""
FRAME: Final = 1 / 60
"""Seconds that painting is given between two moments."""
REST: Final = 0.3
"""Seconds without a move after which what happened since is counted."""
PLAY_EVERY: Final = 0.25
"""Seconds between two moments of what is played."""


class Play(NamedTuple):
    """A stretch that is played: ``speed`` seconds of it in one of ours, up to ``until``."""

    until: datetime
    speed: float


class Rewinding:
    """Moves the screen in time.  Made when it is asked for first; ``then`` is None while the present is shown."""

    def __init__(self, screen: RewindKeys) -> None:
        self.then: Then | None = None
        self.scrubber = Scrubber(ascii_only=screen.live.ascii_only, id="scrubber")
        #: Whether the line of time is shown in the present, too.
        self.pinned = False
        self.playing: Play | None = None
        self.play: Play | None = None
        self._screen = screen
        self._live = screen.live
        self._store: Store | None = None
        self._opened: Then | None = None
        self._steps = 0
        self._incidents = 0
        self._target: datetime | None = None
        self._working = False
        #: How often the present was gone back to, and how often when the move that is under way began.
        self._turn = self._begun = 0
        self._days = SPANS[0]
        self._since: Sequence[str] = ()
        self._line = LineOfTime(screen.live)

    @property
    def busy(self) -> bool:
        """Whether something that was asked for is not shown yet."""
        return self._working

    # -- what a person asks for

    def step(self, count: int) -> None:
        """So many moments on at which something came in, or back."""
        if count > 0 and self.then is None:
            self._say("this is the present: nothing is newer")
            return
        self._hold()
        self._steps += count
        self._set_off()

    def incident(self, count: int) -> None:
        """So many incidents on, or back."""
        if count > 0 and self.then is None:
            self._say("this is the present: nothing is newer")
            return
        self._hold()
        self._incidents += count
        self._set_off()

    def to(self, at: datetime) -> None:
        """To this moment."""
        self._hold()
        self._target = at
        self._steps = self._incidents = 0
        self._set_off()

    async def back_to_present(self) -> None:
        """The present again, at once."""
        self._hold()
        self._turn += 1
        self.play = None
        self._steps = self._incidents = 0
        self._target = None
        if self.then is None:
            self._say("this is the present")
            return
        self.then = self._opened = None
        self._store = None
        self._since = ()
        self.tell()
        await self._screen.show_moment(None)

    def zoom(self) -> None:
        """The line of time over a day, a week, three months; it is shown for that."""
        later = [days for days in SPANS if days > self._shown_days]
        self._days = later[0] if later else SPANS[0]
        if self.then is None:
            self.pinned = True
        self._run(self._rest, "rewound")
        days = self._shown_days
        self._say(f"the line of time: {days} days" if days > 1 else "the line of time: 24 hours")

    def pin(self) -> None:
        """Show the line of time in the present, or no longer."""
        if self.then is not None:
            self._say("the line of time stays while the past is shown")
            return
        self.pinned = not self.pinned
        self.tell()
        self._run(self._rest, "rewound")

    # -- moving

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]], group: str) -> None:
        """In the place of what runs in this group.  What has not begun when the board ends never was."""
        begin_work(self._screen, work, group=group, exclusive=True)

    def _set_off(self) -> None:
        if not self._working:
            self._working = True
            self._run(self._move, "rewind")

    async def _move(self) -> None:
        """Do what is asked for until nothing is, and paint in between."""
        try:
            while (move := self._next()) is not None:
                self._begun = self._turn
                with self._undisturbed():
                    try:
                        await move()
                    except (MomentError, StoreError) as error:
                        self._steps = self._incidents = 0
                        self._say_why(error)
                    self._opened = None  # unless it is shown by now, there was nothing to go to
                    await asyncio.sleep(FRAME)
        finally:
            self._working = False
        self._run(self._rest, "rewound")

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Until what is read meanwhile is painted nothing is collected, and the board of before is not taken apart.

        The collector would look at each row of a board that is read again and again.
        """
        cells = self.then.cells if self.then is not None else None
        before = (cells.board, cells.suspicion) if cells is not None else None
        gc.disable()
        try:
            yield
        finally:
            gc.enable()
            del before

    def _next(self) -> Callable[[], Awaitable[None]] | None:
        if (target := self._target) is not None:
            self._target = None
            return lambda: self._go(target)
        if steps := self._steps:
            return lambda: self._take_steps(1 if steps > 0 else -1)
        if jumps := self._incidents:
            self._incidents -= 1 if jumps > 0 else -1
            return lambda: self._jump(1 if jumps > 0 else -1)
        return None

    async def _open(self, at: datetime) -> Past:
        """The past that is shown; at first one at this moment, which is shown once it has moved."""
        if self.then is not None:
            return self.then.past
        live = self._live
        self._store = store = live.engine.store
        past = await Past.open(store, at, clock=live.engine.clock, zone=live.cells.zone, like=live.cells.board)
        self._opened = Then(live, past, store)
        return past

    async def _go(self, at: datetime) -> None:
        if self.then is None:
            await self._open(at)
            await self._show(None)
        else:
            await self._show(await self.then.past.go(at))

    async def _take_steps(self, way: Way) -> None:
        """As many of the steps that were asked for as can be taken before they must be seen."""
        past = await self._open(self._live.now)
        began = asyncio.get_running_loop().time()
        changed: set[str] = set()
        gone: set[str] = set()
        delta: Delta | None = None
        taken = 0
        while self._steps * way > 0 and asyncio.get_running_loop().time() - began < AT_ONCE:
            self._steps -= way
            delta = await past.step(way)
            if delta is None:
                self._steps = 0
                break
            taken += 1
            changed = (changed - delta.gone) | delta.changed
            gone = (gone - delta.changed) | delta.gone
        if taken:
            await self._show(Delta(frozenset(changed), frozenset(gone)))
        if delta is None:
            self._say_end(way, "change")

    async def _jump(self, way: Way) -> None:
        past = await self._open(self._live.now)
        delta = await past.to_incident(way)
        if delta is None:
            self._incidents = 0
            self._say_end(way, "incident")
        else:
            await self._show(delta, await self._opened_at(past))

    async def _opened_at(self, past: Past) -> str | None:
        """The most urgent incident that was new at the moment that is shown."""
        came = (row for row in past.board.items() if isinstance(row.fact, Incident) and row.observed_at == past.at)
        found = nsmallest(LOOKED_AT, came, key=urgency)
        changes = await self._live.engine.store.recorded([row.seq for row in found])
        known = {change.seq for change in changes if change.prev_seq is not None}
        new = [row for row in found if row.seq not in known] or [row for row in found if row.failing]
        return new[0].key if new else None

    async def _show(self, delta: Delta | None, subject: str | None = None) -> None:
        """The past has moved; ``delta`` is what that changed, None for everything.  All of it is seen at once.

        The cursor goes to ``subject``, if it is shown.
        """
        if self._begun != self._turn:  # somebody has gone back to the present meanwhile
            self._opened = None
            return
        self._since = ()
        first = self.then is None
        if self.then is None:
            assert self._opened is not None
            self.then, self._opened = self._opened, None
        self.then.stand()
        with self._screen.app.batch_update():
            self.tell()
            if first:
                await self._screen.show_moment(self.then)
            else:
                await self._screen.follow_moment(delta)
            if subject is not None:
                self._screen.reveal(subject)

    def _say_why(self, error: MomentError | StoreError) -> None:
        """Why it stays where it was."""
        if isinstance(error, HistoryGone):
            self._say("what was then is no longer kept", severity="warning")
        elif isinstance(error, StoreError):
            self._say(f"the past cannot be read: {error}", severity="error")
        else:
            self._say(str(error), severity="warning")

    def _say(self, text: str, *, severity: str = "information") -> None:
        self._screen.app.say(text, severity=severity)

    def _say_end(self, way: Way, what: str) -> None:
        if way > 0:
            self._say(f"no later {what}: {self._live.keys_of('present')[0]} goes back to live")
        else:
            self._say(f"no earlier {what} is stored")

    # -- playing

    def start(
        self, since: datetime, until: datetime, speed: float, refused: Callable[[str], None] | None = None
    ) -> None:
        """Play a stretch from its beginning; ``refused`` is told why it cannot be, else the person is."""
        self.play = Play(until, speed)
        self._run(partial(self._begin, since, refused), "play")

    def toggle(self) -> bool:
        """Go on with what is played, or hold it; False where nothing is."""
        if self.play is None or self.then is None:
            return False
        if self.playing is not None:
            self._hold()
            self.tell()
        elif self.then.moment >= self.play.until:
            self._say("the stretch has been played to its end")
        else:
            self._go_on()
        return True

    def _hold(self) -> None:
        self.playing = None

    def _go_on(self) -> None:
        self.playing = self.play
        self._run(self._play, "play")

    async def _begin(self, since: datetime, refused: Callable[[str], None] | None) -> None:
        self._begun = self._turn
        try:
            with self._undisturbed():
                await self._go(since)
                await asyncio.sleep(FRAME)
        except (MomentError, StoreError) as error:
            self.play = None
            if refused is not None:
                refused(str(error))
            else:
                self._say_why(error)
        else:
            self._go_on()

    async def _play(self) -> None:
        """Let time go on, at its speed, until the end of the stretch or until somebody holds it."""
        clock = asyncio.get_running_loop().time
        then, play, before = self.then, self.play, clock()
        while then is not None and play is not None and self.then is then and self.playing is play:
            await asyncio.sleep(PLAY_EVERY)
            if self.playing is not play or self.then is not then:
                return
            now = clock()
            at = min(play.until, then.moment + timedelta(seconds=(now - before) * play.speed))
            before = now
            try:
                delta = await then.past.go(at)
            except (MomentError, StoreError) as error:
                self._hold()
                self._say(f"held: {error}", severity="warning")
                break
            if self.then is not then:
                return
            await self._show(delta)
            if at >= play.until:
                self._hold()
                self._say("the end of the stretch")
        self.tell()
        await self._rest()

    # -- what the screen tells

    def tick(self) -> None:
        """Once a second: how far the moment is moves on."""
        if self.scrubber.display:
            if self.then is not None and self._store is not self._live.engine.store:
                self._run(self._lose, "rewound")
                return
            if self._line.is_old:
                self._run(self._rest, "rewound")
            self.tell()

    async def _lose(self) -> None:
        await self.back_to_present()
        self._say("the history that was shown is another one now: this is the present", severity="warning")

    def tell(self) -> None:
        """The line of time, and what it says."""
        live, then, scrubber = self._live, self.then, self.scrubber
        wanted = then is not None or self.pinned
        if scrubber.display != wanted:
            scrubber.display = wanted
        if not wanted:
            return
        now, zone = live.now, self._zone
        at = then.moment if then is not None else now
        track = self._line.track(at if then is not None else None, self._shown_days)._replace(zone=zone)
        if then is None:
            hints = key_hints(live.keys_of, live=True)
            scrubber.show([legend(scrubber.signs), ""], hints, track, style="muted")
            return
        what = "REWOUND"
        if self.play is not None:
            what = f"REPLAY {self.play.speed:g}x" if self.playing is not None else "REPLAY PAUSED"
        texts = bar_texts(what, moment_words(at, now, zone), distance(at, now), self._since)
        hints = key_hints(live.keys_of, live=False, playing=self.playing is not None, plays=self.play is not None)
        scrubber.show(texts, [f"{legend(scrubber.signs)}   {hints[0]}", *hints], track)

    @property
    def _zone(self) -> tzinfo:
        cells = self._live.cells
        return UTC if cells.times == "utc" else cells.zone

    @property
    def _shown_days(self) -> int:
        at = self.then.moment if self.then is not None else self._live.now
        return days_for(at, self._live.now, self._days)

    # -- what is read beside

    async def _rest(self) -> None:
        """After the last move: read what the line of time shows, and count what has happened since."""
        await asyncio.sleep(REST)
        then = self.then
        if then is None and not self.pinned:
            return
        at = then.moment if then is not None else self._live.now
        if not self._line.fits(at, self._shown_days) and await self._line.read(at, self._shown_days):
            self.tell()
        if then is None:
            return
        try:
            since = await then.past.since()
        except StoreError as error:
            log.warning("what happened since %s cannot be counted: %s", at, error)
            return
        if self.then is then and then.moment == at:
            self._since = since_texts(since)
            self.tell()
