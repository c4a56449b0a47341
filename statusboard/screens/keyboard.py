"""Keys one after the other: what is typed behind a key that opens an input belongs to that input.

Textual gives each key to what has the focus when it comes in.  Of keys that come in one write all would go to the
place where the first one is pressed, and what is to be typed would be carried out there, letter by letter, before the
input has the focus.  Here a key waits until the one before it has been carried out, and what that opened is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import Any, Final, TypeAlias

from textual.app import App, ReturnType
from textual.events import Event, Key, Paste
from textual.message import Message
from textual.widget import Widget

log = logging.getLogger("statusboard.app")

Typed: TypeAlias = Key | Paste

PATIENCE: Final = 1.0
"""Seconds for which keys wait at most for one that is not heard of any more: what had it was taken away."""


class Passed(Message):
    """Goes the way of a key behind it, up to the app: by then the key was carried out, or what had the focus has it."""


class UnderWay:
    """A key that was handed on, and to what; ``follower`` is sent behind it once something waits for it."""

    def __init__(self, event: Typed, target: Widget) -> None:
        self.event = event
        self.target = target
        self.follower: Passed | None = None


class KeyByKey(App[ReturnType]):
    """An app that is given what is typed in its order, a key when the one before is done with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: deque[Typed] = deque()
        self._under_way: UnderWay | None = None
        self._holding = False
        self._overdue: asyncio.TimerHandle | None = None

    @property
    def typed_ahead(self) -> bool:
        """Whether something that was typed waits for what was typed before."""
        return bool(self._waiting)

    def hold_keys(self) -> None:
        """Let what is typed wait for `release_keys`: what it is meant for is not there yet."""
        self._holding = True

    def release_keys(self) -> None:
        """What was held is carried out now."""
        self._holding = False
        if self._under_way is None:
            self.call_later(self._next, None)

    async def take_key(self, event: Typed) -> None:
        """Carry out what was typed: its turn has come."""
        await super().on_event(event)

    async def on_event(self, event: Event) -> None:
        """A key waits for its turn, unless it ends the app; one that comes back was carried out."""
        if not isinstance(event, Typed):
            await super().on_event(event)
        elif event.is_forwarded:
            await super().on_event(event)
            if self._under_way is not None and self._under_way.event is event:
                self._wait_for_what_came_up()
        elif self._is_urgent(event):
            await self.take_key(event)
        elif self._under_way is not None or self._waiting or self._holding:
            self._waiting.append(event)
            self._look_after()
        else:
            await self._carry_out(event)

    def _is_urgent(self, event: Typed) -> bool:
        if not isinstance(event, Key):
            return False
        bound = self._bindings.key_to_bindings.get(event.key, ())
        leaves = self._holding and not self._waiting and any(binding.action == "quit" for binding in bound)
        return leaves or any(binding.priority for binding in bound)

    async def _carry_out(self, event: Typed) -> None:
        self._under_way = UnderWay(event, self.focused or self.screen)
        await self.take_key(event)
        self._look_after()

    def _look_after(self) -> None:
        """Something waits: learn when the key before it is done with, which need not come back."""
        under_way = self._under_way
        if under_way is None or under_way.follower is not None or not self._waiting:
            return
        under_way.follower = Passed()
        if under_way.target.post_message(under_way.follower):
            self._overdue = asyncio.get_running_loop().call_later(PATIENCE, self._give_up, under_way)
        else:
            self._wait_for_what_came_up()

    def on_passed(self, event: Passed) -> None:
        """The key before it was carried out on its way here, or what had the focus took it in."""
        event.stop()
        if self._under_way is not None and self._under_way.follower is event:
            self._wait_for_what_came_up()

    def _wait_for_what_came_up(self) -> None:
        """A screen that the key opened is to be there before the next one, and what asked for the focus is to have it.

        The focus is given by a message to the app; what is asked for here comes behind it.
        """
        done = self._under_way

        def when_screen_is_there() -> None:
            then = partial(self.call_later, self._next, done)
            if self.screen.is_mounted or not self.screen.call_later(then):
                then()

        self.call_later(when_screen_is_there)

    async def _next(self, done: UnderWay | None) -> None:
        if done is not self._under_way or self._holding:
            return
        self._under_way = None
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        if self._waiting:
            await self._carry_out(self._waiting.popleft())

    def _give_up(self, lost: UnderWay) -> None:
        self._overdue = None
        if self._under_way is lost:
            log.info("a key was lost with what had the focus")
            self.call_later(self._next, lost)
