"""In what order the rows of a lane stand: by urgency, or by one of its columns.  Pure.

**Urgency**, unless another order is asked for: failing first (incidents by severity: critical, then high and unknown,
medium, low, info), then what we could not read, then blocked, running, queued, warning, pending, suppressed, everything
else, and last what is over.  Within each the newest first: by start, tickets by their last change, what is over by its
end.  No order depends on the time of day, so a lane at rest does not move.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from statusboard.board import Row
from statusboard.current import OVER, SEVERITY_RANK, moment_of
from statusboard.model import Build, Incident, Release, Ticket

SortKey: TypeAlias = tuple[int, float | str, str]
"""Where a row stands: a class, a number or a text within it, and the row's key."""

UNKNOWN, _REST, _OVER = 10, 30, 40
_RANK = {
    "blocked": 11,
    "running": 12,
    "queued": 13,
    "warning": 14,
    "rolled_back": 14,
    "pending": 20,
    "suppressed": 21,
    **dict.fromkeys(OVER, _OVER),
}
_SEVERITIES = {**SEVERITY_RANK, "unknown": 1.5}
#: Columns whose values are not the field of their name.
_FIELDS = {"run": "run_number", "id": "ticket_id", "previous": "previous_version"}


class Sort(Struct, frozen=True):
    """The order of a lane: ``by`` is the id of a column or ``""`` for urgency.

    What has no value stands last, by urgency: in a lane without that column everything does.
    """

    by: str = ""
    descending: bool = False

    def __str__(self) -> str:
        return ("-" if self.descending else "") + self.by

    def of(self, row: Row) -> SortKey:
        """Where this row stands; ascending even where ``descending``, since the lane turns its rows round."""
        if not self.by:
            return urgency(row)
        value = _value(row, self.by)
        if value != "":
            return (0, value, row.key)
        rank, moment, key = urgency(row)
        return (-1 - rank, -float(moment), key) if self.descending else (1 + rank, moment, key)


URGENCY = Sort()
"""The order that every lane has unless another is asked for."""


def sort_of(text: str) -> Sort:
    """``-age`` as a `Sort`."""
    return Sort(text.removeprefix("-"), text.startswith("-")) if text.removeprefix("-") else URGENCY


def turned(sort: Sort, column: str) -> Sort:
    """The next order when a person asks for this column once more: ascending, descending, by urgency again."""
    if sort.by != column:
        return Sort(column)
    return URGENCY if sort.descending else Sort(column, descending=True)


def urgency(row: Row) -> SortKey:
    """See the head of this module."""
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    if row.failing:
        rank = SEVERITY_RANK[fact.severity] if isinstance(fact, Incident) else 0
    elif row.unknown:
        rank = UNKNOWN
    else:
        rank = _RANK.get(fact.state, _REST)
    moment = moment_of(fact)
    return (rank, -moment.timestamp() if moment is not None else 0.0, row.key)


def _value(row: Row, column: str) -> float | str:
    """What a column is sorted by: small first; ``""`` where it has nothing to say."""
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    match column:
        case "age":
            moment = moment_of(fact)
            return "" if moment is None else -moment.timestamp()
        case "state":
            return float(urgency(row)[0])
        case "severity":
            return float(_SEVERITIES[fact.severity]) if isinstance(fact, Incident) else ""
        case "duration":
            began, ended = fact.started_at, fact.ended_at
            return "" if began is None or ended is None else (ended - began).total_seconds()
        case "service":
            return (fact.service or fact.repository or fact.team).casefold()
        case _:
            value = getattr(fact, _FIELDS.get(column, column), "")
            return value.casefold() if isinstance(value, str) else float(value) if isinstance(value, int) else ""
