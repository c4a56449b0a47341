"""What a row says, and in which columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from msgspec import Struct
from msgspec.structs import replace

from statusboard import clock
from statusboard.board import Row
from statusboard.current import OVER, UNREAD, is_unowned, line_of, moment_of, verdict_of
from statusboard.model import Annotation, Build, Incident, Item, Release, ShownHealth, Ticket
from statusboard.notes import standing
from statusboard.presenting.glyphs import STYLES, UNICODE, Cell, Glyphs, word_of
from statusboard.presenting.lines import since
from statusboard.text import clip


class RowText(Struct, frozen=True):
    """What a row says: a cell by column id (one that has nothing to say is left out), and the row's style name."""

    cells: dict[str, Cell]
    style: str = ""


def cells(
    row: Row,
    now: datetime,
    *,
    glyphs: Glyphs = UNICODE,
    source_state: ShownHealth = "fresh",
    zone: tzinfo = UTC,
    absolute: bool = False,
    said: Sequence[Annotation] = (),
    flips: int = 0,
    suspect: Cell = ("", ""),
) -> RowText:
    """The cells of a row of any lane.  Times of day are told in ``zone``; ages are coarse and change rarely.

    With ``absolute`` the time itself stands where the age does.  ``said`` is what people said of the item, ``flips``
    how often it began and ceased to fail in the last half hour, where that is too often, ``suspect`` what stood before
    it.
    """
    fact = row.fact
    assert isinstance(fact, Build | Incident | Release | Ticket)
    unread = source_state in UNREAD
    over = fact.state in OVER and not row.failing
    style = "stale" if unread else "muted" if over or row.ahead or fact.state == "suppressed" else ""
    found: dict[str, Cell] = {
        "age": (_age(row, fact, now, glyphs, zone, absolute=absolute), ""),
        "state": status_cell(row, fact, glyphs, unread),
        "service": _service(fact, row.failing and not unread),
        "environment": (fact.environment, ""),
        "team": (fact.team, ""),
        "actor": (person(fact.actor), ""),
        "title": (_title(row, fact, glyphs, _notes(row, fact, now, zone, said, flips)), ""),
        "source": (fact.source, ""),
        "repository": (fact.repository, ""),
        "target": (fact.target, ""),
    }
    match fact:
        case Incident():
            found["severity"] = (fact.severity, fact.severity if row.failing and not unread else "")
            found["assignee"] = (person(fact.assignee or fact.acknowledged_by), "")
            found["suspect"] = suspect
        case Build():
            found["pipeline"] = (fact.pipeline, "")
            found["branch"] = (line_of(fact), "")
            found["run"] = (f"#{fact.run_number}" if fact.run_number is not None else "", "")
            found["revision"] = (fact.revision[:10], "")
            found["duration"] = (_took(fact), "")
        case Release():
            found["version"] = (fact.version or fact.revision[:10], "")
            found["revision"] = (fact.revision[:10], "")
            found["previous"] = (fact.previous_version, "")
            found["duration"] = (_took(fact), "")
            if fact.type == "publication":
                found["environment"] = ("published", "")
        case Ticket():
            found["priority"] = (fact.priority, "")
            found["id"] = (fact.ticket_id, "")
            found["assignee"] = (person(fact.assignee), "")
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
    style = STYLES.get(telling, "plain") if not row.ahead else "muted"
    if row.failing:
        style = _alarm(fact)
    return (f"{glyphs.of(fact.kind, telling)} {word_of(fact.state)}", style)


def _alarm(fact: Item) -> str:
    """The style of what is failing.  That of what is critical stands out by its severity: once in a row is enough."""
    return fact.severity if isinstance(fact, Incident) and fact.severity != "critical" else "failed"


def _title(row: Row, fact: Item, glyphs: Glyphs, notes: Sequence[str]) -> str:
    """Notes, title and, of what is failing, the reason; of what is suppressed, by whom or what."""
    title = fact.title or fact.description or (fact.pipeline if isinstance(fact, Build) else "")
    if fact.reason and not title:
        title = fact.reason
    elif fact.reason and row.failing:
        title = f"{title} {glyphs.dash} {fact.reason}"
    elif isinstance(fact, Incident) and fact.state == "suppressed" and fact.suppressed_by:
        title = f"{title} {glyphs.dash} {fact.suppressed_by}"
    return " ".join(filter(None, (*notes, title)))


def _notes(row: Row, fact: Item, now: datetime, zone: tzinfo, said: Sequence[Annotation], flips: int) -> list[str]:
    """What stands before the title, since it must be seen where there is little room."""
    notes: list[str] = [f"(flips, {flips} times)"] if flips else []
    if row.ahead:
        notes.append("(ahead of our clock)")
    former = _former(fact)
    if former not in ("", "success", "inactive"):
        notes.append(f"(was {word_of(former)})")
    if isinstance(fact, Incident) and fact.state == "suppressed":
        notes.append(
            f"(until {_when(fact.suppressed_until, now, zone)})" if fact.suppressed_until else "(no end known)"
        )
    if isinstance(fact, Release) and fact.target:
        notes.append(f"({fact.target})")
    return notes + _said(fact, said)


def _said(fact: Item, said: Sequence[Annotation]) -> list[str]:
    """Who is on it, and what was noted last: ``(ann: on it) (bob: rolling back)``."""
    texts: dict[str, list[str]] = {}
    holding = standing(said, fact) if said else []
    notes = [note for note in holding if note.what == "note"]
    for note in (*(ack for ack in holding if ack.what == "ack"), *notes[-1:]):
        texts.setdefault(note.author or "somebody", []).append(clip(note.text, 24) or "on it")
    return [f"({clip(author, 12)}: {', '.join(told)})" for author, told in texts.items()]


def _service(fact: Item, alarming: bool) -> Cell:
    if not is_unowned(fact):
        return (fact.service or fact.repository or fact.team, "")
    return (f"unowned {fact.repository}".rstrip(), "unknown" if alarming else "")


def _took(fact: Build | Release) -> str:
    """How long it took; of what still runs nothing, since that would change all the time."""
    if fact.started_at is None or fact.ended_at is None or fact.ended_at < fact.started_at:
        return ""
    return clock.age(fact.ended_at, fact.started_at)


def _age(row: Row, fact: Item, now: datetime, glyphs: Glyphs, zone: tzinfo, *, absolute: bool) -> str:
    """Its age or time; of an incident that tells none since when it stands so on the board, marked as inferred."""
    if isinstance(fact, Incident) and moment_of(fact) is None:
        fact = replace(fact, started_at=row.observed_at, approximate=True)
    return time_cell(fact, now, glyphs, zone) if absolute else age_cell(fact, now, glyphs)


def person(name: str) -> str:
    """A person's name without the address that some tools put behind it: ``mira`` of ``mira <mira@acme.example>``."""
    before, mark, _ = name.partition(" <")
    return before if mark and before.strip() else name


def age_cell(fact: Item, now: datetime, glyphs: Glyphs) -> str:
    """Its age by `moment_of`; ``~`` marks a time that we inferred."""
    moment = moment_of(fact)
    if moment is None:
        return glyphs.nothing
    return ("~" if fact.approximate else "") + since(now, moment)


def time_cell(fact: Item, now: datetime, glyphs: Glyphs, zone: tzinfo) -> str:
    """The time of `moment_of` (at most 12 cells): ``14:02``, ``11-20 14:02``, of another year ``2025-11-20``."""
    moment = moment_of(fact)
    if moment is None:
        return glyphs.nothing
    local, today = moment.astimezone(zone), now.astimezone(zone)
    form = "%H:%M" if local.date() == today.date() else "%m-%d %H:%M" if local.year == today.year else "%Y-%m-%d"
    return ("~" if fact.approximate else "") + local.strftime(form)


def _when(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """The time of day, unless it is today's with its day: there is little room before a title."""
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    days = (local.date() - today).days
    if abs(days) < 7:
        return f"{local:%H:%M}" if not days else f"{local:%a %H:%M}"
    return f"{local:%d %b %H:%M}" if local.year == today.year else f"{local:%Y-%m-%d %H:%M}"
