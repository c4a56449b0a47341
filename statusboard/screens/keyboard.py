"""Keys one after the other: what is typed behind a key that opens an input belongs to that input.

Textual gives each key to what has the focus when it comes in.  Of keys that come in one write all would go to the
place where the first one is pressed, and what is to be typed would be carried out there, letter by letter, before the
input has the focus.  Here a key waits until the one before it has been carried out, and what that opened is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Final, TypeAlias

from textual.app import App, ReturnType
from textual.events import Event, Key, Paste
from textual.message import Message

log = logging.getLogger("statusboard.app")

Typed: TypeAlias = Key | Paste

PATIENCE: Final = 1.0
"""Seconds for which keys wait at most for one that is not heard of any more: what had it was taken away."""


class Passed(Message):
    """Goes the way of a key right behind it, up to the app: by then the key was carried out or taken in."""


class KeyByKey(App[ReturnType]):
    """An app that is given what is typed in its order, a key when the one before is done with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: deque[Typed] = deque()
        #: The key that is being carried out, and what follows it.
        self._under_way: tuple[Typed, Passed] | None = None
        self._holding = False
        self._overdue: asyncio.TimerHandle | None = None

    @property
    def typed_ahead(self) -> bool:
        """Whether something that was typed is not carried out yet."""
        return self._under_way is not None or bool(self._waiting)

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
            if self._under_way is not None and self._under_way[0] is event:
                self._wait_for_what_came_up()
        elif self._is_urgent(event):
            await self.take_key(event)
        elif self._under_way is not None or self._waiting or self._holding:
            self._waiting.append(event)
            self._be_patient()
        else:
            await self._carry_out(event)

    def _is_urgent(self, event: Typed) -> bool:
        if not isinstance(event, Key):
            return False
        bound = self._bindings.key_to_bindings.get(event.key, ())
        leaves = self._holding and not self._waiting and any(binding.action == "quit" for binding in bound)
        return leaves or any(binding.priority for binding in bound)

    async def _carry_out(self, event: Typed) -> None:
        follower = Passed()
        self._under_way = (event, follower)
        self._be_patient()
        target = self.focused or self.screen
        await self.take_key(event)
        if not target.post_message(follower):
            self._wait_for_what_came_up()

    def on_passed(self, event: Passed) -> None:
        """The key before it was carried out on its way here, or what had the focus took it in."""
        event.stop()
        if self._under_way is not None and self._under_way[1] is event:
            self._wait_for_what_came_up()

    def _wait_for_what_came_up(self) -> None:
        """A screen that the key opened is to be there before the next one, and what asked for the focus is to have it.

        The focus is given by a message to the app; what is asked for here comes behind it.
        """
        done = self._under_way

        def when_screen_is_there() -> None:
            if not self.screen.call_later(lambda: self.call_later(self._next, done)):
                self.call_later(self._next, done)

        self.call_later(when_screen_is_there)

    async def _next(self, done: tuple[Typed, Passed] | None) -> None:
        if done is not self._under_way or self._holding:
            return
        self._under_way = None
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        if self._waiting:
            await self._carry_out(self._waiting.popleft())

    def _be_patient(self) -> None:
        """While something waits, see to it that it does not wait for ever."""
        if self._waiting and self._under_way is not None and self._overdue is None:
            self._overdue = asyncio.get_running_loop().call_later(PATIENCE, self._give_up, self._under_way)

    def _give_up(self, lost: tuple[Typed, Passed]) -> None:
        self._overdue = None
        if self._under_way is lost:
            log.info("a key was lost with what had the focus")
            self.call_later(self._next, lost)
