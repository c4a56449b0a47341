"""One task per source: poll, take the parts in, judge the health, wait.  Whatever one source does harms no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple, Protocol

import msgspec

from statusboard import schedule
from statusboard.clock import Clock
from statusboard.errors import AuthError, LeaseLost, NotFound, RateLimited, SourceBug, SourceError, StoreError, Timeout
from statusboard.health import Tracker, describe
from statusboard.ingest import Ingest, Taken
from statusboard.model import Item, ItemKind, Part, Status, Validator, remote_id
from statusboard.source import Http, HttpFactory, LookupUnsupported, Source, SourceOptions, contained
from statusboard.text import clean

log = logging.getLogger("statusboard.poller")

#: Unfinished items that fell out of a window are read again by id: this many a poll, each at most every so often, and
#: after so many failures in a row they count as unknown.
LOOKUPS_A_POLL = 10
LOOKUP_EVERY = 4
LOOKUP_TRIES = 3
LOOKUP_LIMIT = 30.0
#: A part is given up after this long; a source's client has shorter limits of its own.
PART_LIMIT = 120.0
#: How often health is judged by the clock alone, and waiting statuses are written, in seconds.
TICK = 1.0
#: The task that judges health, among those of the sources: no source has an empty name.
_HEALTH = ""


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

    def forget(self, part: str) -> None:
        """Read this part in full next time: its validators vouch for what is no longer known."""

    def retry_credentials(self) -> None:
        """Read the secrets anew at the next request."""

    async def aclose(self) -> None:
        """This source is read no longer: close what no other client of this process needs."""


class Held(NamedTuple):
    """A part that failed beside others that did not: it is left alone until then, by the monotonic clock."""

    error: SourceError
    failures: int
    until: float


class Look(NamedTuple):
    """When an item was last read by id, counted in polls, and how often that has failed in a row."""

    poll: int = -LOOKUP_EVERY
    failures: int = 0


class Polled:
    """A configured source at work.

    ``failures`` counts polls in a row that read nothing at all.  ``insist``: a person wants all of it read now.
    """

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
        self.insist = False
        self.held: dict[str, Held] = {}
        self.looks: dict[str, Look] = {}
        self.looks_left = 0
        self.notes: dict[str, tuple[str, ...]] = {}
        #: When the next poll is due, by the monotonic clock.
        self.due = 0.0

    def go_on_from(self, other: Polled) -> None:
        """What is known of how this source is read stays, though its items are filed anew: health, back-off, notes."""
        self.tracker, self.status, self.notes = other.tracker, other.status, other.notes
        self.failures, self.quiet_polls, self.last_error = other.failures, other.quiet_polls, other.last_error
        self.held, self.insist, self.due = other.held, other.insist, other.due

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def kinds(self) -> Collection[ItemKind]:
        """What it is asked to read."""
        return self.source.options.asked(self.source.kinds)


class Poller:
    """Runs the tasks.  ``on_lease_lost`` is called once when the store says that another board polls now.

    ``limit`` is how long one part may take to be read, in seconds.
    """

    def __init__(
        self,
        polled: Iterable[Polled],
        ingest: Ingest,
        clock: Clock,
        *,
        random: Random | None = None,
        limit: float = PART_LIMIT,
        on_lease_lost: Callable[[], None] = lambda: None,
        on_store_error: Callable[[StoreError], None] = lambda error: None,
    ) -> None:
        self.polled: Mapping[str, Polled] = {p.name: p for p in polled}
        self.ingest = ingest
        self.clock = clock
        self.random = random or Random()
        self.limit = limit
        self._on_lease_lost = on_lease_lost
        self._on_store_error = on_store_error
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._started = False

    def start(self) -> None:
        """Start a task for each source, and the one that judges health by the clock."""
        self._started = True
        self.go_on(self.polled.values())

    async def halt(self, names: Collection[str]) -> None:
        """End the tasks of these sources, and the judging of health, until `go_on`: they can be replaced meanwhile."""
        await self._end([*names, _HEALTH])

    def go_on(self, polled: Iterable[Polled]) -> None:
        """Poll these sources from now on; those that are polled already keep their schedule, the others begin."""
        self.polled = {p.name: p for p in polled}
        if not self._started:
            return
        waiting = [p for p in self.polled.values() if p.name not in self._tasks]
        for index, each in enumerate(waiting):
            delay = schedule.spread(index, len(waiting), each.interval)
            if each.failures:  # who backed off does not ask earlier for having been filed anew
                delay = max(delay, each.due - self.clock.monotonic())
            self._tasks[each.name] = asyncio.create_task(self._run(each, delay), name=f"poll {each.name}")
        if _HEALTH not in self._tasks:
            self._tasks[_HEALTH] = asyncio.create_task(self._watch(), name="health")

    async def _end(self, names: Collection[str]) -> None:
        tasks = [self._tasks.pop(name) for name in names if name in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        """End all tasks; what waits to be written is written if the store still takes it."""
        await self._end(list(self._tasks))
        try:
            await self.ingest.flush()
        except StoreError as error:
            log.warning("the last statuses were not stored: %s", error)

    def refresh(self, name: str | None = None) -> None:
        """Poll this source, or all, now, even what waits after a failure; once more where a poll is under way."""
        for polled in self.polled.values():
            if name in (None, polled.name):
                polled.client.retry_credentials()
                polled.insist = True
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
            polled.due = self.clock.monotonic() + delay
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
            except Exception:  # boundary: a fault of ours in one source's task must not end its polling
                log.exception("polling %s failed", polled.name)
                delay = polled.interval

    async def _wait(self, polled: Polled, delay: float) -> None:
        """Wait ``delay`` seconds of the clock, or until somebody asks for a poll (or did so since the last began)."""
        sleeper = asyncio.ensure_future(self.clock.sleep(delay))
        waker = asyncio.ensure_future(polled.wake.wait())
        try:
            await asyncio.wait({sleeper, waker}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waker.cancel()
            polled.wake.clear()

    async def poll(self, polled: Polled) -> float:
        """Poll once, take everything in, and return the seconds until the next poll.

        Raises `StoreError` (`LeaseLost`) where what was read could not be stored.
        """
        async with polled.polling:
            return await self._poll(polled)

    async def _poll(self, polled: Polled) -> float:
        source, tracker, client = polled.source, polled.tracker, polled.client
        attempt, began, requests = self.clock.now(), self.clock.monotonic(), client.requests
        mark = self.ingest.mark
        polled.polls += 1
        polled.looks_left = LOOKUPS_A_POLL
        scopes: set[str] = set()
        orphans: set[str] = set()
        failed: dict[str, SourceError] = {}
        read = stored = 0
        anew = True
        error: SourceError | None = None
        held = self._still_held(polled)
        try:
            async with aclosing(source.stream(client.factory, timeout=self.limit, held=held)) as parts:
                async for given in parts:
                    taken = await self._take(polled, given, mark)
                    part = taken.part
                    scopes.add(part.scope)
                    stored += len(taken.changes)
                    if part.error is not None:
                        error = failed[part.scope] = self._failed(polled, part)
                        continue
                    read += 1
                    anew = anew and not part.unchanged
                    tracker.read(part.scope, part.started_at, part.beats, unchanged=part.unchanged)
                    orphans.update(taken.orphans)
                    stored += await self._look_up(polled, part, taken.orphans)
            tracker.polled(scopes)
            # Rows of no part (their store was damaged) are gone where everything was read and nothing tells of them.
            stored += await self._withdraw(polled, scopes if anew and not failed else {*scopes, ""})
            if not failed:
                polled.looks = {key: look for key, look in polled.looks.items() if key in orphans}
        except SourceError as exc:
            error = exc
            if tracker.failed_whole(exc):
                log.warning("source %s cannot be read: %s", source.name, describe(exc))
        if not read and any(isinstance(exc, AuthError) for exc in (error, *failed.values())):
            client.retry_credentials()  # the client sees a 401, but not a 200 in which the source found a refusal
        if polled.last_error is not None and error is None:
            log.info("source %s is read again", source.name)
        polled.last_error = error
        polled.failures = polled.failures + 1 if error is not None and not read else 0
        polled.quiet_polls = 0 if stored or error is not None else polled.quiet_polls + 1
        self._hold(polled, failed if read else {}, held)
        requests = client.requests - requests
        delay = self._delay(polled, requests)
        now, took = self.clock.now(), self.clock.monotonic() - began
        self._tell(polled, now, attempt=attempt, duration=took, requests=requests, delay=delay)
        await self.ingest.health(tracker.judge(now))
        return delay

    async def _take(self, polled: Polled, part: Part, mark: int) -> Taken:
        """Take a part in; whatever it holds harms nobody but this part."""
        try:
            taken = await self.ingest.part(polled.name, part, mark=mark, gap=2 * polled.interval)
        except StoreError:
            raise
        except Exception as exc:  # boundary: a source may have put anything at all into its items
            log.error("source %s: %s cannot be taken in", polled.name, part.scope, exc_info=exc)
            bug = SourceBug(f"the {polled.source.type} source failed: {type(exc).__name__}")
            return Taken([], [], msgspec.structs.replace(part, items=(), validators=(), error=bug))
        part = taken.part
        if part.error is None and not part.unchanged:
            polled.client.forget(part.scope)
            polled.client.commit(part.validators)
        if not part.unchanged:
            polled.notes[part.scope] = tuple(clean(str(note), 300) for note in part.notes)
        return taken

    async def _withdraw(self, polled: Polled, parts: set[str]) -> int:
        """Withdraw what other parts than these held; returns how many changes that made."""
        for part in polled.notes.keys() - parts:
            del polled.notes[part]
        changes, gone = await self.ingest.withdraw(polled.name, parts)
        for part in gone:
            polled.client.forget(part)
        return len(changes)

    async def _look_up(self, polled: Polled, part: Part, orphans: list[str]) -> int:
        """Read items that fell out of their window by id; what cannot be read becomes unknown."""
        if not orphans:
            return 0
        http = polled.client.factory(part.scope)
        found: list[Item] = []
        gone: list[str] = []
        unreadable: list[str] = []
        for key in orphans:
            look = polled.looks.get(key, Look())
            if polled.looks_left <= 0:
                break
            if polled.polls - look.poll < LOOKUP_EVERY:
                continue
            failures = 0
            try:
                item = await self._lookup(polled, part, key, http)
            except LookupUnsupported:
                unreadable.append(key)
                continue
            except NotFound:
                gone.append(key)
            except RateLimited as error:
                log.info("source %s: %s is not read again now: %s", polled.name, key, describe(error))
                break
            except SourceError as error:
                log.info("source %s: %s could not be read again: %s", polled.name, key, describe(error))
                failures = look.failures + 1
                if failures >= LOOKUP_TRIES:
                    unreadable.append(key)
            else:
                if item is None:
                    gone.append(key)
                else:
                    found.append(item)
            polled.looks[key] = Look(polled.polls, failures)
            polled.looks_left -= 1
        changes = [
            *await self.ingest.found(polled.name, part, found),
            *await self.ingest.gone(polled.name, gone),
            *await self.ingest.unreadable(polled.name, unreadable),
        ]
        return len(changes)

    async def _lookup(self, polled: Polled, part: Part, key: str, http: Http) -> Item | None:
        source = polled.source
        limit = min(LOOKUP_LIMIT, self.limit)
        try:
            async with asyncio.timeout(limit):
                return await contained(
                    source, "lookup", lambda: source.lookup(part.kind, remote_id(key), http), LookupUnsupported
                )
        except TimeoutError:
            raise Timeout(f"not read within {limit:g} s") from None

    def _failed(self, polled: Polled, part: Part) -> SourceError:
        error = part.error if isinstance(part.error, SourceError) else SourceBug(type(part.error).__name__)
        if polled.tracker.failed(part.scope, error):
            log.warning("source %s: %s cannot be read: %s", polled.name, part.scope, describe(error))
        return error

    # -- when next -----------------------------------------------------------------------------------------------

    def _still_held(self, polled: Polled) -> dict[str, SourceError]:
        if polled.insist:
            polled.insist = False
            polled.held = {}
        now = self.clock.monotonic()
        if any(isinstance(held.error, AuthError) and held.until <= now for held in polled.held.values()):
            polled.client.retry_credentials()
        return {scope: held.error for scope, held in polled.held.items() if held.until > now}

    def _hold(self, polled: Polled, failed: Mapping[str, SourceError], asked_not: Collection[str]) -> None:
        """Back off from each part that failed alone, as from a source that failed whole."""
        before, polled.held = polled.held, {}
        for scope, error in failed.items():
            held = before.get(scope)
            if held is None or scope not in asked_not:
                failures = held.failures + 1 if held is not None else 1
                held = Held(error, failures, self.clock.monotonic() + self._back_off(polled, error, failures))
            polled.held[scope] = held

    def _back_off(self, polled: Polled, error: BaseException, failures: int) -> float:
        return schedule.after_failure(error, failures, polled.interval, kinds=polled.kinds, random=self.random)

    def _delay(self, polled: Polled, requests: int) -> float:
        pause = polled.client.pause_for(requests)
        if polled.last_error is not None and polled.failures:
            return max(self._back_off(polled, polled.last_error, polled.failures), pause)
        return schedule.after_success(
            polled.interval,
            running=self.ingest.running(polled.name),
            quiet_polls=polled.quiet_polls,
            kinds=polled.kinds,
            budget_pause=pause,
            random=self.random,
        )

    # -- telling -------------------------------------------------------------------------------------------------

    def _tell(
        self, polled: Polled, now: datetime, *, attempt: datetime, duration: float, requests: int, delay: float
    ) -> None:
        left, limit, reset = polled.client.budget_view()
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
            notes=tuple(note for part in sorted(polled.notes) for note in polled.notes[part])[:10],
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
