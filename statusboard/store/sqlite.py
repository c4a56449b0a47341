"""The embedded store: one SQLite file, shared by all boards of a host.

All writing and what reads little is done by one thread (`_worker`), in write-ahead mode, so that readers never wait for
writers.  What reads much (past moments, what is remembered) has a thread and a connection of its own, which begin when
it is first asked for: no append waits behind a picture.
The file is the user's alone (0600).  Others may follow it with ``read_only`` once its owner, while no board runs, lets
them read the file and enter its folder (``chmod 644 FILE; chmod 755 FOLDER``).  Where they may not write in the folder,
they can open it only while a board or ``statusboard poll`` has it open: SQLite keeps what readers need in ``FILE-wal``
and ``FILE-shm``, which go when the last one closes.  A follower that is in stays in, even then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal, Self, TypeVar

from msgspec.structs import replace

from statusboard.clock import Clock, SystemClock, to_us
from statusboard.errors import NewerSchema, StoreError, StoreUnusable
from statusboard.model import Change, Kind, Status, Validator
from statusboard.store import _database, _reads, _recall, _retire, _writes
from statusboard.store._activity import Activity
from statusboard.store._database import Database, Setup
from statusboard.store._rules import Standstill, refuse_unleased
from statusboard.store._worker import Worker
from statusboard.store.base import (
    NO_STEP,
    Backfilled,
    Batch,
    Bundle,
    Coverage,
    Lease,
    Live,
    Mark,
    Moment,
    Outline,
    Picture,
    Registration,
    Remembered,
    Stored,
    StoreHealth,
)

T = TypeVar("T")
log = logging.getLogger(__name__)
_US = timedelta(microseconds=1)
#: Reading so many changes takes some ten milliseconds.
_MUCH = 500


class SQLiteStore:
    """`statusboard.store.base.Store` in a file."""

    def __init__(self, path: Path, *, read_only: bool = False, clock: Clock | None = None) -> None:
        self._setup = Setup(path=path, read_only=read_only)
        self._clock = clock or SystemClock()
        self._activity = Activity(self._clock)
        self._worker: Worker | None = None
        self._reader: asyncio.Task[Worker] | None = None
        self._store_id = ""
        self._standstill = Standstill()
        self._held: dict[tuple[str, str], Lease] = {}
        self._problem = ""

    @classmethod
    def set_up(cls, setup: Setup, clock: Clock | None = None) -> Self:
        """A store whose file is opened in a particular way."""
        store = cls(setup.path, read_only=setup.read_only, clock=clock)
        store._setup = setup
        return store

    @property
    def store_id(self) -> str:
        """Names this history; empty until `open`."""
        return self._store_id

    @property
    def writable(self) -> bool:
        """False for a store opened to follow only."""
        return not self._setup.read_only

    # -- life ----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open or create; migrate an older schema, keeping the old file beside.  `NewerSchema`, `StoreUnusable`.

        Reasons: ``damaged``, ``locked``, ``readonly``, ``unreadable``, ``full``, ``network``, ``foreign`` (another
        program's database), ``io``; to follow also ``missing``, ``older``, ``idle`` (nobody writes it just now).
        """
        activity = Activity(self._clock, lambda waiting: worker.watch(waiting))
        worker = Worker(partial(_database.connect, self._setup), activity.bump)
        await worker.start()
        self._worker, self._activity = worker, activity
        self._store_id = await self._run(lambda database: database.store_id)

    async def close(self) -> None:
        """Release the lease that this process holds and everything else.  Idempotent."""
        worker = self._worker
        if worker is None:
            return
        held = list(self._held.values())
        self._held.clear()
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(StoreError):  # it never began
                await (await reader).stop()
        try:
            if held:
                await self._write(lambda database: _writes.release(database, held))
        except StoreError as error:
            log.warning("the right to poll was not given back, another board takes it in some seconds: %s", error)
        finally:
            self._worker = None
            self._activity.close()
            await worker.stop()

    async def _run(self, job: Callable[[Database], T]) -> T:
        if self._worker is None:
            raise StoreError("the store is not open")
        return await self._worker.run(job)

    async def _read(self, job: Callable[[Database], T], most: int = _MUCH, *, hasty: bool = False) -> T:
        """Run a job that reads much, ``most`` changes, where no append waits for it; ``hasty`` as `Worker.run`."""
        if self._worker is None or most < _MUCH:
            return await self._run(job)
        if self._reader is None or (self._reader.done() and self._reader.exception() is not None):
            self._reader = asyncio.ensure_future(self._start_reader())
        worker = await asyncio.shield(self._reader)
        return await worker.run(job, hasty=hasty)

    async def _start_reader(self) -> Worker:
        worker = Worker(partial(_database.connect, replace(self._setup, read_only=True)), lambda: None, hasty=False)
        await worker.start()
        return worker

    async def _write(self, job: Callable[[Database], T]) -> T:
        if self._worker is None:
            raise StoreError("the store is not open")
        try:
            result = await self._worker.run(job, writes=True)
        except (StoreUnusable, NewerSchema) as error:
            self._problem = str(error)
            raise
        self._problem = ""
        return result

    # -- changes -------------------------------------------------------------------------------------------------

    async def append(self, batch: Batch, lease: Lease | None = None) -> list[Change]:
        """Store a batch in one transaction and return its changes.  See `Store.append`."""
        refuse_unleased(batch.drafts, lease)
        if lease is None and not (
            batch.drafts or batch.watched or batch.void or batch.validators or batch.statuses or batch.backfilled
        ):
            return []
        return await self._write(lambda database: _writes.append(database, batch, lease))

    async def append_all(self, batches: Sequence[Batch], lease: Lease | None = None) -> list[Change]:
        """As `append` of one batch after the other, but in one transaction: for a history that was made elsewhere."""
        refuse_unleased([draft for batch in batches for draft in batch.drafts], lease)
        return await self._write(lambda database: _writes.append_all(database, batches, lease))

    async def snapshot(self, as_of: datetime | None = None) -> Picture:
        """The live rows now, or as they were shown at ``as_of``.  See `Store.snapshot`."""
        if as_of is None:
            return await self._run(_reads.picture)
        at = to_us(as_of)
        return await self._read(lambda database: _reads.picture_at(database, at))

    async def outline(self, as_of: datetime) -> Outline:
        """Which rows `snapshot` shows of a moment.  See `Store.outline`."""
        at = to_us(as_of)
        return await self._read(lambda database: _reads.outline_at(database, at))

    async def stored(self, seqs: Sequence[int]) -> list[Stored]:
        """What these changes wrote, in the order of their numbers, which ascend.  See `Store.stored`."""
        return await self._read(lambda database: _reads.stored(database, seqs), len(seqs))

    async def get(self, keys: Collection[str]) -> list[Live]:
        """The live rows of these keys, in no particular order; absent keys are left out."""
        return await self._run(lambda database: _reads.live_of(database, keys))

    async def history(self, key: str, limit: int = 100) -> list[Change]:
        """The newest ``limit`` changes of one key, newest first."""
        return await self._run(lambda database: _reads.history(database, key, limit))

    async def past(self, *, before: int | None = None, since: datetime | None = None, limit: int = 200) -> list[Change]:
        """The newest ``limit`` changes of all keys, newest first.  See `Store.past`."""
        start = None if since is None else to_us(since)
        return await self._read(lambda database: _reads.past(database, before, start, limit), limit)

    async def recorded(self, seqs: Collection[int]) -> list[Change]:
        """The changes with these numbers, newest first, as far as they are kept."""
        return await self._read(lambda database: _reads.recorded(database, seqs), len(seqs))

    async def seq_at(self, at: datetime) -> int:
        """The number of the last change observed at a moment or before it, 0 before the first."""
        moment = to_us(at)
        return await self._run(lambda database: _recall.revision_at(database, moment))

    async def neighbour(self, seq: int, step: Literal[-1, 1], *, incidents: bool = False) -> Moment | None:
        """The moment after a revision, or before it, at which something came in.  See `Store.neighbour`."""
        return await self._run(lambda database: _recall.neighbour(database, seq, step, incidents))

    async def remembered(
        self, kind: Kind, *, since: datetime, until: datetime | None = None, after: int = 0, upto: int | None = None
    ) -> list[Remembered]:
        """The last word on what began in [since, until), oldest first.  See `Store.remembered`."""
        start, end = to_us(since), None if until is None else to_us(until)
        return await self._read(lambda database: _recall.remembered(database, kind, start, end, after, upto))

    async def bundled(
        self, kind: Kind, *, since: datetime, until: datetime | None = None, after: int = 0
    ) -> list[Bundle]:
        """What `remembered` tells, in bundles.  See `Store.bundled`."""
        start, end = to_us(since), None if until is None else to_us(until)
        return await self._read(lambda database: _recall.bundled(database, kind, start, end, after), hasty=True)

    async def marks(self, since: datetime, until: datetime, *, step: timedelta = NO_STEP) -> list[Mark]:
        """Incidents, releases and failed builds that began in [since, until).  See `Store.marks`."""
        start, end, length = to_us(since), to_us(until), step // _US
        return await self._read(lambda database: _recall.marks(database, start, end, length))

    async def changes(self, after: int) -> AsyncIterator[list[Change]]:
        """Wait for and yield changes with ``seq > after``.  See `Store.changes`."""
        while True:
            generation = self._activity.generation
            found = await self._run(partial(_reads.changes_after, after=after))
            if found:
                after = found[-1].seq
                yield found
            else:
                await self._activity.past(generation)

    async def wait_activity(self, timeout: float) -> bool:
        """Wait until anything at all was written, by whatever process.  See `Store.wait_activity`."""
        return await self._activity.next(timeout)

    # -- the lease -----------------------------------------------------------------------------------------------

    async def lease(self, name: str, holder: str) -> Lease | None:
        """Take the right to poll, or renew it.  See `Store.lease`.  A store opened to follow never gets it."""
        if not self.writable:
            return None
        held = self._held.get((name, holder))
        if held is not None:
            if await self._write(lambda database: _writes.renew(database, held)):
                return held
            self._held.pop((name, holder), None)
        clock, standstill = self._clock, self._standstill
        taken = await self._run(lambda database: _writes.take(database, name, holder, standstill, clock.monotonic))
        if taken is not None:
            self._held[name, holder] = taken
            self._activity.bump()
        return taken

    async def release(self, lease: Lease) -> None:
        """Give the right to poll back at once."""
        self._held.pop((lease.name, lease.holder), None)
        await self._write(lambda database: _writes.release(database, [lease]))

    # -- upkeep --------------------------------------------------------------------------------------------------

    async def retain(self, now: datetime) -> int:
        """Delete what is older than it is kept.  See `Store.retain`.

        Other boards and our own readers get their turn between two batches.
        """
        retired, more = 0, True
        while more:
            count, more = await self._write(lambda database: _retire.step(database, now))
            retired += count
        more = True
        while more:
            more = await self._write(_retire.shrink)
        return retired

    async def health(self) -> StoreHealth:
        """How the store is, read now; ``problem`` is why the last write failed."""
        seq, oldest, size = await self._run(_reads.health)
        return StoreHealth(
            store_id=self.store_id,
            location=str(self._setup.path),
            durable=True,
            seq=seq,
            oldest_seq=oldest,
            size=size,
            problem=self._problem,
        )

    # -- sources -------------------------------------------------------------------------------------------------

    async def register(self, sources: Sequence[Registration], lease: Lease) -> list[str]:
        """Set the configured sources; returns the names that are new or changed (their validators are void)."""
        return await self._write(lambda database: _writes.register(database, sources, lease))

    async def registered(self) -> list[Registration]:
        """The sources as the board that polls has configured them, by name."""
        return await self._run(_reads.registered)

    async def validators(self, source: str) -> list[Validator]:
        """The stored validators of a source."""
        return await self._run(lambda database: _reads.validators(database, source))

    async def forget_validators(self, source: str, part: str | None = None) -> None:
        """Void the validators of a source, or of one part of it."""
        await self._write(lambda database: _writes.forget_validators(database, source, part))

    async def coverage(self, source: str | None = None, since: datetime | None = None) -> list[Coverage]:
        """When what was watched, oldest first."""
        start = None if since is None else to_us(since)
        return await self._read(lambda database: _reads.coverage(database, source, start))

    async def statuses(self) -> list[Status]:
        """The newest volatile status of each source, by name.

        A follower asks for it every second, and learns here that another file stands in the place of its own (reason
        ``moved``): what it has open would never change again.
        """

        def read(database: Database) -> list[Status]:
            if self._setup.read_only:
                database.check_in_place()
            return _reads.statuses(database)

        return await self._run(read)

    async def backfilled(self, source: str | None = None, *, upto: int | None = None) -> list[Backfilled]:
        """What was paged back through, by source, part and ``until``.  See `Store.backfilled`."""
        if upto is not None:
            return await self._read(lambda database: _recall.backfilled(database, source, upto))
        return await self._run(lambda database: _recall.backfilled(database, source))

    async def forget_backfilled(self, source: str, part: str | None = None) -> None:
        """Forget how far backfill has come with a source, or with one part of it."""
        await self._write(lambda database: _writes.forget_backfilled(database, source, part))

    async def kept(self, what: str) -> dict[str, bytes]:
        """What was worked out of the rest, by part.  See `Store.kept`."""
        return await self._read(lambda database: _recall.kept(database, what), hasty=True)

    async def keep(self, what: str, parts: Mapping[str, bytes | None]) -> None:
        """Keep what was worked out.  See `Store.keep`."""
        if self.writable and parts:
            await self._write(lambda database: _writes.keep(database, what, parts))

    async def request_poll(self, source: str | None = None) -> int:
        """Ask whoever polls to poll this source (or all) now; returns the request's number."""
        return await self._write(lambda database: _writes.request_poll(database, source))

    async def poll_requests(self, after: int) -> list[tuple[int, str | None]]:
        """Requests with a number above ``after``."""
        return await self._run(lambda database: _reads.poll_requests(database, after))
