"""What is current, what is failing, and what may leave the board."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.current import (
    competes,
    is_failing,
    is_unknown,
    is_unowned,
    may_leave,
    moment_of,
    on_default_branch,
    order_of,
    outdated,
    slot_of,
    verdict_of,
)
from statusboard.model import STATES, Item
from tests.boards import ITEMS, NOW, ago, board_of, build, health, incident, note, release, ticket, unique

KEEP = timedelta(hours=48)
MAKERS: dict[str, Callable[..., Item]] = {"build": build, "incident": incident, "release": release, "ticket": ticket}
FAILING = {
    ("build", "failed"),
    ("release", "failed"),
    ("incident", "open"),
    ("incident", "acknowledged"),
}
NOT_COMPETING = {
    *(("build", state) for state in ("queued", "running", "blocked", "cancelled", "skipped")),
    *(("release", state) for state in ("queued", "running", "blocked", "cancelled")),
    ("incident", "resolved"),
    ("ticket", "done"),
    ("ticket", "cancelled"),
}
EVERY_STATE = [(kind, state) for kind in MAKERS for state in sorted(STATES[kind])]


@pytest.mark.parametrize("kind, state", EVERY_STATE)
def test_only_these_states_are_failing_current_or_unknown(kind, state):
    fact = MAKERS[kind](1, state)
    assert is_failing(fact) is ((kind, state) in FAILING)
    assert competes(fact) is ((kind, state) not in NOT_COMPETING)
    assert is_unknown(fact) is (state == "unknown")


@pytest.mark.parametrize("state", ["queued", "running", "blocked", "cancelled", "skipped"])
def test_a_rerun_keeps_the_verdict_of_the_last_attempt_until_it_has_one(state):
    rerun = build(1, state, verdict="failed", attempt=2)
    assert verdict_of(rerun) == "failed"
    assert competes(rerun)
    assert is_failing(rerun)
    assert not is_failing(build(1, "success", verdict="failed", attempt=2))


@pytest.mark.parametrize(
    "more, alarming",
    [
        ({}, True),
        ({"branch": ""}, True),
        ({"default_branch": ""}, True),
        ({"branch": "feature"}, False),
        ({"change": "7"}, False),
        ({"fork": "them"}, False),
    ],
)
def test_only_a_default_branch_alarms(more, alarming):
    failed = build(1, "failed", **more)
    assert on_default_branch(failed) is alarming
    assert is_failing(failed) is alarming


def test_a_publication_never_fails_and_never_meets_a_deployment():
    published = release(1, "failed", type="publication")
    assert not is_failing(published)
    assert slot_of(published) != slot_of(release(2, type="deployment"))


@pytest.mark.parametrize("state", sorted(STATES["release"]))
def test_a_setting_is_never_current_and_meets_only_itself(state):
    flag = release(1, state, type="configuration", setting="new-basket", version="on")
    assert not competes(flag) and not is_failing(flag)
    assert slot_of(flag) == slot_of(release(2, type="configuration", setting="new-basket", version="off"))
    assert slot_of(flag) != slot_of(release(2, type="configuration", setting="timeout"))
    assert slot_of(flag) != slot_of(release(2))


@pytest.mark.parametrize(
    "other",
    [
        {"branch": "dev"},
        {"change": "7"},
        {"fork": "them"},
        {"pipeline": "deploy"},
        {"repository": "acme/other"},
        {"source": "other"},
    ],
)
def test_builds_meet_only_in_the_same_pipeline_and_line(other):
    assert slot_of(build(1)) == slot_of(build(2))
    assert slot_of(build(1)) != slot_of(build(2, **other))


def test_a_pull_request_is_one_line_whatever_its_branch_is_called():
    assert slot_of(build(1, change="7", branch="a")) == slot_of(build(2, change="7", branch="b"))


@pytest.mark.parametrize("other", [{"services": ("cart",)}, {"environment": "staging"}, {"target": "eu"}])
def test_releases_meet_in_one_place(other):
    assert slot_of(release(1)) == slot_of(release(2, source="other"))
    assert slot_of(release(1)) != slot_of(release(2, **other))


def test_alerts_of_one_cluster_meet_by_fingerprint():
    a = incident(1, source="am1", cluster="eu", fingerprint="f")
    assert slot_of(a) == slot_of(incident(2, source="am2", cluster="eu", fingerprint="f"))
    assert slot_of(a) != slot_of(incident(2, source="am2", cluster="us", fingerprint="f"))
    assert slot_of(incident(1, fingerprint="f")) != slot_of(incident(2, fingerprint="f"))


def test_health_and_annotations_have_no_slot():
    assert slot_of(health("ci")) is None
    assert slot_of(note(build(1), "hm")) is None
    assert not competes(health("ci"))


def test_newer_means_begun_later_then_the_higher_number_then_the_higher_attempt():
    at = ago(10)
    runs = [
        build(9, started_at=None),
        build(8, started_at=ago(20), run_number=99),
        build(1, started_at=at, run_number=1),
        build(2, started_at=at, run_number=2, attempt=1),
        build(3, started_at=at, run_number=2, attempt=2),
    ]
    assert sorted(runs[2:] + runs[:2], key=order_of) == runs


def test_of_an_alerts_twins_the_loudest_speaks_whenever_it_began():
    told = [incident(1, state, started_at=ago(n)) for n, state in enumerate(("open", "acknowledged", "unknown"), 1)]
    told += [incident(1, state, started_at=ago(n)) for n, state in enumerate(("suppressed", "pending", "resolved"))]
    assert [fact.state for fact in sorted(told, key=order_of, reverse=True)] == [
        *("open", "acknowledged", "unknown", "suppressed", "pending", "resolved")
    ]


def test_ages_count_from_the_start_and_of_what_is_over_from_its_end():
    assert moment_of(build(1, "success", started_at=ago(9), ended_at=ago(5))) == ago(9)
    assert moment_of(incident(1, "resolved", started_at=ago(9), ended_at=ago(5))) == ago(5)
    assert moment_of(build(1, "cancelled", started_at=ago(9), updated_at=ago(4))) == ago(4)
    assert moment_of(ticket(1, started_at=ago(99), updated_at=ago(3))) == ago(3)
    assert moment_of(ticket(1, started_at=ago(99), updated_at=None)) == ago(99)
    assert moment_of(incident(1, started_at=None)) is None


def test_unowned_is_what_has_neither_service_nor_team():
    assert is_unowned(incident(1))
    assert not is_unowned(incident(1, team="sre"))
    assert not is_unowned(incident(1, services=("shop",)))
    assert not is_unowned(health("ci"))


@pytest.mark.parametrize(
    "fact, current, leaves",
    [
        (build(1, started_at=ago(60 * 49)), False, True),
        (build(1, started_at=ago(60 * 47)), False, False),
        (build(1, started_at=ago(60 * 49), ended_at=ago(60)), False, False),
        (build(1, started_at=ago(60 * 49)), True, False),
        (build(1, started_at=ago(60 * 49), branch="dev"), True, True),
        (build(1, "running", started_at=ago(60 * 999)), False, False),
        (build(1, "unknown", started_at=ago(60 * 999)), False, False),
        (build(1, started_at=None), False, False),
        (release(1, started_at=ago(60 * 9999)), True, False),
        (release(1, started_at=ago(60 * 49)), False, True),
        (incident(1, "resolved", ended_at=ago(60 * 49)), False, True),
        (incident(1, "suppressed", started_at=ago(60 * 999)), True, False),
        (ticket(1, "done", updated_at=ago(60 * 49)), False, True),
        (health("ci"), False, False),
    ],
)
def test_what_may_leave(fact, current, leaves):
    assert may_leave(fact, current=current, now=NOW, keep=KEEP) is leaves


@settings(max_examples=150, deadline=None)
@given(st.lists(ITEMS, max_size=12).map(unique))
def test_outdated_is_what_a_board_of_these_items_alone_would_let_go(items):
    assert outdated(items, now=NOW, keep=KEEP) == frozenset(board_of(*items).leaving(NOW, KEEP))


def test_a_build_that_knows_no_branch_is_mended_by_the_next_on_the_default_one():
    lost = build(1, "failed", branch="", default_branch="main")
    mended = build(2, "success", branch="main", default_branch="main")
    assert slot_of(lost) == slot_of(mended) != slot_of(build(3, "success", branch="topic", default_branch="main"))
    assert slot_of(build(4, "failed", branch="", default_branch="")) != slot_of(mended)
