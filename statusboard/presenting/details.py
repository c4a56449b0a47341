"""Everything that is known of one item, what matters most first: what it is, since when, whose, why, what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from statusboard import clock
from statusboard.board import Board, Row
from statusboard.current import UNREAD, is_unowned, moment_of
from statusboard.model import Annotation, Build, Change, Incident, Item, Release, ShownHealth, Status, Ticket
from statusboard.notes import standing
from statusboard.presenting.around import around
from statusboard.presenting.glyphs import UNICODE, Cell, Glyphs, word_of
from statusboard.presenting.lines import Line, Section, filled, length, moment, setting_of, short_revision, time_of_day
from statusboard.presenting.past import past
from statusboard.presenting.rows import age_cell, state_words, status_cell
from statusboard.presenting.runs import KIND_OF_RUNS, run_lines
from statusboard.presenting.sources import source_lines
from statusboard.text import clip, safe_url

HEAD: Final = 160
"""Cells of a title or a reason that stand above all else; a longer one is told in full further down."""
TWINS: Final = 10
"""How many reports of one alert are listed."""
JUDGED: Final = frozenset({"suspect_confirmed", "suspect_dismissed"})
"""What people say of suspects, which stands with those."""
_READING: Final[Line] = ("", "being read", "muted")


def details(
    row: Row,
    board: Board,
    now: datetime,
    statuses: Mapping[str, Status] | None = None,
    *,
    history: Sequence[Change] | None = None,
    unreadable: str = "",
    line: Sequence[Line] = (),
    older: Sequence[Build] = (),
    glyphs: Glyphs = UNICODE,
    zone: tzinfo = UTC,
) -> list[Section]:
    """Everything that is known of an item, section by section; sections and lines without content are left out.

    ``history`` are the item's stored changes, newest first, None while they are not read yet; ``unreadable`` says why
    they cannot be.  ``line`` says how the pipeline of a build does (`statusboard.presenting.pipelines.health_lines`),
    ``older`` are runs of it that may have left the board.  A line whose style is ``link`` has a URL as its text that is
    safe to open.
    """
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    health = board.state_of(fact.source)
    status = (statuses or {}).get(fact.source)
    said = board.annotations(row.key)
    turned: list[Line] = past(history, now, glyphs=glyphs, zone=zone) if history is not None else [_READING]
    if unreadable:
        turned = [("", unreadable, "warning")]
    sections: list[Section] = [
        (
            "",
            _head(row, fact, health, now, glyphs, zone)
            + [_said(note, fact, now) for note in said if note.what not in JUDGED],
        ),
    ]
    if isinstance(fact, Build | Release):
        runs = run_lines(row, board, now, glyphs=glyphs, zone=zone, older=older)
        sections += [(KIND_OF_RUNS[fact.kind], runs), ("How this pipeline does", list(line))]
    if row.key in board.rows:  # what was around one that has left it long ago has left it as well
        sections += around(row, board, glyphs=glyphs)
    seen, change = (moment(row.observed_at, now, zone), str(row.seq)) if row.seq else ("", "")
    sections += [
        ("What happened", turned),
        ("Description", [("", fact.description if fact.description != fact.title else "", "")]),
        ("Links", _links(fact)),
        ("The same alert elsewhere", _twins(row, board, now, glyphs) if isinstance(fact, Incident) else []),
        ("Known of it", _known(fact, now, zone)),
        ("Labels", [(name, value, "") for name, value in sorted(fact.labels.items())]),
        ("Source", source_lines(fact.source, health, board.health.get(fact.source), status, now, glyphs=glyphs)),
        ("Record", [("key", row.key, ""), ("seen", seen, ""), ("change", change, "")]),
    ]
    return filled(sections)


# -- what stands above all else


def _head(row: Row, fact: Item, health: ShownHealth, now: datetime, glyphs: Glyphs, zone: tzinfo) -> list[Line]:
    unread = health in UNREAD
    sign, style = status_cell(row, fact, glyphs, unread)
    state = f"{sign[0]} {state_words(fact)}"
    if unread:
        state, style = f"? last known: {state_words(fact)} (source {word_of(health)})", "stale"
    words: list[Cell] = [(state, style), *_parted(_which(row, fact, unread), glyphs)]
    words += _parted(_since(fact, now, zone), glyphs)
    title = fact.title or fact.pipeline if isinstance(fact, Build) else fact.title
    return [
        ("", clip(title, HEAD), "strong"),
        ("", tuple(words), ""),
        ("", tuple(_whose(fact, glyphs)), ""),
        ("", _standing(row, fact), "muted"),
        ("", clip(fact.reason, HEAD), "warning" if row.failing and not unread else ""),
    ]


def _parted(words: Sequence[Cell], glyphs: Glyphs) -> list[Cell]:
    """Words that follow others, a sign between them."""
    found: list[Cell] = []
    for text, style in words:
        if text:
            found += [(f" {glyphs.nothing} ", "muted"), (text, style)]
    return found


def _which(row: Row, fact: Item, unread: bool) -> list[Cell]:
    """Which one it is among its like."""
    match fact:
        case Incident():
            severity = "severity unknown" if fact.severity == "unknown" else fact.severity
            return [(severity, fact.severity if row.failing and not unread else "")]
        case Build():
            number = "" if fact.run_number is None else f"#{fact.run_number}"
            attempt = f"attempt {fact.attempt}" if fact.attempt > 1 else ""
            line = f"on {fact.branch}" if fact.branch else ""
            if fact.change:
                line = f"pull request {fact.change}" if fact.change != "unknown" else f"pull request {line}".strip()
            if fact.fork:
                line = f"{line} of {fact.fork}".strip()
            run = " ".join(filter(None, (fact.pipeline, number, attempt)))
            return [(run, ""), (line, "")]
        case Release() if fact.type == "configuration":
            before = f"was {fact.previous_version}" if fact.previous_version else ""
            return [(setting_of(fact), "strong"), (before, "muted")]
        case Release():
            version = fact.version or short_revision(fact.revision)
            before = f"was {fact.previous_version}" if fact.previous_version else ""
            return [(version, "strong"), (before, "muted"), ("prerelease" if fact.prerelease else "", "muted")]
        case Ticket():
            return [(fact.ticket_id, ""), (fact.priority, "")]


def _since(fact: Item, now: datetime, zone: tzinfo) -> list[Cell]:
    at = moment_of(fact)
    if at is None:
        return [("its source tells no time", "muted")]
    about = "~" if fact.approximate else ""
    what = "updated " if isinstance(fact, Ticket) else ""
    told: list[Cell] = [(f"{what}{about}{time_of_day(at, now, zone)}, {_ago(at, now)}", "")]
    if fact.started_at is not None and fact.ended_at is not None and fact.ended_at > fact.started_at:
        took = (fact.ended_at - fact.started_at).total_seconds()
        told.append((f"{'lasted' if isinstance(fact, Incident) else 'took'} {about}{length(took)}", ""))
    if isinstance(fact, Incident) and fact.state == "suppressed":
        until = fact.suppressed_until
        told.append((f"until {time_of_day(until, now, zone)}" if until else "no end known", "warning"))
    return told


def _ago(at: datetime, now: datetime) -> str:
    return f"{clock.age(now, at)} ago" if at <= now else "ahead of our clock"


def _whose(fact: Item, glyphs: Glyphs) -> list[Cell]:
    owner: Cell = ("unowned", "unknown") if is_unowned(fact) else (", ".join(fact.services), "strong")
    place = fact.environment or ("published" if isinstance(fact, Release) and fact.type == "publication" else "")
    words: list[Cell] = [owner]
    words += [(f"team {fact.team}" if fact.team else "", ""), (place, ""), (fact.target, "")]
    if isinstance(fact, Incident | Ticket) and fact.assignee:
        words.append((f"given to {fact.assignee}", ""))
    if isinstance(fact, Incident) and fact.acknowledged_by and fact.acknowledged_by != fact.assignee:
        words.append((f"acked by {fact.acknowledged_by}", ""))
    if isinstance(fact, Incident) and fact.suppressed_by:
        words.append((f"suppressed: {fact.suppressed_by}", ""))
    words += [(f"by {fact.actor}" if fact.actor else "", ""), (_on_call(fact), "")]
    if isinstance(fact, Build | Release):
        words.append((short_revision(fact.revision), "muted"))
    parted = _parted(words, glyphs)
    return parted[1:]


def _on_call(fact: Item) -> str:
    """Who is on call for the service, where a source tells it: nobody is assigned by that."""
    name = fact.labels.get("on_call", "")
    return f"on call: {name}" if name else ""


def _standing(row: Row, fact: Item) -> str:
    if not row.seq:
        return "it has left the board"
    if not (row.current or row.newest):
        return "history: something newer took its place"
    if isinstance(fact, Build) and fact.state == "failed" and not row.failing:
        return "not counted as failing: not the default branch"
    return ""


# -- what people said


def _said(note: Annotation, fact: Item, now: datetime) -> Line:
    holds = bool(standing((note,), fact))
    text = ": ".join(filter(None, ("on it" if note.what == "ack" else "", note.text))) or note.what
    at = note.updated_at or note.started_at
    told: list[Cell] = [(f"{note.author or 'somebody'}:", "marker" if holds else "muted")]
    told.append((f" {text}", "" if holds else "muted"))
    told.append((f" {_ago(at, now)}" if at is not None else "", "muted"))
    told.append(("" if holds else " of an earlier episode", "muted"))
    return ("", tuple(told), "")


# -- the rest


def _links(fact: Item) -> list[Line]:
    found = {"page": fact.url, **{name: url for name, url in sorted(fact.links.items()) if url != fact.url}}
    return [(name, safe_url(url), "link") for name, url in found.items()]


def _twins(row: Row, board: Board, now: datetime, glyphs: Glyphs) -> list[Line]:
    """The other reports of the same alert."""
    lines: list[Line] = []
    others = [other for other in board.neighbours(row) if other is not row]
    for other in others[:TWINS]:
        fact = other.fact
        assert isinstance(fact, Incident)
        unread = board.state_of(fact.source) in UNREAD
        text, style = status_cell(other, fact, glyphs, unread)
        words: tuple[Cell, ...] = ((text, "stale" if unread else style), (f" {fact.source}", ""))
        lines.append((age_cell(fact, now, glyphs), (*words, (" (current)" if other.current else "", "muted")), ""))
    if len(others) > TWINS:
        lines.append(("", f"and {len(others) - TWINS} more", "muted"))
    return lines


def _known(fact: Item, now: datetime, zone: tzinfo) -> list[Line]:
    """Every field, in full."""
    lines: list[Line] = [
        ("title", fact.title if clip(fact.title, HEAD) != fact.title else "", ""),
        ("reason", fact.reason if clip(fact.reason, HEAD) != fact.reason else "", ""),
        ("service", ", ".join(fact.services), ""),
        ("team", fact.team, ""),
        ("environment", fact.environment, ""),
        ("target", fact.target, ""),
        ("repository", fact.repository, ""),
    ]
    match fact:
        case Build():
            lines += [
                ("pipeline", fact.pipeline, ""),
                ("branch", fact.branch, ""),
                ("default branch", fact.default_branch if fact.default_branch != fact.branch else "", ""),
                ("fork", fact.fork, ""),
                ("pull request", fact.change, ""),
                ("revision", fact.revision, ""),
            ]
        case Release():
            lines += [
                ("type", fact.type, ""),
                ("setting", fact.setting, ""),
                ("version", fact.version, ""),
                ("was", fact.previous_version, ""),
                ("revision", fact.revision, ""),
                ("commits", "" if fact.commits is None else str(fact.commits), ""),
            ]
        case Incident():
            lines += [
                ("severity", fact.severity, ""),
                ("cluster", fact.cluster, ""),
                ("fingerprint", fact.fingerprint, ""),
                ("assignee", fact.assignee, ""),
                ("acked by", fact.acknowledged_by, ""),
                ("suppressed by", fact.suppressed_by, ""),
            ]
        case Ticket():
            lines += [
                ("ticket", fact.ticket_id, ""),
                ("priority", fact.priority, ""),
                ("assignee", fact.assignee, ""),
            ]
    lines += [("by", fact.actor, ""), ("trigger", fact.trigger, ""), ("its state", fact.raw_state, "")]
    return lines + _times(fact, now, zone)


def _times(fact: Item, now: datetime, zone: tzinfo) -> list[Line]:
    lines: list[Line] = [
        ("started", moment(fact.started_at, now, zone), ""),
        ("updated", moment(fact.updated_at, now, zone), ""),
        ("ended", moment(fact.ended_at, now, zone), ""),
        ("times are", "approximate: when we first saw it" if fact.approximate else "", ""),
    ]
    if isinstance(fact, Incident):
        lines.append(("acked", moment(fact.acknowledged_at, now, zone), ""))
        until = fact.suppressed_until
        lines.append(("suppressed", f"until {until.astimezone(zone):%Y-%m-%d %H:%M}" if until else "", ""))
    return lines
