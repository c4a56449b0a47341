"""What a lane shows, and in what order: kept up to date change by change, never sorted anew for one of them.

**Which rows stand in a lane.**  A slot's current row, its newest one (so that a cancelled run shows until something
newer starts), and whatever is queued, running or blocked.  What was superseded is history, told in the details.

`statusboard.sorting` has the orders, `statusboard.grouping` what may be laid over them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Set
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from statusboard.board import Board, Delta, Row
from statusboard.current import UNDER_WAY
from statusboard.model import Build, Fact, Incident, ItemKind, Release, Ticket, health_key
from statusboard.query import Query, parse
from statusboard.sorting import URGENCY, Sort, SortKey, urgency

LANES: tuple[ItemKind, ...] = ("incident", "build", "release", "ticket")
"""The lanes of the default view, from top to bottom."""

CHUNK = 1_000
"""Rows looked at in one step of a rebuild: some 5 ms."""

_TYPES: dict[ItemKind, type[Fact]] = {"build": Build, "incident": Incident, "release": Release, "ticket": Ticket}
_BULK = 100
"""From so many moves on, sorting what is nearly sorted is cheaper than moving rows one by one."""


Layout: TypeAlias = Literal["lanes", "services", "timeline", "sources", "metrics"]
"""What a view looks like: items in lanes, services by environments, a feed of what changed, the sources, delivery
metrics."""


class ViewSpec(Struct, frozen=True):
    """A named view: what of the board it shows (the text of a `Query`), and how.

    ``lanes`` and what follows ``layout`` are for lanes: ``columns`` by their ids, the lane's own without any;
    ``group`` is one of `statusboard.columns.GROUPS` or ``""``; ``wide`` shows every column there is room for.
    """

    name: str = "Overview"
    filter: str = ""
    lanes: tuple[ItemKind, ...] = LANES
    layout: Layout = "lanes"
    columns: tuple[str, ...] = ()
    sort: Sort = URGENCY
    group: str = ""
    wide: bool = False


OVERVIEW = ViewSpec()


class LaneChange(Struct, frozen=True):
    """What an update did: rows that are shown and may look different, and whether `Lane.keys` may have changed."""

    changed: frozenset[str] = frozenset()
    order_changed: bool = False

    def __bool__(self) -> bool:
        return self.order_changed or bool(self.changed)


def stands(row: Row) -> bool:
    """Whether a row has a place in its lane, before any filter."""
    return row.current or row.newest or getattr(row.fact, "state", "") in UNDER_WAY


def is_fault(row: Row) -> bool:
    """What "faults only" shows: what is failing, and what we could not read (which may be failing)."""
    return row.failing or row.unknown


def by_kind(delta: Delta) -> dict[ItemKind, Delta]:
    """What of a delta each lane must be told: its own rows, and the sources, whose health is seen in all of them."""
    kinds: dict[str, tuple[set[str], set[str]]] = {kind: (set(), set()) for kind in LANES}
    all_of_them = tuple(kinds.values())
    for place, keys in enumerate((delta.changed, delta.gone)):
        for key in keys:
            kind = key.split(":", 2)[1]
            if kind == "source":
                for told in all_of_them:
                    told[place].add(key)
            elif kind in kinds:
                kinds[kind][place].add(key)
    return {kind: Delta(frozenset(kinds[kind][0]), frozenset(kinds[kind][1])) for kind in LANES}


class Lane:
    """The ordered keys of one kind that pass a filter.  To filter anew, make a new lane and rebuild that.

    ``keys`` is the display order.  ``hidden`` counts the rows that the filter leaves out, ``hidden_faults`` the
    failing ones among them, ``total`` is both together, and ``faults`` counts the failing rows that are shown.
    """

    def __init__(
        self, kind: ItemKind, query: Query | None = None, *, faults_only: bool = False, sort: Sort = URGENCY
    ) -> None:
        self.kind: ItemKind = kind
        self.query = query if query is not None else parse("")
        self.faults_only = faults_only
        self.sort = sort
        self.keys: list[str] = []
        self.hidden_faults = 0
        self._type = _TYPES[kind]
        self._order: list[SortKey] = []
        self._placed: dict[str, SortKey] = {}
        self._faults: set[str] = set()
        self._hidden: dict[str, bool] = {}  # key -> failing
        self._missed: set[str] | None = None  # what changed while a rebuild is under way

    @property
    def hidden(self) -> int:
        """How many rows the filter leaves out."""
        return len(self._hidden)

    @property
    def total(self) -> int:
        """How many rows there are, shown or not."""
        return len(self._placed) + len(self._hidden)

    @property
    def faults(self) -> int:
        """How many of the rows shown are failing."""
        return len(self._faults)

    @property
    def needs_clock(self) -> bool:
        """Whether time alone can change what is shown, so that the lane must be rebuilt now and then."""
        return self.query.needs_clock

    def __contains__(self, key: str) -> bool:
        return key in self._placed

    # -- all at once

    def rebuild(self, board: Board, now: datetime) -> None:
        """Filter and sort everything anew."""
        for _ in self.rebuild_steps(board, now, chunk=len(board) or 1):
            pass

    def rebuild_steps(self, board: Board, now: datetime, *, chunk: int = CHUNK) -> Iterator[None]:
        """Like `rebuild`, yielding after every ``chunk`` rows so that the caller can let others run.

        The lane stays as it was until the last step, `update` may be called in between, and a rebuild that is begun
        later makes this one stop.
        """
        missed = self._missed = set()
        placed: dict[str, SortKey] = {}
        faults: set[str] = set()
        hidden: dict[str, bool] = {}
        place_of = urgency if self.sort == URGENCY else self.sort.of
        keys = list(board.rows)
        try:
            for start in range(0, len(keys), chunk):
                if start:
                    yield
                    if self._missed is not missed:
                        return
                for key in keys[start : start + chunk]:
                    row = board.rows.get(key)
                    if row is None or type(row.fact) is not self._type or not stands(row):
                        continue
                    if self._shows(row, board, now):
                        placed[key] = place_of(row)
                        if row.failing:
                            faults.add(key)
                    else:
                        hidden[key] = row.failing
        finally:
            if self._missed is missed:  # also when the caller gives up half-way
                self._missed = None
        self._placed, self._faults, self._hidden = placed, faults, hidden
        self.hidden_faults = sum(hidden.values())
        self._order = sorted(placed.values())
        self._set_keys()
        self._follow(missed, board, now)

    # -- change by change

    def update(self, board: Board, delta: Delta, now: datetime) -> LaneChange:
        """Follow what a fold changed on ``board``; of other kinds it need not be told (`by_kind`).

        A source's health changes how all its rows look; with a filter that asks for it, also whether they are shown.
        """
        keys = delta.changed | delta.gone
        if self._missed is not None:
            self._missed.update(keys)
        return self._follow(keys, board, now)

    def _follow(self, keys: Set[str], board: Board, now: datetime) -> LaneChange:
        sources = {name for key in keys if ":source:" in key and key == health_key(name := key.partition(":")[0])}
        told = keys
        changed: set[str] = set()
        if sources:
            rows = board.rows
            theirs = {
                key
                for known in (self._placed, self._hidden)
                for key in known
                if key in rows and rows[key].fact.source in sources
            }
            if self.query.needs_health:
                told = keys | theirs
            else:
                changed = {key for key in theirs if key in self._placed}
        seen, moved = self._judge(told, board, now)
        return LaneChange(frozenset(changed & self._placed.keys() | seen), moved)

    def _judge(self, keys: Set[str], board: Board, now: datetime) -> tuple[set[str], bool]:
        """Look at these keys again; returns those that are shown, and whether any row came, went or moved."""
        placed, hidden = self._placed, self._hidden
        seen: set[str] = set()
        out: list[SortKey] = []
        into: list[SortKey] = []
        for key in keys:
            row = board.rows.get(key)
            before = placed.get(key)
            after: SortKey | None = None
            self.hidden_faults -= hidden.pop(key, False)
            self._faults.discard(key)
            if row is not None and type(row.fact) is self._type and stands(row):
                if self._shows(row, board, now):
                    after = self.sort.of(row)
                    seen.add(key)
                    if row.failing:
                        self._faults.add(key)
                else:
                    hidden[key] = row.failing
                    self.hidden_faults += row.failing
            if before == after:
                continue
            if before is not None:
                out.append(before)
                del placed[key]
            if after is not None:
                into.append(after)
                placed[key] = after
        if out or into:
            self._move(out, into)
        return seen, bool(out or into)

    def _shows(self, row: Row, board: Board, now: datetime) -> bool:
        if self.faults_only and not is_fault(row):
            return False
        query = self.query
        if query.matches_all:
            return True
        fact = row.fact
        health = board.state_of(fact.source) if query.needs_health else ""
        return query.matches(fact, current=row.current, failing=row.failing, now=now, health=health)

    def _move(self, out: list[SortKey], into: list[SortKey]) -> None:
        order, keys = self._order, self.keys
        if len(out) + len(into) >= _BULK:
            leaving = set(out)
            order = [place for place in order if place not in leaving]
            order += into
            order.sort()
            self._order = order
            self._set_keys()
            return
        descending, last = self.sort.descending, len(keys)
        for place in out:
            index = bisect_left(order, place)
            del order[index]
            last -= 1
            del keys[last - index if descending else index]
        for place in into:
            index = bisect_left(order, place)
            order.insert(index, place)
            keys.insert(last - index if descending else index, place[2])
            last += 1

    def _set_keys(self) -> None:
        keys = [key for _, _, key in self._order]
        self.keys = keys[::-1] if self.sort.descending else keys
