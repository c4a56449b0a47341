"""Local days, through changes of the clocks, and watched time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.metrics import Stretch, window_before, window_of
from statusboard.metrics.watched import covered, watched_together
from statusboard.metrics.windows import days_between, days_of, joined, shared, total_days

BERLIN, APIA, BEIRUT = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Apia"), ZoneInfo("Asia/Beirut")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 7, 1), 24)])
def test_a_day_is_a_day_however_many_hours_it_has(day: tuple[int, int, int], hours: int):
    noon = datetime(*day, 12, tzinfo=BERLIN).astimezone(UTC)
    whole = days_of(window_before(window_of(1, noon + timedelta(days=1), BERLIN), BERLIN), BERLIN)
    assert [(one.until - one.since, days_between(one.since, one.until, BERLIN)) for one in whole] == [
        (hours * HOUR, 1.0)
    ]


def test_a_window_begins_at_a_midnight_and_ends_now():
    now = datetime(2026, 3, 31, 10, 30, tzinfo=UTC)
    window = window_of(7, now, BERLIN)
    assert (window.since, window.until) == (datetime(2026, 3, 24, 23, tzinfo=UTC), now)
    before = window_before(window, BERLIN)
    assert (before.since, before.until) == (datetime(2026, 3, 17, 23, tzinfo=UTC), window.since)
    assert days_between(window.since, window.until, BERLIN) == pytest.approx(6 + 12.5 / 24)
    assert days_between(before.since, before.until, BERLIN) == 7.0


def test_where_midnight_does_not_exist_the_day_begins_when_the_clocks_have_gone_forward():
    (day,) = days_of(window_of(1, datetime(2026, 3, 29, 12, tzinfo=UTC), BEIRUT), BEIRUT)
    assert day.since == datetime(2026, 3, 28, 22, tzinfo=UTC)


@given(
    st.datetimes(min_value=datetime(2011, 1, 1), max_value=datetime(2030, 1, 1)),  # noqa: DTZ001 - made aware below
    st.integers(1, 90),
    st.sampled_from([UTC, BERLIN, APIA, BEIRUT]),
)
def test_the_days_of_a_window_are_all_of_it_without_a_gap(when: datetime, days: int, zone: ZoneInfo):
    window = window_of(days, when.replace(tzinfo=UTC), zone)
    each = days_of(window, zone)
    assert (len(each) <= days and joined(each) == [window.stretch]) or window.since == window.until
    assert window_before(window, zone).until == window.since


HOURS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=6)


def stretches(hours: list[tuple[int, int]]) -> list[Stretch]:
    start = datetime(2026, 3, 28, tzinfo=UTC)
    return [Stretch(start + since * HOUR, start + (since + lasted) * HOUR) for since, lasted in hours]


def hours_of(found: list[Stretch]) -> set[int]:
    start = datetime(2026, 3, 28, tzinfo=UTC)
    return {
        hour for one in found for hour in range(round((one.since - start) / HOUR), round((one.until - start) / HOUR))
    }


@given(HOURS, HOURS)
def test_stretches_are_sets_of_time(one: list[tuple[int, int]], two: list[tuple[int, int]]):
    a, b = joined(stretches(one)), joined(stretches(two))
    assert hours_of(a) == hours_of(stretches(one))
    assert hours_of(shared(a, b)) == hours_of(a) & hours_of(b)
    assert hours_of(list(covered([a, b], timedelta(0)))) == hours_of(a) & hours_of(b)
    assert total_days(a) * 24 == pytest.approx(len(hours_of(a)))


def test_a_part_that_came_later_says_nothing_of_the_time_before():
    start = datetime(2026, 3, 1, tzinfo=UTC)
    old = [Stretch(start, start + 10 * HOUR), Stretch(start + 20 * HOUR, start + 50 * HOUR)]
    new = [Stretch(start + 30 * HOUR, start + 40 * HOUR), Stretch(start + 45 * HOUR, start + 50 * HOUR)]
    assert list(watched_together([old, new, []])) == [
        Stretch(start, start + 10 * HOUR),
        Stretch(start + 20 * HOUR, start + 40 * HOUR),
        Stretch(start + 45 * HOUR, start + 50 * HOUR),
    ]
