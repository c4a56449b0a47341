"""The items of one service, sorted by what they count as."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from statusboard.board import Board, Row
from statusboard.current import UNDER_WAY, on_default_branch, verdict_of
from statusboard.model import Build, Incident, Item, ItemKind, Release, Ticket

K = TypeVar("K")
Bucket: TypeAlias = Literal[
    "incident",
    "build",
    "building",
    "built",
    "release",
    "published",
    "suppressed",
    "ticket",
    "unknown",
    "warning",
    "quiet",
]
"""What an item counts as; ``incident`` and ``build`` are those that are failing."""


class Seen(NamedTuple):
    """What an item counted as when it was looked at last.  ``shown``: it passes the filter."""

    services: tuple[str, ...]
    kind: ItemKind
    source: str
    team: str
    environment: str
    bucket: Bucket
    shown: bool
    failing: bool


class Entry:
    """Keys by what they count as (releases by environment), and how many each source told, of each kind.

    ``hidden`` are the failing ones that the filter leaves out.
    """

    __slots__ = ("hidden", "items", "releases", "shown", "sources", "teams")

    def __init__(self) -> None:
        self.items: dict[Bucket, set[str]] = {}
        self.releases: dict[str, set[str]] = {}
        self.sources: Counter[tuple[str, ItemKind]] = Counter()
        self.teams: Counter[str] = Counter()
        self.shown = 0
        self.hidden: set[str] = set()

    @property
    def known(self) -> bool:
        """Whether anything at all is known of it, shown or not."""
        return bool(self.sources)

    def add(self, key: str, seen: Seen) -> None:
        """Count an item."""
        self.sources[seen.source, seen.kind] += 1
        if seen.team:
            self.teams[seen.team] += 1
        if seen.shown:
            self.shown += 1
            self._keys(seen).add(key)
        elif seen.failing:
            self.hidden.add(key)

    def remove(self, key: str, seen: Seen) -> None:
        """Count it no longer; ``seen`` is what it was added as."""
        _less(self.sources, (seen.source, seen.kind))
        if seen.team:
            _less(self.teams, seen.team)
        if seen.shown:
            self.shown -= 1
            self._keys(seen).discard(key)
            if seen.bucket == "release" and not self.releases[seen.environment]:
                del self.releases[seen.environment]
        self.hidden.discard(key)

    def _keys(self, seen: Seen) -> set[str]:
        if seen.bucket == "release":
            return self.releases.setdefault(seen.environment, set())
        return self.items.setdefault(seen.bucket, set())

    def rows(self, board: Board, bucket: Bucket) -> list[Row]:
        """The rows that count as that."""
        return rows_of(board, self.items.get(bucket, ()))

    def count(self, bucket: Bucket) -> int:
        """How many count as that."""
        return len(self.items.get(bucket, ()))


def rows_of(board: Board, keys: Iterable[str]) -> list[Row]:
    """Those that are still there: of one that has just left, the next update tells."""
    rows = board.rows
    return [rows[key] for key in keys if key in rows]


def counts(row: Row) -> bool:
    """Whether a row counts at all, as for having a place in a lane."""
    return row.slot is not None and (row.current or row.newest or getattr(row.fact, "state", "") in UNDER_WAY)


def bucket_of(row: Row, fact: Item) -> Bucket:
    """What a row counts as."""
    match fact:
        case Release() if fact.type == "configuration":
            return "quiet"
        case Release():
            return "published" if fact.type == "publication" else "release"
        case Incident() if row.failing:
            return "incident"
        case Build() if row.failing:
            return "build"
        case _ if row.unknown:
            return "unknown"
        case Build() if fact.state in UNDER_WAY:
            return "building"
        case Build() if row.current and on_default_branch(fact) and verdict_of(fact) == "warning":
            return "warning"
        case Build():
            return "built"
        case Incident() if row.current and fact.state == "suppressed":
            return "suppressed"
        case Ticket() if row.current:
            return "ticket"
        case _:
            return "quiet"


def _less(counted: Counter[K], key: K) -> None:
    counted[key] -= 1
    if not counted[key]:
        del counted[key]
