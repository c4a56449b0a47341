"""Rows, details and the header as words: what each says, in which column, in which style.  Pure.

Status is glyph + word + style name, so that it reads without any colour: within a kind no two states share their word
or their glyph, in either set of glyphs.  Style names are those of `widgets.table.STYLE_NAMES`; "" is the row's own.

What a source that is no longer read told us loses its colour and says what it *was* (``? was success``).  What still
counts as failed while it runs again keeps the glyph of its verdict: ``✗ running``, ``(was failed)`` before the title.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Literal, TypeAlias

from msgspec import Struct

from statusboard import clock
from statusboard.board import Board, Row, Summary
from statusboard.clock import Duration
from statusboard.current import OVER, UNREAD, is_unowned, moment_of, verdict_of
from statusboard.model import (
    SEVERITIES,
    Annotation,
    Build,
    HealthState,
    Incident,
    Item,
    ItemKind,
    Kind,
    Release,
    SourceHealth,
    Status,
    Ticket,
)
from statusboard.text import safe_url

Cell: TypeAlias = tuple[str, str]
"""(text, style name)."""
Line: TypeAlias = tuple[str, str, str]
"""(label, text, style name)."""
Section: TypeAlias = tuple[str, list[Line]]
"""(heading, lines)."""

NEIGHBOURS = 10
"""How many runs of the same slot the details list."""


# -- glyphs ----------------------------------------------------------------------------------------------------------

_UNICODE = {
    "build": "queued◌ running► blocked‖ success✓ warning▲ failed✗ cancelled⊘ skipped↷ unknown?",
    "incident": "pending◔ open● acknowledged◐ suppressed○ resolved✓ unknown?",
    "release": "queued◌ blocked‖ running► success✓ warning▲ failed✗ rolled_back↺ cancelled⊘ inactive· unknown?",
    "ticket": "open○ in_progress◐ done✓ cancelled⊘ unknown?",
    "source": "starting◌ fresh✓ partial◑ aging◔ stale? down✗ paused‖",
    "annotation": "set● withdrawn○",
}
_ASCII = {
    "build": "queued. running> blocked| success+ warning! failedX cancelled- skipped~ unknown?",
    "incident": "pending. open! acknowledged* suppressed- resolved+ unknown?",
    "release": "queued. blocked| running> success+ warning! failedX rolled_back< cancelled- inactive_ unknown?",
    "ticket": "openo in_progress> done+ cancelled- unknown?",
    "source": "starting. fresh+ partial% aging~ stale? downX paused|",
    "annotation": "set* withdrawn-",
}


def _signs(table: Mapping[str, str]) -> dict[tuple[str, str], str]:
    return {(kind, word[:-1]): word[-1] for kind, words in table.items() for word in words.split()}


class Glyphs(Struct, frozen=True):
    """One set of signs, each one cell wide.  ``nothing`` stands where a value is not known."""

    states: Mapping[tuple[str, str], str]
    nothing: str
    dash: str

    def of(self, kind: Kind, state: str) -> str:
        """The sign of a state; that of unknown for one we have no sign for."""
        return self.states.get((kind, state), "?")


UNICODE = Glyphs(_signs(_UNICODE), "·", "–")
ASCII = Glyphs(_signs(_ASCII), "-", "-")
"""For terminals and fonts that have no more (``TERM=linux``, no UTF-8 locale)."""

_WORDS = {"acknowledged": "acked", "in_progress": "in progress", "rolled_back": "rolled back"}
_STYLES: Mapping[str, str] = {
    "running": "running",
    "in_progress": "running",
    "blocked": "warning",
    "warning": "warning",
    "rolled_back": "warning",
    "failed": "warning",  # of a side branch, a pull request, a preview: seen, but nobody's alarm
    "success": "success",
    "unknown": "unknown",
    "fresh": "success",
    "partial": "warning",
    "aging": "warning",
    "stale": "unknown",
    "down": "failed",
    **dict.fromkeys((*OVER, "suppressed", "pending", "queued", "starting", "paused", "withdrawn"), "muted"),
}


def word_of(state: str) -> str:
    """The word that is shown for a state."""
    return _WORDS.get(state, state)


def state_cell(kind: Kind, state: str, glyphs: Glyphs = UNICODE) -> Cell:
    """Glyph, word and style of a bare state, for instance of a source: ``✓ fresh``."""
    return f"{glyphs.of(kind, state)} {word_of(state)}", _STYLES.get(state, "plain")


# -- columns ---------------------------------------------------------------------------------------------------------


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
        ColumnSpec("severity", "Severity", 8, 6, 90),
        ColumnSpec("service", "Service", 18, 10, 80),
        ColumnSpec("title", "Incident", None, 25, 100),
        ColumnSpec("environment", "Environment", 11, 10, 30),
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
        ColumnSpec("environment", "Environment", 12, 8, 90),
        ColumnSpec("service", "Service", 18, 9, 80),
        ColumnSpec("version", "Version", 16, 8, 70),
        ColumnSpec("title", "Release", None, 16, 100),
        ColumnSpec("actor", "By", 12, 10, 10),
    ),
    "ticket": (
        _AGE,
        ColumnSpec("state", "State", 13, 9, 100),
        ColumnSpec("priority", "Priority", 10, 6, 70),
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


# -- rows ------------------------------------------------------------------------------------------------------------


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
        "age": (_age(fact, now, glyphs), ""),
        "state": _state(row, fact, glyphs, unread),
        "service": _service(fact, row.failing and not unread),
        "environment": (fact.environment, ""),
        "team": (fact.team, ""),
        "actor": (fact.actor, ""),
        "title": (" ".join([*_notes(fact, now, zone), fact.title or fact.description or remark(fact)]), ""),
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


def remark(fact: Item) -> str:
    """What to call an item that has no title."""
    if isinstance(fact, Build):
        return fact.pipeline
    return fact.reason


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


def _state(row: Row, fact: Item, glyphs: Glyphs, unread: bool) -> Cell:
    if unread:
        return ("? unknown" if fact.state == "unknown" else f"? was {word_of(fact.state)}", "")
    kind: Kind = fact.kind
    former = _former(fact)
    telling = former if former not in ("", "success", "inactive") else fact.state
    style = _STYLES.get(telling, "plain")
    if row.failing:
        style = fact.severity if isinstance(fact, Incident) else "failed"
    return (f"{glyphs.of(kind, telling)} {word_of(fact.state)}", style)


def _notes(fact: Item, now: datetime, zone: tzinfo) -> list[str]:
    """What stands before the title, since it must be seen where there is little room."""
    notes: list[str] = []
    former = _former(fact)
    if former not in ("", "success", "inactive"):
        notes.append(f"(was {word_of(former)})")
    if isinstance(fact, Incident) and fact.state == "suppressed":
        words = [f"by {fact.suppressed_by}" if fact.suppressed_by else ""]
        words.append(f"until {_when(fact.suppressed_until, now, zone)}" if fact.suppressed_until else "no end known")
        notes.append(f"({' '.join(filter(None, words))})")
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


def _age(fact: Item, now: datetime, glyphs: Glyphs) -> str:
    moment = moment_of(fact)
    if moment is None:
        return glyphs.nothing
    return ("~" if fact.approximate else "") + clock.age(now, moment)


def _when(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """The time of day, with the date unless it is today's."""
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"


# -- the details of one item -----------------------------------------------------------------------------------------


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
    sign, style = _state(row, fact, glyphs, unread)
    words = f"{sign[0]} {state_words(fact)}"
    if unread:
        words = f"? last known: {state_words(fact)} (source {health})"
    lines: list[Line] = [
        ("title", fact.title, "plain"),
        ("state", words, "stale" if unread else style),
        (
            "counts as",
            "failing" if row.failing else "" if row.current else "history, not current",
            style if row.failing else "",
        ),
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
        ("service", ", ".join(fact.services) or "unowned", "unknown" if is_unowned(fact) else ""),
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
        text, style = _state(other, fact, glyphs, unread)
        what = fact.source
        if isinstance(fact, Build):
            what = fact.title if fact.run_number is None else f"#{fact.run_number} {fact.title}"
        elif isinstance(fact, Release):
            what = fact.version or fact.title
        mark = "this one" if other is row else "current" if other.current else ""
        lines.append(
            (_age(fact, now, glyphs), f"{text} {what}" + (f" ({mark})" if mark else ""), "stale" if unread else style)
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


# -- the header ------------------------------------------------------------------------------------------------------


def header_words(summary: Summary, *, hidden_faults: int = 0) -> list[Cell]:
    """The picture in words, the most important first, so that a narrow header may leave out the last ones.

    ``ALL OK`` in the style of success is said only where everything required is fresh and no fault is hidden.
    """
    unread = f"BLIND: {summary.blind} of {summary.sources} sources unread" if summary.blind else ""
    words: list[Cell] = []
    if summary.failing:
        words.append((f"FAILING {summary.failing}", "failed"))
    if unread:
        words.append((unread, "unknown"))
    elif not summary.failing:
        words.append(_calm(summary, hidden_faults))
    words += _counts(summary)
    if hidden_faults:
        words.append((f"{_many(hidden_faults, 'fault')} hidden by filter", "failed"))
    if summary.sources:
        all_fresh = summary.fresh == summary.sources
        words.append((f"{summary.fresh} of {summary.sources} fresh", "success" if all_fresh else "warning"))
    if summary.optional_blind:
        words.append((f"{_many(summary.optional_blind, 'optional source')} unread", "muted"))
    return words


def last_known_words(summary: Summary, saved_at: datetime, now: datetime) -> list[Cell]:
    """The header of what was saved when the last board ran: never in the colours of what we know now."""
    words = [f"LAST KNOWN, {clock.age(now, saved_at)} ago"]
    if summary.failing:
        words.append(f"was failing {summary.failing}")
    words += [text for text, _ in _counts(summary)]
    return [(text, "stale") for text in words]


def _calm(summary: Summary, hidden_faults: int) -> Cell:
    """Nothing is failing and every source is read: is all well?"""
    if summary.unknown:
        return (f"UNKNOWN {summary.unknown}", "unknown")
    if summary.verdict == "blind":
        return ("BLIND: no source is read", "unknown")
    if hidden_faults:
        return ("NOTHING FAILING IN THIS VIEW", "warning")
    aging = summary.sources - summary.fresh
    if aging:
        return (f"OK, BUT {_many(aging, 'SOURCE')} AGING", "warning")
    return ("ALL OK", "success")


def _counts(summary: Summary) -> Iterable[Cell]:
    for severity in SEVERITIES:
        count = summary.severities.get(severity, 0)
        if count:
            yield (f"{count} {'of unknown severity' if severity == 'unknown' else severity}", severity)
    if summary.unknown and (summary.failing or summary.blind):
        yield (f"{summary.unknown} unknown", "unknown")
    if summary.suppressed:
        yield (f"{summary.suppressed} suppressed", "muted")


def _many(count: int, word: str) -> str:
    plural = "S" if word.isupper() else "s"
    return f"{count} {word}" + (plural if count != 1 else "")
