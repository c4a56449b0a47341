"""Clocks, vendors' times, durations and ages."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.clock import (
    EPOCH,
    Clock,
    Duration,
    FakeClock,
    SystemClock,
    age,
    duration_dec_hook,
    duration_enc_hook,
    from_us,
    parse_duration,
    parse_time,
    parse_time_exact,
    rfc3339,
    to_us,
    zone_of,
)

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2200, 12, 31, 23), timezones=st.just(UTC))  # noqa: DTZ001


# --- parse_time -----------------------------------------------------------------------------------------------------


def utc(*parts: int) -> datetime:
    year, month, day, hour, minute, second, *micro = parts
    return datetime(year, month, day, hour, minute, second, micro[0] if micro else 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value, expected",
    [
        ("2026-01-02T03:04:05Z", START),
        ("2026-01-02t03:04:05z", START),
        (" 2026-01-02T03:04:05Z\n", START),
        ("2026-01-02T03:04:05.250Z", utc(2026, 1, 2, 3, 4, 5, 250_000)),
        ("2015-10-06T21:30:42.123456Z", utc(2015, 10, 6, 21, 30, 42, 123_456)),
        ("2020-01-01T00:00:00.1234567Z", utc(2020, 1, 1, 0, 0, 0, 123_456)),
        ("2020-01-01T00:00:00.123456789+01:00", utc(2019, 12, 31, 23, 0, 0, 123_456)),
        ("2026-01-02T11:04:05+08:00", START),
        ("2026-01-02T03:04:05-00:00", START),
        ("2020-06-12T08:13:13.360+0800", utc(2020, 6, 12, 0, 13, 13, 360_000)),
        ("20181210T154002+0100", utc(2018, 12, 10, 14, 40, 2)),
        ("2026-01-02 03:04:05 UTC", START),
        ("2026-01-02 03:04:05 GMT", START),
        ("2026-01-02 04:04:05 +0100", START),
        ("2016-12-31T23:59:60Z", utc(2016, 12, 31, 23, 59, 59)),
        ("20161231T235960Z", utc(2016, 12, 31, 23, 59, 59)),
        (1_700_000_000, utc(2023, 11, 14, 22, 13, 20)),
        ("1700000000", utc(2023, 11, 14, 22, 13, 20)),
        (1_700_000_000.5, utc(2023, 11, 14, 22, 13, 20, 500_000)),
        ("1700000000.5", utc(2023, 11, 14, 22, 13, 20, 500_000)),
        (1_700_000_000_123, utc(2023, 11, 14, 22, 13, 20, 123_000)),
        ("1700000000123", utc(2023, 11, 14, 22, 13, 20, 123_000)),
        (1_700_000_000_123_456, utc(2023, 11, 14, 22, 13, 20, 123_456)),
        (1_700_000_000_123_456_789, utc(2023, 11, 14, 22, 13, 20, 123_456)),
        (START.astimezone(timezone(timedelta(hours=5))), START),
    ],
)
def test_known_forms(value: object, expected: datetime) -> None:
    assert parse_time_exact(value) == (expected, False)
    parsed = parse_time(value)
    assert parsed is not None
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "value, expected",
    [
        ("2014-10-07T12:51:38", utc(2014, 10, 7, 12, 51, 38)),
        ("2011-08-22 14:30:02", utc(2011, 8, 22, 14, 30, 2)),
        ("2011-08-22.14:30:02", utc(2011, 8, 22, 14, 30, 2)),
        ("2026-01-02", utc(2026, 1, 2, 0, 0, 0)),
        ("20260102", utc(2026, 1, 2, 0, 0, 0)),
        (START.replace(tzinfo=None), START),
    ],
)
def test_a_time_without_a_zone_is_utc_and_approximate(value: object, expected: datetime) -> None:
    assert parse_time_exact(value) == (expected, True)


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", " ", 0, "0", 0.0, "0.0", False, True, -1, "-1", "-62135596800", 1, 10**400, -(10**400)),
        *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z", "1989-12-31T23:59:59Z"),
        *("2201-01-01T00:00:00Z", "9999-12-31T23:59:59-10:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z"),
        *(float("nan"), float("inf"), float("-inf"), "nan", "inf", "1e9", "1_700_000_000", "yesterday", "\ud800"),
        *("1" * 5000, "2026-01-02T03:04:05Z" + " " * 100, b"2026-01-02T03:04:05Z", [], {}, date(2026, 1, 2)),
    ],
    ids=lambda value: repr(value)[:30] if not isinstance(value, int) or abs(value) < 10**20 else "huge",
)
def test_no_time(value: object) -> None:
    assert parse_time_exact(value) == (None, False)


@given(st.one_of(st.text(), st.text("0123456789-+:.TZ "), st.integers(), st.floats(), st.datetimes(), st.binary()))
def test_parse_time_never_raises_and_gives_sane_utc(value: object) -> None:
    moment, approximate = parse_time_exact(value)
    if moment is None:
        assert not approximate
    else:
        assert moment.tzinfo is UTC
        assert 1990 <= moment.year <= 2200


@given(MOMENTS)
def test_times_round_trip(moment: datetime) -> None:
    assert parse_time(rfc3339(moment)) == moment
    assert parse_time(moment.isoformat()) == moment
    assert from_us(to_us(moment)) == moment
    assert parse_time(to_us(moment)) == moment


def test_rfc3339() -> None:
    assert rfc3339(START) == "2026-01-02T03:04:05Z"
    assert rfc3339(START.replace(microsecond=1500)) == "2026-01-02T03:04:05.001500Z"
    assert rfc3339(START.astimezone(timezone(timedelta(hours=-3)))) == "2026-01-02T03:04:05Z"


def test_microseconds_are_exact() -> None:
    assert to_us(EPOCH) == 0
    assert to_us(START.replace(microsecond=999_999)) == 1_767_323_045_999_999
    assert from_us(-1) == EPOCH - timedelta(microseconds=1)


# --- age ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seconds, expected",
    [
        (-1, "now"),
        (0, "<1m"),
        (59.9, "<1m"),
        (60, "1m"),
        (3_599, "59m"),
        (3_600, "1h"),
        (86_399, "23h"),
        (86_400, "1d"),
        (13.9 * 86_400, "13d"),
        (14 * 86_400, "2w"),
        (364 * 86_400, "52w"),
        (365 * 86_400, "1y"),
        (200 * 365 * 86_400, "200y"),
    ],
)
def test_age(seconds: float, expected: str) -> None:
    assert age(START, START - timedelta(seconds=seconds)) == expected


@given(MOMENTS, MOMENTS)
def test_age_is_narrow(now: datetime, then: datetime) -> None:
    assert 2 <= len(age(now, then)) <= 4


# --- Duration -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("15s", 15),
        ("2m", 120),
        ("1h30m", 5_400),
        ("500ms", 0.5),
        ("2d", 172_800),
        ("1w", 604_800),
        ("1h 30m", 5_400),
        ("1H", 3_600),
        ("1.5h", 5_400),
        ("1s500ms", 1.5),
        ("15", 15),
        (15, 15),
        (0.25, 0.25),
        (0, 0),
        (Duration(3), 3),
    ],
)
def test_parse_duration(value: object, seconds: float) -> None:
    assert parse_duration(value) == seconds
    assert isinstance(parse_duration(value), Duration)


@pytest.mark.parametrize(
    "value, message",
    [
        ("soon", "'soon' is not a duration; write it like 15s, 2m, 1h30m, 500ms or 2d"),
        ("", "is not a duration"),
        ("5x", "is not a duration"),
        ("30m1h", "is not a duration"),
        ("1.2.3s", "is not a duration"),
        (".s", "is not a duration"),
        ("9" * 100, "is not a duration"),
        (None, "'None' is not a duration"),
        (True, "'True' is not a duration"),
        ([], "is not a duration"),
        (float("nan"), "is not a duration"),
        (-1, "cannot be negative"),
        ("-5", "cannot be negative"),
        (float("inf"), "longer than 100 years"),
        ("9999999d", "longer than 100 years"),
    ],
)
def test_bad_durations_are_refused_with_a_reason(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_duration(value)


def test_a_huge_integer_is_no_duration() -> None:
    with pytest.raises(ValueError, match="longer than 100 years"):
        parse_duration(10**400)


@pytest.mark.parametrize(
    "seconds, expected",
    [(90, "1m30s"), (0, "0s"), (0.5, "500ms"), (172_800, "2d"), (3_661, "1h1m1s"), (-5, "-5s"), (59.9996, "1m")],
)
def test_duration_as_text(seconds: float, expected: str) -> None:
    assert str(Duration(seconds)) == expected
    assert f"{Duration(seconds)}" == expected


@given(st.integers(0, 10**11))
def test_durations_round_trip(milliseconds: int) -> None:
    duration = Duration(milliseconds / 1_000)
    assert parse_duration(str(duration)) == pytest.approx(duration, abs=1e-6)


class Options(msgspec.Struct):
    interval: Duration = Duration(30)


@pytest.mark.parametrize("value, seconds", [("1m30s", 90), (15, 15), (2.5, 2.5)])
def test_duration_is_a_msgspec_field(value: object, seconds: float) -> None:
    options = msgspec.convert({"interval": value}, Options, dec_hook=duration_dec_hook)
    assert options == Options(Duration(seconds))
    assert isinstance(options.interval, Duration)
    encoded = msgspec.json.encode(options, enc_hook=duration_enc_hook)
    assert msgspec.json.decode(encoded, type=Options, dec_hook=duration_dec_hook) == options


def test_a_bad_duration_field_is_named_by_its_path() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"'soon' is not a duration.* at `\$\.interval`"):
        msgspec.convert({"interval": "soon"}, Options, dec_hook=duration_dec_hook)


def test_hooks_leave_other_types_to_others() -> None:
    with pytest.raises(NotImplementedError):
        duration_dec_hook(complex, 1)
    with pytest.raises(NotImplementedError):
        duration_enc_hook(1j)
    assert msgspec.to_builtins(Options(Duration(90)), enc_hook=duration_enc_hook) == {"interval": "1m30s"}


# --- clocks ---------------------------------------------------------------------------------------------------------


async def test_system_clock() -> None:
    clock: Clock = SystemClock()
    assert clock.now().tzinfo is UTC
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before


async def sleeper(clock: Clock, seconds: float, log: list[Any]) -> None:
    await clock.sleep(seconds)
    log.append((seconds, clock.monotonic()))


async def test_advance_wakes_those_whose_time_has_come() -> None:
    clock = FakeClock(START)
    log: list[Any] = []
    async with asyncio.TaskGroup() as group:
        for seconds in (5, 1, 3):
            group.create_task(sleeper(clock, seconds, log))
        await asyncio.sleep(0)
        assert clock.sleepers == 3
        clock.advance(3)
        await asyncio.sleep(0)
        assert log == [(1, 3.0), (3, 3.0)]
        assert clock.sleepers == 1
        assert clock.now() == START + timedelta(seconds=3)
        clock.advance(2)
    assert log[-1] == (5, 5.0)


async def test_run_for_stops_at_each_deadline() -> None:
    clock = FakeClock(START)
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            await clock.sleep(0.1)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(tick())
    await clock.run_for(1)
    assert ticks == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    await clock.run_for(0.05)
    assert clock.monotonic() == 1.05
    assert len(ticks) == 10
    task.cancel()


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleepers == 0
    await clock.run_for(20)
    clock.advance(1)
    assert clock.monotonic() == 21


async def test_a_sleep_of_nothing_yields_without_moving_time() -> None:
    clock = FakeClock()
    await clock.sleep(0)
    await clock.sleep(-1)
    assert clock.monotonic() == 0
    assert clock.sleepers == 0


async def test_time_does_not_go_back() -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="cannot go back"):
        await clock.run_for(-1)


# --- zones ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def in_berlin() -> Iterator[None]:
    """This machine stands in Berlin."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize("around", [1_774_746_000, 1_792_890_000, 1_767_323_045])
def test_the_zone_of_this_machine_changes_its_clocks_as_its_people_do(around: int) -> None:
    here, there = zone_of(""), ZoneInfo("Europe/Berlin")
    for minutes in range(-180, 180, 10):
        moment = datetime.fromtimestamp(around + 60 * minutes, UTC)
        local, expected = moment.astimezone(here), moment.astimezone(there)
        assert local.replace(tzinfo=None) == expected.replace(tzinfo=None) and local.fold == expected.fold
        assert (local.utcoffset(), local.tzname()) == (expected.utcoffset(), expected.tzname())
        assert local.astimezone(UTC) == moment


def test_a_zone_by_its_name_and_one_that_is_none() -> None:
    assert zone_of("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    assert zone_of("Nowhere/Atlantis") is UTC and zone_of("../etc/passwd") is UTC
