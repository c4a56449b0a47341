"""What is said of a past moment, and which stretch the line of time has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.board import Summary
from statusboard.keys import DEFAULTS
from statusboard.presenting import UNICODE
from statusboard.rewind import Since
from statusboard.screens.header import live_words, moment_words
from statusboard.screens.rewound import (
    SPANS,
    bar_texts,
    days_for,
    distance,
    gaps_of,
    key_hints,
    since_texts,
    stretch_of,
)
from statusboard.store.base import Coverage
from tests.boards import board_of, build, health

NOW = datetime(2026, 3, 12, 9, 41, 7, tzinfo=UTC)
SLACK = timedelta(minutes=2)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def watched(source: str, since: float, until: float, part: str = "all") -> Coverage:
    return Coverage(source=source, part=part, since=ago(since), last_success=ago(until))


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (ago(15), "Thu 09:26:07"),
        (ago(6 * 1440), "Fri 09:41:07"),
        (ago(7 * 1440), "Thu 05 Mar 09:41:07"),
        (ago(80 * 1440), "Mon 2025-12-22 09:41:07"),
    ],
)
def test_a_moment_is_told_with_its_date_where_the_day_would_not_do(at: datetime, told: str):
    assert moment_words(at, NOW, UTC) == told


def test_a_moment_is_told_in_the_zone_of_the_board():
    assert moment_words(NOW, NOW, timezone(timedelta(hours=5, minutes=30))) == "Thu 15:11:07"


def test_how_far_it_is():
    minutes = (0.5, 15, 125, 3 * 1440, 40 * 1440)
    assert [distance(ago(m), NOW) for m in minutes] == ["30 s ago", "15 min ago", "2 h ago", "3 d ago", "5 w ago"]
    assert distance(NOW + timedelta(seconds=5), NOW) == "0 s ago", "a clock that was set back"


def test_what_has_happened_since_the_longest_first():
    since = Since(changes=1_400, incidents=2, releases=1, failed_builds=3)
    assert since_texts(since) == [
        "1,400 changes since: 2 incidents opened, 1 release, 3 builds failed",
        "1,400 changes since: 2 incidents opened, 1 release",
        "1,400 changes since: 2 incidents opened",
        "1,400 changes since",
    ]
    assert since_texts(Since(changes=1, incidents=0, releases=0, failed_builds=0)) == ["1 change since"]
    assert since_texts(Since(changes=0, incidents=0, releases=0, failed_builds=0)) == ["nothing has changed since"]


def test_the_bar_never_lacks_the_word_and_has_the_moment_before_all_else():
    told = bar_texts("REWOUND", "Thu 09:26:07", "15 min ago", ["2 changes since"])
    assert told == [
        "REWOUND to Thu 09:26:07, 15 min ago; 2 changes since",
        "REWOUND to Thu 09:26:07, 15 min ago",
        "REWOUND Thu 09:26:07",
        "REWOUND",
    ]
    assert bar_texts("REPLAY 60x", "Thu 09:26:07", "15 min ago", [])[0] == "REPLAY 60x Thu 09:26:07, 15 min ago"


def test_the_way_back_is_in_every_hint_as_it_is_bound():
    def keys_of(action: str) -> list[str]:
        known = {**DEFAULTS["board"], "present": "f9"}
        return known[action].split(",")

    for plays in (False, True):
        hints = key_hints(keys_of, live=False, plays=plays, playing=plays)
        assert all("f9 live" in hint for hint in hints)
        assert all(("space pauses" in hint) == plays for hint in hints)


# -- the header


def summary(**more: object) -> Summary:
    numbers = {"failing": 0, "blind": 0, "unknown": 0, "suppressed": 0, "fresh": 1, "sources": 1, "optional_blind": 0}
    return Summary(**{"verdict": "ok", "severities": {}, **numbers, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("more", [{}, {"failing": 2, "verdict": "failing"}, {"blind": 1, "verdict": "blind"}])
def test_no_verdict_of_then_looks_like_one_of_now(more: dict[str, object]):
    board = board_of(build(), health("ci"))
    words, rest = live_words(
        summary(**more), board, UNICODE, title="acme", demo=False, hidden_faults=1, filtered=False, moment="Thu 09:26"
    )
    assert words[0][0].startswith(" Thu 09:26 ") and " WAS " in words[0][0] and words[0][1] == "past"
    styles = {style for _, style in [*words, *rest]}
    assert not styles & {"verdict-ok", "verdict-failed", "verdict-blind", "verdict-warning", "success", "critical"}


# -- the line of time


@settings(deadline=None)
@given(st.floats(0, 400 * 86_400), st.sampled_from(SPANS))
def test_the_moment_is_always_on_the_line(seconds: float, days: int):
    at = NOW - timedelta(seconds=seconds)
    chosen = days_for(at, NOW, days)
    since, until, ends_now = stretch_of(at, NOW, chosen)
    assert since <= at <= until and until - since == timedelta(days=chosen)
    assert chosen >= days and (ends_now == (until >= NOW))
    if seconds <= 90 * 86_400:
        assert ends_now, "up to three months both ends of the way are seen"


def test_the_line_stands_still_within_a_minute():
    later = NOW + timedelta(seconds=30)
    assert stretch_of(ago(5), NOW, 1) == stretch_of(ago(5), later, 1)


def spans(gaps: list) -> list[tuple[float, float, bool]]:
    return [((NOW - g.since) / timedelta(minutes=1), (NOW - g.until) / timedelta(minutes=1), g.partly) for g in gaps]


def test_when_nobody_watched_and_when_only_some():
    rows = [watched("ci", 100, 60), watched("ci", 30, 0), watched("am", 100, 40), watched("am", 35, 0)]
    gaps = gaps_of(rows, ago(120), NOW, {"ci", "am"}, slack=SLACK)
    assert spans(gaps) == [(120, 100, False), (58, 38, True), (38, 35, False), (35, 30, True)]


def test_polls_take_turns():
    rows = [watched("ci", 100, 60), watched("ci", 59, 0, part="other")]
    assert spans(gaps_of(rows, ago(90), NOW, {"ci"}, slack=SLACK)) == []


def test_a_source_counts_from_when_it_was_first_read_until_it_was_taken_away():
    rows = [watched("ci", 100, 0), watched("new", 20, 0), watched("old", 100, 50)]
    assert spans(gaps_of(rows, ago(90), NOW, {"ci", "new"}, slack=SLACK)) == []
    assert spans(gaps_of(rows, ago(90), NOW, {"ci", "new", "old"}, slack=SLACK)) == [(48, 0, True)]


def test_of_what_was_never_watched_nothing_is_fine():
    assert spans(gaps_of([], ago(90), NOW, {"ci"}, slack=SLACK)) == [(90, 0, False)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200), st.integers(0, 60)), max_size=12),
    st.integers(0, 200),
)
def test_a_minute_in_which_nobody_read_anything_is_in_a_gap(rows: list, minute: int):
    coverage = [watched(source, since, max(0, since - length)) for source, since, length in rows]
    gaps = gaps_of(coverage, ago(200), NOW, set("abc"), slack=SLACK)
    at = ago(minute)
    read = any(row.since <= at <= row.last_success + SLACK for row in coverage)
    inside = [gap for gap in gaps if gap.since <= at < gap.until]
    assert len(inside) <= 1
    if not read and minute:
        assert inside and not inside[0].partly
    assert [gap.since for gap in gaps] == sorted(gap.since for gap in gaps)
    assert all(one.until <= two.since for one, two in pairwise(gaps))
