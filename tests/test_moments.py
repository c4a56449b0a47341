"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.errors import MomentError
from statusboard.moments import meant, parse_moment

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 15, 30, 20, tzinfo=UTC)
"""A Friday, 16:30:20 in Berlin."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text, at",
    [
        ("now", "2026-11-20 15:30:20"),
        ("14:23", "2026-11-20 13:23"),
        ("9:05", "2026-11-20 08:05"),
        ("16:30:20", "2026-11-20 15:30:20"),
        ("16:30:19.25", "2026-11-20 15:30:19.250"),
        ("today 08:00", "2026-11-20 07:00"),
        ("today", "2026-11-19 23:00"),
        ("yesterday 09:00", "2026-11-19 08:00"),
        ("Yesterday  at 09:00", "2026-11-19 08:00"),
        ("yesterday", "2026-11-18 23:00"),
        ("friday 16:00", "2026-11-20 15:00"),
        ("friday 17:00", "2026-11-13 16:00"),
        ("mon 09:00", "2026-11-16 08:00"),
        ("Sunday", "2026-11-14 23:00"),
        ("-2h", "2026-11-20 13:30:20"),
        ("2h", "2026-11-20 13:30:20"),
        ("2 h ago", "2026-11-20 13:30:20"),
        ("-1d12h", "2026-11-19 03:30:20"),
        ("-90s", "2026-11-20 15:28:50"),
        ("2026-11-19 14:00", "2026-11-19 13:00"),
        ("2026-11-19t14:00:01", "2026-11-19 13:00:01"),
        ("2026-07-01", "2026-06-30 22:00"),
        ("2026-11-19T14:00:00Z", "2026-11-19 14:00"),
        ("2026-11-19T14:00:00.5Z", "2026-11-19 14:00:00.500"),
        ("2026-11-19 14:00 utc", "2026-11-19 14:00"),
        ("2026-11-19T14:00:00+05:30", "2026-11-19 08:30"),
        ("2026-11-19T14:00-0800", "2026-11-19 22:00"),
        ("2026-11-21 10:00", "2026-11-21 09:00"),
    ],
)
def test_what_can_be_written(text, at):
    assert meant(text, NOW, BERLIN) == (utc(at), "")


def test_a_time_of_day_that_has_not_been_today_was_yesterday():
    at, note = meant("17:00", NOW, BERLIN)
    assert at == utc("2026-11-19 16:00") and note == "yesterday: today it has not been that late"


def test_what_the_clocks_skipped_is_told():
    at, note = meant("2026-03-29 02:30", NOW, BERLIN)
    assert at == utc("2026-03-29 01:30")
    assert note == "02:30 was skipped on 2026-03-29, the clocks went forward: 03:30 CEST is meant"


def test_what_came_twice_is_told_and_the_other_can_be_written():
    at, note = meant("2026-10-25 02:30", NOW, BERLIN)
    assert at == utc("2026-10-25 00:30")
    assert note == "02:30 came twice on 2026-10-25: the first is meant, write 2026-10-25 02:30+0100 for the second"
    assert meant("2026-10-25 02:30+0100", NOW, BERLIN) == (utc("2026-10-25 01:30"), "")


def test_a_day_that_begins_at_one_o_clock():
    at, note = meant("2026-03-29", NOW, ZoneInfo("Asia/Beirut"))
    assert at == utc("2026-03-28 22:00") and "00:00 was skipped" in note and "01:00 EEST is meant" in note


def test_hours_are_counted_and_not_read_off_a_clock():
    morning = utc("2026-10-25 06:00")  # 07:00 in Berlin, eight hours after the midnight of summer time
    assert parse_moment("-8h", morning, BERLIN) == utc("2026-10-24 22:00") == parse_moment("today", morning, BERLIN)


@pytest.mark.parametrize(
    "text", ["", " ", "soon", "24:00", "14:60", "1423", "5", "-5", "-", "-2", "2026-13-01", "2026-02-30 10:00"]
    + ["14:23 Z", "0001-01-01", "9999-12-31 23:59", "2026-11-19 14:00+25:00", "tomorrow 10:00", "mo 10:00"]
    + ["-2h yesterday", "１４:２３", "9" * 80, "-9999999w", "yesterday 09:00 10:00", "ago", "\x1b[31m14:23", "-1.2.3h"],
)  # fmt: skip
def test_what_is_no_moment_says_so(text):
    with pytest.raises(MomentError, match="no moment|no place on earth") as error:
        parse_moment(text, NOW, BERLIN)
    assert "\x1b" not in str(error.value) and "\n" not in str(error.value)


@given(st.text(max_size=30))
def test_whatever_is_typed_it_is_a_moment_or_an_error(text):
    try:
        at = parse_moment(text, NOW, BERLIN)
    except MomentError:
        return
    assert at.tzinfo is UTC


@given(
    st.integers(946_684_800, 4_102_444_800),
    st.sampled_from(("Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu")),
)
def test_what_a_clock_of_the_zone_shows_is_read_as_it_was_meant(seconds, zone):
    naive = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    at, note = meant(f"{naive:%Y-%m-%d %H:%M:%S}", NOW, ZoneInfo(zone))
    back = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert back == naive.replace(microsecond=0) or (
        "skipped" in note and timedelta(0) < back - naive < timedelta(hours=2)
    )
