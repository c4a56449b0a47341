"""docs/metrics.md: its worked example is counted from its own tables, and it names what there is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from statusboard.cli.metrics import MOST_DAYS
from statusboard.metrics import (
    DEFINITIONS,
    METRICS,
    NAMES,
    WINDOWS,
    Inputs,
    Report,
    Scope,
    Stretch,
    change_text,
    report_of,
    value_text,
    window_of,
)
from statusboard.metrics.deployments import REWORK
from statusboard.metrics.links import SINCE
from statusboard.metrics.numbers import Linking
from statusboard.metrics.watched import INCIDENT_GAP, RELEASE_GAP
from statusboard.model import Incident, Release
from statusboard.rollouts import GAP
from tests.metrics.kit import ledger_of

DOC = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
FLAT = re.sub(r"\s+", " ", DOC)
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 4, 1, tzinfo=BERLIN).astimezone(UTC)
WATCHED = (Stretch(datetime(2026, 3, 1, tzinfo=UTC), NOW),)


def table(first: str) -> list[dict[str, str]]:
    """The rows of the first table whose first column has that title and which stands in the worked example."""
    example = DOC.partition("## A worked example")[2].partition("\n## ")[0]
    head, _, *rows = re.search(rf"^\| {first} \|.*(?:\n\|.*)*", example, re.MULTILINE)[0].split("\n")  # type: ignore[index]
    titles = [cell.strip() for cell in head.strip("|").split("|")]
    return [dict(zip(titles, (cell.strip() for cell in row.strip("|").split("|")), strict=True)) for row in rows]


def time(text: str) -> datetime | None:
    return datetime.strptime(f"2026-{text} +0000", "%Y-%m-%d %H:%M %z").astimezone(UTC) if text else None


def releases() -> list[Release]:
    return [
        Release(
            key=f"cd:release:{row['release']}",
            source="cd",
            state=row["outcome"],  # type: ignore[arg-type]
            version=row["version"],
            services=("checkout",),
            environment=row["environment"],
            target=row["target"],
            started_at=time(row["began"]),
            ended_at=time(row["out"]),
            committed_at=time(row["commits made"]),
        )
        for row in table("release")
    ]


def incidents() -> list[Incident]:
    return [
        Incident(
            key=f"am:incident:{row['incident']}",
            source="am",
            state="resolved",
            severity=row["severity"],  # type: ignore[arg-type]
            services=("checkout",),
            environment="production",
            started_at=time(row["began"]),
            ended_at=time(row["ended"]),
        )
        for row in table("incident")
    ]


@pytest.fixture(scope="module")
def counted() -> Report:
    ledger = ledger_of(*releases(), *incidents())
    scope = Scope(service="checkout")
    found = ledger.gathered(scope).deployments
    window = window_of(7, NOW, BERLIN)
    inputs = Inputs(WATCHED, WATCHED)
    return report_of(scope, window, found, inputs, unlinked=ledger.unlinked(scope), zone=BERLIN)


def test_the_window_is_the_one_of_the_text(counted: Report):
    window = counted.window
    assert f"begins at {window.since:%m-%d %H:%M} and ends at {window.until:%m-%d %H:%M}" in FLAT
    assert window.until - window.since == timedelta(days=6, hours=-1)
    assert counted["lead_time"].covered.days == 6.0 and counted["lead_time"].covered.whole


def test_the_numbers_are_those_of_the_table(counted: Report):
    rows = table("number")
    assert [row["number"].strip("`") for row in rows] == list(METRICS)
    for row, number in zip(rows, counted.numbers, strict=True):
        assert (row["value"], row["n"]) == (value_text(number.value, number.unit), str(number.n)), row["number"]
        assert row["evidence"].split() == [key.rpartition(":")[2] for key in number.evidence], row["number"]


def test_what_the_text_says_of_them(counted: Report):
    assert counted["lead_time"].missing == 1 and counted["lead_time"].silent == ("cd",)
    assert counted["change_fail_rate"].linked == Linking(suspected=2, told=1)
    assert [episode.incident.key for episode in counted.unlinked.episodes] == ["am:incident:i3"]
    frequency = counted["deployment_frequency"]
    assert frequency.before is not None and frequency.change is not None and frequency.trend == "better"
    assert f"in seven days: {value_text(frequency.before, 'per day')}." in FLAT
    assert f"has changed by {change_text(frequency.change, 'per day', frequency.before)}" in FLAT


def test_the_definitions_and_their_limits_are_those_of_the_program():
    rows = re.findall(r"^\| `(\w+)` \| ([a-z ]+) \| .* \| (lower|higher) \|$", DOC, re.MULTILINE)
    assert rows == [(d.metric, d.title, d.better) for d in DEFINITIONS.values()]
    assert f"the last {WINDOWS[0]}, {WINDOWS[1]} and {WINDOWS[2]} local days" in FLAT
    assert f"may begin {GAP / 3600:.0f} hours apart" in FLAT
    assert f"within {REWORK // timedelta(hours=1)} hours of the trouble's beginning" in FLAT
    assert f"at most {SINCE.days} days old" in FLAT
    assert f"A gap of up to {RELEASE_GAP.days} days hides nothing" in FLAT
    assert f"gaps of up to {INCIDENT_GAP // timedelta(hours=1)} hour are none" in FLAT
    assert f"({MOST_DAYS} days at most: the store keeps 400)" in FLAT
    for name in NAMES:
        assert f"`{name}`" in DOC, name
