"""Asking one source for its past: with patience, and for no more than may be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol, TypeVar

from statusboard.backfill._progress import SourceProgress
from statusboard.clock import Clock
from statusboard.errors import AuthError, RateLimited, ServerError, SourceError, Timeout, TransportError
from statusboard.health import describe
from statusboard.source import Http, HttpFactory

T = TypeVar("T")

#: The share of every quota that is left to those who read what happens now.
RESERVE = 0.5
#: The longest rest between two pages, in seconds.
MOST_REST = 5.0
#: Tries of one page in a row that may fail for a while, and the longest pause before the next one, in seconds.
TRIES = 4
MOST_PAUSE = 60.0
#: Times in a row that a vendor may ask us to wait before a page is given up.
MOST_WAITS = 50

#: Parts in a row that could not be read since the server was down, or had had enough of us.
MOST_IN_A_ROW = 3

_PASSING = (Timeout, TransportError, ServerError)


class Asker(Protocol):
    """What backfill needs to know of a source's client (`statusboard.client.SourceClient`)."""

    @property
    def factory(self) -> HttpFactory: ...
    @property
    def requests(self) -> int: ...
    def wait_for_room(self, share: float) -> float: ...


class Troubles:
    """Whether a source should be left alone: its credential is void, or its server is down.

    Vendors lock out for a while who goes on asking with a credential that was refused.  ``enough`` says why, in words.
    """

    def __init__(self) -> None:
        self.enough: str | None = None
        self._in_a_row = 0

    def note(self, error: SourceError) -> None:
        """A part has failed."""
        self._in_a_row = self._in_a_row + 1 if isinstance(error, (*_PASSING, RateLimited)) else 0
        refused = isinstance(error, AuthError) and error.status == 401
        if refused or self._in_a_row >= MOST_IN_A_ROW:
            self.enough = describe(error)

    def clear(self) -> None:
        """A part was read."""
        self._in_a_row = 0


class Reader:
    """Asks one source: with patience, and no more than it may."""

    def __init__(
        self, client: Asker, clock: Clock, progress: SourceProgress, tell: Callable[[SourceProgress], None]
    ) -> None:
        self.client = client
        self.progress = progress
        self._clock = clock
        self._tell = tell
        self._rest = 0.0

    async def patiently(self, scope: str, ask: Callable[[Http], Awaitable[T]]) -> T:
        """What ``ask`` gives, once there is room for it.

        What may pass is waited for; what does not raises its `SourceError`.
        """
        failures = waits = 0
        while True:
            await self._clock.sleep(self._rest)
            await self._wait(self.client.wait_for_room(RESERVE), "so that half of its quota is left to others")
            began = self._clock.monotonic()
            try:
                try:
                    answer = await ask(self.client.factory(scope))
                finally:
                    self.progress.requests = self.client.requests
            except RateLimited as error:
                waits += 1
                if waits > MOST_WAITS:
                    raise
                await self._wait(max(error.retry_after or 60.0, 1.0), "as the server asks")
            except _PASSING as error:
                failures += 1
                if failures >= TRIES:
                    raise
                await self._wait(min(error.retry_after or 2.0**failures, MOST_PAUSE), f"since {describe(error)}")
            else:
                self._rest = min(self._clock.monotonic() - began, MOST_REST)
                return answer

    async def _wait(self, seconds: float, why: str) -> None:
        if seconds <= 0:
            return
        self.progress.until, self.progress.waits = self._clock.now() + timedelta(seconds=seconds), why
        self._tell(self.progress)
        try:
            await self._clock.sleep(seconds)
        finally:
            self.progress.until = None
