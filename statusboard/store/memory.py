"""The store that stands in where a database cannot be used: everything in memory, gone when the process ends."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from statusboard.clock import EPOCH, Clock, SystemClock
from statusboard.errors import HistoryGone, StoreError
from statusboard.model import Change, Kind, Status, Validator
from statusboard.store import _recollection
from statusboard.store._activity import Activity
from statusboard.store._facts import Facts
from statusboard.store._rules import (
    CHUNK,
    KEEP_COVERAGE,
    REQUESTS_KEPT,
    RETENTION,
    Standstill,
    changed_sources,
    lost,
    numbered,
    refuse_unleased,
    watched_row,
)
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
    bundled,
)

#: Changes kept at most, beside what is live: a board that runs for months from memory must not fill it.
MOST_CHANGES = 50_000
_KINDS: frozenset[Kind] = frozenset().union(*(retention.kinds for retention in RETENTION))


class MemoryStore:
    """`statusboard.store.base.Store` without a file.  Each one is a history of its own, for one process.

    ``problem`` says why it is used; `health` shows it.  ``most_changes`` bounds what is kept: older ones are retired
    as if they had become too old.
    """

    def __init__(self, problem: str = "", *, clock: Clock | None = None, most_changes: int = MOST_CHANGES) -> None:
        self._problem = problem
        self._clock = clock or SystemClock()
        self._most = most_changes
        self._store_id = os.urandom(16).hex()
        self._activity = Activity(self._clock)
        self._open = True
        self._last = 0
        self._last_at = EPOCH
        self._gone = 0
        self._whole_from = 0
        self._whole_at: datetime | None = None
        self._aged: dict[str, int] = {}
        self._changes: dict[int, Change] = {}
        self._by_key: dict[str, list[int]] = {}
        self._heads: dict[str, int | None] = {}
        self._live: dict[str, Change] = {}
        self._facts: Facts[str] = Facts()
        self._backfilled: dict[tuple[str, str, datetime], Backfilled] = {}
        self._kept: dict[str, dict[str, bytes]] = {}
        self._coverage: list[Coverage] = []
        self._newest_coverage: dict[tuple[str, str], int] = {}
        self._validators: dict[tuple[str, str, str], Validator] = {}
        self._statuses: dict[str, Status] = {}
        self._sources: dict[str, tuple[str, str]] = {}
        self._requests: dict[int, str | None] = {}
        self._last_request = 0
        self._leases: dict[str, tuple[str, int, int]] = {}
        self._standstill = Standstill()

    @property
    def store_id(self) -> str:
        """Names this history; each store in memory has its own."""
        return self._store_id

    @property
    def writable(self) -> bool:
        """Always true."""
        return True

    async def open(self) -> None:
        """Does nothing: it is ready as soon as it exists."""

    async def close(self) -> None:
        """Forget nothing, but let nobody use it any more.  Idempotent."""
        self._open = False
        self._activity.close()

    def _check_open(self) -> None:
        if not self._open:
            raise StoreError("the store is closed")

    # -- changes -------------------------------------------------------------------------------------------------

    async def append(self, batch: Batch, lease: Lease | None = None) -> list[Change]:
        """Store a batch and return its changes.  See `Store.append`."""
        self._check_open()
        refuse_unleased(batch.drafts, lease)
        if lease is not None:
            self._check_lease(lease)
        elif not (
            batch.drafts or batch.watched or batch.void or batch.validators or batch.statuses or batch.backfilled
        ):
            return []
        at = max(batch.observed_at, self._last_at)
        heads = {draft.key: self._heads.get(draft.key) for draft in batch.drafts}
        changes = numbered(batch.drafts, self._last + 1, at, heads)
        for change in changes:
            self._put(change)
        self._heads.update(heads)
        if changes:
            self._last, self._last_at = changes[-1].seq, at
        for watched in batch.watched:
            where = self._newest_coverage.get((watched.source, watched.part))
            last = None if where is None else self._coverage[where]
            row, prolongs = watched_row(last, watched, lease.token if lease is not None else 0)
            if prolongs and where is not None:
                self._coverage[where] = row
            else:
                self._newest_coverage[watched.source, watched.part] = len(self._coverage)
                self._coverage.append(row)
        for source, part in batch.void:
            self._forget_validators(source, part)
        self._validators.update(((v.source, v.part, v.request), v) for v in batch.validators)
        self._statuses.update((status.source, status) for status in batch.statuses)
        self._backfilled.update(((b.source, b.part, b.until), b) for b in batch.backfilled)
        if len(self._changes) - len(self._live) > self._most:
            # A tenth at once, so that not each append has to look.
            self._retire("most", _KINDS, self._nth_oldest(len(self._changes) - self._most * 9 // 10))
        self._activity.bump()
        return changes

    def _put(self, change: Change) -> None:
        self._changes[change.seq] = change
        self._by_key.setdefault(change.key, []).append(change.seq)
        _recollection.hear(self._facts, change)
        if change.origin == "backfill":
            return
        if change.body is None:
            self._live.pop(change.key, None)
        else:
            self._live[change.key] = change

    async def snapshot(self, as_of: datetime | None = None) -> Picture:
        """The live rows now, or as they were shown at ``as_of``.  See `Store.snapshot`."""
        self._check_open()
        if as_of is None:
            return self._picture(self._last, self._live.values())
        return self._picture(*self._shown(as_of))

    def _shown(self, as_of: datetime) -> tuple[int, Collection[Change]]:
        """The revision at a moment, and the changes that were live then."""
        if self._whole_at is not None and as_of < self._whole_at:
            raise HistoryGone(self._whole_from)
        seqs = list(self._changes)
        older = bisect_right(seqs, as_of, key=lambda seq: self._changes[seq].observed_at)
        seq = self._last if older == len(seqs) else max(self._whole_from, seqs[older - 1] if older else 0)
        live: dict[str, Change] = {}
        for change in self._changes.values():
            if change.seq > seq:
                break
            if change.origin == "backfill":
                continue
            if change.body is None:
                live.pop(change.key, None)
            else:
                live[change.key] = change
        return seq, live.values()

    def _picture(self, seq: int, live: Iterable[Change]) -> Picture:
        return Picture(store_id=self.store_id, seq=seq, rows=tuple(_live(change) for change in live))

    async def outline(self, as_of: datetime) -> Outline:
        """Which rows `snapshot` shows of a moment.  See `Store.outline`."""
        self._check_open()
        seq, live = self._shown(as_of)
        return Outline(store_id=self.store_id, seq=seq, live=sorted(change.seq for change in live))

    async def stored(self, seqs: Sequence[int]) -> list[Stored]:
        """What these changes wrote, in the order of their numbers, which ascend.  See `Store.stored`."""
        self._check_open()
        found = (self._changes[seq] for seq in seqs if seq in self._changes)
        return [Stored(c.seq, c.observed_at, c.body, c.body_hash) for c in found if c.body is not None]

    async def get(self, keys: Collection[str]) -> list[Live]:
        """The live rows of these keys, in no particular order; absent keys are left out."""
        self._check_open()
        return [_live(self._live[key]) for key in set(keys) if key in self._live]

    async def history(self, key: str, limit: int = 100) -> list[Change]:
        """The newest ``limit`` changes of one key, newest first."""
        self._check_open()
        seqs = self._by_key.get(key, [])
        return [self._changes[seq] for seq in reversed(seqs[-limit:] if limit > 0 else [])]

    async def past(self, *, before: int | None = None, since: datetime | None = None, limit: int = 200) -> list[Change]:
        """The newest ``limit`` changes of all keys, newest first.  See `Store.past`."""
        self._check_open()
        found: list[Change] = []
        for seq in reversed(self._changes):
            change = self._changes[seq]
            if len(found) >= limit or (since is not None and change.observed_at < since):
                break
            if before is None or seq < before:
                found.append(change)
        return found

    async def recorded(self, seqs: Collection[int]) -> list[Change]:
        """The changes with these numbers, newest first, as far as they are kept."""
        self._check_open()
        return [self._changes[seq] for seq in sorted(set(seqs), reverse=True) if seq in self._changes]

    async def seq_at(self, at: datetime) -> int:
        """The number of the last change observed at a moment or before it, 0 before the first."""
        self._check_open()
        return max((seq for seq, change in self._changes.items() if change.observed_at <= at), default=0)

    async def neighbour(self, seq: int, step: Literal[-1, 1], *, incidents: bool = False) -> Moment | None:
        """The moment after a revision, or before it, at which something came in.  See `Store.neighbour`."""
        self._check_open()
        return _recollection.neighbour(self._changes, self._facts, seq, step, incidents, self._whole_at)

    async def remembered(
        self, kind: Kind, *, since: datetime, until: datetime | None = None, after: int = 0, upto: int | None = None
    ) -> list[Remembered]:
        """The last word on what began in [since, until), oldest first.  See `Store.remembered`."""
        self._check_open()
        facts = self._facts if upto is None else _recollection.facts_at(self._changes, self._facts, kind, upto)
        return _recollection.remembered(self._changes, facts, kind, since, until, after)

    async def bundled(
        self, kind: Kind, *, since: datetime, until: datetime | None = None, after: int = 0
    ) -> list[Bundle]:
        """What `remembered` tells, in bundles.  See `Store.bundled`."""
        return bundled(await self.remembered(kind, since=since, until=until, after=after))

    async def marks(self, since: datetime, until: datetime, *, step: timedelta = NO_STEP) -> list[Mark]:
        """Incidents, releases and failed builds that began in [since, until).  See `Store.marks`."""
        self._check_open()
        return _recollection.marks(self._facts, since, until, step)

    async def changes(self, after: int) -> AsyncIterator[list[Change]]:
        """Wait for and yield changes with ``seq > after``.  See `Store.changes`."""
        while True:
            self._check_open()
            generation = self._activity.generation
            if after < self._gone:
                raise HistoryGone(self._gone + 1)
            # Above `_gone` the numbers have no gaps.
            found = [self._changes[seq] for seq in range(after + 1, min(after + CHUNK, self._last) + 1)]
            if found:
                after = found[-1].seq
                yield found
            else:
                await self._activity.past(generation)

    async def wait_activity(self, timeout: float) -> bool:
        """Wait until anything at all was written.  See `Store.wait_activity`."""
        return await self._activity.next(timeout)

    # -- the lease -----------------------------------------------------------------------------------------------

    async def lease(self, name: str, holder: str) -> Lease | None:
        """Take the right to poll, or renew it.  See `Store.lease`."""
        self._check_open()
        now = self._clock.monotonic()
        held_by, token, counter = self._leases.get(name, ("", 0, 0))
        if held_by != holder:
            if held_by and not self._standstill.over(name, (token, counter), now, now):
                return None
            token += 1
        self._leases[name] = (holder, token, counter + 1)
        self._activity.bump()
        return Lease(name=name, holder=holder, token=token)

    async def release(self, lease: Lease) -> None:
        """Give the right to poll back at once."""
        self._check_open()
        held_by, token, counter = self._leases.get(lease.name, ("", 0, 0))
        if (held_by, token) == (lease.holder, lease.token):
            self._leases[lease.name] = ("", token, counter + 1)
            self._activity.bump()

    def _check_lease(self, lease: Lease) -> None:
        if self._leases.get(lease.name, ("", 0))[:2] != (lease.holder, lease.token):
            raise lost(lease)

    # -- upkeep --------------------------------------------------------------------------------------------------

    async def retain(self, now: datetime) -> int:
        """Delete what is older than it is kept.  See `Store.retain`."""
        self._check_open()
        retired = 0
        for retention in RETENTION:
            end = max(
                (s for s, change in self._changes.items() if change.observed_at < now - retention.keep), default=0
            )
            retired += self._retire(retention.name, retention.kinds, end)
        self._coverage = [row for row in self._coverage if row.last_success >= now - KEEP_COVERAGE]
        self._newest_coverage = {(row.source, row.part): where for where, row in enumerate(self._coverage)}
        self._backfilled = {where: b for where, b in self._backfilled.items() if b.until >= now - KEEP_COVERAGE}
        if retired:
            self._activity.bump()
        return retired

    def _nth_oldest(self, count: int) -> int:
        """The number of the change that has ``count`` - 1 older ones."""
        return sorted(self._changes)[count - 1]

    def _retire(self, name: str, kinds: frozenset[Kind], end: int) -> int:
        """Retire what the changes of these kinds up to ``end`` have replaced, and what of them is not on the board."""
        aged = self._aged.get(name, 0)
        self._aged[name] = max(aged, end)
        retired = 0
        for change in [c for s, c in self._changes.items() if aged < s <= end and c.kind in kinds]:
            backfilled, removal = change.origin == "backfill", change.body is None
            doomed = {change.seq} if backfilled or removal else set()
            if change.prev_seq is not None and not backfilled:
                doomed.add(change.prev_seq)
            if not doomed:
                continue
            if change.seq > self._whole_from:
                self._whole_from, self._whole_at = change.seq, change.observed_at
            self._gone = max(self._gone, *doomed)
            retired += sum(self._delete(seq) for seq in doomed)
        return retired

    def _delete(self, seq: int) -> bool:
        change = self._changes.pop(seq, None)
        if change is None:
            return False
        self._by_key[change.key].remove(seq)
        if seq in self._facts.by_seq:
            self._facts.forget(self._facts.by_seq[seq])
        if self._heads.get(change.key) == seq:
            del self._heads[change.key]
        if not self._by_key[change.key]:
            del self._by_key[change.key]
        return True

    async def health(self) -> StoreHealth:
        """How the store is: never durable."""
        self._check_open()
        return StoreHealth(
            store_id=self.store_id,
            location="memory",
            durable=False,
            seq=self._last,
            oldest_seq=self._gone + 1,
            size=sum(len(change.body or b"") for change in self._changes.values()),
            problem=self._problem,
        )

    # -- sources -------------------------------------------------------------------------------------------------

    async def register(self, sources: Sequence[Registration], lease: Lease) -> list[str]:
        """Set the configured sources; returns the names that are new or changed (their validators are void)."""
        self._check_open()
        self._check_lease(lease)
        after = {source.source: (source.type, source.identity) for source in sources}
        changed = changed_sources(self._sources, after)
        removed = self._sources.keys() - after.keys()
        void = removed.union(changed)
        self._validators = {where: v for where, v in self._validators.items() if v.source not in void}
        self._statuses = {name: status for name, status in self._statuses.items() if name not in removed}
        self._backfilled = {where: b for where, b in self._backfilled.items() if b.source not in removed}
        self._sources = after
        self._activity.bump()
        return changed

    async def registered(self) -> list[Registration]:
        """The configured sources, by name."""
        self._check_open()
        return [
            Registration(source=name, type=type_, identity=identity)
            for name, (type_, identity) in sorted(self._sources.items())
        ]

    async def validators(self, source: str) -> list[Validator]:
        """The stored validators of a source."""
        self._check_open()
        return [validator for _, validator in sorted(self._validators.items()) if validator.source == source]

    async def forget_validators(self, source: str, part: str | None = None) -> None:
        """Void the validators of a source, or of one part of it."""
        self._check_open()
        self._forget_validators(source, part)
        self._activity.bump()

    def _forget_validators(self, source: str, part: str | None) -> None:
        self._validators = {
            where: v
            for where, v in self._validators.items()
            if v.source != source or (part is not None and v.part != part)
        }

    async def coverage(self, source: str | None = None, since: datetime | None = None) -> list[Coverage]:
        """When what was watched, oldest first."""
        self._check_open()
        rows = [
            row
            for row in self._coverage
            if (source is None or row.source == source) and (since is None or row.last_success >= since)
        ]
        return sorted(rows, key=lambda row: row.since)

    async def statuses(self) -> list[Status]:
        """The newest volatile status of each source, by name."""
        self._check_open()
        return [status for _, status in sorted(self._statuses.items())]

    async def backfilled(self, source: str | None = None, *, upto: int | None = None) -> list[Backfilled]:
        """What was paged back through, by source, part and ``until``.  See `Store.backfilled`."""
        self._check_open()
        found = [b for _, b in sorted(self._backfilled.items()) if source is None or b.source == source]
        return found if upto is None else _recollection.filled_by(self._changes.values(), found, upto)

    async def forget_backfilled(self, source: str, part: str | None = None) -> None:
        """Forget how far backfill has come with a source, or with one part of it."""
        self._check_open()
        self._backfilled = {
            where: b
            for where, b in self._backfilled.items()
            if b.source != source or (part is not None and b.part != part)
        }
        self._activity.bump()

    async def kept(self, what: str) -> dict[str, bytes]:
        """What was worked out of the rest, by part.  See `Store.kept`."""
        self._check_open()
        return dict(self._kept.get(what, {}))

    async def keep(self, what: str, parts: Mapping[str, bytes | None]) -> None:
        """Keep what was worked out.  See `Store.keep`."""
        self._check_open()
        kept = {**self._kept.get(what, {}), **parts}
        self._kept[what] = {part: value for part, value in kept.items() if value is not None}

    async def request_poll(self, source: str | None = None) -> int:
        """Ask whoever polls to poll this source (or all) now; returns the request's number."""
        self._check_open()
        self._last_request += 1
        self._requests[self._last_request] = source
        self._requests.pop(self._last_request - REQUESTS_KEPT, None)
        self._activity.bump()
        return self._last_request

    async def poll_requests(self, after: int) -> list[tuple[int, str | None]]:
        """Requests with a number above ``after``, in order."""
        self._check_open()
        return [(number, source) for number, source in self._requests.items() if number > after]


def _live(change: Change) -> Live:
    assert change.body is not None
    return Live(
        key=change.key,
        kind=change.kind,
        source=change.source,
        part=change.part,
        seq=change.seq,
        observed_at=change.observed_at,
        body=change.body,
        body_hash=change.body_hash,
        origin=change.origin,
    )
