"""The notices of one running board: hears what folds change, and tells whom the config says, by the ways it says."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, Final, Protocol

from statusboard.board import Board, Delta
from statusboard.chatter import Chatter
from statusboard.clock import Clock
from statusboard.errors import DeliveryError, StoreError
from statusboard.model import Status
from statusboard.noticing import delivery, terminal
from statusboard.noticing.history import recall
from statusboard.noticing.options import NoticesOptions
from statusboard.noticing.pacing import Delivery, Offer, Pace, Quiet
from statusboard.noticing.rules import Rules, Way
from statusboard.noticing.watch import Watch
from statusboard.store.base import Store

log = logging.getLogger("statusboard.notices")

AT_ONCE: Final = 4
"""Commands and desktop notifications that are under way at the same time."""
MOST_WAITING: Final = 100
CLOSE_WITHIN: Final = 1.0


class Followed(Protocol):
    """What is asked of an engine."""

    @property
    def board(self) -> Board: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def store(self) -> Store: ...
    @property
    def statuses(self) -> Mapping[str, Status]: ...


class Outlets(Protocol):
    """What is asked of the screen.  ``shows_wall``: a wall has its own ways to show what is new, and no room for
    others."""

    @property
    def shows_wall(self) -> bool: ...

    def say(self, text: str, *, severity: str = "information") -> None:
        """Show a short line for a moment."""

    def show_notice(self, text: str, *, severity: str = "information") -> None:
        """Show a short line for somewhat longer."""

    def write_to_terminal(self, data: str) -> None:
        """Write a whole control sequence, between two frames."""


class Herald:
    """``begin`` it when the board is filled; from then on give it every delta after it was folded, ``tick`` it once a
    second, and say when a key is pressed.  ``chatter`` is there for the screen as well."""

    def __init__(
        self,
        options: NoticesOptions,
        engine: Followed,
        outlets: Outlets,
        *,
        zone: tzinfo,
        chatter: Chatter | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Collection[str] = (),
    ) -> None:
        self.chatter = chatter if chatter is not None else Chatter()
        self._engine = engine
        self._outlets = outlets
        self._env = os.environ if env is None else env
        self._watch = Watch(self.chatter)
        self._pace = Pace(self.chatter)
        self._began: datetime | None = None
        self._early: list[Delta] | None = None
        self._answered: set[str] = set()
        self._desktop = delivery.Desktop()
        self._broken: set[Way] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._numbers = 0
        self.use(options, zone=zone, secrets=secrets)

    def use(self, options: NoticesOptions, *, zone: tzinfo, secrets: Collection[str] = ()) -> None:
        """Go by this config from now on.  ``secrets`` are the environment variables that no command may see."""
        self._rules = Rules(options.rules)
        self._walls = options.walls
        quiet = Quiet(options.quiet, zone) if options.quiet is not None else None
        self._pace.use(self._rules.every_way, at_most=options.at_most, quiet=quiet)
        self._terminal = terminal.choose(options.terminal, tmux=options.tmux, env=self._env)
        self._secrets = frozenset(secrets)

    # -- hearing

    async def begin(self) -> None:
        """Take the board as it is for what was there before, in steps that let others run, and remember the last half
        hour from the store.

        Deltas may be given from the call on: those that come before its end are looked at then.
        """
        now, board = self._engine.clock.now(), self._engine.board
        early: list[Delta] = []
        self._early = early
        for _ in self._watch.begin_steps(board, now):
            await asyncio.sleep(0)
        self._began, self._early = now, None
        self.chatter.age(now)
        for delta in early:
            self.hear(delta)
        self._spawn(self._recall(self._engine.store, board.seq, now))

    async def _recall(self, store: Store, upto: int, now: datetime) -> None:
        try:
            await recall(store, self.chatter, upto=upto, now=now)
        except StoreError as error:
            log.warning("what flipped before the start is not known: %s", error)

    def hear(self, delta: Delta) -> None:
        """A fold changed this."""
        if self._early is not None:
            self._early.append(delta)
        self._guarded(partial(self._hear, delta))

    def _hear(self, delta: Delta) -> None:
        board, clock = self._engine.board, self._engine.clock
        now = clock.now()
        statuses = self._engine.statuses
        # Read with other options by now: its next answer is its first one.
        self._watch.read -= {name for name, status in statuses.items() if status.last_success is None}
        transitions = self._watch.follow(board, delta, now)
        if not transitions:
            return
        rested = self.chatter.age(now)
        offers = []
        for transition in transitions:
            health = board.state_of(transition.fact.source)
            ways = self._rules.ways(transition, now=now, health=health)
            if self._outlets.shows_wall:
                ways = {way: what for way, what in ways.items() if way.name != "visual" and self._walls}
            if ways:
                offers.append(Offer(transition, ways, health))
        self._deliver(self._pace.tick(now, clock.monotonic(), rested=rested, fails=self._watch.fails))
        self._deliver(self._pace.offer(offers, now, clock.monotonic()))

    def tick(self) -> None:
        """A second has passed."""
        self._guarded(self._tick)

    def _tick(self) -> None:
        assert self._began is not None
        clock = self._engine.clock
        now = clock.now()
        answered = {
            name
            for name, status in self._engine.statuses.items()
            if status.last_success is not None and status.last_success >= self._began
        }
        # What a source's first answer brought may be folded a moment after its status was noted.
        self._watch.read |= answered & self._answered
        self._answered = answered
        rested = self.chatter.age(now)
        self._deliver(self._pace.tick(now, clock.monotonic(), rested=rested, fails=self._watch.fails))

    def key_pressed(self) -> None:
        """Somebody is there: tell what quiet hours held back."""
        if (message := self._pace.look()) is not None:
            self._outlets.show_notice(message.text)

    async def close(self) -> None:
        """End what is under way."""
        self._began = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_WITHIN)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Whoever calls us keeps the board going: a fault of ours ends the notices, and nothing else."""
        if self._began is None:
            return
        try:
            work()
        except Exception:
            self._began = None
            log.exception("notices end")
            self._outlets.say("no more notices: an error of statusboard's own, see its log", severity="error")

    # -- telling

    def _deliver(self, deliveries: Iterable[Delivery]) -> None:
        rung = False
        for way, message in deliveries:
            match way.name:
                case "visual":
                    self._outlets.show_notice(message.text, severity="warning" if message.grave else "information")
                case "bell":
                    if not rung:
                        self._outlets.write_to_terminal(terminal.BELL)
                    rung = True
                case "terminal":
                    self._notify(way, Delivery(way, message))
                case "command":
                    command = delivery.filled(way.command, message.fields)
                    env = delivery.environment(self._env, self._secrets)
                    self._attempt(way, partial(delivery.run, command, env=env))
                case "desktop":
                    self._attempt(way, partial(self._desktop.send, message))

    def _notify(self, way: Way, told: Delivery) -> None:
        if self._terminal.form is None:
            self._failed(way, f"terminal notifications: {self._terminal.problem}")
            return
        self._numbers += 1
        message = told.message
        self._outlets.write_to_terminal(
            terminal.sequence(self._terminal, message.title, message.body, number=self._numbers, grave=message.grave)
        )

    def _attempt(self, way: Way, send: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if len(self._tasks) >= MOST_WAITING:
            self._failed(way, f"{MOST_WAITING} notices wait to be delivered already")
        else:
            self._spawn(self._send(way, send))

    async def _send(self, way: Way, send: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            async with self._slots:
                await send()
        except DeliveryError as error:
            self._failed(way, str(error))
        except Exception as error:  # noqa: BLE001 - a boundary: what the desktop's library raises harms no board
            self._failed(way, f"{way.name}: {type(error).__name__}")
        else:
            self._broken.discard(way)

    def _failed(self, way: Way, why: str) -> None:
        """Said once, and logged once, until it works again."""
        if way not in self._broken:
            self._broken.add(way)
            log.warning("notices by %s fail: %s", way.name, why)
            self._outlets.say(f"a notice could not be given: {why}", severity="error")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
