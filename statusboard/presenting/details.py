"""Everything that is known of one item, and of a source, as labelled lines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import TypeAlias

from statusboard import clock
from statusboard.board import Board, Row
from statusboard.clock import Duration
from statusboard.current import UNREAD, is_unowned
from statusboard.model import (
    Annotation,
    Build,
    HealthState,
    Incident,
    Item,
    Kind,
    Release,
    SourceHealth,
    Status,
    Ticket,
)
from statusboard.presenting.glyphs import UNICODE, Glyphs, state_cell
from statusboard.presenting.rows import age_cell, state_words, status_cell
from statusboard.text import safe_url

Line: TypeAlias = tuple[str, str, str]
"""(label, text, style name)."""
Section: TypeAlias = tuple[str, list[Line]]
"""(heading, lines)."""

NEIGHBOURS = 10
"""How many runs of the same slot the details list."""


def details(
    row: Row,
    board: Board,
    now: datetime,
    statuses: Mapping[str, Status] | None = None,
    *,
    glyphs: Glyphs = UNICODE,
    zone: tzinfo = UTC,
) -> list[Section]:
    """Everything that is known of an item, section by section; sections and lines without content are left out.

    A line whose style is ``link`` has a URL as its text that is safe to open.
    """
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    health = board.state_of(fact.source)
    status = (statuses or {}).get(fact.source)
    sections: list[Section] = [
        (fact.kind.capitalize(), _what(row, fact, health, glyphs)),
        ("Where", _where(fact)),
        ("When", _times(fact, now, zone)),
        ("Links", _links(fact)),
        ("Said", [_said(note, now) for note in board.annotations(row.key)]),
        (_NEIGHBOURHOOD[fact.kind], _neighbours(row, board, now, glyphs)),
        ("Labels", [(name, value, "") for name, value in sorted(fact.labels.items())]),
        ("Source", source_lines(fact.source, health, board.health.get(fact.source), status, now, glyphs=glyphs)),
        (
            "Record",
            [("key", row.key, ""), ("seen", _moment(row.observed_at, now, zone), ""), ("change", str(row.seq), "")],
        ),
    ]
    return [(heading, shown) for heading, lines in sections if (shown := [line for line in lines if line[1]])]


_NEIGHBOURHOOD: Mapping[Kind, str] = {
    "build": "Runs of this pipeline",
    "release": "Releases of this service here",
    "incident": "The same alert elsewhere",
    "ticket": "The same ticket",
}


def _what(row: Row, fact: Item, health: HealthState, glyphs: Glyphs) -> list[Line]:
    unread = health in UNREAD
    sign, style = status_cell(row, fact, glyphs, unread)
    words = f"{sign[0]} {state_words(fact)}"
    if unread:
        words = f"? last known: {state_words(fact)} (source {health})"
    lines: list[Line] = [
        ("title", fact.title, "plain"),
        ("state", words, "stale" if unread else style),
        ("counts as", "failing" if row.failing else "", style),
        ("counts as", "history: something newer took its place" if not (row.current or row.newest) else "", "muted"),
    ]
    if isinstance(fact, Incident):
        lines.append(("severity", fact.severity, fact.severity if row.failing and not unread else ""))
        lines.append(("suppressed by", fact.suppressed_by, ""))
        lines.append(("acked by", fact.acknowledged_by, ""))
        lines.append(("assignee", fact.assignee, ""))
    elif isinstance(fact, Ticket):
        lines += [("ticket", fact.ticket_id, ""), ("priority", fact.priority, ""), ("assignee", fact.assignee, "")]
    lines.append(("reason", fact.reason, ""))
    lines.append(("description", fact.description, ""))
    lines.append(("vendor says", fact.raw_state, "muted"))
    return lines


def _where(fact: Item) -> list[Line]:
    lines: list[Line] = [
        ("service", "unowned" if is_unowned(fact) else ", ".join(fact.services), "unknown" if is_unowned(fact) else ""),
        ("team", fact.team, ""),
        ("environment", fact.environment, ""),
        ("target", fact.target, ""),
        ("repository", fact.repository, ""),
    ]
    match fact:
        case Build():
            run = "" if fact.run_number is None else f"#{fact.run_number}"
            lines += [
                ("pipeline", fact.pipeline, ""),
                ("run", f"{run} attempt {fact.attempt}".strip() if fact.attempt > 1 else run, ""),
                ("branch", fact.branch + (f" of {fact.fork}" if fact.fork else ""), ""),
                ("pull request", fact.change, ""),
                ("revision", fact.revision, ""),
            ]
        case Release():
            lines += [
                ("type", fact.type + (" (prerelease)" if fact.prerelease else ""), ""),
                ("version", fact.version, ""),
                ("before", fact.previous_version, ""),
                ("revision", fact.revision, ""),
                ("commits", "" if fact.commits is None else str(fact.commits), ""),
            ]
        case Incident():
            lines += [("cluster", fact.cluster, ""), ("fingerprint", fact.fingerprint, "")]
        case _:
            pass
    lines += [("by", fact.actor, ""), ("trigger", fact.trigger, "")]
    return lines


def _times(fact: Item, now: datetime, zone: tzinfo) -> list[Line]:
    took = 0
    if fact.started_at is not None and fact.ended_at is not None:
        took = round((fact.ended_at - fact.started_at).total_seconds())
    lines: list[Line] = [
        ("started", _moment(fact.started_at, now, zone), ""),
        ("updated", _moment(fact.updated_at, now, zone), ""),
        ("ended", _moment(fact.ended_at, now, zone), ""),
        ("took", str(Duration(took)) if took > 0 else "", ""),
        ("times are", "approximate: when we first saw it" if fact.approximate else "", ""),
    ]
    if isinstance(fact, Incident):
        lines.append(("acked", _moment(fact.acknowledged_at, now, zone), ""))
        if fact.state == "suppressed":
            until = fact.suppressed_until
            lines.append(
                ("suppressed", f"until {until.astimezone(zone):%Y-%m-%d %H:%M}" if until else "no end known", "")
            )
    return lines


def _moment(moment: datetime | None, now: datetime, zone: tzinfo) -> str:
    """A time in full, with its age."""
    if moment is None:
        return ""
    since = clock.age(now, moment)
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" + (
        f" ({since} ago)" if moment <= now else " (ahead of our clock)"
    )


def _links(fact: Item) -> list[Line]:
    found = {"page": fact.url, **dict(sorted(fact.links.items()))}
    return [(name, safe_url(url), "link") for name, url in found.items()]


def _said(note: Annotation, now: datetime) -> Line:
    said_at = note.updated_at or note.started_at
    words = {
        "ack": "acknowledged",
        "suspect_confirmed": "confirmed a suspect",
        "suspect_dismissed": "dismissed a suspect",
    }
    text = ": ".join(filter(None, (words.get(note.what, ""), note.text))) or note.what
    return (note.author or "somebody", text + (f" ({clock.age(now, said_at)} ago)" if said_at else ""), "")


def _neighbours(row: Row, board: Board, now: datetime, glyphs: Glyphs) -> list[Line]:
    rows = board.neighbours(row)
    if len(rows) < 2:
        return []
    lines: list[Line] = []
    for other in rows[:NEIGHBOURS]:
        fact = other.fact
        assert isinstance(fact, Build | Incident | Release | Ticket)
        unread = board.state_of(fact.source) in UNREAD
        text, style = status_cell(other, fact, glyphs, unread)
        what = fact.source
        if isinstance(fact, Build):
            what = fact.title if fact.run_number is None else f"#{fact.run_number} {fact.title}"
        elif isinstance(fact, Release):
            what = fact.version or fact.title
        mark = "this one" if other is row else "current" if other.current else ""
        lines.append(
            (
                age_cell(fact, now, glyphs),
                f"{text} {what}" + (f" ({mark})" if mark else ""),
                "stale" if unread else style,
            )
        )
    if len(rows) > NEIGHBOURS:
        lines.append(("", f"and {len(rows) - NEIGHBOURS} more", "muted"))
    return lines


def source_lines(
    name: str,
    state: HealthState,
    health: SourceHealth | None,
    status: Status | None,
    now: datetime,
    *,
    glyphs: Glyphs = UNICODE,
) -> list[Line]:
    """How well a source is read: its state and since when, its last success and next poll, what could not be read."""
    text, style = state_cell("source", state, glyphs)
    read = (status.last_success if status else None) or (health.last_success if health else None)
    lines: list[Line] = [("name", name, ""), ("state", text, style)]
    if health is not None:
        lines.append(("type", health.type, ""))
        if health.state == state and health.started_at:
            lines.append(("since", f"{clock.age(now, health.started_at)} ago", ""))
    lines.append(("last read", f"{clock.age(now, read)} ago" if read else "never", "" if read else "unknown"))
    if status is not None and status.next_poll is not None:
        seconds = (status.next_poll - now).total_seconds()
        lines.append(("next poll", f"in {Duration(round(seconds))}" if seconds >= 1 else "now", ""))
    if health is not None:
        lines.append(("error", health.error, "warning"))
        lines += [(error.part, error.error, "warning") for error in health.errors]
    return lines
