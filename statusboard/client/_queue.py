"""Whose turn it is: at most so many requests at once to one origin, fair between sources and their scopes."""

from __future__ import annotations

import asyncio
from collections import deque

from statusboard.clock import Clock

PATIENCE = 1.5
"""Seconds without an answer after which a request gives its slot to others."""

OUTSIDE = 8
"""How many such requests may go on beside the queue."""

PASSED_OVER = 100
"""How many turns of others a scope that was slow waits for, at the most."""


_YIELDS = 5  # turns of the event loop in which the other scopes of a poll that starts now can come first


class Slot:
    """The right of one request to be under way."""

    __slots__ = ("held", "scope", "since", "source")

    def __init__(self, source: str, scope: str, since: float) -> None:
        self.source = source
        self.scope = scope
        self.since = since
        self.held = True


class _Turns:
    """Waiting requests, taken in turns by source, then by scope, then in order of arrival."""

    def __init__(self) -> None:
        self._sources: dict[str, dict[str, deque[asyncio.Future[Slot]]]] = {}

    def __bool__(self) -> bool:
        return bool(self._sources)

    def add(self, source: str, scope: str, waiter: asyncio.Future[Slot]) -> None:
        self._sources.setdefault(source, {}).setdefault(scope, deque()).append(waiter)

    def take(self) -> tuple[str, str, asyncio.Future[Slot]]:
        source = next(iter(self._sources))
        scopes = self._sources.pop(source)
        scope = next(iter(scopes))
        waiters = scopes.pop(scope)
        waiter = waiters.popleft()
        if waiters:  # back to the end of the line
            scopes[scope] = waiters
        if scopes:
            self._sources[source] = scopes
        return source, scope, waiter


class FairQueue:
    """The queue of one origin and credential.

    A request that has had no answer for `PATIENCE` gives its slot back and goes on beside the queue, so that one
    hanging repository does not hold up the rest; its scope comes last from then on, until it answers in time.
    """

    def __init__(self, limit: int, clock: Clock, *, patience: float = PATIENCE, outside: int = OUTSIDE) -> None:
        self.limit = limit
        self._clock = clock
        self._patience = patience
        self._most_outside = outside
        self._held: set[Slot] = set()
        self._outside = 0
        self._prompt = _Turns()
        self._late = _Turns()
        self._passed_over = 0
        self._slow: set[tuple[str, str]] = set()
        self._watch: asyncio.Task[None] | None = None

    @property
    def busy(self) -> int:
        """Requests that hold a slot."""
        return len(self._held)

    @property
    def outside(self) -> int:
        """Requests that lost their slot and still wait for an answer."""
        return self._outside

    def enter(self, source: str, scope: str) -> Slot | None:
        """A slot at once, or ``None`` where `wait` is needed."""
        if len(self._held) >= self.limit or self._prompt or self._late or (source, scope) in self._slow:
            return None
        return self._grant(source, scope)

    async def wait(self, source: str, scope: str) -> Slot:
        """A slot, when it is this scope's turn."""
        waiter: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        turns = self._prompt
        if (source, scope) in self._slow:
            turns = self._late
            for _ in range(_YIELDS):
                await asyncio.sleep(0)
        turns.add(source, scope, waiter)
        self._next()
        self._keep_watch()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave(waiter.result())
            raise

    def heard(self, slot: Slot) -> None:
        """The answer began; the rest of it gets the same patience again."""
        slot.since = self._clock.monotonic()

    def leave(self, slot: Slot) -> None:
        """The request ended, well or not."""
        if slot.held:
            self._held.discard(slot)
            self._slow.discard((slot.source, slot.scope))
        else:
            self._outside -= 1
        slot.held = False
        self._next()
        if self._prompt or self._late:
            self._keep_watch()

    def close(self) -> None:
        """End the watch over slow requests."""
        if self._watch is not None:
            self._watch.cancel()

    def _grant(self, source: str, scope: str) -> Slot:
        slot = Slot(source, scope, self._clock.monotonic())
        self._held.add(slot)
        return slot

    def _next(self) -> None:
        while len(self._held) < self.limit and (self._prompt or self._late):
            late = bool(self._late) and (not self._prompt or self._passed_over >= PASSED_OVER)
            self._passed_over = 0 if late or not self._late else self._passed_over + 1
            source, scope, waiter = (self._late if late else self._prompt).take()
            if not waiter.done():  # else it was cancelled while it waited
                waiter.set_result(self._grant(source, scope))

    def _keep_watch(self) -> None:
        # Only while somebody waits: a slow request that keeps nobody waiting harms nobody.
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._take_slots_from_the_slow(), name="statusboard-queue")

    async def _take_slots_from_the_slow(self) -> None:
        while (self._prompt or self._late) and self._outside < self._most_outside:
            now = self._clock.monotonic()
            oldest = min(self._held, key=lambda slot: slot.since)
            wait = oldest.since + self._patience - now
            if wait > 0:
                await self._clock.sleep(wait)
                if not self._held:
                    return
                continue
            self._held.discard(oldest)
            oldest.held = False
            self._outside += 1
            self._slow.add((oldest.source, oldest.scope))
            self._next()
