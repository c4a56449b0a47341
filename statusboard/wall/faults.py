"""What is wrong in each view of a wall, and what none of them shows.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from statusboard.board import Board, Delta, Row
from statusboard.current import moment_of
from statusboard.model import Build, Incident, Release, Ticket, health_key
from statusboard.query import Query, parse
from statusboard.wall.spec import WallSpec

Rank: TypeAlias = tuple[int, bool, float, str, str]

_SEVERITY_RANK: Final = {"critical": 0, "high": 1, "unknown": 1, "medium": 3, "low": 4, "info": 5}
_OTHER_FAULT, _UNREAD = 2, 10


class Faults:
    """What is wrong in each view of a wall, in order, and what none of them shows; followed change by change."""

    def __init__(self, spec: WallSpec) -> None:
        self.views = spec.views
        self._queries = [parse(spec.filter) & parse(view.filter) for view in spec.views]
        self._placed: list[dict[str, Rank]] = [{} for _ in spec.views]
        self._failing: list[set[str]] = [set() for _ in spec.views]
        self._hidden: dict[str, Rank] = {}
        self._critical: set[str] = set()
        self._orders: list[list[str] | None] = [None for _ in spec.views]
        #: Goes up with each change of what is shown or hidden, or of how it counts.
        self.revision = 0

    @property
    def needs_clock(self) -> bool:
        """Whether time alone can change what is shown."""
        return any(query.needs_clock for query in self._queries)

    def rebuild(self, board: Board, now: datetime) -> None:
        """Look at everything."""
        self._placed = [{} for _ in self.views]
        self._failing = [set() for _ in self.views]
        self._orders = [None for _ in self.views]
        self._hidden, self._critical = {}, set()
        self.revision += 1
        for row in board.items():
            if row.failing or row.unknown:
                self._judge(row.key, row, board, now)

    def update(self, board: Board, delta: Delta, now: datetime) -> None:
        """Follow what a fold changed."""
        keys = delta.changed | delta.gone
        if any(query.needs_health for query in self._queries):
            sources = {name for key in keys if key == health_key(name := key.partition(":")[0])}
            if sources:
                self.rebuild(board, now)
                return
        for key in keys:
            self._judge(key, board.rows.get(key), board, now)

    def _judge(self, key: str, row: Row | None, board: Board, now: datetime) -> None:
        fault = row is not None and row.slot is not None and (row.failing or row.unknown)
        rank = rank_of(row) if fault and row is not None else None
        shown = False
        for index, query in enumerate(self._queries):
            placed = self._placed[index]
            before = placed.get(key)
            passes = rank is not None and row is not None and self._shows(index, query, row, board, now)
            shown |= passes
            after = rank if passes else None
            if before != after:
                self._orders[index] = None
                self.revision += 1
                if after is None:
                    del placed[key]
                else:
                    placed[key] = after
            if passes and row is not None and row.failing:
                self._failing[index].add(key)
            else:
                self._failing[index].discard(key)
        hidden = rank if row is not None and row.failing and not shown else None
        if self._hidden.get(key) != hidden:
            self.revision += 1
            self._hidden.pop(key, None)
            self._critical.discard(key)
            if hidden is not None:
                self._hidden[key] = hidden
                if hidden[4] == "critical":
                    self._critical.add(key)

    def _shows(self, index: int, query: Query, row: Row, board: Board, now: datetime) -> bool:
        fact = row.fact
        if fact.kind not in self.views[index].lanes:
            return False
        if query.matches_all:
            return True
        health = board.state_of(fact.source) if query.needs_health else ""
        return query.matches(fact, current=row.current, failing=row.failing, now=now, health=health)

    # -- reading

    def keys(self, view: int) -> list[str]:
        """What is wrong in that view, the worst first."""
        order = self._orders[view]
        if order is None:
            order = self._orders[view] = [rank[3] for rank in sorted(self._placed[view].values())]
        return order

    def failing(self, view: int) -> int:
        """How many of them are failing; the others are unknown."""
        return len(self._failing[view])

    @property
    def hidden(self) -> int:
        """How many failing items no view of this wall shows."""
        return len(self._hidden)

    @property
    def hidden_critical(self) -> list[str]:
        """The critical incidents among them, the newest first."""
        return [rank[3] for rank in sorted(self._hidden[key] for key in self._critical)]

    def matching(self, view: int, rows: Sequence[Row], board: Board, now: datetime) -> Iterator[Row]:
        """Those of ``rows`` that the view would show, whether they are faults or not."""
        return (row for row in rows if self._shows(view, self._queries[view], row, board, now))


def rank_of(row: Row) -> Rank:
    """Where a fault stands on a wall: by what it means, what nobody has acknowledged first, then the newest."""
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    rank = _OTHER_FAULT
    if not row.failing:
        rank = _UNREAD
    elif isinstance(fact, Incident):
        rank = _SEVERITY_RANK[fact.severity]
    moment = moment_of(fact)
    began = -moment.timestamp() if moment is not None else 0.0
    severity = fact.severity if isinstance(fact, Incident) else ""
    return (rank, fact.state == "acknowledged", began, row.key, severity)
