"""How pipelines are: flaky, red since when and by whom, slower, waiting."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from statusboard.model import Build
from statusboard.pipelines import (
    LEAST,
    TURNS,
    PipelineHealth,
    Red,
    durations,
    flaky,
    growth,
    health,
    median,
    outcomes,
    quantile,
    reds,
    waits,
)
from tests.boards import NOW, ago
from tests.boards import build as _build

DAY = 24 * 60


def build(number: object, state: str = "success", minutes: float = 1, *, took: float = 5, **more: Any) -> Build:
    """A build that ended ``minutes`` ago, after ``took`` minutes."""
    times = {"started_at": ago(minutes + took), "ended_at": ago(minutes)}
    if state in ("running", "queued"):
        times = {"started_at": ago(minutes)}
    return _build(number, state, **{**times, "run_number": number, "revision": f"r{number}", "actor": "ann", **more})


def told(*builds: Build, days: int = 7) -> list[PipelineHealth]:
    return health(builds, since=NOW - timedelta(days=days), until=NOW)


def one(*builds: Build, days: int = 7) -> PipelineHealth:
    (line,) = told(*builds, days=days)
    return line


def stretches(*builds: Build) -> list[Red]:
    return reds(outcomes(builds))


# -- flaky


def test_both_outcomes_of_one_revision_are_flaky_whatever_made_it_run_twice():
    retried = [build(1, "failed", 60, revision="a"), build(1, "success", 50, revision="a", attempt=2)]
    assert one(*retried).flaky.both[0].revision == "a"
    nightly = [build(1, "success", 60, revision="a"), build(2, "failed", 50, revision="a")]
    assert [twice.revision for twice in one(*nightly).flaky.both] == ["a"]


def test_a_revision_that_failed_twice_is_not_flaky_but_was_tried_again():
    found = one(build(1, "failed", 60, revision="a"), build(2, "failed", 50, revision="a")).flaky
    assert (found.both, found.again, found.revisions) == ((), 1, 1)
    assert not found


def test_a_revision_in_two_pipelines_or_of_no_name_says_nothing():
    assert not any(
        line.flaky for line in told(build(1, "failed", 60, revision="a"), build(2, revision="a", pipeline="lint"))
    )
    assert not one(build(1, "failed", 60, revision=""), build(2, "success", 50, revision="")).flaky


def test_a_line_that_turns_red_again_and_again_alternates():
    turning = [build(n, "failed" if n % 3 == 0 else "success", 600 - n) for n in range(1, 3 * TURNS + 1)]
    found = one(*turning).flaky
    assert (found.turns, found.of) == (TURNS, 3 * TURNS)
    assert found.alternates
    assert not one(*turning[:-1]).flaky  # once less


def test_a_line_that_breaks_and_stays_broken_does_not_alternate():
    assert one(*(build(n, "success" if n < 5 else "failed", 600 - n) for n in range(20))).flaky.turns == 1


def test_a_running_attempt_tells_what_the_one_before_it_said():
    again = build(1, "running", 5, attempt=2, verdict="failed", revision="a")
    (found,) = outcomes([again])
    assert (found.good, found.at) == (False, ago(5))
    first = build(1, "failed", 30, revision="a")
    assert [each.build for each in outcomes([first, again])] == [first]  # known by itself: not told twice


def test_what_was_cancelled_skipped_or_is_not_known_is_no_outcome():
    assert outcomes([build(n, state, n) for n, state in enumerate(("cancelled", "skipped", "unknown", "queued"))]) == []


# -- red


def test_red_from_the_first_failure_to_the_next_good_one():
    (red,) = stretches(
        build(1, "success", 300),
        build(2, "failed", 200, actor="bob"),
        build(3, "failed", 150, actor="cem"),
        build(4, "success", 100),
    )
    assert (red.since, red.until, red.runs) == (ago(200), ago(100), 2)
    assert (red.first.revision, red.people) == ("r2", ("bob", "cem"))
    assert red.good is not None
    assert red.mended is not None
    assert (red.good.revision, red.mended.revision) == ("r1", "r4")


def test_red_now_since_and_nobody_knows_whether_it_was_red_before():
    (red,) = stretches(build(2, "failed", 200), build(3, "failed", 150))
    assert (red.since, red.until, red.good) == (ago(200), None, None)
    assert red.lasted(NOW) == timedelta(minutes=200)
    assert one(build(2, "failed", 200)).red is not None


def test_a_rerun_mends_what_it_broke():
    (red,) = stretches(build(1, "failed", 200), build(1, "success", 150, attempt=2))
    assert (red.since, red.until) == (ago(200), ago(150))


def test_a_cancelled_run_neither_mends_nor_breaks():
    (red,) = stretches(build(1, "failed", 200), build(2, "cancelled", 150), build(3, "failed", 100))
    assert (red.until, red.runs) == (None, 2)


def test_older_code_that_fails_later_does_not_speak_for_the_line():
    slow = build(1, "failed", 100, took=200)
    quick = build(2, "success", 150, took=5)
    assert stretches(slow, quick) == []
    assert one(slow, quick).failed == 1  # it did fail


def test_older_code_that_fails_while_it_is_red_was_the_first_bad_one():
    slow = build(1, "failed", 100, took=200, actor="ann")
    quick = build(2, "failed", 150, took=5, actor="bob")
    (red,) = stretches(slow, quick)
    assert (red.first.revision, red.since, red.people) == ("r1", ago(150), ("ann", "bob"))


def test_a_revision_that_was_good_just_before_did_not_break_it():
    (red,) = stretches(build(1, "success", 200, revision="a"), build(2, "failed", 100, revision="a"))
    assert red.same_revision


def test_the_longest_red_reaches_into_the_stretch_and_is_told_whole():
    line = one(
        build(1, "failed", 9 * DAY),
        build(2, "success", 6 * DAY),
        build(3, "failed", 2 * DAY),
        build(4, "success", 1 * DAY),
    )
    assert line.longest is not None
    assert line.longest.lasted(NOW) == timedelta(days=3)
    assert line.red is None
    older = one(build(1, "failed", 9 * DAY), build(2, "success", 8 * DAY), build(3, "success", 10))
    assert older.longest is None


# -- durations


def test_durations_are_those_of_good_first_attempts():
    runs = [
        build(1, "success", 50, took=5),
        build(2, "failed", 40, took=1),
        build(3, "success", 30, took=1, attempt=2),
        build(4, "success", 20, took=2, approximate=True),
        build(5, "success", -20, took=-9),
    ]
    assert durations(runs) == [300.0]


def test_growth_compares_medians_and_needs_enough_of_both():
    assert growth([10.0] * (LEAST - 1), [20.0] * LEAST) is None
    grown = growth([10.0, 10.0, 11.0, 12.0, 300.0], [20.0, 21.0, 22.0, 20.0, 21.0])
    assert grown is not None
    assert (grown.before, grown.after, grown.n_before, grown.n_after) == (11.0, 21.0, 5, 5)
    assert grown.grown
    assert round(grown.ratio, 2) == 1.91


def test_usual_ups_and_downs_are_no_growth():
    found = growth([10.0, 12.0, 20.0, 22.0, 24.0], [11.0, 12.0, 21.0, 22.0, 24.0])
    assert found is not None
    assert not found.grown


def test_growth_is_told_against_the_stretch_before():
    older = [build(n, "success", 10 * DAY + n, took=4) for n in range(LEAST)]
    newer = [build(100 + n, "success", DAY + n, took=8) for n in range(LEAST)]
    line = one(*older, *newer)
    assert line.growth is not None
    assert line.growth.grown
    assert line.runs == LEAST  # those before it are compared with, not counted


# -- queues


def test_waits_are_told_where_the_source_tells_them_and_never_as_nothing():
    found = waits([build(n, "success", 10, queued_at=ago(15 + n)) for n in range(1, 11)])
    assert (found.n, found.median, found.most, found.untold) == (10, 330.0, 540.0, 0)
    untold = waits([build(1), build(2, queued_at=NOW + timedelta(days=1))])
    assert (untold.n, untold.median, untold.most, untold.untold) == (0, None, None, 2)
    assert waits([build(1, "queued")]).untold == 0  # it has not begun


# -- lines


def test_only_the_default_branch_counts():
    assert told(build(1, change="7"), build(2, fork="eve/shop"), build(3, branch="topic")) == []
    assert [line.name for line in told(build(4), build(5, branch="", default_branch="main"))] == ["test"]


def test_red_ones_come_first_then_flaky_ones():
    names = [
        line.name
        for line in told(
            build(1, pipeline="a-fine"),
            build(2, "failed", 60, pipeline="b-flaky", revision="x"),
            build(3, "success", 50, pipeline="b-flaky", revision="x"),
            build(4, "failed", 60, pipeline="c-red"),
            build(5, "failed", 90, pipeline="d-red-longer"),
        )
    ]
    assert names == ["d-red-longer", "c-red", "b-flaky", "a-fine"]


def test_one_attempt_told_twice_counts_once():
    running, done = build(1, "running", 20), build(1, "failed", 10)
    line = one(running, done, done)
    assert (line.runs, line.outcomes, line.failed) == (1, 1, 1)


def test_what_is_older_than_the_stretch_has_no_line():
    assert told(build(1, "failed", 30 * DAY)) == []


# -- laws

_states = st.sampled_from(["success", "failed", "cancelled", "warning", "running", "unknown"])
_runs = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 3), _states, st.integers(0, 500), st.integers(-5, 60), _states),
    max_size=24,
)


def _made(rows: list[tuple[int, int, str, int, int, str]]) -> list[Build]:
    made = {}
    for number, attempt, state, minutes, took, verdict in rows:
        carried = verdict if verdict in ("success", "failed", "warning") else ""
        run = build(number, state, minutes, took=took, attempt=attempt, revision=f"r{number % 3}", verdict=carried)
        made[run.key, run.attempt] = run
    return list(made.values())


@given(_runs)
def test_stretches_follow_each_other_and_the_last_one_alone_may_be_open(rows):
    found = reds(outcomes(_made(rows)))
    for red, after in pairwise(found):
        assert red.until is not None
        assert red.since < red.until <= after.since
    for red in found:
        assert red.until is None or red.until > red.since
        assert red.runs >= 1


@given(_runs)
def test_it_is_red_now_exactly_where_the_newest_that_said_anything_was_bad(rows):
    known = outcomes(_made(rows))
    found = reds(known)
    newest = max(known, key=lambda each: each.order, default=None)
    assert (bool(found) and found[-1].until is None) == (newest is not None and not newest.good)


@given(_runs, st.randoms())
def test_the_order_in_which_they_are_told_means_nothing(rows, chance):
    made = _made(rows)
    mixed = list(made)
    chance.shuffle(mixed)
    assert told(*made, days=1) == told(*mixed, days=1)


@given(_runs)
def test_a_flaky_revision_has_both_and_is_counted_among_those_tested_again(rows):
    found = flaky(outcomes(_made(rows)))
    assert len(found.both) <= found.again <= found.revisions
    for twice in found.both:
        assert {each.good for each in twice.outcomes} == {True, False}


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_one_of_the_numbers_and_the_median_lies_between_them(numbers, share):
    found = quantile(numbers, share)
    assert found in numbers
    assert sum(number <= found for number in numbers) >= share * len(numbers) - 1e-9 * len(numbers)
    assert min(numbers) <= median(numbers) <= max(numbers)
