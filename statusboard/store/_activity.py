"""Waiting for writes: a counter that goes up with each one, and the tasks that sleep until it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from statusboard.clock import Clock
from statusboard.errors import StoreError


class Activity:
    """Who waits for writes to one store.  Used from one event loop only.

    Somebody reads ``generation``, then the store, then calls `past` with that generation: a write in between ends the
    wait at once, so none is missed.  ``watch`` is told whether anybody waits at all.
    """

    def __init__(self, clock: Clock, watch: Callable[[bool], None] = lambda waiting: None) -> None:
        self.generation = 0
        self._clock = clock
        self._watch = watch
        self._waiters: set[asyncio.Future[None]] = set()
        self._seen: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()
        self._closed = False

    def bump(self) -> None:
        """Something was written."""
        self.generation += 1
        self._wake()

    def close(self) -> None:
        """Nothing will be written any more: whoever waits gets a `StoreError`."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def past(self, generation: int, timeout: float | None = None) -> bool:
        """Wait until something was written after ``generation``, or for ``timeout`` seconds (False)."""
        if self._closed:
            raise StoreError("the store is closed")
        if self.generation > generation:
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        if len(self._waiters) == 1:
            self._watch(True)
        try:
            if timeout is None:
                await waiter
            else:
                await self._first(waiter, timeout)
        finally:
            self._waiters.discard(waiter)
            if not self._waiters:
                self._watch(False)
        if self._closed:
            raise StoreError("the store is closed")
        return self.generation > generation

    async def _first(self, waiter: asyncio.Future[None], timeout: float) -> None:
        sleeper = asyncio.ensure_future(self._clock.sleep(timeout))
        try:
            await asyncio.wait((waiter, sleeper), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()

    async def next(self, timeout: float) -> bool:
        """`past` what the calling task saw last: what is written between two of its calls ends the second at once."""
        task = asyncio.current_task()
        assert task is not None
        active = await self.past(self._seen.get(task, self.generation), timeout)
        self._seen[task] = self.generation
        return active
