"""When a source is polled next."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from statusboard import schedule
from statusboard.errors import AuthError, RateLimited, ServerError, Timeout

seeds = st.integers(0, 2**32).map(Random)


@given(seeds, st.booleans(), st.integers(0, 100), st.sampled_from([("incident",), ("build",), ("ticket", "release")]))
def test_after_success_it_stays_near_the_interval(
    random: Random, running: bool, quiet: int, kinds: tuple[str, ...]
) -> None:
    delay = schedule.after_success(30, running=running, quiet_polls=quiet, kinds=kinds, budget_pause=0, random=random)
    assert 30 * 0.5 * 0.9 <= delay <= 30 * 1.5 * 1.1
    if "incident" in kinds:
        assert delay <= 30 * 1.1, "alerts are never asked for less often"
    if running:
        assert delay <= 15 * 1.1


def test_a_scarce_budget_stretches_the_interval() -> None:
    assert (
        schedule.after_success(30, running=True, quiet_polls=0, kinds=("build",), budget_pause=120, random=Random(1))
        == 120
    )


@given(seeds, st.integers(1, 10_000))
def test_back_off_is_capped(random: Random, failures: int) -> None:
    incident = schedule.after_failure(Timeout("x"), failures, 15, kinds=("incident",), random=random)
    other = schedule.after_failure(ServerError("x"), failures, 30, kinds=("build",), random=random)
    assert 1 <= incident <= 60 and 1 <= other <= 300


@given(seeds, st.integers(1, 10_000))
def test_a_refused_credential_waits_five_minutes_doubling_to_an_hour(random: Random, failures: int) -> None:
    delay = schedule.after_failure(AuthError("401"), failures, 30, kinds=("incident",), random=random)
    assert delay == {1: 300, 2: 600, 3: 1200, 4: 2400}.get(failures, 3600)


def test_what_the_vendor_asks_is_obeyed() -> None:
    slow = RateLimited("429", retry_after=1234)
    assert schedule.after_failure(slow, 1, 30, kinds=("incident",), random=Random(1)) == 1234
    assert schedule.after_failure(RateLimited("429"), 1, 30, kinds=("build",), random=Random(1)) == 60


def test_first_polls_are_spread() -> None:
    delays = [schedule.spread(i, 200, 30) for i in range(200)]
    assert delays[0] == 0 and delays == sorted(delays) and 4 < delays[-1] <= 5
    assert schedule.spread(1, 2, 30) <= 0.1, "a small board is there at once"
