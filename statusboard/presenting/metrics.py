"""Delivery metrics as words: a row a scope, the chosen number in full, and what is behind it.

A number that is not known says so and is neither good nor bad; a goal is met or missed by sign and word, never by
colour alone; better and worse are words of their own, since more is not always better.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from statusboard.columns import ColumnSpec
from statusboard.metrics import (
    DEFINITIONS,
    METRICS,
    Covered,
    Deployment,
    Goal,
    Judged,
    Link,
    Linking,
    Metric,
    Number,
    Report,
    Stretch,
    change_text,
    length_text,
    value_text,
)
from statusboard.model import Incident, Release
from statusboard.presenting.glyphs import UNICODE, Cell, Glyphs
from statusboard.presenting.lines import Line, Section, listed, time_of_day
from statusboard.presenting.plotting import Values, plot, sparkline

Form: TypeAlias = Literal["short", "middle", "full"]
"""How much room a number has: signs and value; the trend in a word; both in words."""

TITLES: Final[Mapping[Metric, str]] = {
    "lead_time": "Lead time",
    "deployment_frequency": "Deploys",
    "recovery_time": "Recovery",
    "change_fail_rate": "Fail rate",
    "rework_rate": "Rework",
}
"""What stands above a column."""
_WIDTHS: Final[Mapping[Metric, int]] = {
    "lead_time": 12,
    "deployment_frequency": 12,
    "recovery_time": 12,
    "change_fail_rate": 11,
    "rework_rate": 11,
}
_MORE: Final[Mapping[Form, int]] = {"short": 0, "middle": 7, "full": 14}
#: Which column gives way first.
_PRIORITIES: Final[Mapping[Metric, int]] = {
    "change_fail_rate": 90,
    "deployment_frequency": 80,
    "recovery_time": 70,
    "lead_time": 60,
    "rework_rate": 50,
}
_NAME: Final = 12
"""The fewest cells for the name of what the numbers are of."""
_UNITS: Final = (("/week", "/w"), ("/month", "/mo"), ("/day", "/d"))
_LABEL: Final = 12
"""Cells beside a plot, for what its uppermost and lowest line stand for."""
PLOT: Final = (8, 5)
"""Lines of a plot: with room, and with little."""
LITTLE: Final = 76
"""Cells below which there is little room for what is behind a number."""
UNLINKED: Final = 5
"""How many incidents without a release are named."""


class Standing(Struct, frozen=True):
    """The numbers of one scope: ``key`` tells it apart, ``spans`` are the stretches of the window that its numbers are
    told by over time, oldest first; ``team`` is whose it is."""

    key: str
    name: str
    report: Report
    spans: Sequence[Stretch] = ()
    team: str = ""

    def judged(self, metric: Metric) -> Judged | None:
        """Its goal, where it has one; of several that which is missed."""
        found = [judged for judged in self.report.goals if judged.goal.metric == metric]
        return next((judged for judged in found if judged.met is False), found[0] if found else None)

    @property
    def missed(self) -> list[Metric]:
        """The numbers that miss their goal, in the order of `METRICS`."""
        return [metric for metric in METRICS if (judged := self.judged(metric)) is not None and judged.met is False]


# -- a row ------------------------------------------------------------------------------------------------------------


def metric_columns(
    width: int, names: int, spark: int, chosen: Metric, *, glyphs: Glyphs = UNICODE
) -> tuple[list[ColumnSpec], Form]:
    """The columns that fit into ``width`` cells, and in which form their numbers are told.

    ``names`` is the longest name, ``spark`` how long a sparkline is: of the ``chosen`` number, which never gives way.
    """
    room = width - 1 - max(_NAME, min(names, 24)) - 1 - (spark + 1)
    form: Form = "short"
    for wider in ("full", "middle"):
        if sum(_WIDTHS[metric] + _MORE[wider] + 1 for metric in METRICS) <= room:
            form = wider
            break
    mark = ">" if glyphs.dash == "-" else "›"
    columns = [ColumnSpec("name", "Service, team", None, _NAME, 100)]
    for metric in METRICS:
        cells = _WIDTHS[metric] + _MORE[form]
        is_chosen = metric == chosen
        title = f"{mark if is_chosen else ' '}{TITLES[metric]}"
        columns.append(ColumnSpec(metric, title, cells, cells, 99 if is_chosen else _PRIORITIES[metric]))
    columns.append(ColumnSpec("spark", "Over time", max(spark, 9), max(spark, 9), 10))
    return columns, form


def standing_cells(
    standing: Standing, chosen: Metric | None, form: Form, *, glyphs: Glyphs = UNICODE
) -> dict[str, Cell]:
    """The cells of a row; the ``chosen`` number, if any, stands in brackets."""
    cells: dict[str, Cell] = {"name": (standing.name, "")}
    for metric in METRICS:
        text, style = number_cell(standing.report[metric], standing.judged(metric), form, glyphs=glyphs)
        bare = text.lstrip()
        lead = " " * (len(text) - len(bare))
        cells[metric] = (f"{lead}[{bare}]" if metric == chosen else f" {text}", style)
    return cells


def spark_cell(values: Values, *, glyphs: Glyphs = UNICODE) -> Cell:
    """One number over time."""
    if all(value is None for value in values):
        return ("no data", "muted")
    return (sparkline(values, ascii_only=glyphs.dash == "-"), "running")


def number_cell(number: Number, judged: Judged | None, form: Form, *, glyphs: Glyphs = UNICODE) -> Cell:
    """One number: its goal, its value, its trend."""
    sign, word, style = goal_words(judged, glyphs)
    value = value_text(number.value, number.unit)
    for long, short in _UNITS:
        value = value.replace(long, short)
    if number.value is None:
        return f"{glyphs.of('build', 'unknown')} {value}", "unknown" if judged is not None else "muted"
    told = [sign, word if form == "full" else "", value, trend_sign(number, glyphs)]
    if form != "short" and number.trend:
        told.append(number.trend)
    return " ".join(part for place, part in enumerate(told) if part or not place), style


def goal_words(judged: Judged | None, glyphs: Glyphs = UNICODE) -> tuple[str, str, str]:
    """Sign, word and style of a goal; blank where there is none."""
    if judged is None:
        return " ", "", ""
    if judged.met is None:
        return glyphs.of("build", "unknown"), "unknown", "unknown"
    state = "success" if judged.met else "failed"
    return glyphs.of("build", state), "met" if judged.met else "missed", state


def trend_sign(number: Number, glyphs: Glyphs = UNICODE) -> str:
    """``▴`` for better than before, ``▾`` for worse, ``=`` for the same, nothing where that cannot be said."""
    up, down = ("^", "v") if glyphs.dash == "-" else ("▴", "▾")
    return {"better": up, "worse": down, "same": "=", "": ""}[number.trend]


def legend(glyphs: Glyphs = UNICODE) -> list[Cell]:
    """What the signs mean."""
    up, down = ("^", "v") if glyphs.dash == "-" else ("▴", "▾")
    return [
        (f"  {glyphs.of('build', 'success')} goal met", "success"),
        (f" {glyphs.of('build', 'failed')} missed", "failed"),
        (f"  {up} better {down} worse", "muted"),
    ]


# -- the chosen number ------------------------------------------------------------------------------------------------


def number_words(standing: Standing, metric: Metric, *, glyphs: Glyphs = UNICODE) -> list[Cell]:
    """The chosen number in one sentence."""
    number, judged = standing.report[metric], standing.judged(metric)
    words: list[Cell] = [(f"{standing.name}: {number.definition.title} ", "strong")]
    if number.value is None:
        words.append((f"{glyphs.of('build', 'unknown')} no data: {number.why}", "unknown"))
        return words
    sign, word, style = goal_words(judged, glyphs)
    words.append((f"{sign} {value_text(number.value, number.unit)}".lstrip(), style or "strong"))
    if judged is not None:
        words.append((f", goal {judged.goal.text} {word}", style))
    if number.trend and number.before is not None:
        before = value_text(number.before, number.unit)
        words.append((f"  {trend_sign(number, glyphs)} {number.trend}, was {before}", _trend_style(number)))
    words.append((f"  n {number.n}", "muted"))
    if not number.covered.whole:
        words.append((f", of {_covered(number.covered)}", "warning"))
    return words


def _trend_style(number: Number) -> str:
    return {"better": "success", "worse": "warning"}.get(number.trend, "muted")


def number_sections(
    standing: Standing,
    metric: Metric,
    values: Values,
    now: datetime,
    *,
    width: int,
    roomy: bool = True,
    glyphs: Glyphs = UNICODE,
    zone: tzinfo = UTC,
) -> list[Section]:
    """The chosen number in full, with a plot of its ``values`` over the window of at most ``width`` cells.

    Where it is not ``roomy`` the plot is lower, and stands first.
    """
    report = standing.report
    number, judged = report[metric], standing.judged(metric)
    sign, word, style = goal_words(judged, glyphs)
    value: list[Cell] = [(value_text(number.value, number.unit), "strong" if number.value is not None else "unknown")]
    value.append((f": {number.why}" if number.why else "", "muted"))
    goal: tuple[Cell, ...] = (("none is set for it", "muted"),)
    if judged is not None:
        goal = ((f"{sign} {word}", style), (f" {judged.goal.text} ({judged.goal.team})", ""))
    lines: list[Line] = [
        ("of", report.scope.text, ""),
        ("window", _window(report, now, zone), ""),
        ("value", tuple(value), ""),
        ("goal", goal, ""),
        ("before", _before(number, glyphs), ""),
        ("rests on", _rests_on(number), ""),
        ("linked", _linked(number.linked), ""),
        ("watched", _watched(number.covered), "" if number.covered.whole else "warning"),
    ]
    sections: list[Section] = [
        (number.definition.title.capitalize(), [line for line in lines if line[1]]),
        (_heading(standing), _plot(standing, metric, values, width, roomy, glyphs, zone)),
    ]
    if not roomy:  # what it is stands in a sentence already
        sections.reverse()
    if "incident" in number.definition.needs:
        sections.append(("Incidents without a release", _unlinked(report, now, zone)))
    sections.append(("Left out", [("", note, "warning") for note in report.notes]))
    return [section for section in sections if section[1]]


def _window(report: Report, now: datetime, zone: tzinfo) -> str:
    window = report.window
    since = window.since.astimezone(zone)
    return f"{window.days} days, from {since:%a} {_day(since)} to {time_of_day(window.until, now, zone)}"


def _before(number: Number, glyphs: Glyphs) -> tuple[Cell, ...]:
    if number.before is None:
        return (("no data", "unknown"),)
    told: list[Cell] = [(f"{value_text(number.before, number.unit)} (n {number.before_n})", "")]
    if number.change is not None:
        trend = f"{trend_sign(number, glyphs)} {number.trend}".strip()
        told += [(trend, _trend_style(number)), (change_text(number.change, number.unit), "")]
    if not number.before_covered.whole:
        told.append((f"of {_covered(number.before_covered)}", "warning"))
    return listed(told)


def _rests_on(number: Number) -> str:
    told = f"{number.n} {number.definition.counts}"
    return f"{told}; of {number.missing} more something is not known" if number.missing else told


def _linked(linking: Linking) -> str:
    """How incidents were linked to releases."""
    told = [
        f"{count} {word}"
        for count, word in (
            (linking.confirmed, "confirmed by people"),
            (linking.declared, "declared by their source"),
            (linking.suspected, "suspected only"),
            (linking.told, "failed by its deployer's word, or undone"),
        )
        if count
    ]
    return ", ".join(told)


def _covered(covered: Covered) -> str:
    return f"{covered.days:.1f} of {covered.of:.0f} days"


def _watched(covered: Covered) -> str:
    if not covered.known:
        return "no source tells of this"
    return "the whole window" if covered.whole else f"{_covered(covered)}: the rest is not known"


def _heading(standing: Standing) -> str:
    days = standing.report.window.days
    return {7: "Day by day", 30: "By three days"}.get(days, "Week by week")


def _plot(
    standing: Standing, metric: Metric, values: Values, width: int, roomy: bool, glyphs: Glyphs, zone: tzinfo
) -> list[Line]:
    """The plot with what its lowest and its uppermost line mean, and from when to when it runs."""
    judged = standing.judged(metric)
    if all(value is None for value in values):
        return [("", "no data", "unknown")]
    goal: Goal | None = judged.goal if judged is not None else None
    unit = DEFINITIONS[metric].unit
    height = PLOT[0] if roomy else PLOT[1]
    cells = max(8, width - _LABEL)
    drawn, top = plot(
        values, width=cells, height=height, goal=goal.value if goal else None, ascii_only=glyphs.dash == "-"
    )
    lines: list[Line] = []
    for number, text in enumerate(drawn):
        label = value_text(top, unit) if not number else value_text(0.0, unit) if number == height - 1 else ""
        lines.append(("", (("|", "muted"), (text, "running"), (f"| {label}", "muted")), ""))
    first, last = (standing.spans[place].since.astimezone(zone) for place in (0, -1))
    dates, until = _day(first), _day(last)
    lines.append(("", ((f"|{dates}{until:>{max(1, cells - len(dates))}}|", "muted"),), ""))
    if goal is not None:
        lines.append(("", f"dashed: the goal, {goal.text}", "muted"))
    return lines


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b}"


def _when(at: datetime, now: datetime, zone: tzinfo) -> str:
    """The time of day, or the day."""
    told = time_of_day(at, now, zone)
    return told if len(told) <= 5 else _day(at.astimezone(zone))


def _unlinked(report: Report, now: datetime, zone: tzinfo) -> list[Line]:
    """They are in no rate, and are told all the same."""
    episodes = report.unlinked.episodes
    lines: list[Line] = [
        (_when(episode.began, now, zone), f"{episode.incident.severity} {episode.incident.title}", "")
        for episode in reversed(episodes[-UNLINKED:])
    ]
    if len(episodes) > UNLINKED:
        lines.append(("", f"and {len(episodes) - UNLINKED} more", "muted"))
    return lines


# -- what is behind it ------------------------------------------------------------------------------------------------


class Evidence(Struct, frozen=True, gc=False):
    """One release or incident behind a number: ``key`` tells it apart in the list.

    There may be tens of thousands, of which a few are seen: what each did is told when it is.
    """

    key: str
    fact: Release | Incident
    at: datetime
    metric: Metric
    deployment: Deployment
    link: Link | None = None

    @property
    def why(self) -> Cell:
        """What it did, and in which style."""
        if self.link is not None:
            return _followed(self.link, self.deployment), ""
        return _did(self.deployment, self.metric)


def evidence(number: Number) -> list[Evidence]:
    """Exactly the releases and incidents behind a number (`Number.evidence`): each deployment, the newest first, then
    its incidents."""
    found: dict[str, Evidence] = {}
    for deployment in reversed(number.behind):
        for release in deployment.releases:
            found.setdefault(release.key, Evidence(release.key, release, deployment.at, number.metric, deployment))
        for link in deployment.links if "incident" in number.definition.needs else ():
            incident, began = link.episode.incident, link.episode.began
            key = f"{incident.key}@{began.isoformat()}"
            found.setdefault(key, Evidence(key, incident, began, number.metric, deployment, link))
    return list(found.values())


def _followed(link: Link, deployment: Deployment) -> str:
    """How an incident is linked to a deployment, and how long it lasted."""
    episode = link.episode
    after = f"{link.how}: {length_text(max(0.0, (episode.began - deployment.at).total_seconds()))} after"
    if episode.began < deployment.at:
        after = f"{link.how}: while it came out"
    if episode.ended is not None:
        lasted = f", lasted {length_text((episode.ended - episode.began).total_seconds())}"
    else:
        lasted = {"open": ", still open", "withdrawn": ", withdrawn"}.get(episode.fate, ", its end is not known")
    return f"  {after} {deployment.version}{lasted}".rstrip()


_FAILED: Final[Mapping[str, str]] = {
    "incident": "failed: incident",
    "failed": "failed",
    "rolled_back": "failed: rolled back",
    "undone": "failed: undone by a rollback",
}


def _did(deployment: Deployment, metric: Metric) -> Cell:
    """What a deployment did, as far as that matters to this number."""
    told: list[str] = []
    style = ""
    if metric == "lead_time" and deployment.lead is not None:
        told.append(f"{length_text(deployment.lead)} from its commits")
    if metric in ("recovery_time", "change_fail_rate") or deployment.failure:
        word = _FAILED.get(deployment.failure, "")
        told.append(word)
        style = "failed" if word else ""
        if deployment.recovery is not None:
            told.append(f"over after {length_text(deployment.recovery)}")
        elif deployment.open:
            told.append("not over yet")
        elif deployment.failure:
            told.append("nobody knows when it was over")
    if deployment.rollback:
        told.append("a rollback")
    elif metric == "rework_rate" and deployment.rework:
        told.append("while another was in trouble")
    return ", ".join(filter(None, told)), style


def evidence_columns(width: int) -> list[ColumnSpec]:
    """The columns of what is behind a number; where there is little room, what each did may be cut."""
    return [
        ColumnSpec("age", "Age", 5, 4, 85, "right"),
        ColumnSpec("state", "State", 13, 9, 100),
        ColumnSpec("service", "Service", 16, 9, 80),
        ColumnSpec("title", "Release or incident", None, 12, 100),
        ColumnSpec("why", "What it did", None, 36 if width >= LITTLE else 28, 90),
        ColumnSpec("by", "By", 12, 8, 20),
        ColumnSpec("environment", "Env", 11, 10, 10),
    ]


def order_of(standings: Iterable[Standing]) -> list[Standing]:
    """Everything first, then teams, then services; in each those that miss most goals first."""
    rank = {"all": 0, "team": 1, "service": 2}
    return sorted(standings, key=lambda each: (rank[each.key.partition(":")[0]], -len(each.missed), each.name))
