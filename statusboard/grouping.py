"""Rows of a lane gathered by team, service, environment or source, under a line each that can be folded.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct

from statusboard.board import BLIND, Row
from statusboard.current import UNREAD
from statusboard.model import ShownHealth
from statusboard.sorting import urgency

MARK = "\x1f"
"""What the key of a group begins with, as no key of an item does: control signs are cleaned out of those."""

_SPARE: Final = 1_000


class Group(Struct, frozen=True):
    """Rows that belong together.

    ``keys`` in the order of the lane, ``worst`` the most urgent of them.  ``healthy`` are those that are read and
    neither failing nor unknown; ``name`` is ``""`` for what has none (no team claims it).  ``partly`` names the sources
    of its rows that are read in part: there may be more, and worse.
    """

    key: str
    name: str
    keys: tuple[str, ...]
    worst: str
    failing: int
    unknown: int
    unread: int
    partly: tuple[str, ...] = ()

    @property
    def by(self) -> str:
        """What its rows have in common."""
        return self.key.split(MARK)[1]

    @property
    def healthy(self) -> int:
        """How many rows are fine, as far as we know."""
        return len(self.keys) - self.failing - self.unknown - self.unread


def grouped(keys: Iterable[str], rows: Mapping[str, Row], by: str, states: Mapping[str, ShownHealth]) -> list[Group]:
    """The groups of these keys, each where the first of its rows stands.  ``states`` are those of the sources."""
    return Gathering(by).look(keys, rows, states)


class Gathering:
    """The groups of one lane, kept: only those whose rows changed are counted anew.

    Tell it what changed (`touch`) and ask it for the groups as they are now (`look`).
    """

    def __init__(self, by: str) -> None:
        self.by = by
        self._names: dict[str, str] = {}
        self._groups: dict[str, Group] = {}
        self._stale: set[str] = set()
        self._blind: dict[str, str] = {}

    def touch(self, keys: Iterable[str]) -> None:
        """The rows of these keys may look different, or belong elsewhere."""
        for key in keys:
            name = self._names.pop(key, None)
            if name is not None:
                self._stale.add(name)

    def look(
        self,
        keys: Iterable[str],
        rows: Mapping[str, Row],
        states: Mapping[str, ShownHealth],
        *,
        urgent_first: bool = False,
    ) -> list[Group]:
        """As `grouped`; ``urgent_first`` where the lane stands by urgency, so that nothing need be compared."""
        names = self._names
        members: dict[str, list[str]] = {}
        for key in keys:
            row = rows.get(key)
            if row is None:
                continue
            name = names.get(key)
            if name is None:
                name = names[key] = group_of(row, self.by)
                self._stale.add(name)
            members.setdefault(name, []).append(key)
        # One of which nothing is known any more counts as not read: which there are matters, too.
        blind = {source: state if state in BLIND else "" for source, state in states.items()}
        if blind != self._blind:
            self._blind = blind
            self._groups.clear()
        found: dict[str, Group] = {}
        for name, theirs in members.items():
            group = self._groups.get(name)
            if group is None or name in self._stale or list(group.keys) != theirs:
                group = _group(name, self.by, [rows[key] for key in theirs], states, urgent_first)
            found[name] = group
        self._groups = found
        self._stale.clear()
        shown = sum(map(len, members.values()))
        if len(names) > 2 * shown + _SPARE:  # of rows that are not shown any more
            self._names = {key: name for name, theirs in members.items() for key in theirs}
        return list(found.values())

    def group_of(self, key: str) -> Group | None:
        """The group that this row was in when it was looked at last."""
        name = self._names.get(key)
        return self._groups.get(name) if name is not None else None


def group_of(row: Row, by: str) -> str:
    """The name of the group that a row belongs to."""
    return str(getattr(row.fact, by, ""))


def laid_out(groups: Iterable[Group], folded: Collection[str]) -> list[str]:
    """The lines of a lane: each group's own key, and those of its rows unless it is folded."""
    lines: list[str] = []
    for group in groups:
        lines.append(group.key)
        if group.key not in folded:
            lines += group.keys
    return lines


def _group(name: str, by: str, rows: list[Row], states: Mapping[str, ShownHealth], urgent_first: bool = False) -> Group:
    failing = unknown = unread = 0
    for row in rows:
        if states.get(row.fact.source, "starting") in UNREAD:
            unread += 1
        elif row.failing:
            failing += 1
        elif row.unknown:
            unknown += 1
    return Group(
        key=f"{MARK}{by}{MARK}{name}",
        name=name,
        keys=tuple(row.key for row in rows),
        worst=(rows[0] if urgent_first else min(rows, key=urgency)).key,
        failing=failing,
        unknown=unknown,
        unread=unread,
        partly=tuple(sorted({row.fact.source for row in rows if states.get(row.fact.source) == "partial"})),
    )
