"""The one door into the store: polls, pushes, backfill and people all come in here.

Clean, resolve to service and team, compare with what was last known, append.  What is known is remembered only after
the store has it, so a failed append loses nothing: the next poll finds the same difference again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from typing import TypeAlias

import msgspec

from statusboard.cleaning import sane_key, scrub_any
from statusboard.clock import Clock
from statusboard.current import outdated
from statusboard.diff import Known, absent, compare, draft, lose_sight, removal, sane, vanish
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

#: Items handled between two turns of the event loop: keeps the screen alive while 10,000 come in.
SLICE = 400


class Ingest:
    """What is last known of every key, and the way in.  One per process; calls for one source must not overlap."""

    def __init__(self, store: Store, clock: Clock, *, keep: timedelta = timedelta(hours=48)) -> None:
        self.store = store
        self.clock = clock
        self.keep = keep
        self.lease: Lease | None = None
        self.log = logging.getLogger("statusboard.ingest")
        self._known: dict[str, Known] = {}
        self._members: dict[tuple[str, str], set[str]] = {}
        self._resolvers: dict[str, Resolver] = {}
        self._watched: dict[tuple[str, str], Watched] = {}
        self._statuses: dict[str, Status] = {}
        self._seq = 0

    # -- what is known -------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Read what is live in the store.  To be called whenever this process becomes the one that polls."""
        picture = await self.store.snapshot()
        self._seq = picture.seq
        self._known.clear()
        self._members.clear()
        for start in range(0, len(picture.rows), SLICE):
            for row in picture.rows[start : start + SLICE]:
                self._know(row, row.body)
                if row.part:
                    self._members.setdefault((row.source, row.part), set()).add(row.key)
            await asyncio.sleep(0)

    def use_resolver(self, source: str, resolver: Resolver) -> None:
        """Set how this source's items find their service, team and environment.  Known fingerprints are void."""
        self._resolvers[source] = resolver
        for known in self._known.values():
            if known.source == source:
                known.fingerprint = 0

    def running(self, source: str) -> bool:
        """Whether something of this source is on its way (queued or running), so that polling should quicken."""
        return any(
            known.unfinished and known.source == source and known.kind in ("build", "release")
            for known in self._known.values()
        )

    def parts_of(self, source: str) -> set[str]:
        """The parts that live items of this source came in."""
        return {part for name, part in self._members if name == source}

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
        many seconds may lie between two successes of one stretch of watched time.  A failed part changes nothing.
        """
        if part.error is not None:
            return [], [], []
        self._watched[(source, part.scope)] = Watched(source=source, part=part.scope, at=part.started_at, gap=gap)
        if part.unchanged:
            return [], [], []
        items, faults = await self._admit(source, part)
        drafts: list[Draft] = []
        fingerprints: dict[str, int] = {}
        prepare = self._preparer(source)
        for start in range(0, len(items), SLICE):
            more, prints = compare(part, items[start : start + SLICE], self._known, prepare, mark=mark)
            drafts += more
            fingerprints.update(prints)
            await asyncio.sleep(0)
        present = frozenset(item.key for item in items)
        gone, orphans = absent(part, self._of_part_alone(source, part.scope), present, mark=mark)
        drafts += gone
        changes = await self._append(drafts, validators=part.validators)
        for key, fingerprint in fingerprints.items():
            if key in self._known:
                self._known[key].fingerprint = fingerprint
        self._members[(source, part.scope)] = set(present) | {
            key for key in self._members.get((source, part.scope), ()) if key in self._known
        }
        return changes, orphans, faults

    async def found(self, source: str, part: Part, items: Iterable[Item]) -> list[Change]:
        """Take in items that were read again by id; nothing is absent here."""
        fine = [item for item in items if not sane(item, source, part) and sane_key(item.key)]
        drafts, fingerprints = compare(part, fine, self._known, self._preparer(source), mark=self._seq)
        changes = await self._append(drafts)
        for key, fingerprint in fingerprints.items():
            if key in self._known:
                self._known[key].fingerprint = fingerprint
        return changes

    async def gone(self, keys: Iterable[str]) -> list[Change]:
        """These items are no longer there, as a look by id has shown."""
        at = self.clock.now()
        drafts = [vanish(fact, at) for fact in self._facts(keys)]
        return await self._append([d for d in drafts if d is not None])

    async def unreadable(self, keys: Iterable[str]) -> list[Change]:
        """These unfinished items can no longer be read: unknown from now on."""
        facts = (f for f in self._facts(keys) if isinstance(f, Build | Incident | Release | Ticket))
        drafts = [lose_sight(fact) for fact in facts]
        return await self._append([d for d in drafts if d is not None])

    async def withdraw(self, source: str, keep_parts: Collection[str] | None = None) -> list[Change]:
        """Take a source's items off the board: all of them, or those of parts that are no longer asked for."""
        keys = [
            known.key
            for known in self._known.values()
            if known.source == source
            and known.kind != "annotation"
            and (keep_parts is None or (known.kind != "source" and known.part not in keep_parts))
        ]
        if not keys:
            return []
        for name, part in [m for m in self._members if m[0] == source]:
            if keep_parts is None or part not in keep_parts:
                del self._members[(name, part)]
        return await self._append([removal(fact, "withdrawn") for fact in self._facts(keys)])

    async def expire(self, keys: Iterable[str]) -> list[Change]:
        """Take items off the board that have been over for long enough."""
        return await self._append([removal(fact, "expired") for fact in self._facts(keys)])

    async def health(self, health: SourceHealth) -> list[Change]:
        """Store a source's new state, if it is one."""
        before = self._known.get(health.key)
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

    async def _admit(self, source: str, part: Part) -> tuple[list[Item], list[str]]:
        """The items that may come in, each key once, without those that would leave again at once."""
        faults: list[str] = []
        items: dict[str, Item] = {}
        for item in part.items:
            fault = sane(item, source, part) or ("" if sane_key(item.key) else "a key is too long or not printable")
            if fault:
                faults.append(fault)
            elif item.key not in items or _newer(item, items[item.key]):
                items[item.key] = item
        await asyncio.sleep(0)
        late = outdated(items.values(), now=self.clock.now(), keep=self.keep)
        return [item for key, item in items.items() if key not in late or key in self._known], faults

    def _preparer(self, source: str) -> Resolver:
        resolve = self._resolvers.get(source)
        if resolve is None:
            return scrub_any
        return lambda item: resolve(scrub_any(item))

    def _of_part_alone(self, source: str, scope: str) -> list[Known]:
        """What is known of a part and stands in no other part of its source."""
        keys = set(self._members.get((source, scope), ()))
        for (name, other), members in self._members.items():
            if name == source and other != scope:
                keys -= members
        return [self._known[key] for key in keys if key in self._known]

    def _facts(self, keys: Iterable[str]) -> list[Fact]:
        return [decode(self._known[key].body) for key in keys if key in self._known]

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
        if draft.part or draft.key not in self._known:
            return draft
        return msgspec.structs.replace(draft, part=self._known[draft.key].part)

    def _remember(self, change: Change) -> None:
        self._seq = max(self._seq, change.seq)
        if change.body is None:
            self._known.pop(change.key, None)
            return
        self._know(change, change.body)

    def _know(self, row: Change | Live, body: bytes) -> None:
        self._known[row.key] = Known(
            key=row.key,
            kind=row.kind,
            source=row.source,
            part=row.part,
            body=body,
            seq=row.seq,
            unfinished=_unfinished(decode(body)),
        )


def _unfinished(fact: Fact) -> bool:
    return isinstance(fact, Build | Incident | Release | Ticket) and fact.state in UNFINISHED[fact.kind]


def _newer(a: Item, b: Item) -> bool:
    """Whether ``a`` is the later word on the same thing."""
    return a.updated_at is not None and (b.updated_at is None or a.updated_at > b.updated_at)
