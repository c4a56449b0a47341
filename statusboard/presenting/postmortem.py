"""The timeline of one incident as Markdown, to begin a post-mortem with.  Pure.

Whatever comes from elsewhere is escaped: it shows as it is and does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo

from msgspec import Struct

from statusboard.model import Incident
from statusboard.presenting.lines import length
from statusboard.suspects import Suspect
from statusboard.text import markdown, safe_url
from statusboard.timeline import Entry


class Blind(Struct, frozen=True, kw_only=True):
    """A stretch of time in which a source was not watched; ``until`` is None while it lasts."""

    source: str
    since: datetime
    until: datetime | None
    why: str = ""


class Told(Struct, frozen=True, kw_only=True):
    """All that is told of one incident.

    ``entries`` are in order: its own, what people said of it, and what happened around it from ``since`` on.
    ``services`` are those whose changes are told.  ``left_out``: so many entries more happened around it.
    ``suspects`` is None where nothing can be said of them.
    """

    incident: Incident
    since: datetime
    until: datetime | None
    entries: Sequence[Entry]
    services: Sequence[str]
    blind: Sequence[Blind]
    left_out: int = 0
    suspects: Sequence[Suspect] | None = None
    dismissed: Sequence[str] = ()
    others: Sequence[datetime] = ()


def document(told: Told, now: datetime, zone: tzinfo) -> str:
    """The Markdown document."""
    incident = told.incident
    lines = [f"# {markdown(incident.title or incident.key)}", "", *_facts(told, now, zone), "", "## Timeline", ""]
    lines += [f"Times are those of {_zone(zone, now)}; `~` marks what was only learned more than an hour later.", ""]
    lines += ["| Time | What | Where | By | To what |", "|---|---|---|---|---|"]
    lines += [_row(entry, incident.key, zone) for entry in told.entries]
    if told.left_out:
        lines += ["", f"{told.left_out} more changes around it are left out."]
    lines += ["", "## Suspects", "", *_suspects(told, zone), "", "## Not watched", "", *_blind(told, zone)]
    return "\n".join(lines) + "\n"


def _facts(told: Told, now: datetime, zone: tzinfo) -> Iterable[str]:
    incident, began = told.incident, told.incident.started_at
    severity = f"{incident.severity} incident" if incident.severity != "unknown" else "Incident of unknown severity"
    if told.until is not None:
        lasted = f", over after {length((told.until - began).total_seconds())}" if began and told.until >= began else ""
        state = f"{incident.state}{lasted}" + (" (seen gone)" if incident.approximate else "")
    else:
        state = f"{incident.state}, not over"
    yield f"{severity[0].upper()}{severity[1:]}, {state}."
    yield ""
    yield f"- Key: {markdown(incident.key)}"
    yield f"- Began: {_full(began, zone) if began else 'not known'}"
    if told.until is not None:
        yield f"- Ended: {_full(told.until, zone)}"
    for name, value in (
        ("Services", ", ".join(incident.services)),
        ("Team", incident.team),
        ("Environment", incident.environment),
        ("Assignee", incident.assignee),
        ("What it says", incident.description),
    ):
        if value:
            yield f"- {name}: {markdown(value)}"
    for name, url in {"Page": incident.url, **incident.links}.items():
        if safe := safe_url(url):
            yield f"- {markdown(name)}: <{safe}>"
    others = [name for name in told.services if name not in incident.services]
    if others:
        yield f"- Depends on: {markdown(', '.join(others))}"
    if told.others:
        yield f"- The same alert also began: {', '.join(_full(at, zone) for at in told.others)}"
    yield f"- Written: {_full(now, zone)}"


def _row(entry: Entry, key: str, zone: tzinfo) -> str:
    own = entry.key == key
    what = markdown(entry.words)
    where = ", ".join(filter(None, (entry.service, entry.environment)))
    about = "" if own and entry.event != "said" else entry.about
    cells = [
        f"{entry.at.astimezone(zone):%Y-%m-%d %H:%M:%S}{' ~' if entry.late else ''}",
        f"**{what}**" if own else what,
        "" if own else markdown(where),
        markdown(entry.by),
        markdown(about),
    ]
    return f"| {' | '.join(cells)} |"


def _suspects(told: Told, zone: tzinfo) -> Iterable[str]:
    if told.suspects is None:
        yield "When it began is not known, so nothing can be said of what was changed before."
        return
    if not told.suspects:
        yield "No suspect: no release that is known of stands out."
    for place, suspect in enumerate(told.suspects, 1):
        release = suspect.release
        name = " ".join(filter(None, ("release", release.version or release.revision[:10], *_of(release.service))))
        at = f" ({_full(release.started_at, zone)})" if release.started_at else ""
        reasons = ", ".join(f"{reason.words} {reason.points:+d}" for reason in suspect.reasons)
        score = f": {suspect.points} points ({markdown(reasons)})" if reasons else ""
        said = f", confirmed by {markdown(suspect.confirmed_by)}" if suspect.confirmed_by else ""
        yield f"{place}. {markdown(name)}{at}{score}{said}"
    if told.dismissed:
        yield ""
        yield f"Dismissed by people: {markdown(', '.join(told.dismissed))}"


def _of(service: str) -> tuple[str, ...]:
    return ("of", service) if service else ()


def _blind(told: Told, zone: tzinfo) -> Iterable[str]:
    if not told.blind:
        yield "No source is known to have been blind meanwhile."
    for blind in told.blind:
        end = f"to {_full(blind.until, zone)}" if blind.until else "and still"
        why = f": {markdown(blind.why)}" if blind.why else ""
        yield f"- {markdown(blind.source)} from {_full(blind.since, zone)} {end}{why}"


def _full(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}".rstrip()


def _zone(zone: tzinfo, now: datetime) -> str:
    return str(getattr(zone, "key", "")) or now.astimezone(zone).tzname() or "the board's zone"


def merged(blinds: Iterable[Blind], within: timedelta = timedelta(seconds=1)) -> list[Blind]:
    """Stretches of one source that follow each other as one, the earliest first."""
    found: list[Blind] = []
    for blind in sorted(blinds, key=lambda one: (one.source, one.since)):
        last = found[-1] if found and found[-1].source == blind.source else None
        if last is None or (last.until is not None and blind.since > last.until + within):
            found.append(blind)
            continue
        until = None if last.until is None or blind.until is None else max(last.until, blind.until)
        why = last.why or blind.why
        found[-1] = Blind(source=last.source, since=last.since, until=until, why=why)
    return sorted(found, key=lambda one: (one.since, one.source))
