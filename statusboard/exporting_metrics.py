"""Reports of metrics as text, Markdown, CSV and JSON.  Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import msgspec

from statusboard.clock import rfc3339
from statusboard.exporting import aligned, spreadsheet_cell
from statusboard.metrics import Covered, Judged, Number, Report, Window, change_text, value_text
from statusboard.metrics.numbers import LEAST_BEFORE
from statusboard.pipelines import PipelineHealth
from statusboard.presenting.pipelines import COLUMNS, health_row, health_words
from statusboard.text import clean

HEAD: Final = ("NUMBER", "VALUE", "CHANGE", "N", "GOAL", "FAILURES KNOWN BY", "COVERS")
FIELDS: Final = (
    *("service", "team", "environment", "days", "since", "until", "metric", "value", "unit", "n", "missing", "why"),
    *("covered_days", "covered_since", "covered_until", "confirmed", "declared", "suspected", "told"),
    *("before", "before_n", "before_covered_days", "change", "trend", "goal", "goal_met", "evidence"),
)
"""The columns of the CSV form."""


def as_text(reports: Sequence[Report], zone: tzinfo) -> str:
    """One table a report."""
    if not reports:
        return _NOTHING + "\n"
    lines: list[str] = []
    for report in reports:
        table = [list(HEAD), *(_cells(number, report, zone) for number in report.numbers)]
        lines += [*([""] if lines else []), heading(report, zone), *aligned(table, {3})]
        lines += [f"  {line}" for line in remarks(report)]
    return "\n".join(lines) + "\n"


def as_markdown(reports: Sequence[Report], zone: tzinfo) -> str:
    """One table a report, as chats and wikis show them."""
    if not reports:
        return _NOTHING + "\n"
    lines: list[str] = []
    for report in reports:
        lines += [*([""] if lines else []), f"### {_marked(heading(report, zone))}", ""]
        lines += [f"| {' | '.join(title.capitalize() for title in HEAD)} |", "|---|---|---|--:|---|---|---|"]
        for number in report.numbers:
            lines.append(f"| {' | '.join(_marked(cell) for cell in _cells(number, report, zone))} |")
        more = remarks(report)
        lines += ["", *(f"- {_marked(line)}" for line in more)] if more else []
    return "\n".join(lines) + "\n"


def heading(report: Report, zone: tzinfo) -> str:
    """Of what, and when: ``checkout in production, 2026-03-01 to 2026-03-07 (7 days)``."""
    window = report.window
    last = (window.until - timedelta(microseconds=1)).astimezone(zone).date()
    first = window.since.astimezone(zone).date()
    days = "1 day" if window.days == 1 else f"{window.days} days"
    return clean(f"{report.scope.text}, {first} to {last} ({days})", 200)


def remarks(report: Report) -> list[str]:
    """What the numbers do not hold: incidents without a release, what was left out, what sources do not tell."""
    lines = []
    if count := len(report.unlinked.episodes):
        few = count == 1
        lines.append(
            f"{count} {'incident' if few else 'incidents'} without a release: in neither fail rate nor recovery time"
        )
    for number in report.numbers:
        if number.silent:
            few = number.missing == 1
            lines.append(
                f"{number.missing} {'deployment says' if few else 'deployments say'} nothing of "
                f"{'its' if few else 'their'} commits: {', '.join(number.silent)} cannot tell"
            )
        elif number.metric == "recovery_time" and number.missing:
            few = number.missing == 1
            lines.append(f"{number.missing} failed {'deployment has' if few else 'deployments have'} no recovery time")
    return [clean(line, 300) for line in (*lines, *report.notes)]


def _cells(number: Number, report: Report, zone: tzinfo) -> list[str]:
    judged = judged_of(number, report)
    return [
        number.definition.title,
        value_text(number.value, number.unit) + (f": {number.why}" if number.value is None else ""),
        change_words(number),
        str(number.n),
        goal_words(judged),
        known_words(number),
        covered_words(number.covered, zone),
    ]


def judged_of(number: Number, report: Report) -> Judged | None:
    """The goal of a number, where its team has one."""
    return next((judged for judged in report.goals if judged.goal.metric == number.metric), None)


def goal_words(judged: Judged | None) -> str:
    """``<= 15% met``."""
    if judged is None:
        return ""
    return f"{judged.goal.text} {'no data' if judged.met is None else 'met' if judged.met else 'MISSED'}"


def change_words(number: Number) -> str:
    """Against the window before: ``-2h better (n 12)``."""
    if number.value is None:
        return ""
    change = number.change
    if change is None:
        before = number.before_covered
        few = 0 < before.days < LEAST_BEFORE * before.of
        return f"before: {before.days:.1f} of {before.of:.1f} days watched" if few else "nothing before"
    moved = change_text(change, number.unit, number.value)
    return f"{'as before' if number.trend == 'same' else f'{moved} {number.trend}'} (n {number.before_n})"


def known_words(number: Number) -> str:
    """How failures are known: ``1 confirmed, 2 suspected, 1 by its own outcome``."""
    linked = number.linked
    counts = (
        (linked.confirmed, "confirmed"),
        (linked.declared, "declared"),
        (linked.suspected, "suspected"),
        (linked.told, "by outcome"),
    )
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def covered_words(covered: Covered, zone: tzinfo) -> str:
    """Which time it spans: ``all``, or ``12.5 of 30 days, 2026-03-01 to 2026-03-14``."""
    if covered.whole:
        return "all"
    if covered.since is None or covered.until is None:
        return "none of it"
    last = (covered.until - timedelta(microseconds=1)).astimezone(zone).date()
    first = covered.since.astimezone(zone).date()
    return f"{covered.days:.1f} of {covered.of:.1f} days, {first} to {last}"


# --- pipelines ------------------------------------------------------------------------------------------------------


def pipelines_as_text(lines: Sequence[PipelineHealth], days: int, now: datetime, *, marked: bool = False) -> str:
    """How pipelines do, the worst first; ``marked`` as Markdown."""
    rows = [[words[0] for words in (health_words(line, now)[name] for name in COLUMNS)] for line in lines]
    head = f"Builds of the last {days} days: {len(lines)} {'pipeline' if len(lines) == 1 else 'pipelines'}"
    if marked:
        titles = f"| {' | '.join(title.capitalize() for title in COLUMNS.values())} |"
        table = [f"| {' | '.join(_marked(cell) for cell in row)} |" for row in rows]
        return "\n".join([f"### {head}", "", titles, "|---" * len(COLUMNS) + "|", *table]) + "\n"
    return "\n".join([head, *(aligned([list(COLUMNS.values()), *rows]) if rows else [])]) + "\n"


def pipelines_as_json(lines: Iterable[PipelineHealth], window: Window, now: datetime) -> str:
    """Schema 1: the window, and what `health_row` tells of each pipeline."""
    body = {
        "schema": 1,
        "at": rfc3339(now),
        "window": {"days": window.days, "since": rfc3339(window.since), "until": rfc3339(window.until)},
        "pipelines": [health_row(line, now) for line in lines],
    }
    return msgspec.json.encode(body).decode()


def pipelines_as_csv(lines: Iterable[PipelineHealth], now: datetime) -> str:
    """One line a pipeline: the values of `health_row` that are one each."""
    out = io.StringIO()
    writer = csv.writer(out)
    head: list[str] = []
    for line in lines:
        row = {name: value for name, value in health_row(line, now).items() if name not in _SEVERAL}
        if not head:
            head = list(row)
            writer.writerow(head)
        writer.writerow([_plain(row[name]) for name in head])
    return out.getvalue()


_SEVERAL: Final = frozenset({"flaky_revisions", "red", "longest_red"})


# --- for programs ---------------------------------------------------------------------------------------------------


def as_json(reports: Iterable[Report], now: datetime, zone: tzinfo) -> str:
    """Schema 1: values in their unit (seconds, a share from 0 to 1, a count per day), null where there is no data."""
    body = {
        "schema": 1,
        "at": rfc3339(now),
        "timezone": getattr(zone, "key", "") or now.astimezone(zone).tzname() or "UTC",  # by its name, where it has one
        "reports": [_report(report) for report in reports],
    }
    return msgspec.json.encode(body).decode()


def _report(report: Report) -> dict[str, Any]:
    scope, window = report.scope, report.window
    return {
        "scope": {"service": scope.service, "team": scope.team, "environment": scope.environment or "production"},
        "window": {"days": window.days, "since": rfc3339(window.since), "until": rfc3339(window.until)},
        "numbers": [_number(number, report) for number in report.numbers],
        "incidents_without_release": [episode.incident.key for episode in report.unlinked.episodes],
        "notes": remarks(report),
    }


def _number(number: Number, report: Report) -> dict[str, Any]:
    judged = judged_of(number, report)
    linked = number.linked
    return {
        "metric": number.metric,
        "title": number.definition.title,
        "value": number.value,
        "unit": number.unit,
        "n": number.n,
        "counts": number.definition.counts,
        "missing": number.missing,
        "silent": list(number.silent),
        "why": number.why,
        "covered": _covered(number.covered),
        "linked": {
            "confirmed": linked.confirmed,
            "declared": linked.declared,
            "suspected": linked.suspected,
            "told": linked.told,
        },
        "before": {"value": number.before, "n": number.before_n, "covered": _covered(number.before_covered)},
        "change": number.change,
        "trend": number.trend,
        "goal": None if judged is None else {"text": judged.goal.text, "met": judged.met},
        "evidence": list(number.evidence),
    }


def _covered(covered: Covered) -> dict[str, Any]:
    return {
        "since": None if covered.since is None else rfc3339(covered.since),
        "until": None if covered.until is None else rfc3339(covered.until),
        "days": round(covered.days, 4),
        "of": round(covered.of, 4),
    }


def as_csv(reports: Iterable[Report]) -> str:
    """One line a number, with a head; what a spreadsheet would take for a formula begins with ``'``."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(FIELDS)
    for report in reports:
        told = _report(report)
        for number in told["numbers"]:
            values = {
                **told["scope"],
                **told["window"],
                **number,
                **{f"covered_{name}": value for name, value in number["covered"].items()},
                **number["linked"],
                "before": number["before"]["value"],
                "before_n": number["before"]["n"],
                "before_covered_days": number["before"]["covered"]["days"],
                "goal": number["goal"] and number["goal"]["text"],
                "goal_met": number["goal"] and number["goal"]["met"],
                "evidence": " ".join(number["evidence"]),
            }
            writer.writerow([_plain(values.get(field)) for field in FIELDS])
    return out.getvalue()


def _plain(value: object) -> str:
    # A negative number is no formula; a name may be one.
    return f"{value}" if isinstance(value, int | float) and not isinstance(value, bool) else spreadsheet_cell(value)


def _marked(text: str) -> str:
    """Foreign text is no markup."""
    return "".join(f"\\{sign}" if sign in _MARKUP else sign for sign in text)


_MARKUP: Final = frozenset("\\`*_[]<>#|")
_NOTHING: Final = "no data: nothing that was deployed is stored (`statusboard backfill` reads what vendors still have)"
