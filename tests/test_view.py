"""Lanes: what stands in them, in what order, and that following changes equals looking at everything anew."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.board import Board, Delta
from statusboard.columns import GROUPS
from statusboard.grouping import MARK, Gathering, grouped, laid_out
from statusboard.model import Fact, HealthState, ItemKind
from statusboard.presenting import UNICODE, cells, group_line
from statusboard.query import parse
from statusboard.sorting import URGENCY, sort_of, turned, urgency
from statusboard.view import LANES, OVERVIEW, Lane, ViewSpec, is_fault
from tests.boards import NOW, STEPS, ago, board_of, build, fold, health, incident, release, ticket

FILTERS = ("", "state:failed,open", "-is:stale", "is:current OR login", "since:100h", "-is:failing")


def lane_of(board: Board, kind: ItemKind, text: str = "", *, faults_only: bool = False) -> Lane:
    lane = Lane(kind, parse(text), faults_only=faults_only)
    lane.rebuild(board, NOW)
    return lane


def numbers(lane: Lane) -> list[str]:
    return [key.rpartition(":")[2] for key in lane.keys]


def state(lane: Lane) -> tuple[object, ...]:
    return (lane.keys, lane.hidden, lane.hidden_faults, lane.total, lane.faults)


# -- following changes


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from(FILTERS), st.booleans(), st.sampled_from(LANES))
def test_following_changes_equals_looking_anew(steps, text, faults_only, kind):
    board = Board("s")
    lane = lane_of(board, kind, text, faults_only=faults_only)
    for batch in steps:
        keys = list(lane.keys)
        looks = {key: looks_of(board, key) for key in keys}
        delta = fold(board, *batch)
        change = lane.update(board, delta, NOW)
        assert state(lane) == state(lane_of(board, kind, text, faults_only=faults_only))
        assert change.order_changed or lane.keys == keys
        assert change.changed <= set(lane.keys)
        assert {key for key in lane.keys if key in looks and looks[key] != looks_of(board, key)} <= change.changed
        assert bool(change) is (change.order_changed or bool(change.changed))


def looks_of(board: Board, key: str) -> object:
    row = board.rows[key]
    return cells(row, NOW, source_state=board.state_of(row.fact.source))


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from(FILTERS), st.sampled_from(LANES), st.integers(1, 4))
def test_a_rebuild_in_steps_misses_nothing_that_comes_in_between(steps, text, kind, chunk):
    board = Board("s")
    half = len(steps) // 2
    for batch in steps[:half]:
        fold(board, *batch)
    lane = Lane(kind, parse(text))
    rebuild = lane.rebuild_steps(board, NOW, chunk=chunk)
    for batch in steps[half:]:
        next(rebuild, None)
        lane.update(board, fold(board, *batch), NOW)
    for _ in rebuild:
        pass
    assert state(lane) == state(lane_of(board, kind, text))


def test_a_lane_stays_as_it_was_until_the_last_step_of_a_rebuild():
    board = board_of(*(build(n, branch=f"b{n}") for n in range(10)))
    lane = lane_of(board, "build", "since:15m")
    assert lane.needs_clock
    rebuild = lane.rebuild_steps(board, NOW + timedelta(hours=1), chunk=3)
    for _ in range(3):
        next(rebuild)
        assert len(lane.keys) == 10
    assert list(rebuild) == []
    assert (lane.keys, lane.hidden) == ([], 10)


def test_a_source_that_goes_blind_during_a_rebuild_is_not_missed():
    board = board_of(build(1), build(2, branch="dev"), health("ci"))
    lane = Lane("build", parse("-is:stale"))
    rebuild = lane.rebuild_steps(board, NOW, chunk=1)
    next(rebuild)
    lane.update(board, fold(board, health("ci", "stale")), NOW)
    assert list(rebuild) != []
    assert (lane.keys, lane.hidden) == ([], 2)


def test_a_rebuild_given_up_leaves_the_lane_as_it_was():
    board = board_of(build(1), build(2, branch="dev"))
    lane = lane_of(board, "build")
    rebuild = lane.rebuild_steps(board, NOW + timedelta(days=1), chunk=1)
    next(rebuild)
    del rebuild
    lane.update(board, fold(board, build(3, branch="new", started_at=ago(1))), NOW)
    assert numbers(lane) == ["3", "1", "2"]


def test_a_later_rebuild_stops_an_earlier_one():
    board = board_of(*(build(n, branch=f"b{n}") for n in range(10)))
    lane = Lane("build", parse("since:15m"))
    first = lane.rebuild_steps(board, NOW, chunk=3)
    next(first)
    lane.rebuild(board, NOW + timedelta(hours=1))
    assert list(first) == []
    assert lane.keys == []


def test_many_moves_at_once_equal_looking_anew():
    board = board_of(*(build(n, branch=f"b{n}", started_at=ago(n)) for n in range(400)))
    lane = lane_of(board, "build")
    assert numbers(lane)[:3] == ["0", "1", "2"]
    moved: list[Fact | str] = [
        build(n, "failed", branch="", pipeline=f"p{n}", started_at=ago(n)) for n in range(50, 250)
    ]
    moved += [f"ci:build:{n}" for n in range(300, 350)]
    lane.update(board, fold(board, *moved), NOW)
    assert state(lane) == state(lane_of(board, "build"))
    assert numbers(lane)[:2] == ["50", "51"]
    assert lane.total == 350


def test_an_unchanged_row_moves_nothing():
    board = board_of(build(1), build(2, branch="dev"))
    lane = lane_of(board, "build")
    change = lane.update(board, fold(board, build(1, title="Renamed")), NOW)
    assert (set(change.changed), change.order_changed) == ({"ci:build:1"}, False)
    assert not lane.update(board, fold(board, incident(1)), NOW)


def test_a_sources_health_changes_how_its_rows_look():
    board = board_of(build(1), build(2, source="other"), health("ci"), health("other"))
    lane = lane_of(board, "build")
    change = lane.update(board, fold(board, health("ci", "stale")), NOW)
    assert (set(change.changed), change.order_changed) == ({"ci:build:1"}, False)
    fresh = lane_of(board, "build", "-is:stale")
    assert fresh.keys == ["other:build:2"]
    assert fresh.update(board, fold(board, health("ci")), NOW).order_changed
    assert len(fresh.keys) == 2
    # What only this process sees, and a source that was taken off, are told by the same keys.
    board.overlay = {"other": "stale"}
    assert fresh.update(board, Delta(frozenset({"other:source:other"}), frozenset()), NOW).order_changed
    assert fresh.keys == ["ci:build:1"]
    fresh.update(board, fold(board, "ci:source:ci"), NOW)
    assert fresh.keys == []


# -- what stands in a lane


def test_a_slot_shows_its_verdict_and_what_is_under_way():
    board = board_of(
        build(1, "failed", started_at=ago(9)),
        build(2, "success", started_at=ago(8)),
        build(3, "cancelled", started_at=ago(7)),
        build(4, "queued", started_at=ago(6)),
        build(5, "running", started_at=ago(5)),
    )
    assert numbers(lane_of(board, "build")) == ["5", "4", "2"]


@pytest.mark.parametrize("state", ["cancelled", "skipped"])
def test_what_came_to_nothing_shows_until_something_newer_starts(state):
    board = board_of(build(1, started_at=ago(9)), build(2, state, started_at=ago(5)))
    lane = lane_of(board, "build")
    assert numbers(lane) == ["1", "2"]
    change = lane.update(board, fold(board, build(3, "queued", started_at=ago(1))), NOW)
    assert change.order_changed
    assert numbers(lane) == ["3", "1"]


def test_releases_show_the_newest_of_each_place():
    board = board_of(
        release(1, started_at=ago(9)),
        release(2, started_at=ago(5)),
        release(3, environment="staging", started_at=ago(8)),
        release(4, target="eu", started_at=ago(7)),
        release(5, services=("cart",), started_at=ago(6)),
    )
    assert numbers(lane_of(board, "release")) == ["2", "5", "4", "3"]


def test_of_an_alerts_twins_one_shows():
    twin = {"cluster": "eu", "fingerprint": "f"}
    board = board_of(
        incident(1, "suppressed", source="am1", **twin),
        incident(2, "open", source="am2", **twin),
        incident(3, "resolved", source="am3", **twin),
    )
    lane = lane_of(board, "incident")
    assert numbers(lane) == ["2"]
    fold_in = fold(board, *(incident(n, "resolved", source=f"am{n}", **twin) for n in (1, 2)))
    lane.update(board, fold_in, NOW)
    assert len(lane.keys) == 1


def test_a_lane_shows_its_kind_only():
    board = board_of(build(1), incident(1), release(1), ticket(1), health("ci"))
    for kind in LANES:
        assert [board.rows[key].fact.kind for key in lane_of(board, kind).keys] == [kind]
    assert ViewSpec("Overview", "", ("incident", "build", "release", "ticket")) == OVERVIEW


# -- order


def test_incidents_by_severity_then_newest_with_what_is_over_last():
    board = board_of(
        incident("over-old", "resolved", severity="critical", ended_at=ago(50)),
        incident("over-new", "resolved", severity="info", started_at=ago(99), ended_at=ago(40)),
        incident("suppressed", "suppressed", severity="critical"),
        incident("pending", "pending", severity="critical"),
        incident("lost", "unknown", severity="info"),
        incident("info", severity="info"),
        incident("low", severity="low"),
        incident("medium", "acknowledged", severity="medium"),
        incident("unknown-new", severity="unknown", started_at=ago(2)),
        incident("high-old", severity="high", started_at=ago(9)),
        incident("high-newest", severity="high", started_at=ago(1)),
        incident("critical", severity="critical", started_at=ago(999)),
    )
    assert numbers(lane_of(board, "incident")) == [
        *("critical", "high-newest", "unknown-new", "high-old", "medium", "low", "info"),
        *("lost", "pending", "suppressed", "over-new", "over-old"),
    ]


def test_builds_by_what_needs_a_look_first():
    def at(number: str, word: str, minutes: float, **more):
        return build(number, word, started_at=ago(minutes), pipeline=number, **more)

    board = board_of(
        at("cancelled", "cancelled", 1),
        at("old", "success", 50),
        at("side", "failed", 40, branch="dev"),
        at("new", "success", 30),
        at("warning", "warning", 1),
        at("queued", "queued", 1),
        at("running", "running", 1),
        at("blocked", "blocked", 1),
        at("unknown", "unknown", 900),
        at("again", "running", 800, verdict="failed"),
        at("failed", "failed", 900),
    )
    assert numbers(lane_of(board, "build")) == [
        *("again", "failed", "unknown", "blocked", "running", "queued", "warning", "new", "side", "old", "cancelled")
    ]


def test_tickets_by_their_last_change():
    board = board_of(
        ticket("done", "done", updated_at=ago(1)),
        ticket("quiet", started_at=ago(1), updated_at=ago(90)),
        ticket("busy", "in_progress", started_at=ago(900), updated_at=ago(2)),
        ticket("undated", updated_at=None),
    )
    assert numbers(lane_of(board, "ticket")) == ["busy", "quiet", "undated", "done"]


@settings(max_examples=100, deadline=None)
@given(STEPS, st.sampled_from(LANES))
def test_faults_stand_before_everything_else_and_time_alone_moves_nothing(steps, kind):
    board = Board("s")
    for batch in steps:
        fold(board, *batch)
    lane = lane_of(board, kind)
    failing = [board.rows[key].failing for key in lane.keys]
    assert failing == sorted(failing, reverse=True)
    assert lane.faults == sum(failing)
    later = Lane(kind)
    later.rebuild(board, NOW + timedelta(days=30))
    assert later.keys == lane.keys == sorted(lane.keys, key=lambda key: urgency(board.rows[key]))


# -- what the filter hides


def test_what_the_filter_hides_is_counted_and_the_kind_hides_nothing():
    board = board_of(
        build(1, "failed", pipeline="a", team="x"),
        build(2, "failed", pipeline="b"),
        build(3, "success", pipeline="c"),
        build(4, "failed", pipeline="c", started_at=ago(99)),
        incident(1),
    )
    lane = lane_of(board, "build", "team:x")
    assert (numbers(lane), lane.hidden, lane.hidden_faults, lane.total, lane.faults) == (["1"], 2, 1, 3, 1)
    lane.update(board, fold(board, build(2, "success", pipeline="b", started_at=ago(1))), NOW)
    assert (lane.hidden, lane.hidden_faults) == (2, 0)
    lane.update(board, fold(board, "ci:build:3"), NOW)
    assert (lane.hidden, lane.hidden_faults) == (2, 1)


def test_faults_only_shows_what_fails_and_what_we_could_not_read():
    board = board_of(
        build(1, "failed", pipeline="a"),
        build(2, "unknown", pipeline="b"),
        build(3, "success", pipeline="c"),
        build(4, "running", pipeline="d", verdict="failed"),
        build(5, "failed", pipeline="e", branch="dev"),
    )
    lane = lane_of(board, "build", faults_only=True)
    assert numbers(lane) == ["1", "4", "2"]
    assert (lane.hidden, lane.hidden_faults) == (2, 0)
    assert all(is_fault(board.rows[key]) for key in lane.keys)
    assert "ci:build:1" in lane
    assert "ci:build:3" not in lane


# -- other orders, and groups


def _sorted(board, text, kind="build"):
    lane = Lane(kind, sort=sort_of(text))
    lane.rebuild(board, NOW)
    return [key.rpartition(":")[2] for key in lane.keys]


def test_a_lane_sorted_by_a_column_and_turned_round():
    board = board_of(
        build(1, title="b", actor="zoe", started_at=ago(30), pipeline="p1"),
        build(2, title="a", actor="", started_at=ago(10), pipeline="p2"),
        build(3, "failed", title="C", actor="Ann", started_at=ago(20), pipeline="p3"),
    )
    assert _sorted(board, "") == ["3", "2", "1"]
    assert _sorted(board, "title") == ["2", "1", "3"]
    assert _sorted(board, "-title") == ["3", "1", "2"]
    assert _sorted(board, "age") == ["2", "3", "1"]
    assert _sorted(board, "-age") == ["1", "3", "2"]
    assert _sorted(board, "state") == ["3", "1", "2"]
    # What has no value stands last, whichever way round.
    assert _sorted(board, "actor") == ["3", "1", "2"]
    assert _sorted(board, "-actor") == ["1", "3", "2"]


def test_a_lane_without_the_column_stands_by_urgency_whichever_way_round():
    incidents = [incident(1, severity="low"), incident(2, severity="critical"), incident(3, severity="high")]
    board = board_of(*incidents)
    for text in ("", "branch", "-branch"):
        assert _sorted(board, text, "incident") == ["2", "3", "1"]


def test_asking_for_a_column_again_turns_it_round_and_then_goes_back():
    first = turned(URGENCY, "age")
    assert (str(first), str(turned(first, "age")), turned(turned(first, "age"), "age")) == ("age", "-age", URGENCY)
    assert str(turned(first, "title")) == "title"
    assert sort_of("-") == sort_of("") == URGENCY


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from(["title", "-title", "age", "-age", "actor", "-service", "severity"]))
def test_following_changes_gives_the_order_of_a_new_lane(steps, text):
    board = Board("s")
    lanes = {kind: Lane(kind, sort=sort_of(text)) for kind in LANES}
    for batch in steps:
        delta = fold(board, *batch)
        for kind, lane in lanes.items():
            lane.update(board, delta, NOW)
            fresh = Lane(kind, sort=sort_of(text))
            fresh.rebuild(board, NOW)
            assert (lane.keys, lane.faults) == (fresh.keys, fresh.faults)


def test_groups_stand_where_their_first_row_does_and_tell_the_worst_of_them():
    board = board_of(
        build(1, "failed", pipeline="a", team="payments"),
        build(2, pipeline="b", team="payments"),
        build(3, pipeline="c", team="web", started_at=ago(1)),
        build(4, "unknown", pipeline="d", started_at=ago(2)),
        build(5, pipeline="e", team="web", source="dead", started_at=ago(3)),
    )
    keys = lane_of(board, "build").keys
    groups = grouped(keys, board.rows, "team", {"ci": "fresh", "dead": "stale"})
    told = [(g.name, len(g.keys), g.healthy, g.failing, g.unknown, g.unread) for g in groups]
    assert told == [("payments", 2, 1, 1, 0, 0), ("", 1, 0, 0, 1, 0), ("web", 2, 1, 0, 0, 1)]
    assert groups[0].worst == "ci:build:1"
    assert laid_out(groups, {groups[0].key, groups[2].key}) == [
        *(g.key for g in groups[:2]),
        "ci:build:4",
        groups[2].key,
    ]
    assert {line for line in laid_out(groups, ()) if not line.startswith(MARK)} == set(keys)


def test_a_group_is_not_called_well_of_which_a_source_was_read_in_part():
    board = board_of(
        build(1, team="a"), build(2, team="a", pipeline="q", source="gh"), build(3, team="b", pipeline="r")
    )
    gathering = Gathering("team")

    def lines(gh: HealthState) -> list[tuple[str, ...]]:
        keys = lane_of(board, "build").keys
        groups = gathering.look(keys, board.rows, {"ci": "fresh", "gh": gh})
        told = [group_line(group, "build", "team", None, "fresh", folded=True, glyphs=UNICODE) for group in groups]
        return sorted(tuple(text.strip() for text, style in line if style in ("success", "unknown")) for line in told)

    assert lines("fresh") == [("1/1 healthy",), ("2/2 healthy",)]
    assert lines("partial") == [("1/1 healthy",), ("gh read in part",)]
    assert lines("fresh") == [("1/1 healthy",), ("2/2 healthy",)]


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from(GROUPS))
def test_grouping_loses_no_row_and_makes_up_none(steps, by):
    board = Board("s")
    for batch in steps:
        fold(board, *batch)
    for kind in LANES:
        keys = lane_of(board, kind).keys
        groups = grouped(keys, board.rows, by, {})
        assert sorted(key for group in groups for key in group.keys) == sorted(keys)
        assert len({group.key for group in groups}) == len(groups)
        assert all(group.healthy >= 0 for group in groups)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from(GROUPS))
def test_groups_that_are_kept_are_those_that_would_be_made_anew(steps, by):
    board = Board("s")
    kept = Gathering(by)
    for batch in steps:
        kept.touch(fold(board, *batch).changed)
        states = {name: board.state_of(name) for name in board.health}
        keys = lane_of(board, "build").keys
        assert kept.look(keys, board.rows, states, urgent_first=True) == grouped(keys, board.rows, by, states)
        assert all((group := kept.group_of(key)) is not None and key in group.keys for key in keys)
