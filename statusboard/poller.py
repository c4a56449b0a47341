"""One task per source: poll, take the parts in, judge the health, wait.  Whatever one source does harms no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

import msgspec

from statusboard import schedule
from statusboard.clock import Clock
from statusboard.errors import LeaseLost, NotFound, SourceBug, SourceError, StoreError
from statusboard.health import Tracker, describe
from statusboard.ingest import Ingest
from statusboard.model import Item, Part, Status, Validator, remote_id
from statusboard.source import HttpFactory, LookupUnsupported, Source, SourceOptions, contained

log = logging.getLogger("statusboard.poller")

#: Unfinished items that fell out of a window are read again by id: this many a poll, each at most every so often.
LOOKUPS_A_POLL = 10
LOOKUP_EVERY = 4
#: A poll as a whole is given up after this long; a part has its own, shorter limit.
PART_LIMIT = 120.0
#: How often health is judged by the clock alone, and waiting statuses are written, in seconds.
TICK = 1.0


class Budgeted(Protocol):
    """What the poller needs to know of a source's client (`statusboard.client.SourceClient`)."""

    @property
    def factory(self) -> HttpFactory: ...
    @property
    def requests(self) -> int: ...
    @property
    def clock_offset(self) -> float | None: ...
    def budget_view(self) -> tuple[int | None, int | None, float | None]:
        """Requests left, their limit, and seconds until the reset, as far as the vendor says."""

    def pause_for(self, requests_per_poll: int) -> float:
        """The least interval, in seconds, with which the quota lasts until its reset."""

    def commit(self, validators: Iterable[Validator]) -> None:
        """The changes these vouch for are stored: use them from now on."""

    def retry_credentials(self) -> None:
        """Read the secrets anew at the next request."""


class Polled:
    """A configured source at work."""

    def __init__(
        self, source: Source[SourceOptions], client: Budgeted, tracker: Tracker, *, interval: float, clock: Clock
    ) -> None:
        self.source = source
        self.client = client
        self.tracker = tracker
        self.interval = interval
        self.clock = clock
        self.failures = 0
        self.quiet_polls = 0
        self.polls = 0
        self.wake = asyncio.Event()
        self.polling = asyncio.Lock()
        self.status = Status(source=source.name, type=source.type, interval=interval, last_success=tracker.last_success)
        self.last_error: BaseException | None = None
        self.looked_up: dict[str, int] = {}

    @property
    def name(self) -> str:
        return self.source.name


class Poller:
    """Runs the tasks.  ``on_lease_lost`` is called once when the store says that another board polls now."""

    def __init__(
        self,
        polled: Iterable[Polled],
        ingest: Ingest,
        clock: Clock,
        *,
        random: Random | None = None,
        on_lease_lost: Callable[[], None] = lambda: None,
        on_store_error: Callable[[StoreError], None] = lambda error: None,
    ) -> None:
        self.polled: Mapping[str, Polled] = {p.name: p for p in polled}
        self.ingest = ingest
        self.clock = clock
        self.random = random or Random()
        self._on_lease_lost = on_lease_lost
        self._on_store_error = on_store_error
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start a task for each source, and the one that judges health by the clock."""
        count = len(self.polled)
        for index, polled in enumerate(self.polled.values()):
            delay = schedule.spread(index, count, polled.interval)
            self._tasks.append(asyncio.create_task(self._run(polled, delay), name=f"poll {polled.name}"))
        self._tasks.append(asyncio.create_task(self._watch(), name="health"))

    async def stop(self) -> None:
        """End all tasks; what waits to be written is written if the store still takes it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        try:
            await self.ingest.flush()
        except StoreError as error:
            log.warning("the last statuses were not stored: %s", error)

    def refresh(self, name: str | None = None) -> None:
        """Poll this source, or all, now; a source that waits after an authentication failure is asked as well."""
        for polled in self.polled.values():
            if name in (None, polled.name):
                polled.client.retry_credentials()
                polled.wake.set()

    async def pause(self, name: str, paused: bool) -> None:
        """Stop or resume polling one source, by a person's wish."""
        polled = self.polled[name]
        polled.tracker.paused = paused
        await self._judge(polled)
        if not paused:
            polled.wake.set()

    # -- one source ----------------------------------------------------------------------------------------------

    async def _run(self, polled: Polled, delay: float) -> None:
        while True:
            self._tell_next(polled, delay)
            await self._wait(polled, delay)
            if polled.tracker.paused:
                delay = polled.interval
                continue
            try:
                delay = await self.poll(polled)
            except LeaseLost:
                log.info("another board polls this store now")
                self._on_lease_lost()
                return
            except StoreError as error:
                self._on_store_error(error)
                delay = polled.interval
            except Exception:
                log.exception("polling %s failed", polled.name)
                delay = polled.interval

    async def _wait(self, polled: Polled, delay: float) -> None:
        """Wait ``delay`` seconds of the clock, or until somebody asks for a poll."""
        polled.wake.clear()
        sleeper = asyncio.ensure_future(self.clock.sleep(delay))
        waker = asyncio.ensure_future(polled.wake.wait())
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waker.cancel()

    async def poll(self, polled: Polled) -> float:
        """Poll once, take everything in, and return the seconds until the next poll.

        Raises `StoreError` (`LeaseLost`) where what was read could not be stored.
        """
        async with polled.polling:
            return await self._poll(polled)

    async def _poll(self, polled: Polled) -> float:
        source, tracker, client = polled.source, polled.tracker, polled.client
        mark = self.ingest.mark
        attempt = self.clock.now()
        began = self.clock.monotonic()
        requests = client.requests
        scopes: set[str] = set()
        stored = 0
        error: BaseException | None = None
        notes: list[str] = []
        polled.polls += 1
        try:
            async for part in source.stream(client.factory, timeout=PART_LIMIT):
                scopes.add(part.scope)
                stored += await self._take(polled, part, mark, notes)
                if part.error is not None:
                    error = part.error
                    self._failed(polled, part)
                    continue
                tracker.read(part.scope, part.started_at, part.beats, unchanged=part.unchanged)
            tracker.polled(scopes)
            stored += len(await self.ingest.withdraw(source.name, scopes))
        except StoreError:
            raise
        except SourceError as exc:
            error = exc
            if tracker.failed_whole(exc):
                log.warning("source %s cannot be read: %s", source.name, describe(exc))
        was_failing = polled.last_error is not None
        if was_failing and error is None:
            log.info("source %s is read again", source.name)
        polled.last_error = error
        polled.failures = polled.failures + 1 if error is not None else 0
        polled.quiet_polls = 0 if stored or error is not None else polled.quiet_polls + 1
        requests = client.requests - requests
        delay = self._delay(polled, requests)
        took = self.clock.monotonic() - began
        self._tell(polled, attempt=attempt, duration=took, requests=requests, delay=delay, notes=notes)
        await self._judge(polled)
        return delay

    async def _take(self, polled: Polled, part: Part, mark: int, notes: list[str]) -> int:
        name = polled.name
        changes, orphans, faults = await self.ingest.part(name, part, mark=mark, gap=2 * polled.interval)
        polled.client.commit(part.validators)
        notes += part.notes
        if faults:
            notes.append(f"{part.scope}: {len(faults)} items left out: {faults[0]}")
        stored = len(changes)
        if orphans:
            stored += await self._look_up(polled, part, orphans)
        return stored

    async def _look_up(self, polled: Polled, part: Part, orphans: list[str]) -> int:
        """Read items that fell out of their window by id; what cannot be read becomes unknown."""
        due = [k for k in orphans if polled.polls - polled.looked_up.get(k, -LOOKUP_EVERY) >= LOOKUP_EVERY]
        http = polled.client.factory(part.scope)
        found: list[Item] = []
        gone: list[str] = []
        unreadable: list[str] = []
        for key in due[:LOOKUPS_A_POLL]:
            polled.looked_up[key] = polled.polls
            try:
                item = await contained(polled.source, "lookup", polled.source.lookup(part.kind, remote_id(key), http))
            except NotFound:
                item = None
            except LookupUnsupported:
                unreadable.append(key)
                continue
            except SourceError as error:
                log.info("source %s: %s could not be read again: %s", polled.name, key, describe(error))
                continue
            if item is None:
                gone.append(key)
            else:
                found.append(item)
        changes = [
            *await self.ingest.found(polled.name, part, found),
            *await self.ingest.gone(polled.name, gone),
            *await self.ingest.unreadable(polled.name, unreadable),
        ]
        polled.looked_up = {k: n for k, n in polled.looked_up.items() if k in orphans}
        return len(changes)

    def _failed(self, polled: Polled, part: Part) -> None:
        error = part.error if isinstance(part.error, SourceError) else SourceBug(type(part.error).__name__)
        if polled.tracker.failed(part.scope, error):
            log.warning("source %s: %s cannot be read: %s", polled.name, part.scope, describe(error))

    def _delay(self, polled: Polled, requests: int) -> float:
        kinds = polled.source.options.kinds or tuple(polled.source.kinds)
        error = polled.last_error
        if error is not None and self._nothing_read(polled):
            return schedule.after_failure(error, polled.failures, polled.interval, kinds=kinds, random=self.random)
        return schedule.after_success(
            polled.interval,
            running=self.ingest.running(polled.name),
            quiet_polls=polled.quiet_polls,
            kinds=kinds,
            budget_pause=polled.client.pause_for(requests),
            random=self.random,
        )

    def _nothing_read(self, polled: Polled) -> bool:
        """Whether the newest poll read no part at all, so that backing off costs nothing."""
        last, attempt = polled.tracker.last_success, polled.status.last_success
        return last is None or last == attempt

    # -- telling -------------------------------------------------------------------------------------------------

    def _tell(
        self, polled: Polled, *, attempt: datetime, duration: float, requests: int, delay: float, notes: list[str]
    ) -> None:
        left, limit, reset = polled.client.budget_view()
        now = self.clock.now()
        polled.status = Status(
            source=polled.name,
            type=polled.source.type,
            interval=polled.interval,
            last_attempt=attempt,
            last_success=polled.tracker.last_success,
            next_poll=now + timedelta(seconds=delay),
            duration=round(duration, 3),
            budget_left=left,
            budget_limit=limit,
            budget_reset=now + timedelta(seconds=reset) if reset is not None else None,
            requests=requests,
            clock_offset=polled.client.clock_offset,
            notes=tuple(notes[:10]),
        )
        self.ingest.status(polled.status)

    def _tell_next(self, polled: Polled, delay: float) -> None:
        """Before the first poll there is a next one already."""
        if polled.status.next_poll is None:
            polled.status = msgspec.structs.replace(
                polled.status, next_poll=self.clock.now() + timedelta(seconds=delay)
            )

    async def _judge(self, polled: Polled) -> None:
        await self.ingest.health(polled.tracker.judge(self.clock.now()))

    async def _watch(self) -> None:
        """Judge every source by the clock alone, and write what waits, once a tick."""
        while True:
            try:
                for polled in self.polled.values():
                    await self._judge(polled)
                await self.ingest.flush()
            except LeaseLost:
                self._on_lease_lost()
                return
            except StoreError as error:
                self._on_store_error(error)
            await self.clock.sleep(TICK)
