"""What a store knew of releases and incidents at a past moment, as `statusboard.measuring.Measure` reads it.

What was observed later, and what was read back later, was not known then.  Each `Hindsight` is of one moment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Final

from statusboard.board import Row
from statusboard.model import Incident, Kind, encode
from statusboard.store.base import Backfilled, Bundle, Coverage, Live, Remembered, Store, bundled

_AT: Final = attrgetter("at")


class Hindsight:
    """A store as it was at revision ``seq``, at the moment ``at``; ``rows`` are those of the board of then."""

    def __init__(self, store: Store, seq: int, at: datetime, rows: Mapping[str, Row]) -> None:
        self._store = store
        self._seq = seq
        self._at = at
        self._rows = {key: row for key, row in rows.items() if isinstance(row.fact, Incident)}
        self._read: dict[Kind, tuple[datetime, list[Remembered]]] = {}

    @property
    def store_id(self) -> str:
        """Names the history."""
        return self._store.store_id

    async def remembered(
        self, kind: Kind, *, since: datetime, until: datetime | None = None, after: int = 0
    ) -> list[Remembered]:
        """As `Store.remembered`.  All from the first ``since`` on is read at once, and kept."""
        known = self._read.get(kind)
        if known is None or since < known[0]:
            known = self._read[kind] = since, await self._store.remembered(kind, since=since, upto=self._seq)
        found = known[1]
        end = len(found) if until is None else bisect_left(found, until, key=_AT)
        return [fact for fact in found[bisect_left(found, since, key=_AT) : end] if fact.seq > after]

    async def bundled(
        self, kind: Kind, *, since: datetime, until: datetime | None = None, after: int = 0
    ) -> list[Bundle]:
        """As `Store.bundled`."""
        return bundled(await self.remembered(kind, since=since, until=until, after=after))

    async def seq_at(self, at: datetime) -> int:
        """As `Store.seq_at`: nothing is newer than the moment."""
        return min(self._seq, await self._store.seq_at(at))

    async def get(self, keys: Collection[str]) -> list[Live]:
        """As `Store.get`, of incidents."""
        return [_live(self._rows[key]) for key in keys if key in self._rows]

    async def coverage(self, source: str | None = None, since: datetime | None = None) -> list[Coverage]:
        """As `Store.coverage`, up to the moment."""
        return [
            Coverage(
                source=row.source,
                part=row.part,
                since=row.since,
                last_success=min(row.last_success, self._at),
                epoch=row.epoch,
            )
            for row in await self._store.coverage(source, since)
            if row.since <= self._at
        ]

    async def backfilled(self, source: str | None = None) -> list[Backfilled]:
        """As `Store.backfilled`: what was begun by then, as far as it can be told to have come."""
        known = await self._store.backfilled(source, upto=self._seq)
        return [stretch for stretch in known if stretch.until <= self._at]

    async def kept(self, what: str) -> dict[str, bytes]:
        """As `Store.kept`."""
        return await self._store.kept(what)

    async def keep(self, what: str, parts: Mapping[str, bytes | None]) -> None:
        """Does nothing: what is worked out of a past moment would take the place of what holds now."""

    async def filled_later(self) -> bool:
        """Whether more was read back after the moment."""
        return await self.backfilled() != await self._store.backfilled()


def _live(row: Row) -> Live:
    fact = row.fact
    return Live(
        key=row.key,
        kind=fact.kind,
        source=fact.source,
        part="",
        seq=row.seq,
        observed_at=row.observed_at,
        body=encode(fact),
        body_hash=b"",
    )
