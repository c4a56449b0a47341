"""The board's state: rows folded from the store's changes, their revision and digest, and the verdict.

The same fold serves a live board, one that follows another, and any past moment, to which changes are folded
backwards as well.  Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, Literal, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import force_setattr

from statusboard.current import (
    UNREAD,
    Order,
    Slot,
    competes,
    is_failing,
    is_unknown,
    lies_ahead,
    may_leave,
    order_of,
    slot_of,
)
from statusboard.model import (
    SEVERITIES,
    Annotation,
    Build,
    Change,
    Fact,
    Incident,
    Release,
    ShownHealth,
    SourceHealth,
    Ticket,
    decode,
)

#: Health states in which a source's silence proves nothing.  Aging is told by its age, and blind only with an error.
BLIND: frozenset[ShownHealth] = frozenset({"starting", "partial", "stale", "down", "paused", "unwatched"})
Verdict: TypeAlias = Literal["failing", "blind", "ok"]
_MODULUS = 1 << 128
_order = attrgetter("order")
#: So many texts are remembered, then it begins again: what nobody says any more must not be kept for ever.
MOST_TEXTS: Final = 8_192
_ITEM: Final = ("source", "raw_state", "services", "team", "environment", "repository", "actor", "trigger")
#: The fields that mostly say what those of some other fact say.
_COMMON: Final[Mapping[type, tuple[str, ...]]] = {
    Build: (*_ITEM, "pipeline", "branch", "default_branch"),
    Incident: (*_ITEM, "assignee"),
    Release: _ITEM,
    Ticket: (*_ITEM, "priority", "assignee"),
    Annotation: (),
    SourceHealth: (),
}


#: The labels or links of whatever has none: ten thousand empty mappings would take a megabyte.
_NONE: Final[dict[str, str]] = {}


class Texts(dict[Any, Any]):
    """Texts, and tuples of texts, by themselves: of ten thousand rows thousands say "main", and one text is enough."""

    def __missing__(self, value: Any) -> Any:
        if len(self) >= MOST_TEXTS:
            self.clear()
        self[value] = value
        return value

    def share(self, fact: Fact) -> Fact:
        """The same fact, which nobody else may hold yet, with the texts that others use too."""
        for name in _COMMON[type(fact)]:
            value = getattr(fact, name)
            if value:
                shared = self[value]
                if shared is not value:
                    force_setattr(fact, name, shared)
        if isinstance(fact, Build | Incident | Release | Ticket):
            labels = fact.labels
            for name, text in labels.items():
                labels[name] = self[text]
            if not labels:
                force_setattr(fact, "labels", _NONE)
            if not fact.links:
                force_setattr(fact, "links", _NONE)
        return fact


class Row:
    """One live fact.  ``seq`` is the change that wrote it.

    ``current``, ``failing``, ``unknown`` (current, and its state could not be read) and ``newest`` (nothing in its slot
    began later, whatever its state) follow from its slot; ``ahead`` (see `lies_ahead`) from the time that it is.
    """

    __slots__ = (
        "_order",
        "ahead",
        "current",
        "fact",
        "failing",
        "hash",
        "key",
        "newest",
        "observed_at",
        "seq",
        "slot",
        "unknown",
    )

    def __init__(self, seq: int, observed_at: datetime, fact: Fact, body_hash: bytes) -> None:
        self.key = fact.key
        self.seq = seq
        self.observed_at = observed_at
        self.fact = fact
        self.hash = int.from_bytes(body_hash, "big")
        self.slot: Slot | None = slot_of(fact)
        self.ahead = False
        self.current = False
        self.failing = False
        self.unknown = False
        self.newest = False
        self._order: Order | None = None

    def again(self) -> Row:
        """The same fact for another board, on which it may stand otherwise."""
        row = Row.__new__(Row)
        row.key, row.seq, row.observed_at, row.fact = self.key, self.seq, self.observed_at, self.fact
        row.hash, row.slot, row._order = self.hash, self.slot, self._order
        row.ahead = row.current = row.failing = row.unknown = row.newest = False
        return row

    @property
    def order(self) -> Order:
        """What decides between the rows of its slot; most have no rival, so it is found when asked for."""
        if self._order is None:
            self._order = order_of(self.fact)
        return self._order


class Delta(Struct, frozen=True):
    """What a fold changed: rows that are new or look different now, and keys that left."""

    changed: frozenset[str]
    gone: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)


class Summary(Struct, frozen=True, kw_only=True):
    """The picture in numbers.  ``blind`` counts required sources; optional ones are counted apart.

    Of those that are blind ``in_part`` counts the ones that are read all the same, in part or too late.

    The verdict is ``ok`` only where something is read: never by optional sources alone that are all blind.
    """

    verdict: Verdict
    failing: int
    blind: int
    unknown: int
    suppressed: int
    severities: dict[str, int]
    fresh: int
    sources: int
    optional_blind: int
    in_part: int = 0

    @property
    def unread_words(self) -> str:
        """``unread``, or ``not read in full`` where some of what is blind is read all the same."""
        return "not read in full" if self.in_part else "unread"


class StoredRow(Protocol):
    """A live row as a store gives it (`Live` and `Stored` of `statusboard.store.base`)."""

    @property
    def seq(self) -> int: ...
    @property
    def observed_at(self) -> datetime: ...
    @property
    def body(self) -> bytes: ...
    @property
    def body_hash(self) -> bytes: ...


class Board:
    """The live rows of one store at one revision.

    ``overlay`` holds health states that only this process can see (nobody polls any more, or nobody watched at the past
    moment that is shown): they are shown and counted, and are in neither the store nor the digest.
    """

    def __init__(self, store_id: str = "", seq: int = 0) -> None:
        self.store_id = store_id
        self.seq = seq
        self.rows: dict[str, Row] = {}
        #: The rows of these kinds, by key: whoever looks for suspects looks at all of them after each change.
        self.releases: dict[str, Row] = {}
        self.incidents: dict[str, Row] = {}
        self.health: dict[str, SourceHealth] = {}
        self.overlay: dict[str, ShownHealth] = {}
        self._annotations: dict[str, dict[str, Annotation]] = {}
        self._slots: dict[Slot, list[str]] = {}  # mostly of one key, for which a set is three times as large
        #: The releases that lay ahead when they were stored, by key.
        self._dated: dict[str, Row] = {}
        self._texts = Texts()
        self._total = 0
        self._failing: set[str] = set()
        self._unknown: set[str] = set()
        self._suppressed: set[str] = set()
        self._severities: dict[str, int] = dict.fromkeys(SEVERITIES, 0)  # of the incidents among those that fail

    @property
    def digest(self) -> str:
        """Sum modulo 2**128 of the live rows' stored hashes, in hexadecimal: equal pictures, equal digests."""
        return f"{self._total:032x}"

    @property
    def revision(self) -> tuple[str, int]:
        """Which store, and how far along its feed."""
        return (self.store_id, self.seq)

    # -- folding -------------------------------------------------------------------------------------------------

    def load(self, rows: Iterable[StoredRow]) -> Delta:
        """Fold rows of a snapshot in; may be called chunk by chunk.  Set ``seq`` when all are in.

        Their texts are not shared: that takes a third of the time again, and a board that starts has none to spare.
        """
        changed: set[str] = set()
        touched: set[Slot] = set()
        for row in rows:
            made = _row(row)
            self._put(made, touched)
            changed.add(made.key)
        changed |= self.settle(touched)
        return Delta(frozenset(changed), frozenset())

    def load_unsettled(self, rows: Iterable[StoredRow | Row], touched: set[Slot]) -> None:
        """As `load`, but how rows stand is left open; the slots that must be settled for that come to ``touched``.

        A `Row` is one of another board of this store, which is decoded already.
        """
        for row in rows:
            self._put(row.again() if isinstance(row, Row) else _row(row), touched)

    def fold(self, changes: Iterable[Change]) -> Delta:
        """Apply changes in their order.  Those at or below our ``seq`` are known already and skipped."""
        touched: set[Slot] = set()
        changed: set[str] = set()
        gone: set[str] = set()
        said_of: set[str] = set()
        for change in changes:
            if change.seq <= self.seq:
                continue
            self.seq = change.seq
            if change.origin == "backfill":
                continue
            if change.kind == "annotation":
                said_of |= self._targets(change.key)
            if change.body is None:
                if self._drop(change.key, touched):
                    gone.add(change.key)
                    changed.discard(change.key)
                continue
            row = Row(change.seq, change.observed_at, self._texts.share(decode(change.body)), change.body_hash)
            self._put(row, touched)
            changed.add(row.key)  # not the change's own text of it: whoever keeps what changed need not keep that too
            gone.discard(row.key)
            if change.kind == "annotation":
                said_of |= self._targets(change.key)
        changed |= self.settle(touched)
        changed |= said_of & self.rows.keys()  # they look different
        return Delta(frozenset(changed), frozenset(gone))

    def revert(self, changes: Iterable[Change], before: Iterable[Change]) -> Delta:
        """Take changes back: all that were made from some revision on up to ours, in any order.

        ``before`` are the changes that those replaced (by their ``prev_seq``); what had none there was not on the
        board.  Afterwards ``seq`` is the number below the oldest of ``changes``.
        """
        oldest: dict[str, Change] = {}
        first = self.seq + 1
        for change in changes:
            if change.seq > self.seq:
                continue
            first = min(first, change.seq)
            if change.origin != "backfill" and (change.key not in oldest or change.seq < oldest[change.key].seq):
                oldest[change.key] = change
        replaced = {change.seq: change for change in before}
        gone: list[str] = []
        rows: list[Row] = []
        for key, change in oldest.items():
            was = replaced.get(change.prev_seq) if change.prev_seq is not None else None
            if was is None or was.body is None:
                gone.append(key)
            else:
                rows.append(Row(was.seq, was.observed_at, self._texts.share(decode(was.body)), was.body_hash))
        self.seq = first - 1
        return self._replace(gone, rows)

    def turn(self, left: Iterable[str], rows: Iterable[StoredRow], seq: int) -> Delta:
        """Become the board of another moment, at revision ``seq``.

        ``left`` are the keys on this board of which another row is live then, or none; ``rows`` are all that are live
        then and not on this board.
        """
        share = self._texts.share
        found = [Row(row.seq, row.observed_at, share(decode(row.body)), row.body_hash) for row in rows]
        self.seq = seq
        return self._replace(set(left).difference(row.key for row in found), found)

    def _replace(self, gone: Iterable[str], rows: Sequence[Row]) -> Delta:
        touched: set[Slot] = set()
        left: set[str] = set()
        said_of: set[str] = set()
        for key in gone:
            said_of |= self._targets(key)
            if self._drop(key, touched):
                left.add(key)
        for row in rows:
            said_of |= self._targets(row.key)
            self._put(row, touched)
            said_of |= self._targets(row.key)
        changed = {row.key for row in rows} | self.settle(touched)
        changed |= said_of & self.rows.keys()  # they look different
        return Delta(frozenset(changed), frozenset(left))

    def lay_over(self, overlay: dict[str, ShownHealth]) -> frozenset[str]:
        """Show these sources so, whatever is stored of their health; returns the keys of rows that look different."""
        before, self.overlay = self.overlay, overlay
        turned = {name for name in overlay.keys() | before.keys() if overlay.get(name) != before.get(name)}
        return frozenset(row.key for row in self.rows.values() if row.fact.source in turned) if turned else frozenset()

    def reach(self, now: datetime) -> frozenset[str]:
        """It is this time: what lay ahead when it was stored may have begun.  Returns the keys that look different.

        Until this is called everything stands as at the time at which it was stored.
        """
        turned = [row for row in self._dated.values() if row.ahead != lies_ahead(row.fact, now)]
        for row in turned:
            row.ahead = not row.ahead
        changed = self.settle({row.slot for row in turned if row.slot is not None})
        return frozenset(changed.union(row.key for row in turned))

    def _put(self, row: Row, touched: set[Slot]) -> None:
        old = self.rows.get(row.key)
        if old is not None:
            self._forget(old, touched)
        self.rows[row.key] = row
        self._total = (self._total + row.hash) % _MODULUS
        fact = row.fact
        if (slot := row.slot) is not None:
            if keys := self._slots.get(slot):
                row.slot = self.rows[keys[0]].slot  # the same, by itself
                keys.append(row.key)
            else:
                self._slots[slot] = [row.key]
            touched.add(slot)
            if type(fact) is Release:
                self.releases[row.key] = row
                if lies_ahead(fact, row.observed_at):
                    row.ahead = True
                    self._dated[row.key] = row
            elif type(fact) is Incident:
                self.incidents[row.key] = row
        elif isinstance(fact, SourceHealth):
            self.health[fact.source] = fact
        elif isinstance(fact, Annotation):
            self._annotations.setdefault(fact.target, {})[fact.key] = fact

    def _targets(self, key: str) -> set[str]:
        """What the annotation of this key is about: an item, and the other reports of the same alert."""
        row = self.rows.get(key)
        if row is None or not isinstance(row.fact, Annotation):
            return set()
        return {row.fact.target, *self._twins(row.fact.target)}

    def _twins(self, key: str) -> Collection[str]:
        """The keys under which the incident of this key is reported; of anything else none."""
        row = self.rows.get(key)
        if row is None or row.slot is None or not isinstance(row.fact, Incident):
            return ()
        return self._slots[row.slot]

    def _drop(self, key: str, touched: set[Slot]) -> bool:
        row = self.rows.pop(key, None)
        if row is None:
            return False
        self._forget(row, touched)
        fact = row.fact
        if isinstance(fact, SourceHealth):
            self.health.pop(fact.source, None)
        return True

    def _forget(self, row: Row, touched: set[Slot]) -> None:
        self._total = (self._total - row.hash) % _MODULUS
        if row.failing:
            self._failing.discard(row.key)
            _count(self._severities, row.fact, -1)
        self._unknown.discard(row.key)
        self._suppressed.discard(row.key)
        if isinstance(row.fact, Annotation):
            said = self._annotations[row.fact.target]
            said.pop(row.key, None)
            if not said:
                del self._annotations[row.fact.target]
        if row.slot is not None:
            self.releases.pop(row.key, None)
            self._dated.pop(row.key, None)
            self.incidents.pop(row.key, None)
            keys = self._slots[row.slot]
            keys.remove(row.key)
            if keys:
                touched.add(row.slot)
            else:
                del self._slots[row.slot]
                touched.discard(row.slot)

    def settle(self, touched: Iterable[Slot]) -> set[str]:
        """Find the current row of each touched slot; returns the keys whose standing changed."""
        changed: set[str] = set()
        slots, found = self._slots, self.rows
        for slot in touched:
            keys = slots[slot]
            if len(keys) == 1:  # most slots of a large board: loading one is mostly this
                row = found[keys[0]]
                self._stand(row, _may_stand(row), True, changed)
                continue
            rows = [found[key] for key in keys]
            last = max(rows, key=_order)
            best: Row | None = last
            if not _may_stand(last):
                rivals = [row for row in rows if _may_stand(row)]
                best = max(rivals, key=_order) if rivals else None
            for row in rows:
                if row is last or row is best or row.current or row.newest:  # else it was nothing, and is nothing
                    self._stand(row, row is best, row is last, changed)
        return changed

    def _stand(self, row: Row, current: bool, newest: bool, changed: set[str]) -> None:
        """Note how a row stands in its slot, in ``changed`` too where that is new."""
        fact = row.fact
        failing = current and is_failing(fact)
        unknown = current and is_unknown(fact)
        if row.current != current:
            # Of an alert's twins only the one that speaks for it counts.
            _mark(self._suppressed, row.key, current and isinstance(fact, Incident) and fact.state == "suppressed")
        elif row.failing == failing and row.unknown == unknown and row.newest == newest:
            return
        if row.failing != failing:
            _mark(self._failing, row.key, failing)
            _count(self._severities, fact, 1 if failing else -1)
        if row.unknown != unknown:
            _mark(self._unknown, row.key, unknown)
        row.current, row.failing, row.unknown, row.newest = current, failing, unknown, newest
        changed.add(row.key)

    # -- reading -------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.rows)

    def items(self) -> Iterator[Row]:
        """The rows of builds, incidents, releases and tickets."""
        return (row for row in self.rows.values() if row.slot is not None)

    def failing(self) -> Iterator[Row]:
        """The rows that are failing."""
        return (self.rows[key] for key in self._failing)

    def annotations(self, key: str) -> list[Annotation]:
        """What people said of an item and did not withdraw, oldest first.

        What is said of one report of an alert is said of all of them: which one speaks for it may change.
        """
        if not self._annotations:  # nearly always, and each row that is painted asks
            return []
        said = [note for twin in {key, *self._twins(key)} for note in self._annotations.get(twin, {}).values()]
        return sorted((note for note in said if note.state == "set"), key=lambda note: (str(note.updated_at), note.key))

    def unattached(self, now: datetime, keep: timedelta) -> list[Annotation]:
        """What was said longer than ``keep`` ago of items that are not on the board any more."""
        return [
            note
            for target, said in self._annotations.items()
            if target not in self.rows
            for note in said.values()
            if (at := note.updated_at or note.started_at) is None or now - at > keep
        ]

    def neighbours(self, row: Row) -> list[Row]:
        """The rows of the same slot, newest first (a pipeline's runs, a service's releases)."""
        if row.slot is None:
            return [row]
        rows = [self.rows[key] for key in self._slots.get(row.slot, ())]
        return sorted(rows, key=_order, reverse=True)

    def standing(self, slot: Slot) -> Order | None:
        """The rank of what is current in a slot; ``None`` where nothing is."""
        return next((row.order for key in self._slots.get(slot, ()) if (row := self.rows[key]).current), None)

    def state_of(self, source: str) -> ShownHealth:
        """A source's state as it is shown: what this process sees, else what is stored."""
        if source in self.overlay:
            return self.overlay[source]
        health = self.health.get(source)
        return health.state if health else "starting"

    def is_blind(self, source: str) -> bool:
        """Whether this source's silence proves nothing: by its state, or since its newest poll failed."""
        state = self.state_of(source)
        health = self.health.get(source)
        failing = health is not None and bool(health.error or health.errors)
        return state in BLIND or (state == "aging" and failing)

    def read_as(self, source: str) -> str:
        """How a source is read, in words: its state, and whether it is late since reading it fails."""
        state = self.state_of(source)
        return "aging and failing" if state == "aging" and self.is_blind(source) else state

    def leaving(self, now: datetime, keep: timedelta) -> list[str]:
        """The keys that have been over for longer than ``keep`` and that nothing needs."""
        return [
            row.key
            for row in self.items()
            if may_leave(row.fact, current=row.current, now=now, keep=keep, stored_at=row.observed_at)
        ]

    def summary(self, *, keys: Collection[str] | None = None, sources: Collection[str] | None = None) -> Summary:
        """Count.  ``keys`` and ``sources`` narrow what counts; by default everything on the board does.

        Who names a source requires it, optional or not.
        """
        failing = self._failing if keys is None else self._failing.intersection(keys)
        unknown = self._unknown if keys is None else self._unknown.intersection(keys)
        suppressed = self._suppressed if keys is None else self._suppressed.intersection(keys)
        names = list(self.health if sources is None else sources)
        severities = self._severities
        if keys is not None:
            severities = dict.fromkeys(SEVERITIES, 0)
            for key in failing:
                _count(severities, self.rows[key].fact, 1)
        blind = fresh = required = optional_blind = in_part = 0
        for name in names:
            state = self.state_of(name)
            health = self.health.get(name)
            if sources is None and health is not None and health.optional:
                optional_blind += self.is_blind(name)
                continue
            required += 1
            fresh += state == "fresh"
            if self.is_blind(name):
                blind += 1
                in_part += state not in UNREAD
        nothing_read = not required and optional_blind == len(names)
        verdict: Verdict = "failing" if failing else "blind" if blind or unknown or nothing_read else "ok"
        return Summary(
            verdict=verdict,
            failing=len(failing),
            blind=blind,
            unknown=len(unknown),
            suppressed=len(suppressed),
            severities={severity: count for severity, count in severities.items() if count},
            fresh=fresh,
            sources=required,
            optional_blind=optional_blind,
            in_part=in_part,
        )


def _may_stand(row: Row) -> bool:
    return not row.ahead and competes(row.fact)


def _row(row: StoredRow) -> Row:
    return Row(row.seq, row.observed_at, decode(row.body), row.body_hash)


def _count(severities: dict[str, int], fact: Fact, by: int) -> None:
    if isinstance(fact, Incident):
        severities[fact.severity] += by


def _mark(keys: set[str], key: str, on: bool) -> None:
    if on:
        keys.add(key)
    else:
        keys.discard(key)
