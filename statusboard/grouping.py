"""Rows of a lane gathered by team, service, environment or source, under a line each that can be folded.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from statusboard.board import Row
from statusboard.current import UNREAD
from statusboard.model import HealthState
from statusboard.sorting import urgency

MARK = "\x1f"
"""What the key of a group begins with, as no key of an item does: control signs are cleaned out of those."""


class Group(Struct, frozen=True):
    """Rows that belong together.

    ``keys`` in the order of the lane, ``worst`` the most urgent of them.  ``healthy`` are those that are read and
    neither failing nor unknown; ``name`` is ``""`` for what has none (no team claims it).
    """

    key: str
    name: str
    keys: tuple[str, ...]
    worst: str
    failing: int
    unknown: int
    unread: int

    @property
    def healthy(self) -> int:
        """How many rows are fine, as far as we know."""
        return len(self.keys) - self.failing - self.unknown - self.unread


def grouped(keys: Iterable[str], rows: Mapping[str, Row], by: str, states: Mapping[str, HealthState]) -> list[Group]:
    """The groups of these keys, each where the first of its rows stands.  ``states`` are those of the sources."""
    members: dict[str, list[Row]] = {}
    for key in keys:
        row = rows.get(key)
        if row is not None:
            members.setdefault(group_of(row, by), []).append(row)
    return [_group(name, by, theirs, states) for name, theirs in members.items()]


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


def _group(name: str, by: str, rows: list[Row], states: Mapping[str, HealthState]) -> Group:
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
        worst=min(rows, key=urgency).key,
        failing=failing,
        unknown=unknown,
        unread=unread,
    )
