"""What happened between two moments, read back from the store as entries of the timeline, in the order it happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from statusboard.current import Order, Slot, order_of, slot_of, verdict_of
from statusboard.model import Annotation, Build, Change, Fact, Item, Kind, decode
from statusboard.store.base import Store
from statusboard.timeline import LATE, Around, Entry, Shows, entry_of

#: Changes read at a time.
PAGE: Final = 500
#: Of these kinds the store finds what was backfilled by when it happened.
_REMEMBERED: Final[tuple[Kind, ...]] = ("build", "incident", "release")
#: What was backfilled is found by when it began, and told by when it ended.
_LONGEST: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)


async def retold(store: Store, since: datetime, until: datetime, shows: Shows | None = None) -> list[Entry]:
    """The entries that happened in [since, until), oldest first; ``shows`` narrows them as in `entry_of`.

    They stand by when they happened, whenever that was learned: of what was backfilled there is the last word alone.
    """
    around = Passing(store)
    found: list[Entry] = []
    first, last = await store.seq_at(since - _INSTANT) + 1, await store.seq_at(until + LATE)
    for start in range(first, last + 1, PAGE):
        page = await store.recorded(range(start, min(start + PAGE, last + 1)))
        changes = [c for c in reversed(page) if c.origin != "backfill" or c.kind not in _REMEMBERED]
        found += await entries_of(store, changes, around, shows)
    filled: list[int] = []
    for kind in _REMEMBERED:
        words = await store.remembered(kind, since=since - _LONGEST, until=until)
        filled += [word.seq for word in words if word.origin == "backfill"]
    for start in range(0, len(filled), PAGE):
        found += await entries_of(store, await store.recorded(filled[start : start + PAGE]), around, shows)
    return sorted((e for e in found if since <= e.at < until), key=lambda entry: (entry.at, entry.seq))


async def entries_of(
    store: Store, changes: Sequence[Change], around: Passing, shows: Shows | None = None
) -> list[Entry]:
    """The entries of changes, which come in their order."""
    by_seq = {change.seq: change for change in changes}
    elsewhere = [c.prev_seq for c in changes if c.prev_seq is not None and c.prev_seq not in by_seq]
    by_seq |= {change.seq: change for change in await store.recorded(elsewhere)}
    await around.learn(changes)
    found = []
    for change in changes:
        previous = by_seq.get(change.prev_seq) if change.prev_seq is not None else None
        entry = entry_of(change, previous, around, shows)
        around.passed(change)
        if entry is not None:
            found.append(entry)
    return found


class Passing(Around):
    """What can be known around changes that pass by in their order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._facts: dict[str, Fact | None] = {}
        self._stood: dict[Slot, list[tuple[Order, str, str]]] = {}

    async def learn(self, changes: Iterable[Change]) -> None:
        """Look up what people say something of in these changes."""
        said = (decode(c.body) for c in changes if c.kind == "annotation" and c.body is not None)
        for target in {fact.target for fact in said if isinstance(fact, Annotation)} - self._facts.keys():
            newest = await self._store.history(target, 5)
            body = next((change.body for change in newest if change.body is not None), None)
            self._facts[target] = decode(body) if body is not None else None

    def passed(self, change: Change) -> None:
        """This change has passed by."""
        if change.kind != "build" or change.body is None:
            return
        fact = decode(change.body)
        slot = slot_of(fact)
        if isinstance(fact, Build) and slot is not None and (verdict := verdict_of(fact)):
            stood = [place for place in self._stood.get(slot, []) if place[1] != fact.key]
            self._stood[slot] = sorted([*stood, (order_of(fact), fact.key, verdict)])[-2:]

    def fact(self, key: str) -> Fact | None:
        """What something was said of, as it was known last."""
        return self._facts.get(key)

    def earlier(self, fact: Item) -> str:
        """The verdict of the run before this one in its slot, where it passed by."""
        slot, order = slot_of(fact), order_of(fact)
        stood = self._stood.get(slot, []) if slot is not None else []
        return next((verdict for place, key, verdict in reversed(stood) if place < order and key != fact.key), "")
