"""Delivery metrics in words: signs and words of goals, what is not known, and what is behind a number."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.metrics import (
    METRICS,
    Deployment,
    Episode,
    Inputs,
    Link,
    Metric,
    Report,
    Scope,
    Stretch,
    parse_goal,
    report_of,
    settle,
    window_of,
)
from statusboard.metrics.over import values_over
from statusboard.metrics.record import Record
from statusboard.model import Release
from statusboard.presenting import ASCII
from statusboard.presenting.metrics import (
    Standing,
    evidence,
    metric_columns,
    number_cell,
    number_sections,
    number_words,
    order_of,
    standing_cells,
)
from statusboard.screens.standings import spans_of
from tests.boards import NOW, incident, release

DAY = timedelta(days=1)
GOALS = (parse_goal("web", "change_fail_rate", "<= 20%"), parse_goal("web", "lead_time", "<= 1d"))


def deployed(number: int, day: float, state: str = "success", **more: Any) -> Release:
    at = NOW - day * DAY
    return release(
        number,
        state,
        version=f"{1 + number // 100}.{number % 100}",
        started_at=at - timedelta(minutes=3),
        ended_at=at,
        team="web",
        **more,
    )


def broke(number: int, after: Release, *, hours: float | None = 2) -> Link:
    assert after.ended_at is not None
    began = after.ended_at + timedelta(minutes=10)
    ended = None if hours is None else began + timedelta(hours=hours)
    fact = incident(number, "open" if ended is None else "resolved", started_at=began, ended_at=ended, severity="high")
    return Link(
        Episode(incident=fact, began=began, ended=ended, fate="open" if ended is None else "recovered"), "suspected"
    )


WATCHED = Inputs((Stretch(NOW - 100 * DAY, NOW),), (Stretch(NOW - 100 * DAY, NOW),))


def report(deployments: list[Deployment], *, days: int = 30, inputs: Inputs = WATCHED, goals: Any = GOALS) -> Report:
    return report_of(Scope(team="web"), window_of(days, NOW), deployments, inputs, goals=goals)


def standing(*releases: Release, links: dict[str, list[Link]] | None = None, **more: Any) -> Standing:
    found = report(settle(releases, links or {}), **more)
    return Standing("team:web", "team web", found, spans_of(found.window.days, NOW, NOW.tzinfo or None), "web")  # type: ignore[arg-type]


def told(words: Any) -> str:
    return "".join(text for text, _ in words)


RELEASES = [deployed(n, 20 - n) for n in range(1, 11)]
LINKS = {RELEASES[4].key: [broke(1, RELEASES[4])], RELEASES[7].key: [broke(2, RELEASES[7]), broke(3, RELEASES[7])],
         RELEASES[9].key: [broke(4, RELEASES[9], hours=None)]}  # fmt: skip


def test_a_goal_is_met_or_missed_by_sign_and_word() -> None:
    red = standing(*RELEASES, links=LINKS)
    assert red.missed == ["change_fail_rate"]
    number, judged = red.report["change_fail_rate"], red.judged("change_fail_rate")
    assert number_cell(number, judged, "short") == ("✗ 30%", "failed")
    assert number_cell(number, judged, "full") == ("✗ missed 30%", "failed")
    assert number_cell(number, judged, "short", glyphs=ASCII) == ("X 30%", "failed")
    green = standing(*RELEASES)
    assert number_cell(green.report["change_fail_rate"], green.judged("change_fail_rate"), "full")[0] == "✓ met 0%"
    assert "goal <= 20% missed" in told(number_words(red, "change_fail_rate"))


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_not_known_has_no_colour_of_good_and_no_number(metric: Metric) -> None:
    blind = standing(*RELEASES, links=LINKS, inputs=Inputs())
    number = blind.report[metric]
    text, style = number_cell(number, blind.judged(metric), "full")
    assert (text, style) == ("? no data", "unknown" if blind.judged(metric) else "muted")
    assert "no data: no source tells of" in told(number_words(blind, metric))
    sections = dict(number_sections(blind, metric, (), NOW, width=60))
    (value,) = [line for lines in sections.values() for line in lines if line[0] == "value"]
    assert told(value[1]).startswith("no data: ")


def test_better_is_a_word_whichever_way_the_number_went() -> None:
    older = [deployed(n - 100, 50 - n) for n in range(5)]
    links = {older[0].key: [broke(9, older[0])], older[1].key: [broke(8, older[1])]}
    better = standing(*older, *RELEASES, links=links, goals=())
    assert number_cell(better.report["change_fail_rate"], None, "middle")[0] == "  0% ▴ better"
    worse = standing(*older, *RELEASES, links={RELEASES[4].key: LINKS[RELEASES[4].key]}, goals=())
    assert number_cell(worse.report["change_fail_rate"], None, "middle", glyphs=ASCII)[0] == "  10% v worse"
    assert "better, was 40%" in told(number_words(better, "change_fail_rate"))


def test_a_part_of_the_window_is_told_as_such() -> None:
    partly = Inputs((Stretch(NOW - 12 * DAY, NOW),), (Stretch(NOW - 12 * DAY, NOW),))
    found = standing(*RELEASES, inputs=partly)
    assert "of 12.0 of 30 days" in told(number_words(found, "change_fail_rate"))


def test_what_is_behind_a_number_is_listed_with_what_it_did() -> None:
    found = evidence(standing(*RELEASES, links=LINKS).report["change_fail_rate"])
    assert [(each.fact.key.split(":", 1)[1], each.why[0].strip()) for each in found] == [
        ("release:10", "failed: incident, not over yet"),
        ("incident:4", "suspected: 10m after 1.10, still open"),
        ("release:8", "failed: incident, over after 2h"),
        ("incident:2", "suspected: 10m after 1.8, lasted 2h"),
        ("incident:3", "suspected: 10m after 1.8, lasted 2h"),
        ("release:5", "failed: incident, over after 2h"),
        ("incident:1", "suspected: 10m after 1.5, lasted 2h"),
    ]


_days = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["success", "failed", "rolled_back"]), st.integers(0, 2))
)


@given(_days)
def test_it_is_exactly_what_the_number_rests_on(rows: list[tuple[int, str, int]]) -> None:
    releases = [deployed(n, day, state) for n, (day, state, _) in enumerate(rows)]
    links = {
        each.key: [broke(100 * n + m, each) for m in range(count)]
        for n, (each, (_, _, count)) in enumerate(zip(releases, rows, strict=True))
        if count
    }
    for number in report(settle(releases, links)).numbers:
        found = evidence(number)
        assert {each.fact.key for each in found} == set(number.evidence)
        assert len({each.key for each in found}) == len(found)


@given(_days, st.sampled_from([7, 30, 90]))
def test_over_time_nothing_is_known_where_nothing_was_watched(rows: list[tuple[int, str, int]], days: int) -> None:
    deployments = settle([deployed(n, day, state) for n, (day, state, _) in enumerate(rows)])
    spans = spans_of(days, NOW, NOW.tzinfo)  # type: ignore[arg-type]
    assert spans[-1].until == NOW
    assert len(spans) == {7: 7, 30: 10, 90: 13}[days]
    seen = Inputs((spans[-2],), (spans[-2],))
    for metric in METRICS:
        values = values_over(metric, spans, Record.of(deployments), seen)
        assert all(value is None for place, value in enumerate(values) if place != len(spans) - 2)
    frequency = values_over("deployment_frequency", spans, Record.of([]), seen)
    assert frequency[-2] == 0  # watched, and nothing came


@pytest.mark.parametrize("width", [60, 79, 119, 159, 199])
@pytest.mark.parametrize("metric", METRICS)
def test_the_chosen_number_is_never_left_out(width: int, metric: Metric) -> None:
    specs, form = metric_columns(width, 14, 10, metric)
    chosen = next(spec for spec in specs if spec.id == metric)
    assert chosen.title.startswith("›")
    assert all(spec.priority < chosen.priority for spec in specs if spec.id not in (metric, "name"))
    cells = standing_cells(standing(*RELEASES, links=LINKS), metric, form)
    assert cells[metric][0].strip().startswith("[")


def test_a_plot_says_what_its_lines_stand_for() -> None:
    found = standing(*RELEASES, links=LINKS)
    values = (None, 0.0, 0.5)
    sections = number_sections(found, "change_fail_rate", values, NOW, width=40, roomy=False, glyphs=ASCII)
    heading, lines = sections[0]
    assert heading == "By three days"
    shown = [told(line[1]) if not isinstance(line[1], str) else line[1] for line in lines]
    assert shown[0].endswith("| 50%")
    assert shown[-3].endswith("| 0%")
    assert shown[-2].startswith("|4 Dec")
    assert shown[-1] == "dashed: the goal, <= 20%"


def test_who_misses_most_stands_first_among_its_like() -> None:
    red, green = standing(*RELEASES, links=LINKS), standing(*RELEASES)
    scopes = [
        Standing("service:a", "a", green.report),
        Standing("team:b", "b", green.report),
        Standing("service:z", "z", red.report),
        Standing("all:", "everything", green.report),
    ]
    assert [each.name for each in order_of(scopes)] == ["everything", "b", "z", "a"]
