"""The columns of the lanes: their names and widths, and which give way first.  Pure, quick to import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from statusboard.model import ItemKind

Times: TypeAlias = Literal["ago", "local", "utc"]
"""How times are told: as ages, or by the clock of the board's zone or of UTC."""
TIMES: Final[tuple[Times, ...]] = ("ago", "local", "utc")
GROUPS: Final = ("team", "service", "environment", "source")
"""What rows can be grouped by."""
KEPT: Final = 80
"""The priority from which on a column stays even where none of its rows has anything to say in it."""


class ColumnSpec(Struct, frozen=True):
    """A column of a lane; the fields of `widgets.table.Column`, and whether only a wide lane has it."""

    id: str
    title: str
    width: int | None = None
    min_width: int = 1
    priority: int = 0
    align: Literal["left", "right"] = "left"
    wide: bool = False


_AGE = ColumnSpec("age", "Age", 5, 4, 85, "right")
_AGES: Final[Mapping[Times, ColumnSpec]] = {
    "ago": _AGE,
    "local": ColumnSpec("age", "Time", 12, 12, 85, "right"),
    "utc": ColumnSpec("age", "Time UTC", 12, 12, 85, "right"),
}
_SOURCE = ColumnSpec("source", "Source", 12, 8, 8, wide=True)
_REPOSITORY = ColumnSpec("repository", "Repository", 20, 12, 6, wide=True)
_REVISION = ColumnSpec("revision", "Revision", 10, 8, 7, wide=True)
_DURATION = ColumnSpec("duration", "Took", 6, 5, 9, "right", wide=True)
_COLUMNS: Final[Mapping[ItemKind, tuple[ColumnSpec, ...]]] = {
    "incident": (
        _AGE,
        ColumnSpec("state", "State", 12, 12, 100),
        ColumnSpec("severity", "Severity", 8, 8, 90),
        ColumnSpec("service", "Service", 18, 10, 80),
        ColumnSpec("title", "Incident", None, 20, 100),
        ColumnSpec("suspect", "After", 22, 16, 35),
        ColumnSpec("environment", "Env", 11, 10, 30),
        ColumnSpec("team", "Team", 12, 10, 20),
        ColumnSpec("assignee", "Assignee", 12, 10, 10),
        ColumnSpec("target", "Target", 14, 8, 5, wide=True),
        _REPOSITORY,
        _SOURCE,
    ),
    "build": (
        _AGE,
        ColumnSpec("state", "State", 13, 9, 100),
        ColumnSpec("service", "Service", 16, 9, 80),
        ColumnSpec("pipeline", "Pipeline", 16, 8, 70),
        ColumnSpec("branch", "Branch", 16, 8, 60),
        ColumnSpec("title", "Build", None, 16, 100),
        ColumnSpec("actor", "By", 12, 10, 10),
        _DURATION,
        ColumnSpec("run", "Run", 7, 5, 8, "right", wide=True),
        _REVISION,
        ColumnSpec("team", "Team", 12, 10, 7, wide=True),
        _REPOSITORY,
        _SOURCE,
    ),
    "release": (
        _AGE,
        ColumnSpec("state", "State", 13, 9, 100),
        ColumnSpec("environment", "Env", 12, 10, 90),
        ColumnSpec("service", "Service", 18, 9, 80),
        ColumnSpec("version", "Version", 16, 8, 70),
        ColumnSpec("title", "Release", None, 16, 100),
        ColumnSpec("actor", "By", 12, 10, 10),
        _DURATION,
        ColumnSpec("previous", "Before", 12, 8, 8, wide=True),
        ColumnSpec("target", "Target", 14, 8, 7, wide=True),
        ColumnSpec("team", "Team", 12, 10, 7, wide=True),
        _REVISION,
        _REPOSITORY,
        _SOURCE,
    ),
    "ticket": (
        _AGE,
        ColumnSpec("state", "State", 13, 9, 100),
        ColumnSpec("priority", "Prio", 10, 6, 70),
        ColumnSpec("id", "Ticket", 10, 6, 80),
        ColumnSpec("title", "Title", None, 20, 100),
        ColumnSpec("assignee", "Assignee", 14, 9, 50),
        ColumnSpec("service", "Service", 14, 10, 20),
        ColumnSpec("team", "Team", 12, 10, 9, wide=True),
        ColumnSpec("environment", "Env", 11, 10, 7, wide=True),
        _REPOSITORY,
        _SOURCE,
    ),
}
COLUMN_IDS: Final[Mapping[ItemKind, tuple[str, ...]]] = {
    kind: tuple(column.id for column in columns) for kind, columns in _COLUMNS.items()
}
"""Every column that a lane can have."""


def columns(
    kind: ItemKind, chosen: Sequence[str] = (), *, wide: bool = False, times: Times = "ago"
) -> tuple[ColumnSpec, ...]:
    """The columns of a lane, from left to right: what changes often stands left, where repainting it is cheap.

    Five fit into 60 cells with a title that can still be read; the others come as the lane gets wider.  ``chosen``
    names them in another order; what the lane does not have is left out, and ``wide`` adds all that is left.
    """
    known = {column.id: column if column is not _AGE else _AGES[times] for column in _COLUMNS[kind]}
    named = [known.pop(name) for name in chosen if name in known]
    if not named:
        return tuple(column for column in known.values() if wide or not column.wide)
    return (*named, *known.values()) if wide else tuple(named)
