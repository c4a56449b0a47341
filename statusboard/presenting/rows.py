"""What a row says, and in which columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Literal

from msgspec import Struct

from statusboard import clock
from statusboard.board import Row
from statusboard.current import OVER, UNREAD, is_unowned, moment_of, verdict_of
from statusboard.model import (
    Build,
    HealthState,
    Incident,
    Item,
    ItemKind,
    Release,
    Ticket,
)
from statusboard.presenting.glyphs import STYLES, UNICODE, Cell, Glyphs, word_of


class ColumnSpec(Struct, frozen=True):
    """A column of a lane; the fields of `widgets.table.Column`."""

    id: str
    title: str
    width: int | None = None
    min_width: int = 1
    priority: int = 0
    align: Literal["left", "right"] = "left"


_AGE = ColumnSpec("age", "Age", 5, 4, 85, "right")
_COLUMNS: Mapping[ItemKind, tuple[ColumnSpec, ...]] = {
    "incident": (
        _AGE,
        ColumnSpec("state", "State", 12, 10, 100),
        ColumnSpec("severity", "Severity", 8, 8, 90),
        ColumnSpec("service", "Service", 18, 10, 80),
        ColumnSpec("title", "Incident", None, 23, 100),
        ColumnSpec("environment", "Env", 11, 10, 30),
        ColumnSpec("team", "Team", 12, 10, 20),
        ColumnSpec("assignee", "Assignee", 12, 10, 10),
    ),
    "build": (
        _AGE,
        ColumnSpec("state", "State", 13, 9, 100),
        ColumnSpec("service", "Service", 16, 9, 80),
        ColumnSpec("pipeline", "Pipeline", 16, 8, 70),
        ColumnSpec("branch", "Branch", 16, 8, 60),
        ColumnSpec("title", "Build", None, 16, 100),
        ColumnSpec("actor", "By", 12, 10, 10),
    ),
    "release": (
        _AGE,
        ColumnSpec("state", "State", 13, 9, 100),
        ColumnSpec("environment", "Env", 12, 8, 90),
        ColumnSpec("service", "Service", 18, 9, 80),
        ColumnSpec("version", "Version", 16, 8, 70),
        ColumnSpec("title", "Release", None, 16, 100),
        ColumnSpec("actor", "By", 12, 10, 10),
    ),
    "ticket": (
        _AGE,
        ColumnSpec("state", "State", 13, 9, 100),
        ColumnSpec("priority", "Prio", 10, 6, 70),
        ColumnSpec("id", "Ticket", 10, 6, 80),
        ColumnSpec("title", "Title", None, 20, 100),
        ColumnSpec("assignee", "Assignee", 14, 9, 50),
        ColumnSpec("service", "Service", 14, 10, 20),
    ),
}


def columns(kind: ItemKind) -> tuple[ColumnSpec, ...]:
    """The columns of a lane, from left to right: what changes often stands left, where repainting it is cheap.

    Five fit into 60 cells with a title that can still be read; the others come as the lane gets wider.
    """
    return _COLUMNS[kind]


class RowText(Struct, frozen=True):
    """What a row says: a cell by column id (one that has nothing to say is left out), and the row's style name."""

    cells: dict[str, Cell]
    style: str = ""


def cells(
    row: Row,
    now: datetime,
    *,
    glyphs: Glyphs = UNICODE,
    source_state: HealthState = "fresh",
    zone: tzinfo = UTC,
) -> RowText:
    """The cells of a row of any lane.  Times of day are told in ``zone``; ages are coarse and change rarely."""
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    unread = source_state in UNREAD
    over = fact.state in OVER and not row.failing
    style = "stale" if unread else "muted" if over or fact.state == "suppressed" else ""
    found: dict[str, Cell] = {
        "age": (age_cell(fact, now, glyphs), ""),
        "state": status_cell(row, fact, glyphs, unread),
        "service": _service(fact, row.failing and not unread),
        "environment": (fact.environment, ""),
        "team": (fact.team, ""),
        "actor": (fact.actor, ""),
        "title": (_title(row, fact, now, glyphs, zone), ""),
    }
    match fact:
        case Incident():
            found["severity"] = (fact.severity, fact.severity if row.failing and not unread else "")
            found["assignee"] = (fact.assignee or fact.acknowledged_by, "")
        case Build():
            found["pipeline"] = (fact.pipeline, "")
            found["branch"] = (_line(fact), "")
        case Release():
            found["version"] = (fact.version or fact.revision[:10], "")
            if fact.type == "publication":
                found["environment"] = ("published", "")
        case Ticket():
            found["priority"] = (fact.priority, "")
            found["id"] = (fact.ticket_id, "")
            found["assignee"] = (fact.assignee, "")
    return RowText({name: cell for name, cell in found.items() if cell[0]}, style)


def state_words(fact: Item) -> str:
    """The state in full: ``running (was failed)``, ``acked``."""
    word = word_of(fact.state)
    verdict = _former(fact)
    return f"{word} (was {word_of(verdict)})" if verdict else word


def _former(fact: Item) -> str:
    """The verdict that still counts while a new attempt has none, ``""`` where there is none."""
    if not isinstance(fact, Build | Release):
        return ""
    verdict = verdict_of(fact)
    return verdict if verdict != fact.state else ""


def status_cell(row: Row, fact: Item, glyphs: Glyphs, unread: bool) -> Cell:
    """Glyph and colour of what the item counts as, with the word of its present state.  ``unread``: it only *was*."""
    if unread:
        return ("? unknown" if fact.state == "unknown" else f"? was {word_of(fact.state)}", "")
    former = _former(fact)
    telling = former if former not in ("", "success", "inactive") else fact.state
    style = STYLES.get(telling, "plain")
    if row.failing:
        style = fact.severity if isinstance(fact, Incident) else "failed"
    return (f"{glyphs.of(fact.kind, telling)} {word_of(fact.state)}", style)


def _title(row: Row, fact: Item, now: datetime, glyphs: Glyphs, zone: tzinfo) -> str:
    """Notes, title and, of what is failing, the reason; of what is suppressed, by whom or what."""
    title = fact.title or fact.description or (fact.pipeline if isinstance(fact, Build) else "")
    if fact.reason and not title:
        title = fact.reason
    elif fact.reason and row.failing:
        title = f"{title} {glyphs.dash} {fact.reason}"
    elif isinstance(fact, Incident) and fact.state == "suppressed" and fact.suppressed_by:
        title = f"{title} {glyphs.dash} {fact.suppressed_by}"
    return " ".join(filter(None, (*_notes(fact, now, zone), title)))


def _notes(fact: Item, now: datetime, zone: tzinfo) -> list[str]:
    """What stands before the title, since it must be seen where there is little room."""
    notes: list[str] = []
    former = _former(fact)
    if former not in ("", "success", "inactive"):
        notes.append(f"(was {word_of(former)})")
    if isinstance(fact, Incident) and fact.state == "suppressed":
        notes.append(
            f"(until {_when(fact.suppressed_until, now, zone)})" if fact.suppressed_until else "(no end known)"
        )
    if isinstance(fact, Release) and fact.target:
        notes.append(f"({fact.target})")
    return notes


def _service(fact: Item, alarming: bool) -> Cell:
    if not is_unowned(fact):
        return (fact.service or fact.repository or fact.team, "")
    return (f"unowned {fact.repository}".rstrip(), "unknown" if alarming else "")


def _line(build: Build) -> str:
    """The branch or pull request; a fork's is marked as such."""
    line = f"#{build.change.removeprefix('#')}" if build.change else build.branch
    return f"{build.fork}:{line}" if build.fork and line else line


def age_cell(fact: Item, now: datetime, glyphs: Glyphs) -> str:
    """Its age by `moment_of`; ``~`` marks a time that we inferred."""
    moment = moment_of(fact)
    if moment is None:
        return glyphs.nothing
    return ("~" if fact.approximate else "") + clock.age(now, moment)


def _when(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """The time of day, with the date unless it is today's."""
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
