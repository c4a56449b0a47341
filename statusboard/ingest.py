"""The one door into the store: polls, pushes, backfill and people all come in here.

Clean, resolve to service and team, compare with what was last known, append.  What is known is remembered only after
the store has it, so a failed append loses nothing: the next poll finds the same difference again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from typing import TypeAlias

import msgspec

from statusboard.cleaning import scrub_any, unstorable
from statusboard.clock import Clock
from statusboard.current import outdated
from statusboard.diff import Known, absent, compare, draft, fingerprint_of, lose_sight, removal, sane, vanish
from statusboard.model import (
    UNFINISHED,
    Annotation,
    Build,
    Change,
    Draft,
    Fact,
    Incident,
    Item,
    Part,
    Release,
    SourceHealth,
    Status,
    Ticket,
    Validator,
    decode,
    encode,
)
from statusboard.store.base import Batch, Lease, Live, Store, Watched
from statusboard.text import clean

Resolver: TypeAlias = Callable[[Item], Item]

_ITEMS = (Build, Incident, Release, Ticket)

#: Items handled between two turns of the event loop: keeps the screen alive while 10,000 come in.
SLICE = 400


class _Desk:
    """What is known of one source: its live keys, which part they came in, and what is on its way."""

    __slots__ = ("known", "members", "resolver", "running")

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.members: dict[str, set[str]] = {}
        self.running: set[str] = set()
        self.resolver: Resolver | None = None

    def know(self, row: Change | Live, body: bytes) -> None:
        unfinished = _unfinished(decode(body))
        self.known[row.key] = Known(
            key=row.key,
            kind=row.kind,
            source=row.source,
            part=row.part,
            body=body,
            seq=row.seq,
            unfinished=unfinished,
        )
        if unfinished and row.kind in ("build", "release"):
            self.running.add(row.key)
        else:
            self.running.discard(row.key)

    def forget(self, key: str) -> None:
        known = self.known.pop(key, None)
        self.running.discard(key)
        if known is not None and known.part in self.members:
            self.members[known.part].discard(key)

    def missing(self, scope: str, told: set[str]) -> list[Known]:
        """What this part held before, and neither it nor any other part holds now."""
        keys = self.members.get(scope, set()) - told
        if not keys:
            return []
        for other, members in self.members.items():
            if other != scope:
                keys -= members
        return [self.known[key] for key in keys if key in self.known]

    def prepare(self, item: Item) -> Item:
        """Clean, and find service, team and environment."""
        item = scrub_any(item)
        return self.resolver(item) if self.resolver is not None else item

    def facts(self, keys: Iterable[str]) -> list[Fact]:
        return [decode(self.known[key].body) for key in keys if key in self.known]


class Ingest:
    """What is last known of every key, and the way in.  One per process; calls for one source must not overlap."""

    def __init__(self, store: Store, clock: Clock, *, keep: timedelta = timedelta(hours=48)) -> None:
        self.store = store
        self.clock = clock
        self.keep = keep
        self.lease: Lease | None = None
        self.log = logging.getLogger("statusboard.ingest")
        self._desks: defaultdict[str, _Desk] = defaultdict(_Desk)
        self._watched: dict[tuple[str, str], Watched] = {}
        self._statuses: dict[str, Status] = {}
        self._seq = 0

    # -- what is known -------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Read what is live in the store.  To be called whenever this process becomes the one that polls."""
        picture = await self.store.snapshot()
        self._seq = picture.seq
        for desk in self._desks.values():
            desk.known.clear()
            desk.members.clear()
            desk.running.clear()
        for start in range(0, len(picture.rows), SLICE):
            for row in picture.rows[start : start + SLICE]:
                desk = self._desks[row.source]
                desk.know(row, row.body)
                if row.part:
                    desk.members.setdefault(row.part, set()).add(row.key)
            await asyncio.sleep(0)

    def use_resolver(self, source: str, resolver: Resolver) -> None:
        """Set how this source's items find their service, team and environment.  Known fingerprints are void."""
        desk = self._desks[source]
        desk.resolver = resolver
        for known in desk.known.values():
            known.fingerprint = 0

    def running(self, source: str) -> bool:
        """Whether a build or release of this source is on its way, so that polling should quicken."""
        return bool(self._desks[source].running)

    def sources(self) -> set[str]:
        """The sources that have anything live."""
        return {name for name, desk in self._desks.items() if desk.known}

    # -- coming in -----------------------------------------------------------------------------------------------

    @property
    def mark(self) -> int:
        """The newest ``seq`` that this process stored or loaded; take it before a poll begins."""
        return self._seq

    async def part(
        self, source: str, part: Part, *, mark: int, gap: float
    ) -> tuple[list[Change], list[str], list[str]]:
        """Take one part of a poll in.

        Returns the changes stored, the keys of unfinished items to read again by id, and faults of single items
        (wrong kind, foreign key), which were left out.  ``mark`` is `mark` as it was before the poll; ``gap`` is how
        many seconds may lie between two successes of one stretch of watched time.  A failed part retires nothing and is
        not watched time; the items that it could give all the same are news like any others.
        """
        if part.error is None:
            self._watched[(source, part.scope)] = Watched(source=source, part=part.scope, at=part.started_at, gap=gap)
        if part.unchanged or (part.error is not None and not part.items):
            return [], [], []
        desk = self._desks[source]
        told, changed, faults = await self._sift(desk, source, part)
        drafts: list[Draft] = []
        fingerprints: dict[str, int] = {}
        for start in range(0, len(changed), SLICE):
            more, prints = compare(part, changed[start : start + SLICE], desk.known, desk.prepare, mark=mark)
            drafts += more
            fingerprints.update(prints)
            await asyncio.sleep(0)
        missing = desk.missing(part.scope, told)
        gone, orphans = absent(part, missing, told, mark=mark)
        changes = await self._append(drafts + gone, validators=part.validators)
        self._note(desk, fingerprints)
        desk.members[part.scope] = told | {known.key for known in missing if known.key in desk.known}
        return changes, orphans, faults

    async def found(self, source: str, part: Part, items: Iterable[Item]) -> list[Change]:
        """Take in items that were read again by id; nothing is absent here."""
        desk = self._desks[source]
        fine = [item for item in items if not sane(item, source, part) and not unstorable(item)]
        drafts, fingerprints = compare(part, fine, desk.known, desk.prepare, mark=self._seq)
        changes = await self._append(drafts)
        self._note(desk, fingerprints)
        return changes

    async def gone(self, source: str, keys: Iterable[str]) -> list[Change]:
        """These items are no longer there, as a look by id has shown."""
        at = self.clock.now()
        drafts = [vanish(fact, at) for fact in self._desks[source].facts(keys)]
        return await self._append([d for d in drafts if d is not None])

    async def unreadable(self, source: str, keys: Iterable[str]) -> list[Change]:
        """These unfinished items can no longer be read: unknown from now on."""
        facts = self._desks[source].facts(keys)
        drafts = [lose_sight(fact) for fact in facts if isinstance(fact, Build | Incident | Release | Ticket)]
        return await self._append([d for d in drafts if d is not None])

    async def withdraw(self, source: str, keep_parts: Collection[str] | None = None) -> list[Change]:
        """Take a source's items off the board: all of it, or the parts that are no longer asked for."""
        desk = self._desks[source]
        if keep_parts is None:
            keys = list(desk.known)
        else:
            parts = desk.members.keys() - keep_parts
            if not parts:
                return []
            keys = [known.key for part in parts for known in desk.missing(part, set())]
            for part in parts:
                del desk.members[part]
        return await self._append([removal(fact, "withdrawn") for fact in desk.facts(keys)])

    async def expire(self, keys: Iterable[tuple[str, str]]) -> list[Change]:
        """Take items off the board that have been over for long enough: pairs of source and key."""
        facts = [fact for source, key in keys for fact in self._desks[source].facts([key])]
        return await self._append([removal(fact, "expired") for fact in facts])

    async def health(self, health: SourceHealth) -> list[Change]:
        """Store a source's new state, if it is one."""
        before = self._desks[health.source].known.get(health.key)
        if before is not None and before.body == encode(health):
            return []
        old = decode(before.body) if before is not None else None
        return await self._append([draft(old, health)])

    async def annotate(self, annotation: Annotation) -> list[Change]:
        """Store what a person said.  Needs no lease."""
        text = msgspec.structs.replace(
            annotation, text=clean(annotation.text, 500), author=clean(annotation.author, 80)
        )
        batch = Batch(observed_at=self.clock.now(), drafts=(draft(None, text, origin="person"),))
        return await self.store.append(batch, None)

    def status(self, status: Status) -> None:
        """Note what moves at every poll; written with the next change, or by `flush`."""
        self._statuses[status.source] = status

    async def flush(self) -> None:
        """Write watched time and statuses that wait."""
        if self._watched or self._statuses:
            await self._append([])

    # -- inside --------------------------------------------------------------------------------------------------

    async def _sift(self, desk: _Desk, source: str, part: Part) -> tuple[set[str], list[Item], list[str]]:
        """The keys that an answer holds, the items in it that are news, and what may not come in.

        Nearly all items of nearly all answers say what they said before: those cost one encoding and one look-up.
        """
        items: dict[str, Item] = {}
        faults: list[str] = []
        given: tuple[object, ...] = part.items  # whatever a source really gave
        for item in given:
            if not isinstance(item, _ITEMS):
                faults.append(f"an item is a {type(item).__name__}")
                continue
            key = item.key
            if key not in items or _newer(item, items[key]):
                items[key] = item
        news: list[Item] = []
        for start, item in enumerate(items.values()):
            if start % SLICE == 0:
                await asyncio.sleep(0)
            known = desk.known.get(item.key)
            if known is None or known.fingerprint != fingerprint_of(item):
                news.append(item)
        told = set(items)
        changed: list[Item] = []
        for start, item in enumerate(news):
            if start % SLICE == 0:
                await asyncio.sleep(0)
            if fault := sane(item, source, part) or unstorable(item):
                faults.append(fault)
                told.discard(item.key)
            else:
                changed.append(item)
        if any(item.key not in desk.known for item in changed):
            fine = [item for key, item in items.items() if key in told]
            late = outdated(fine, now=self.clock.now(), keep=self.keep)
            changed = [item for item in changed if item.key not in late or item.key in desk.known]
        return told, changed, faults

    def _note(self, desk: _Desk, fingerprints: dict[str, int]) -> None:
        """What the source said is stored (or said nothing new): the same again need not be looked at."""
        for key, fingerprint in fingerprints.items():
            if key in desk.known:
                desk.known[key].fingerprint = fingerprint

    async def _append(self, drafts: list[Draft], *, validators: tuple[Validator, ...] = ()) -> list[Change]:
        watched, statuses = self._watched, self._statuses
        if not drafts and not validators and not watched and not statuses:
            return []
        self._watched, self._statuses = {}, {}
        batch = Batch(
            observed_at=self.clock.now(),
            drafts=tuple(self._placed(d) for d in drafts),
            watched=tuple(watched.values()),
            validators=validators,
            statuses=tuple(statuses.values()),
        )
        try:
            changes = await self.store.append(batch, self.lease)
        except BaseException:
            self._watched = {**watched, **self._watched}
            self._statuses = {**statuses, **self._statuses}
            raise
        for change in changes:
            self._remember(change)
        return changes

    def _placed(self, draft: Draft) -> Draft:
        """The draft with the part that its key is known to belong to."""
        known = self._desks[draft.source].known.get(draft.key)
        return draft if draft.part or known is None else msgspec.structs.replace(draft, part=known.part)

    def _remember(self, change: Change) -> None:
        self._seq = max(self._seq, change.seq)
        desk = self._desks[change.source]
        if change.body is None:
            desk.forget(change.key)
        else:
            desk.know(change, change.body)


def _unfinished(fact: Fact) -> bool:
    return isinstance(fact, Build | Incident | Release | Ticket) and fact.state in UNFINISHED[fact.kind]


def _newer(a: Item, b: Item) -> bool:
    """Whether ``a`` is the later word on the same thing."""
    return a.updated_at is not None and (b.updated_at is None or a.updated_at > b.updated_at)
