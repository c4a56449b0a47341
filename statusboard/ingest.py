"""The one door into the store: polls, pushes, backfill and people all come in here.

Clean, resolve to service and team, compare with what was last known, append.  What is known is remembered only after
the store has it, so a failed append loses nothing: the next poll finds the same difference again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

import msgspec

from statusboard.cleaning import unstorable
from statusboard.clock import Clock
from statusboard.current import Order, Slot, is_timeless, outdated
from statusboard.desk import ITEMS, Desk, Resolver, newer
from statusboard.diff import (
    absent,
    compare,
    draft,
    fingerprint_of,
    lose_sight,
    removal,
    resettled,
    sane,
    untold,
    vanish,
)
from statusboard.errors import BadAnswer
from statusboard.model import (
    UNFINISHED,
    Annotation,
    Change,
    Draft,
    Fact,
    Item,
    Origin,
    Part,
    SourceHealth,
    Status,
    Validator,
    decode,
    encode,
)
from statusboard.store.base import Backfilled, Batch, Lease, Store, Watched
from statusboard.text import clean

__all__ = ["Ingest", "Resolver", "Taken"]

#: Items handled between two turns of the event loop: keeps the screen alive while 10,000 come in.
SLICE = 200
#: Changes of one key that are looked at for whether a transition of the past is stored already.
KNOWN_OF_ONE = 200


class Taken(NamedTuple):
    """What came of one part.

    ``orphans`` are unfinished items to be read again by id.  ``part`` is the part as it counts: with an error where
    single items had to be left out, without validators where it was not taken in whole.
    """

    changes: list[Change]
    orphans: list[str]
    part: Part


class Bygone(NamedTuple):
    """What came of a page of the past: what was stored, and why some items were left out."""

    changes: list[Change]
    faults: list[str]


class Ingest:
    """What is last known of every key, and the way in.  One per process.

    ``standing`` says how the current item of a slot ranks on the board, all sources together: what is long over and
    ranks below it does not come in again.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        keep: timedelta = timedelta(hours=48),
        standing: Callable[[Slot], Order | None] = lambda slot: None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.keep = keep
        self.standing = standing
        self.lease: Lease | None = None
        self.log = logging.getLogger("statusboard.ingest")
        self._desks: defaultdict[str, Desk] = defaultdict(Desk)
        self._watched: dict[tuple[str, str], Watched] = {}
        self._statuses: dict[str, Status] = {}
        self._seq = 0

    # -- what is known -------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Read what is live in the store.  To be called whenever this process becomes the one that polls."""
        picture = await self.store.snapshot()
        self._seq = picture.seq
        for desk in self._desks.values():
            desk.clear()
        for start in range(0, len(picture.rows), SLICE):
            for row in picture.rows[start : start + SLICE]:
                desk = self._desks[row.source]
                desk.know(row, row.body)
                if row.kind not in ("source", "annotation"):
                    desk.members.setdefault(row.part, set()).add(row.key)
            await asyncio.sleep(0)

    def use_resolver(self, source: str, resolver: Resolver) -> None:
        """Set how this source's items find their service, team and environment.  Known fingerprints are void."""
        desk = self._desks[source]
        desk.resolver = resolver
        for known in desk.known.values():
            known.fingerprint = 0

    def renew(self, source: str, resolver: Resolver) -> None:
        """Know no more of this source than what is stored, as after a restart; not while it is polled."""
        self.use_resolver(source, resolver)
        self._desks[source].begin_anew()

    def running(self, source: str) -> bool:
        """Whether a build or release of this source is on its way, so that polling should quicken."""
        return bool(self._desks[source].running)

    def healths(self) -> dict[str, SourceHealth]:
        """The stored health of every source that has one, by name."""
        healths = {name: desk.stored_health for name, desk in self._desks.items()}
        return {name: health for name, health in healths.items() if health is not None}

    def parts(self) -> dict[str, str]:
        """Which part each live key belongs to."""
        return {row.key: row.part for desk in self._desks.values() for row in desk.known.values()}

    # -- coming in -----------------------------------------------------------------------------------------------

    @property
    def mark(self) -> int:
        """The newest ``seq`` that this process stored or loaded; take it before a poll begins."""
        return self._seq

    async def part(self, source: str, part: Part, *, mark: int, gap: float) -> Taken:
        """Take one part of a poll in.

        ``mark`` is `mark` as it was before the poll; ``gap`` is how many seconds may lie between two successes of one
        stretch of watched time.  A failed part retires nothing and is not watched time; the items that it could give
        all the same are news like any others.  A part with items that may not come in (wrong kind, foreign key) counts
        as failed: they are left out, and its absences prove nothing.
        """
        desk = self._desks[source]
        async with desk.lock:
            return await self._part(desk, source, part, mark, gap)

    async def _part(self, desk: Desk, source: str, part: Part, mark: int, gap: float) -> Taken:
        watched = Watched(source=source, part=part.scope, at=part.started_at, gap=gap)
        if part.unchanged:
            self._watched[(source, part.scope)] = watched
            orphans = desk.orphans.get(part.scope, [])
            return Taken([], [key for key in orphans if key in desk.known and desk.known[key].unfinished], part)
        if part.error is not None and not part.items:
            return Taken([], [], part)
        told, changed, faults = await self._sift(desk, source, part)
        if faults and part.error is None:
            fault = BadAnswer(f"{len(faults)} of {len(part.items)} items were left out: {faults[0]}")
            part = msgspec.structs.replace(part, error=fault)
        changed, prepared = await self._fresh(desk, changed)
        drafts: list[Draft] = []
        fingerprints: dict[str, int] = {}
        for start in range(0, len(changed), SLICE):
            some = changed[start : start + SLICE]
            more, prints = compare(
                part,
                some,
                desk.known,
                lambda item: prepared.get(item.key) or desk.prepare(item),
                stored=await self._stored(desk, [item.key for item in some]),
                mark=mark,
            )
            drafts += more
            fingerprints.update(prints)
            await asyncio.sleep(0)
        missing = desk.missing(part.scope, told)
        gone, orphans = absent(part, missing, told, mark=mark)
        for start in range(0, len(gone), SLICE):
            facts = await self._facts(desk, gone[start : start + SLICE])
            drafts += [draft for fact in facts if (draft := vanish(fact, part.started_at)) is not None]
        if part.error is None:
            drafts += await self._resettled(desk, part.scope, told)
        # What changed while we read is neither reverted nor retired: such an answer must be had again.
        whole = len(fingerprints) == len(changed) and all(row.seq <= mark for row in missing)
        if part.error is not None or not whole:
            part = msgspec.structs.replace(part, validators=())
        # While an orphan waits, the store vouches for nothing: after a restart only a full answer finds it again.
        vouching = () if orphans else part.validators
        if part.error is None:
            self._watched[(source, part.scope)] = watched
        void = part.error is None and desk.vouched.get(part.scope) != vouching
        changes: list[Change] = []
        if drafts or void:
            parts = ((source, part.scope),) if void else ()
            changes = await self._append(drafts, validators=vouching if void else (), void=parts)
        self._note(desk, fingerprints)
        held = {known.key for known in missing if known.key in desk.known}
        desk.members[part.scope] = told | held if held else told
        if part.error is None:
            desk.told[part.scope], desk.orphans[part.scope], desk.vouched[part.scope] = told, orphans, vouching
        return Taken(changes, orphans, part)

    async def found(self, source: str, part: Part, items: Iterable[Item]) -> list[Change]:
        """Take in items that were read again by id; nothing is absent here."""
        desk = self._desks[source]
        async with desk.lock:
            fine = [item for item in items if not sane(item, source, part) and not unstorable(item)]
            stored = await self._stored(desk, [item.key for item in fine])
            drafts, fingerprints = compare(part, fine, desk.known, desk.prepare, stored=stored, mark=self._seq)
            changes = await self._append(drafts)
            self._note(desk, fingerprints)
        return changes

    async def gone(self, source: str, keys: Iterable[str]) -> list[Change]:
        """These items are no longer there, as a look by id has shown."""
        at = self.clock.now()
        return await self._told_of(source, keys, lambda item: vanish(item, at))

    async def unreadable(self, source: str, keys: Iterable[str]) -> list[Change]:
        """These unfinished items can no longer be read: unknown from now on."""
        return await self._told_of(source, keys, lose_sight)

    async def _told_of(self, source: str, keys: Iterable[str], meaning: Callable[[Item], Draft | None]) -> list[Change]:
        desk = self._desks[source]
        async with desk.lock:
            drafts = [meaning(fact) for fact in await self._facts(desk, keys) if isinstance(fact, ITEMS)]
            return await self._append([d for d in drafts if d is not None])

    async def leave(self, source: str) -> list[Change]:
        """Take a source off the board, all of it but what people said."""
        desk = self._desks[source]
        async with desk.lock:
            facts = [fact for fact in await self._facts(desk, desk.known) if not isinstance(fact, Annotation)]
            return await self._append([removal(fact, "withdrawn") for fact in facts])

    async def withdraw(self, source: str, keep_parts: Collection[str]) -> tuple[list[Change], list[str]]:
        """Take the parts of a source off the board that are no longer asked for; returns their names as well.

        Their validators are void.
        """
        desk = self._desks[source]
        async with desk.lock:
            parts = sorted(desk.members.keys() - keep_parts)
            if not parts:
                return [], []
            drafts = [draft for part in parts for draft in await self._resettled(desk, part, set())]
            keys = [known.key for part in parts for known in desk.missing(part, set())]
            drafts += [removal(fact, "withdrawn") for fact in await self._facts(desk, keys)]
            changes = await self._append(drafts, void=tuple((source, part) for part in parts))
            for part in parts:
                desk.drop(part)
        return changes, parts

    async def expire(self, rows: Iterable[tuple[str, str, int]]) -> list[Change]:
        """Take items off the board that have been over for long enough: source, key, and the ``seq`` they had then.

        One that has changed since stays, and so does one without any time that its source still tells of: it would
        come in again.
        """
        by_source: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for source, key, seq in rows:
            by_source[source].append((key, seq))
        changes: list[Change] = []
        for source, pairs in by_source.items():
            desk = self._desks[source]
            for start in range(0, len(pairs), SLICE):
                async with desk.lock:
                    some = pairs[start : start + SLICE]
                    keys = [key for key, seq in some if key in desk.known and desk.known[key].seq == seq]
                    found = await self._facts(desk, keys)
                    facts = [fact for fact in found if not is_timeless(fact) or desk.has_left(fact.key)]
                    changes += await self._append([removal(fact, "expired") for fact in facts])
        return changes

    async def health(self, health: SourceHealth) -> list[Change]:
        """Store a source's new state, if it is one."""
        desk = self._desks[health.source]
        if desk.health is health:
            return []
        async with desk.health_lock:  # the poll's own judgement and the clock's may meet
            before = desk.stored_health
            changes: list[Change] = []
            if before is None or encode(before) != encode(health):
                changes = await self._append([draft(before, health)])
            desk.health = health
            return changes

    async def bygone(
        self, source: str, part: Part, *, stretch: Backfilled | None = None, lease: Lease | None = None
    ) -> Bygone:
        """Take in items of the past, as a vendor tells of them now: one change for each transition, origin backfill.

        What is unfinished is left to the polls.  A transition that is stored already, as it was seen or by an earlier
        backfill, is not stored again, unless the vendor or the catalog says something else of one that nobody saw.
        Nothing that is live changes, so this needs no lease; ``lease`` is that of whoever backfills.  ``stretch`` says
        how far that has come with these items.
        """
        desk = self._desks[source]
        drafts: list[Draft] = []
        faults: list[str] = []
        told: dict[str, list[tuple[Origin, Fact]]] = {}
        for item in part.items:
            if fault := sane(item, source, part) or unstorable(item):
                faults.append(fault)
                continue
            item = desk.prepare(item)
            if item.state in UNFINISHED[item.kind] and not (item.state == "unknown" and item.ended_at is not None):
                continue
            if item.key not in told:
                known = await self.store.history(item.key, KNOWN_OF_ONE)
                told[item.key] = [(change.origin, decode(change.body)) for change in known if change.body is not None]
            drafts += untold(item, told[item.key], part.scope)
        stretches = (stretch,) if stretch is not None else ()
        if not drafts and not stretches:
            return Bygone([], faults)
        batch = Batch(observed_at=self.clock.now(), drafts=tuple(drafts), backfilled=stretches)
        # Once on its way it is stored, though whoever asked for it gives up meanwhile.
        storing = asyncio.ensure_future(self.store.append(batch, lease))
        try:
            return Bygone(await asyncio.shield(storing), faults)
        except asyncio.CancelledError:
            await asyncio.wait({storing})
            raise

    async def annotate(self, annotation: Annotation) -> list[Change]:
        """Store what a person said.  Needs no lease."""
        text = msgspec.structs.replace(
            annotation, text=clean(annotation.text, 500), author=clean(annotation.author, 80)
        )
        batch = Batch(observed_at=self.clock.now(), drafts=(draft(None, text, origin="person"),))
        return await self.store.append(batch, None)

    async def unsay(self, annotations: Iterable[Annotation]) -> list[Change]:
        """Take what people said off the board, once what they said it of has left."""
        drafts = [removal(said, "expired") for said in annotations]
        return await self._append(drafts) if drafts else []

    def status(self, status: Status) -> None:
        """Note what moves at every poll; written with the next change, or by `flush`."""
        self._statuses[status.source] = status

    async def flush(self) -> None:
        """Write watched time and statuses that wait."""
        if self._watched or self._statuses:
            await self._append([])

    # -- inside --------------------------------------------------------------------------------------------------

    async def _sift(self, desk: Desk, source: str, part: Part) -> tuple[set[str], list[Item], list[str]]:
        """The keys that an answer holds, the items in it that are news, and what may not come in.

        Nearly all items of nearly all answers say what they said before: those cost one encoding and one look-up.
        """
        items: dict[str, Item] = {}
        faults: list[str] = []
        given: tuple[object, ...] = part.items  # whatever a source really gave
        for item in given:
            if not isinstance(item, ITEMS) or not isinstance(item.key, str):
                faults.append(f"an item is a {type(item).__name__} or has no key")
            elif item.key not in items or newer(item, items[item.key]):
                items[item.key] = item
        told: dict[str, None] = {}
        changed: list[Item] = []
        shared: list[str] = []
        for start, item in enumerate(items.values()):
            if start % SLICE == 0:
                await asyncio.sleep(0)
            known = desk.known.get(item.key)
            if known is not None:
                told[known.key] = None  # not the item's own text of it: that one need not be kept
                if known.fingerprint == fingerprint_of(item):
                    continue
            if fault := sane(item, source, part) or unstorable(item):
                faults.append(fault)
                told.pop(item.key, None)
                continue
            told.setdefault(item.key)
            changed.append(item)
            if desk.shared(part.scope, item.key):
                shared.append(item.key)
        if shared:
            stored = await self._stored(desk, shared)
            outdone = {key for key, body in stored.items() if desk.outdone(part.scope, items[key], body)}
            changed = [item for item in changed if item.key not in outdone]
        return set(told), changed, faults

    async def _fresh(self, desk: Desk, changed: list[Item]) -> tuple[list[Item], Mapping[str, Item]]:
        """``changed`` without what would leave the board as soon as it came, and what of it is made ready already."""
        prepared: dict[str, Item] = {}
        for start, item in enumerate(changed):
            if start % SLICE == 0:
                await asyncio.sleep(0)
            if item.key not in desk.known:
                prepared[item.key] = desk.prepare(item)
        if not prepared:
            return changed, prepared
        late = outdated(prepared.values(), now=self.clock.now(), keep=self.keep, standing=self.standing)
        return [item for item in changed if item.key not in late], prepared

    async def _stored(self, desk: Desk, keys: Iterable[str]) -> dict[str, bytes]:
        """The bodies of what is known among these keys: the store alone keeps them."""
        wanted = [key for key in keys if key in desk.known]
        return {row.key: row.body for row in await self.store.get(wanted)} if wanted else {}

    async def _facts(self, desk: Desk, keys: Iterable[str]) -> list[Fact]:
        """What is known of these keys, in their order."""
        stored = await self._stored(desk, keys := list(keys))
        return [decode(stored[key]) for key in keys if key in stored]

    async def _resettled(self, desk: Desk, scope: str, told: set[str]) -> list[Draft]:
        """What belonged to this part and only another one tells of now."""
        parts = desk.moved(scope, told)
        stored = await self._stored(desk, parts)
        return [resettled(desk.known[key], parts[key], body) for key, body in stored.items()]

    def _note(self, desk: Desk, fingerprints: dict[str, int]) -> None:
        """What the source said is stored (or said nothing new): the same again need not be looked at."""
        for key, fingerprint in fingerprints.items():
            if key in desk.known:
                desk.known[key].fingerprint = fingerprint

    async def _append(
        self,
        drafts: list[Draft],
        *,
        validators: tuple[Validator, ...] = (),
        void: tuple[tuple[str, str], ...] = (),
    ) -> list[Change]:
        if not drafts and not void and not self._watched and not self._statuses:
            return []
        # Once on its way a batch is stored, though its poll is given up meanwhile: it must be known then, else the
        # next poll would store it once more.
        storing = asyncio.ensure_future(self._store(drafts, validators, void))
        try:
            return await asyncio.shield(storing)
        except asyncio.CancelledError:
            await asyncio.wait({storing})
            raise

    async def _store(
        self, drafts: list[Draft], validators: tuple[Validator, ...], void: tuple[tuple[str, str], ...]
    ) -> list[Change]:
        watched, statuses = self._watched, self._statuses
        self._watched, self._statuses = {}, {}
        batch = Batch(
            observed_at=self.clock.now(),
            drafts=tuple(self._placed(d) for d in drafts),
            watched=tuple(watched.values()),
            void=void,
            validators=validators,
            statuses=tuple(statuses.values()),
        )
        try:
            changes = await self.store.append(batch, self.lease)
        except BaseException:
            self._watched = {**watched, **self._watched}
            self._statuses = {**statuses, **self._statuses}
            raise
        if changes:
            self._seq = changes[-1].seq
        for start, change in enumerate(changes, 1):
            self._remember(change)
            if start % SLICE == 0:
                await asyncio.sleep(0)
        return changes

    def _placed(self, draft: Draft) -> Draft:
        """The draft with the part that its key is known to belong to."""
        known = self._desks[draft.source].known.get(draft.key)
        return draft if draft.part or known is None else msgspec.structs.replace(draft, part=known.part)

    def _remember(self, change: Change) -> None:
        desk = self._desks[change.source]
        if change.body is None:
            desk.forget(change.key)
        else:
            desk.know(change, change.body)
