"""When to speak, and when to count only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.chatter import Chatter
from statusboard.model import Item
from statusboard.noticing.options import QuietOptions, What
from statusboard.noticing.pacing import VISUAL_AT_MOST, Delivery, Offer, Pace, Quiet
from statusboard.noticing.rules import Way
from tests.boards import NOW, build, incident
from tests.noticing.kit import transition

BELL = Way("bell")
VISUAL = Way("visual")
MINE = Way("command", ("tell", "{text}"))


def quiet_hours(start: str = "22:00", end: str = "07:00", but: str = "", zone: str = "UTC") -> Quiet:
    return Quiet(QuietOptions(from_=start, to=end, except_=but), ZoneInfo(zone))


class Paced:
    """A pace at noon, whose minutes pass when told."""

    def __init__(self, *, at_most: int = 5, quiet: Quiet | None = None, now: datetime = NOW) -> None:
        self.chatter = Chatter()
        self.pace = Pace(self.chatter)
        self.pace.use([BELL, VISUAL, MINE], at_most=at_most, quiet=quiet)
        self.start = self.now = now

    @property
    def at(self) -> float:
        return (self.now - self.start).total_seconds() + 1_000

    def offer(self, *items: tuple[Item, What], ways: tuple[Way, ...] = (BELL,), failing: bool = True) -> list[str]:
        offers = [
            Offer(transition(item, what, failing=failing), dict.fromkeys(ways, what), "fresh") for item, what in items
        ]
        return texts(self.pace.offer(offers, self.now, self.at))

    def later(self, seconds: float, failing: bool = False) -> list[str]:
        self.now += timedelta(seconds=seconds)
        rested = self.chatter.age(self.now)
        return texts(self.pace.tick(self.now, self.at, rested=rested, fails=lambda slot: failing))

    def flip(self, item: Item, times: int) -> None:
        for _ in range(times):
            self.chatter.flip(("incident", item.key), self.now)
        self.chatter.age(self.now)

    def flood(self, count: int) -> None:
        for number in range(count):
            self.chatter.opened(("incident", f"f{number}"), self.now)
        self.chatter.age(self.now)


def texts(deliveries: list[Delivery]) -> list[str]:
    return [message.text for _, message in deliveries]


def opened(*numbers: int, **more: Any) -> list[tuple[Item, What]]:
    return [(incident(n, title=f"no. {n}", **more), "opened") for n in numbers]


# -- so many a minute


def test_what_is_more_than_a_few_a_minute_becomes_one_line():
    paced = Paced(at_most=2)
    failed: tuple[Item, What] = (build(1, "failed"), "failed")
    assert paced.offer(*opened(1, 2, 3, 4), failed) == ["incident opened: no. 1", "incident opened: no. 2"]
    assert paced.offer(*opened(5)) == [] and paced.later(59) == []
    assert paced.later(1) == ["4 more: 3 incidents opened, 1 build failed"]
    assert paced.offer(*opened(6)) == ["incident opened: no. 6"], "the line was the new minute's first"
    assert paced.offer(*opened(7)) == []
    assert paced.later(60) == ["1 more: 1 incident opened"]
    assert paced.later(60) == [] and paced.offer(*opened(8, 9)) != []


def test_the_gravest_are_told_one_by_one():
    paced = Paced(at_most=2)
    some = [*opened(1, severity="low"), *opened(2, severity="critical"), *opened(3, severity="unknown")]
    assert [text.split(":")[0] for text in paced.offer(*some)] == ["critical incident opened", "incident opened"]


def test_each_way_has_its_own_minute():
    paced = Paced(at_most=5)
    assert len(paced.offer(*opened(*range(9)), ways=(BELL, MINE, VISUAL))) == 5 + 5 + VISUAL_AT_MOST
    told = paced.later(60)
    assert told == ["4 more: 4 incidents opened"] * 2 + ["6 more: 6 incidents opened"]


def test_a_calm_board_says_nothing():
    paced = Paced(quiet=quiet_hours())
    assert [paced.later(3_600) for _ in range(48)] == [[]] * 48


# -- what flips


def test_what_flips_is_said_to_once_and_then_held_back():
    paced = Paced()
    item = incident(1, title="no. 1")
    paced.flip(item, 3)
    assert paced.offer((item, "opened")) == ["flips 3x in 30 minutes: no. 1, now open; held back until it rests"]
    paced.flip(item, 2)
    assert paced.offer((item, "resolved"), failing=False) == []
    assert paced.offer((item, "opened")) == []
    assert paced.offer(*opened(2)) == ["incident opened: no. 2"], "others are not"
    assert paced.later(31 * 60, failing=True) == [], "it stands as was said"
    assert paced.offer((item, "opened")) == ["incident opened: no. 1"]


def test_what_rests_otherwise_than_was_said_is_told():
    paced = Paced()
    item = incident(1, title="no. 1")
    paced.flip(item, 3)
    paced.offer((item, "resolved"), failing=False)
    paced.offer((item, "opened"))
    assert paced.later(60, failing=True) == []
    assert paced.later(31 * 60, failing=True) == ["incident opened: no. 1"]
    assert paced.later(60, failing=True) == []


def test_what_no_rule_told_of_since_is_not_made_up():
    paced = Paced()
    item = incident(1)
    paced.flip(item, 3)
    paced.offer((item, "resolved"), failing=False)
    paced.offer((item, "opened"))
    assert paced.later(31 * 60, failing=False) == [], "it resolved, of which this way is not told"


# -- a flood


def test_in_a_flood_only_counts_are_told():
    paced = Paced()
    paced.flood(12)
    assert paced.offer(*opened(1, 2, 3)) == ["flood of incidents: 12 new in 10 minutes; from now on only how many"]
    assert paced.offer((build(1, "failed"), "failed")) == ["build failed: test on main: Fix it"]
    assert paced.offer((incident(1), "resolved")) == []
    assert paced.later(60) == ["3 more: 2 incidents opened, 1 incident resolved"]
    assert paced.offer(*opened(4)) == []
    assert paced.later(10 * 60) == ["the flood of incidents is over", "1 more: 1 incident opened"]
    assert paced.offer(*opened(5)) == ["incident opened: no. 5"]


# -- quiet hours

CRITICAL = "severity:critical"


def night(**more: Any) -> Paced:
    return Paced(quiet=quiet_hours(**more), now=NOW.replace(hour=23, minute=0))


def test_in_quiet_hours_things_are_counted_and_told_in_one_line_when_they_end():
    paced = night()
    assert paced.offer(*opened(1, 2), (build(1, "failed"), "failed"), ways=(BELL, MINE)) == []
    assert paced.later(7 * 3600 + 59 * 60) == []
    line = "during quiet hours: 2 incidents opened, 1 build failed"
    assert paced.later(60) == [line, line] and paced.later(60) == []
    assert paced.offer(*opened(3)) != []


def test_what_is_excepted_is_told_all_the_same():
    paced = night(but=CRITICAL)
    assert paced.offer(*opened(1), *opened(2, severity="critical")) == ["critical incident opened: no. 2"]
    assert paced.later(8 * 3600) == ["during quiet hours: 1 incident opened"]


def test_whoever_comes_in_the_night_is_told_once():
    paced = night()
    assert paced.pace.look() is None
    paced.offer(*opened(1, 2), ways=(BELL, VISUAL, MINE))
    look = paced.pace.look()
    assert look is not None and look.text == "during quiet hours: 2 incidents opened"
    assert paced.pace.look() is None
    assert paced.later(8 * 3600) == ["during quiet hours: 2 incidents opened"], "a command tells somebody else"


def test_what_was_too_much_before_the_night_is_told_after_it():
    paced = Paced(at_most=1, quiet=quiet_hours(), now=NOW.replace(hour=21, minute=59, second=50))
    assert len(paced.offer(*opened(1, 2, 3))) == 1
    assert paced.later(60) == []
    assert paced.later(9 * 3600) == ["during quiet hours: 2 incidents opened"]


def test_what_flips_in_the_night_counts_once():
    paced = night()
    item = incident(1)
    paced.flip(item, 3)
    for _ in range(50):
        paced.offer((item, "opened"))
    assert paced.later(8 * 3600) == ["during quiet hours: 1 item flips"]


@pytest.mark.parametrize(
    "start, end, quiet, loud",
    [
        ("22:00", "07:00", ["22:00", "23:59", "00:00", "06:59"], ["07:00", "12:00", "21:59"]),
        ("12:30", "13:00", ["12:30", "12:59"], ["12:29", "13:00", "00:00"]),
        ("00:00", "06:00", ["00:00", "05:59"], ["06:00", "23:59"]),
    ],
)
def test_quiet_hours_may_span_midnight(start: str, end: str, quiet: list[str], loud: list[str]):
    hours = quiet_hours(start, end)
    for time in [*quiet, *loud]:
        hour, minute = map(int, time.split(":"))
        assert hours.holds(datetime(2026, 3, 1, hour, minute, 30, tzinfo=UTC)) is (time in quiet), time


@pytest.mark.parametrize("day, hours", [((2026, 3, 28), 8), ((2026, 10, 24), 10), ((2026, 6, 1), 9)])
def test_quiet_hours_go_by_the_clock_on_the_wall(day: tuple[int, int, int], hours: int):
    """In the nights in which clocks change they are an hour shorter or longer."""
    zone = ZoneInfo("Europe/Berlin")
    quiet = quiet_hours(zone="Europe/Berlin")
    start = datetime(*day, 22, tzinfo=zone).astimezone(UTC)
    held = [quiet.holds(start + timedelta(minutes=minute)) for minute in range(-30, 12 * 60)]
    assert held == [False] * 30 + [True] * hours * 60 + [False] * (12 - hours) * 60


# -- whatever comes

ACTS = st.lists(
    st.tuples(st.sampled_from(["opened", "resolved", "flip", "flood", "wait"]), st.integers(0, 4), st.integers(1, 900)),
    max_size=60,
)


@given(ACTS, st.integers(1, 5))
def test_there_is_never_a_storm(acts: list[tuple[str, int, int]], at_most: int):
    paced = Paced(at_most=at_most, quiet=quiet_hours("12:10", "12:40"))
    told: list[tuple[float, str]] = []
    for act, number, amount in acts:
        item = incident(number)
        if act == "flip":
            paced.flip(item, number)
        elif act == "flood":
            paced.flood(amount % 30)
        elif act == "wait":
            for _ in range(0, amount, 30):
                told += [(paced.at, text) for text in paced.later(30)]
        else:
            what: Mapping[str, What] = {"opened": "opened", "resolved": "resolved"}
            told += [(paced.at, text) for text in paced.offer((item, what[act]), failing=act == "opened")]
    for begin, _ in told:
        # Within any minute: two windows may touch it, and each may hold the three lines that are always told.
        assert sum(begin <= at < begin + 60 for at, _ in told) <= 2 * (at_most + 3)
