"""Quotas out of vendors' headers, and how they are made to last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.client import Budget
from statusboard.client._budget import LONGEST_WAIT, Ledger, http_date, quotas, seconds_until
from statusboard.clock import FakeClock

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    "value,seconds",
    [
        ("0", 0),
        ("17", 17),
        ("17.9", 17),
        (str(EPOCH + 90), 90),
        (str((EPOCH + 90) * 1000 + 500), 90.5),
        (str(EPOCH - 90), 0),
        ("50, 50;w=60", 50),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60),
        ("Friday, 02-Jan-26 03:05:05 GMT", 60),
        ("2026-01-02T03:05:05Z", 60),
        ("2026-01-02T04:05:05+01:00", 60),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("99999999", LONGEST_WAIT),
        ("9" * 14, LONGEST_WAIT),
        ("", None),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("9" * 40, None),
        ("٣", None),
    ],
)
def test_every_form_of_a_reset(value: str | None, seconds: float | None):
    assert seconds_until(value, NOW) == seconds


@given(st.text(), st.datetimes(timezones=st.just(UTC)))
def test_no_header_is_an_error(value: str, now: datetime):
    wait = seconds_until(value, now)
    assert wait is None or 0 <= wait <= LONGEST_WAIT
    http_date(value)


@given(
    st.dictionaries(
        st.sampled_from(
            [f"{family}{name}" for family in ("x-ratelimit-", "ratelimit-") for name in ("limit", "remaining", "reset")]
            + [
                "x-ratelimit-resource",
                "retry-after",
                "date",
                "x-ratelimit-remaining-minute",
                "x-ratelimit-limit-minute",
            ]
        ),
        st.text() | st.integers().map(str) | st.just("0"),
    )
)
def test_a_ledger_learns_from_anything(headers: dict[str, str]):
    ledger = Ledger(FakeClock(NOW))
    ledger.learn("a", "repos", headers, 200)
    assert ledger.refused_for("repos") >= 0
    assert ledger.pause("a") >= 0
    ledger.budget("a")


@pytest.mark.parametrize(
    "headers,limit,remaining,reset",
    [
        (  # GitHub
            {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4980", "x-ratelimit-reset": str(EPOCH + 60)},
            5000,
            4980,
            60,
        ),
        (
            {"ratelimit-limit": "2000", "ratelimit-remaining": "7", "ratelimit-reset": str(EPOCH + 9)},
            2000,
            7,
            9,
        ),  # GitLab
        ({"ratelimit-limit": "200", "ratelimit-remaining": "7", "ratelimit-reset": "30"}, 200, 7, 30),  # Buildkite
        (  # Linear
            {
                "x-ratelimit-requests-limit": "1500",
                "x-ratelimit-requests-remaining": "3",
                "x-ratelimit-requests-reset": str((EPOCH + 5) * 1000),
            },
            1500,
            3,
            5,
        ),
        ({"x-ratelimit-remaining": "3"}, None, 3, None),
    ],
)
def test_vendors_headers(headers: dict[str, str], limit: int | None, remaining: int, reset: float | None):
    (quota,) = quotas(headers, NOW)
    assert (quota.limit, quota.remaining, quota.reset) == (limit, remaining, reset)


def test_no_quota_in_other_headers():
    assert not list(quotas({"content-type": "application/json", "x-ratelimit-limit": "60"}, NOW))


def budget(remaining: int | None, seconds: float | None) -> Budget:
    return Budget(
        limit=5000, remaining=remaining, reset_at=None if seconds is None else NOW + timedelta(seconds=seconds)
    )


def test_the_pause_makes_the_quota_last():
    assert budget(100, 3600).pause_for(10, NOW) == 360  # ten rounds of ten in the hour
    assert budget(5, 600).pause_for(10, NOW) == 600  # not even one
    assert budget(0, 600).pause_for(10, NOW) == 600
    assert budget(100, 0).pause_for(10, NOW) == 0
    assert budget(None, 600).pause_for(10, NOW) == 0
    assert budget(100, None).pause_for(10, NOW) == 0
    assert budget(100, 3600).pause_for(0, NOW) == 0


@given(st.integers(0, 10_000), st.integers(1, 7200), st.integers(1, 500))
def test_polling_at_that_interval_never_overspends(remaining: int, seconds: int, cost: int):
    pause = budget(remaining, seconds).pause_for(cost, NOW)
    assert 0 < pause <= seconds
    if remaining >= cost:
        assert seconds / pause * cost <= remaining + 1e-6 * remaining + 1e-6


def github(remaining: int, *, limit: int = 5000, reset: int = 3600, resource: str = "core") -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(EPOCH + reset),
        "x-ratelimit-resource": resource,
    }


def test_a_used_up_quota_is_kept_to_until_its_reset():
    ledger = Ledger(clock := FakeClock(NOW))
    ledger.learn("a", "repos", github(1), 200)
    assert ledger.refused_for("repos") == 0
    ledger.learn("a", "repos", github(0), 200)
    assert ledger.refused_for("repos") == 3600
    clock.advance(3600)
    assert ledger.refused_for("repos") == 0
    after = ledger.budget("a")
    assert (after.remaining, after.reset_at) == (5000, None)


def test_each_quota_of_a_vendor_is_kept_to_by_itself():
    ledger = Ledger(FakeClock(NOW))
    ledger.learn("a", "repos", github(4000), 200)
    ledger.learn("a", "search", github(0, limit=30, reset=60, resource="search"), 200)
    assert ledger.refused_for("search") == 60
    assert ledger.refused_for("repos") == 0
    assert ledger.refused_for("anything") == 0
    assert ledger.budget("a").limit == 30


def test_a_free_answer_costs_nothing():
    ledger = Ledger(FakeClock(NOW))
    ledger.learn("a", "repos", github(4000), 200)
    ledger.start_round("a")
    for _ in range(100):
        ledger.learn("a", "repos", github(4000), 304)
    ledger.start_round("a")
    assert ledger.pause("a") == 0
    for remaining in range(3999, 3899, -1):
        ledger.learn("a", "repos", github(remaining), 304)
    assert ledger.pause("a") == pytest.approx(3600 * 100 / 3900)


def test_sources_that_share_a_credential_share_its_quota():
    ledger = Ledger(FakeClock(NOW))
    for remaining in range(1000, 990, -1):
        ledger.learn("a", "repos", github(remaining), 200)
    alone = ledger.pause("a")
    for remaining in range(990, 960, -1):
        ledger.learn("b", "repos", github(remaining), 200)
    assert ledger.budget("a").others == 30
    assert ledger.pause("a") == ledger.pause("b") == pytest.approx(3600 * 40 / 961)
    assert ledger.pause("a") > alone
    ledger.forget("b")
    assert ledger.budget("a").others == 0


def test_a_block_is_kept_to():
    ledger = Ledger(clock := FakeClock(NOW))
    ledger.block(60)
    ledger.block(5)
    assert ledger.refused_for("anything") == 60
    clock.advance(60)
    assert ledger.refused_for("anything") == 0


class Set(FakeClock):
    """A clock whose wall time a person sets."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.mark.parametrize("ahead", [timedelta(days=-30), timedelta(hours=-1), timedelta(hours=1)])
def test_a_clock_that_is_set_changes_no_pause(ahead: timedelta):
    ledger = Ledger(clock := Set(NOW))
    ledger.learn("a", "repos", github(0, reset=90), 200)
    ledger.block(60)
    clock.ahead = ahead
    assert ledger.refused_for("search") == 60
    assert ledger.pause("a") == 90
    assert ledger.budget("a").reset_at == NOW + ahead + timedelta(seconds=90)
    clock.advance(60)
    assert ledger.refused_for("search") == 0
    assert ledger.refused_for("repos") == 30
    clock.advance(30)
    assert ledger.refused_for("repos") == 0
    assert ledger.budget("a").remaining == 5000


def test_what_queries_cost_counts_where_the_vendor_says_so():
    """Linear counts requests and points of complexity; either may be the first to run out."""
    ledger = Ledger(FakeClock(NOW))
    reset = str((EPOCH + 3600) * 1000)
    for left in (90_000, 80_000):
        headers = {
            "x-complexity": "10000",
            "x-ratelimit-requests-limit": "1500",
            "x-ratelimit-requests-remaining": "1400",
            "x-ratelimit-requests-reset": reset,
            "x-ratelimit-complexity-limit": "100000",
            "x-ratelimit-complexity-remaining": str(left),
            "x-ratelimit-complexity-reset": reset,
        }
        ledger.learn("a", "graphql", headers, 200)
    assert ledger.budget("a").remaining == 80_000
    assert ledger.pause("a") == pytest.approx(3600 * 20_000 / 80_000)


def test_windows_of_the_clock():
    """As gateways count: five seconds after the full minute, the window lasts 55 more."""
    headers = {
        "x-ratelimit-limit-second": "5",
        "x-ratelimit-remaining-second": "0",
        "x-ratelimit-limit-minute": "300",
        "x-ratelimit-remaining-minute": "299",
        "x-ratelimit-limit-day": "10000",
        "x-ratelimit-remaining-day": "0",
    }
    assert [(q.limit, q.remaining, q.reset) for q in quotas(headers, NOW)] == [
        (300, 299, 55),
        (10_000, 0, 86_400 - 3 * 3600 - 4 * 60 - 5),
    ]
    ledger = Ledger(clock := FakeClock(NOW))
    ledger.learn("a", "x", {"x-ratelimit-remaining-minute": "0"}, 200)
    assert ledger.refused_for("x") == 55
    clock.advance(55)
    assert ledger.refused_for("x") == 0


def test_the_vendors_clock_counts_for_its_own_times():
    ledger = Ledger(FakeClock(NOW))
    headers = {**github(0, reset=0), "date": "Fri, 02 Jan 2026 03:03:05 GMT"}  # a minute behind ours
    ledger.learn("a", "repos", headers, 200)
    assert ledger.refused_for("repos") == 60


def test_odd_vendors_cannot_grow_it_without_end():
    ledger = Ledger(FakeClock(NOW))
    for number in range(1000):
        ledger.learn("a", f"area{number}", github(5, resource=f"r{number}"), 200)
    assert len(ledger._buckets) <= 64
    assert len(ledger._used_by) <= 256


@pytest.mark.parametrize(
    ("headers", "share", "wait"),
    [
        ({}, 0.5, 0.0),
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "51", "x-ratelimit-reset": "60"}, 0.5, 0.0),
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "50", "x-ratelimit-reset": "60"}, 0.5, 60.0),
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "50", "x-ratelimit-reset": "60"}, 0.2, 0.0),
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0"}, 0.5, 60.0),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "60"}, 0.5, 0.0),
    ],
)
def test_room_is_left_to_others(headers: dict[str, str], share: float, wait: float) -> None:
    clock = FakeClock()
    ledger = Ledger(clock)
    ledger.learn("ci", "", headers, 200)
    assert ledger.wait_for_room(share) == wait
    clock.advance(61)
    assert ledger.wait_for_room(share) in (0.0, 60.0 if "x-ratelimit-reset" not in headers else 0.0)


def test_of_two_quotas_the_scarcer_one_decides() -> None:
    ledger = Ledger(FakeClock())
    core = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4000", "x-ratelimit-reset": "3000"}
    search = {"x-ratelimit-limit": "30", "x-ratelimit-remaining": "9", "x-ratelimit-reset": "40"}
    ledger.learn("gh", "repos", {**core, "x-ratelimit-resource": "core"}, 200)
    assert ledger.wait_for_room(0.5) == 0.0
    ledger.learn("gh", "search", {**search, "x-ratelimit-resource": "search"}, 200)
    assert ledger.wait_for_room(0.5) == 40.0
    ledger.block(100.0)
    assert ledger.wait_for_room(0.5) == 100.0
