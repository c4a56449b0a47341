"""A hand-over in words: for a terminal and the screen, for a chat, for a script.  Pure.

Every line begins with a sign and a word that say how it is, so that it reads without colours.  In Markdown all of it is
escaped: what comes from elsewhere shows as it is and does nothing, wherever it is pasted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, tzinfo
from typing import Any, Final, TypeAlias

from msgspec import Struct

from statusboard.clock import rfc3339
from statusboard.current import is_failing
from statusboard.handover.told import Episode, Handover, Shipped, Unread
from statusboard.metrics import Judged, change_text, value_text
from statusboard.model import Incident, Release
from statusboard.pipelines import PipelineHealth
from statusboard.presenting.glyphs import UNICODE, Cell, Glyphs, state_cell
from statusboard.presenting.lines import length, setting_of, short_revision, time_of_day
from statusboard.suspects import Suspect
from statusboard.text import clean, fit, markdown, safe_url

Row: TypeAlias = tuple[int, tuple[Cell, ...], str]
"""(how deep it stands, words with a style name each, a page that is safe to open or ``""``)."""

INDENT: Final = "  "


class Section(Struct, frozen=True, kw_only=True):
    """A heading, what it comes to in few words, and its lines."""

    heading: str
    count: tuple[Cell, ...]
    rows: tuple[Row, ...] = ()


def sections(told: Handover, *, zone: tzinfo = UTC, glyphs: Glyphs = UNICODE) -> list[Section]:
    """All of it, the most urgent first."""
    found = [_open(told, zone, glyphs), _resolved(told, zone, glyphs)]
    if told.lost:
        rows = [_episode(each, told, zone, glyphs) for each in told.lost]
        count = (f"{len(told.lost)} that began in this time and that nobody tells of any more", "unknown")
        found.append(Section(heading="Gone", count=(count,), rows=tuple(row for each in rows for row in each)))
    found += [_releases(told, zone, glyphs), _pipelines(told, zone, glyphs)]
    if told.goals is not None:
        found.append(_goals(told.goals.judged, told.goals.days, glyphs))
    return [*found, _unread(told, zone, glyphs)]


def head(told: Handover, *, zone: tzinfo = UTC) -> list[Row]:
    """What it is of, what it comes to, and what that is worth."""
    whose = f"team {clean(told.team, 60)}" if told.team else "all teams"
    lasted = length((told.until - told.since).total_seconds())
    since = f"{told.since.astimezone(zone):%a %Y-%m-%d %H:%M}"
    until = time_of_day(told.until, told.since, zone)
    named = getattr(zone, "key", "") or told.until.astimezone(zone).tzname() or ""
    rows: list[Row] = [(0, ((f"Hand-over, {whose}", "heading"), (f"  {since} to {until} {named} ({lasted})", "")), "")]
    loud, quiet = _loud(told)
    counted: list[Cell] = [
        (f"{told.opened} opened", ""),
        (f", {len(told.resolved)} resolved", ""),
        (f", {loud} still open", "failed" if loud else ""),
    ]
    if quiet:
        counted.append((f", {quiet} suppressed", "muted"))
    rows.append((0, (("Incidents: ", "strong"), *counted), ""))
    if told.unread:
        names = dict.fromkeys(clean(each.source, 60) or "all sources" for each in told.unread)
        text = f"Not everything was seen ({', '.join(names)}): what is missing here may have happened."
        rows.append((0, ((text, "unknown"),), ""))
    return rows


def as_text(told: Handover, *, zone: tzinfo = UTC, glyphs: Glyphs = UNICODE, width: int = 100) -> str:
    """For a terminal of that ``width``; lines that are longer are cut."""
    lines = [_plain(row, width) for row in head(told, zone=zone)]
    for section in sections(told, zone=zone, glyphs=glyphs):
        title = f"{section.heading}: {_words(section.count)}"
        lines += ["", fit(title, width).rstrip(), *(_plain((row[0] + 1, *row[1:]), width) for row in section.rows)]
    return "\n".join(lines) + "\n"


def as_markdown(told: Handover, *, zone: tzinfo = UTC) -> str:
    """To be pasted into a chat or a document."""
    first, *others = head(told, zone=zone)
    blocks = [f"**{markdown(_words(first[1]))}**", *(markdown(_words(row[1])) for row in others)]
    for section in sections(told, zone=zone):
        blocks.append(f"**{markdown(section.heading)}:** {markdown(_words(section.count))}")
        rows = [
            f"{INDENT * depth}- {markdown(_words(words))}" + (f" <{url}>" if url else "")
            for depth, words, url in section.rows
        ]
        if rows:
            blocks.append("\n".join(rows))
    return "\n\n".join(blocks) + "\n"


def _plain(row: Row, width: int) -> str:
    return fit(INDENT * row[0] + _words(row[1]), width).rstrip()


def _words(cells: Iterable[Cell]) -> str:
    return "".join(text for text, _ in cells)


# -- incidents -----------------------------------------------------------------------------------------------------


def _open(told: Handover, zone: tzinfo, glyphs: Glyphs) -> Section:
    rows = [row for each in told.still_open for row in _episode(each, told, zone, glyphs)]
    loud, quiet = _loud(told)
    count: list[Cell] = [(str(loud), "strong")] if rows else [("none that is known", "muted")]
    if quiet:
        count.append((f", {quiet} suppressed", "muted"))
    return Section(heading="Still open", count=tuple(count), rows=tuple(rows))


def _loud(told: Handover) -> tuple[int, int]:
    """How many incidents that are not over are open, and how many of them are suppressed."""
    quiet = sum(each.incident.state == "suppressed" for each in told.still_open)
    return len(told.still_open) - quiet, quiet


def _resolved(told: Handover, zone: tzinfo, glyphs: Glyphs) -> Section:
    rows = [row for each in told.resolved for row in _episode(each, told, zone, glyphs)]
    count = (str(len(told.resolved)), "strong") if rows else ("none that is known", "muted")
    return Section(heading="Resolved", count=(count,), rows=tuple(rows))


def _episode(each: Episode, told: Handover, zone: tzinfo, glyphs: Glyphs) -> list[Row]:
    incident = each.incident
    sign, style = state_cell("incident", incident.state, glyphs)
    severity = incident.severity if incident.severity != "unknown" else "severity unknown"
    loud = is_failing(incident)
    words: list[Cell] = [
        (sign, (incident.severity if loud else style)),
        (f" {severity}", incident.severity if loud else "muted"),
        (f"  {clean(incident.service or 'no service', 40)}", "strong"),
        (f"  {clean(incident.title, 160)}", ""),
        (f"  {_when(each, told, zone)}", "muted"),
    ]
    if each.new:
        words.append((", new", "marker"))
    if incident.assignee:
        words.append((f", {clean(incident.assignee, 40)}", ""))
    if incident.state == "suppressed" and incident.suppressed_by:
        words.append((f", {clean(incident.suppressed_by, 80)}", "muted"))
    rows: list[Row] = [(0, tuple(words), safe_url(incident.url))]
    if loud or each.suspects or incident.state == "resolved":
        rows += _suspects(each)
    for note in each.said:
        what = "is on it" if note.what == "ack" else f"says: {clean(note.text, 300)}"
        rows.append((1, ((f"{clean(note.author, 40) or 'somebody'} {what}", ""),), ""))
    return rows


def _when(each: Episode, told: Handover, zone: tzinfo) -> str:
    if each.began is None:
        return "since when is not known"
    began = time_of_day(each.began, told.until, zone)
    if each.ended is None:
        return f"since {began} ({length((told.until - each.began).total_seconds())})"
    lasted = f" ({length((each.ended - each.began).total_seconds())})" if each.ended >= each.began else ""
    seen = ", seen gone" if each.incident.approximate else ""
    return f"{began} to {time_of_day(each.ended, told.until, zone)}{lasted}{seen}"


def _suspects(each: Episode) -> list[Row]:
    if each.suspects is None:
        return [(1, (("when it began is not known: nothing can be said of suspects", "muted"),), "")]
    if not each.suspects:
        return [(1, (("no suspect", "muted"),), "")]
    return [_suspect(suspect) for suspect in each.suspects]


def _suspect(suspect: Suspect) -> Row:
    release = suspect.release
    name = " ".join(filter(None, (release.service, _version(release))))
    reasons = ", ".join(f"{clean(reason.words, 120)} {reason.points:+d}" for reason in suspect.reasons)
    words: list[Cell] = [("suspect ", "warning"), (clean(name, 80) or "a release", "strong")]
    if suspect.confirmed_by:
        words.append((f", confirmed by {clean(suspect.confirmed_by, 40)}", "marker"))
    if reasons:
        words.append((f"  {suspect.points} points: {reasons}", "muted"))
    return (1, tuple(words), "")


def _version(release: Release) -> str:
    if release.type == "configuration":
        return setting_of(release)
    return release.version or short_revision(release.revision)


# -- releases ------------------------------------------------------------------------------------------------------


def _releases(told: Handover, zone: tzinfo, glyphs: Glyphs) -> Section:
    rows = [_shipped(each, told, zone, glyphs) for each in told.releases]
    count: list[Cell] = [(_count(len(rows), "release") + " to production", "strong" if rows else "muted")]
    if told.elsewhere:
        count.append((f", {told.elsewhere} elsewhere", "muted"))
    return Section(heading="Releases", count=tuple(count), rows=tuple(rows))


def _shipped(each: Shipped, told: Handover, zone: tzinfo, glyphs: Glyphs) -> Row:
    last = each.releases[-1]
    state = "failed" if each.failed else "rolled_back" if each.undone else "success"
    if not each.failed and any(release.state in ("running", "unknown") for release in each.releases):
        state = next(r.state for r in each.releases if r.state in ("running", "unknown"))
    sign, style = state_cell("release", state, glyphs)
    was = f" (was {clean(last.previous_version, 40)})" if last.previous_version else ""
    words: list[Cell] = [
        (time_of_day(each.began, told.until, zone), "muted"),
        (f"  {sign}", "failed" if state == "failed" else style),
        (f"  {clean(last.service or last.repository or last.source, 60)}", "strong"),
        (f" {clean(_version(last), 60)}{was}", ""),
    ]
    if len(each.releases) > 1:
        words.append((f", {len(each.releases)} targets", "muted"))
    if each.back:
        words.append((", a roll-back", "warning"))
    if last.actor:
        words.append((f", by {clean(last.actor, 40)}", "muted"))
    return (0, tuple(words), safe_url(last.url))


# -- pipelines, goals ----------------------------------------------------------------------------------------------


def _pipelines(told: Handover, zone: tzinfo, glyphs: Glyphs) -> Section:
    rows = [_pipeline(line, told, zone, glyphs) for line in told.pipelines]
    count = (str(len(rows)), "strong") if rows else ("none that is known", "muted")
    heading = f"Pipelines that are red, or were flaky in {told.days} days"
    return Section(heading=heading, count=(count,), rows=tuple(rows))


def _pipeline(line: PipelineHealth, told: Handover, zone: tzinfo, glyphs: Glyphs) -> Row:
    newest = line.newest
    where = newest.service or newest.repository
    words: list[Cell] = []
    if line.red is not None:
        words.append((f"{glyphs.of('build', 'failed')} red", "failed"))
    else:
        words.append((f"{glyphs.of('build', 'warning')} flaky", "warning"))
    words.append((f"  {clean(where, 60)}", "strong"))
    words.append((f" {clean(line.name, 60)}", "strong"))
    if line.red is not None:
        red = line.red
        words.append((f"  since {time_of_day(red.since, told.until, zone)}", ""))
        words.append((f" ({length(red.lasted(told.until).total_seconds())})", "muted"))
        if red.first.revision and red.good is not None:
            words.append((f", first bad {short_revision(clean(red.first.revision, 60))}", ""))
        if red.people:
            words.append((f" by {clean(red.people[0], 40)}", ""))
    if line.flaky:
        flaky = line.flaky
        both = f"{_count(len(flaky.both), 'revision')} of {flaky.again} tested again both failed and passed"
        told_so = [both] if flaky.both else []
        told_so += [f"turned red {_count(flaky.turns, 'time')} in {flaky.of} verdicts"] if flaky.alternates else []
        words.append((f"{', flaky' if line.red is not None else ''}: {'; '.join(told_so)}", ""))
    return (0, tuple(words), safe_url(newest.url))


def _goals(judged: Sequence[Judged], days: int, glyphs: Glyphs) -> Section:
    rows = [_goal(each, glyphs) for each in judged]
    missed = sum(each.met is False for each in judged)
    dark = sum(each.met is None for each in judged)
    count: list[Cell] = [(f"{missed} of {len(judged)} missed", "failed" if missed else "")]
    if dark:
        count.append((f", {dark} without data", "unknown"))
    return Section(heading=f"Goals, over {days} days", count=tuple(count), rows=tuple(rows))


def _goal(each: Judged, glyphs: Glyphs) -> Row:
    number = each.number
    state, word, style = ("success", "met", "success") if each.met else ("failed", "missed", "failed")
    if each.met is None:
        state, word, style = "unknown", "no data", "unknown"
    words: list[Cell] = [
        (f"{glyphs.of('build', state)} {word}", style),
        (f"  {clean(each.goal.team, 40)}", "strong"),
        (f"  {number.definition.title}", ""),
    ]
    if each.met is not None:
        words.append((f" {value_text(number.value, number.unit)}", style))
    words.append((f", goal {each.goal.text}", ""))
    words.append((f", n={number.n}", "muted"))
    if (change := number.change) is not None:
        words.append((f", {change_text(change, number.unit)}", "muted"))
    return (0, tuple(words), "")


# -- what was not seen ---------------------------------------------------------------------------------------------


def _unread(told: Handover, zone: tzinfo, glyphs: Glyphs) -> Section:
    rows = [_blind(each, told, zone, glyphs) for each in told.unread]
    count = (_count(len(rows), "stretch", "stretches"), "unknown") if rows else ("nothing that is known", "muted")
    return Section(heading="Not seen", count=(count,), rows=tuple(rows))


def _blind(each: Unread, told: Handover, zone: tzinfo, glyphs: Glyphs) -> Row:
    begins = time_of_day(each.since, told.until, zone)
    until = "still" if each.until is None else f"to {time_of_day(each.until, told.until, zone)}"
    lasted = length(((each.until or told.until) - each.since).total_seconds())
    words: tuple[Cell, ...] = (
        (f"{glyphs.of('source', 'unwatched')} {clean(each.source, 60) or 'all sources'}", "unknown"),
        (f"  from {begins} {until} ({lasted})", ""),
        (f": {clean(each.why, 200)}" if each.why else "", "muted"),
    )
    return (0, words, "")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


# -- for a script --------------------------------------------------------------------------------------------------


def as_json(told: Handover) -> dict[str, Any]:
    """The same for a script: items as `statusboard show --json` has them, times in UTC."""
    made: dict[str, Any] = {
        "schema": 1,
        "since": rfc3339(told.since),
        "until": rfc3339(told.until),
        "team": told.team or None,
        "opened": told.opened,
        "still_open": [_episode_json(each) for each in told.still_open],
        "resolved": [_episode_json(each) for each in told.resolved],
        "gone": [_episode_json(each) for each in told.lost],
        "releases": [
            {
                "began": rfc3339(each.began),
                "failed": each.failed,
                "rolled_back": each.undone,
                "is_rollback": each.back,
                "targets": [release.target for release in each.releases if release.target],
                "keys": [release.key for release in each.releases],
                "service": each.releases[-1].service,
                "setting": each.releases[-1].setting,
                "version": each.releases[-1].version,
                "previous_version": each.releases[-1].previous_version,
                "actor": each.releases[-1].actor,
            }
            for each in told.releases
        ],
        "releases_elsewhere": told.elsewhere,
        "pipelines": [
            {
                "service": line.newest.service,
                "repository": line.newest.repository,
                "pipeline": line.name,
                "red_since": rfc3339(line.red.since) if line.red is not None else None,
                "flaky": bool(line.flaky),
                "failed_and_passed": [twice.revision for twice in line.flaky.both],
                "newest": line.newest.key,
            }
            for line in told.pipelines
        ],
        "not_seen": [
            {
                "source": each.source or None,
                "since": rfc3339(each.since),
                "until": rfc3339(each.until) if each.until is not None else None,
                "why": each.why,
            }
            for each in told.unread
        ],
    }
    if told.goals is not None:
        made["goals"] = [
            {
                "team": each.goal.team,
                "metric": each.goal.metric,
                "goal": each.goal.text,
                "met": each.met,
                "value": each.number.value,
                "unit": each.number.unit,
                "n": each.number.n,
                "days": told.goals.days,
            }
            for each in told.goals.judged
        ]
    return made


def _episode_json(each: Episode) -> dict[str, Any]:
    incident: Incident = each.incident
    return {
        "key": incident.key,
        "title": incident.title,
        "state": incident.state,
        "severity": incident.severity,
        "service": incident.service,
        "team": incident.team,
        "environment": incident.environment,
        "url": safe_url(incident.url) or None,
        "began": rfc3339(each.began) if each.began is not None else None,
        "ended": rfc3339(each.ended) if each.ended is not None else None,
        "new": each.new,
        "suspects": None
        if each.suspects is None
        else [
            {
                "release": suspect.release.key,
                "service": suspect.release.service,
                "setting": suspect.release.setting,
                "version": suspect.release.version,
                "points": suspect.points,
                "reasons": [{"words": reason.words, "points": reason.points} for reason in suspect.reasons],
                "confirmed_by": suspect.confirmed_by or None,
            }
            for suspect in each.suspects
        ],
    }
