"""What flips and what floods."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.chatter import MOST_FLIPS, MOST_SLOTS, Chatter, Verdict
from tests.boards import NOW, ago

SLOT = ("incident", "am:incident:1")
OTHER = ("incident", "am:incident:2")


def after(minutes: float):
    return NOW + timedelta(minutes=minutes)


def told(*minutes: float) -> Chatter:
    chatter = Chatter()
    for minute in minutes:
        chatter.flip(SLOT, ago(minute))
    chatter.age(NOW)
    return chatter


def test_three_flips_in_half_an_hour_are_flipping():
    assert told(29, 10).flips(SLOT) == 0
    assert told(29, 10, 0).flips(SLOT) == 3
    assert told(31, 10, 0).flips(SLOT) == 0
    assert told(29, 10, 0).flips(OTHER) == told(29, 10, 0).flips(None) == 0


def test_what_flips_does_so_until_it_has_been_still():
    chatter = told(20, 10, 0)
    assert chatter.age(after(15)) == frozenset() and chatter.flips(SLOT) == 2
    assert chatter.age(after(21)) == {SLOT} and chatter.flips(SLOT) == 0
    assert chatter.age(after(22)) == frozenset()


def test_flips_may_be_told_in_any_order():
    assert told(0, 29, 10).flips(SLOT) == 3


def run(number: int, minutes: float, *, failed: bool, attempt: int = 1) -> Verdict:
    return Verdict((ago(60 - number), number, attempt, f"ci:build:{number}"), failed, ago(minutes))


RUNS = [run(n, 25 - 5 * n, failed=n % 2 == 1) for n in range(5)]


def test_a_slots_own_runs_count_where_they_tell_of_more():
    chatter = told(5)
    chatter.ran(SLOT, RUNS)
    chatter.age(NOW)
    assert chatter.flips(SLOT) == 4
    for minute in (4, 3, 2, 1):
        chatter.flip(SLOT, ago(minute))
    chatter.age(NOW)
    assert chatter.flips(SLOT) == 5


def test_runs_may_be_told_again_and_in_any_order():
    chatter = Chatter()
    for _ in range(3):
        for some in (RUNS[2:], RUNS[1::-1]):
            chatter.ran(SLOT, some)
    chatter.age(NOW)
    assert chatter.flips(SLOT) == 4


def test_a_run_that_ends_otherwise_the_second_time_flips_once_more():
    chatter = Chatter()
    chatter.ran(SLOT, RUNS[:4])
    chatter.ran(SLOT, [*RUNS[:3], run(3, 1, failed=False, attempt=2)])
    chatter.age(NOW)
    assert chatter.flips(SLOT) == 4
    chatter.ran(SLOT, [*RUNS[:3], run(3, 0, failed=False, attempt=2)])
    chatter.age(NOW)
    assert chatter.flips(SLOT) == 4, "told before"


def test_only_runs_of_the_last_half_hour_flip_but_what_they_flip_from_may_be_older():
    chatter = Chatter()
    chatter.ran(SLOT, [run(1, 300, failed=False), run(2, 29, failed=True), *RUNS[3:], run(5, 1, failed=True)])
    chatter.age(NOW)
    assert chatter.flips(SLOT) == 3
    assert chatter.age(after(29)) == {SLOT}
    chatter.age(after(40))
    assert not chatter._runs


def flooded(count: int, minutes: float = 0) -> Chatter:
    chatter = Chatter()
    for number in range(count):
        chatter.opened(("incident", str(number)), ago(minutes))
    chatter.age(NOW)
    return chatter


def test_ten_new_incidents_in_ten_minutes_are_a_flood():
    assert flooded(9).flood is None
    flood = flooded(10).flood
    assert flood is not None and (flood.count, flood.since) == (10, NOW)
    assert flooded(10, minutes=11).flood is None


def test_one_incident_that_opens_ten_times_is_no_flood():
    chatter = Chatter()
    for minute in range(10):
        chatter.opened(SLOT, ago(minute))
    chatter.age(NOW)
    assert chatter.flood is None


def test_a_flood_ebbs_later_than_it_begins():
    chatter = Chatter()
    for number in range(12):
        chatter.opened(("incident", str(number)), ago(number / 2))
    chatter.age(NOW)
    flood = chatter.flood
    assert flood is not None and flood.count == 12
    chatter.age(NOW)
    assert chatter.flood is flood, "what is equal stays the same thing"
    chatter.age(after(7))
    assert chatter.flood is not None
    assert (chatter.flood.count, chatter.flood.since) == (6, NOW)
    chatter.age(after(8))
    assert chatter.flood is None


def test_a_clock_that_is_set_back_leaves_no_count_behind():
    chatter = flooded(20)
    for minute in (0, 1, 2):
        chatter.flip(SLOT, ago(minute))
    chatter.age(NOW)
    assert chatter.flood is not None
    assert chatter.flips(SLOT) == 3
    assert chatter.age(NOW - timedelta(days=1)) == {SLOT}
    assert chatter.flood is None and chatter.flips(SLOT) == 0


def test_it_holds_no_more_than_it_can_use():
    chatter = Chatter()
    for number in range(MOST_SLOTS + 10):
        chatter.flip(("build", str(number)), NOW)
        chatter.opened(("incident", str(number)), NOW)
    for _ in range(1_000):
        chatter.flip(SLOT, NOW)
    chatter.age(NOW)
    assert len(chatter._seen) == MOST_SLOTS and len(chatter._opened) == MOST_SLOTS
    assert chatter.flips(SLOT) == MOST_FLIPS
    assert chatter.age(NOW + timedelta(hours=1)) == {SLOT}
    assert not chatter._seen and not chatter._opened


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-60, 60)), max_size=40), st.integers(0, 90))
def test_whatever_is_told_only_the_last_half_hour_counts(flips: list[tuple[int, float]], later: int):
    chatter = Chatter()
    for number, minute in flips:
        chatter.flip(("build", str(number)), ago(minute))
    now = after(later)
    chatter.age(now)
    for number in range(4):
        times = [ago(minute) for which, minute in flips if which == number]
        recent = [at for at in times if now - timedelta(minutes=30) < at <= now + timedelta(minutes=1)]
        flipping = chatter.flips(("build", str(number)))
        # What came when something half an hour later was known already is not counted any more.
        assert flipping <= len(recent)
        if times == sorted(times) and max(times, default=now) <= now:
            assert flipping == (len(recent) if len(recent) >= 3 else 0)


@pytest.mark.parametrize("count", [0, 4, 5, 9, 10, 30])
def test_a_flood_tells_how_many(count: int):
    flood = flooded(count).flood
    assert (flood.count if flood else 0) == (count if count >= 10 else 0)
