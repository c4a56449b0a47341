"""What a wall shows, page by page, and what it says of what it does not show."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.board import Board
from statusboard.model import Release, Status
from statusboard.view import OVERVIEW, ViewSpec
from statusboard.wall import Deployed, Faults, Night, Part, Rotation, Slide, WallSpec, freshness
from statusboard.wall.rotation import slides_of
from tests.boards import FACTS, NOW, STEPS, ago, board_of, build, fold, health, incident, release, ticket, unique

PAYMENTS = ViewSpec("Payments", "team:payments")
BUILDS = ViewSpec("Builds", lanes=("build",))


def faults_of(board: Board, *views: ViewSpec, filter: str = "") -> Faults:
    faults = Faults(WallSpec(views=views or (OVERVIEW,), filter=filter))
    faults.rebuild(board, NOW)
    return faults


# -- what is wrong


def test_the_worst_comes_first_and_what_nobody_has_acknowledged_before_what_somebody_has():
    board = board_of(
        incident("low", severity="low"),
        incident("acked", "acknowledged", severity="critical", started_at=ago(1)),
        incident("old", severity="critical", started_at=ago(90)),
        incident("new", severity="critical", started_at=ago(5)),
        incident("medium", severity="medium"),
        build("b", "failed"),
        build("u", "unknown", pipeline="other"),
        build("fine", pipeline="third"),
        incident("sup", "suppressed", severity="critical"),
    )
    names = [key.rpartition(":")[2] for key in faults_of(board).keys(0)]
    assert names == ["new", "old", "acked", "b", "medium", "low", "u"]


def test_an_incident_of_unknown_severity_counts_as_a_high_one():
    board = board_of(incident(1, severity="medium"), incident(2), incident(3, severity="high", started_at=ago(60)))
    assert [key[-1] for key in faults_of(board).keys(0)] == ["2", "3", "1"]


def test_what_no_view_shows_is_counted_and_critical_incidents_are_named():
    board = board_of(
        incident(1, severity="critical", team="payments"),
        incident(2, severity="critical", team="search"),
        incident(3, severity="high", team="search"),
        build(4, "unknown", team="search"),
    )
    faults = faults_of(board, PAYMENTS, BUILDS)
    assert (faults.failing(0), faults.failing(1)) == (1, 0)
    assert faults.hidden == 2, "what is unknown is shown by the view of builds, and is no fault that is hidden"
    assert faults.hidden_critical == ["am:incident:2"]
    fold(board, incident(2, "resolved", team="search"))
    assert faults_of(board, PAYMENTS).hidden_critical == []


def test_the_walls_own_filter_narrows_every_view_and_hides_nothing_unnoticed():
    board = board_of(incident(1, severity="critical", environment="staging", team="payments"))
    faults = faults_of(board, OVERVIEW, PAYMENTS, filter="environment:production")
    assert faults.keys(0) == faults.keys(1) == []
    assert faults.hidden == 1 and faults.hidden_critical == ["am:incident:1"]


def test_a_filter_with_an_or_is_taken_as_a_whole():
    board = board_of(incident(1, team="a"), incident(2, team="b"), incident(3, team="c"))
    faults = faults_of(board, ViewSpec("x", "team:a OR team:c"), filter="team:b OR team:c")
    assert faults.keys(0) == ["am:incident:3"] and faults.hidden == 2


def test_a_filter_by_how_well_a_source_is_read_follows_its_health():
    board = board_of(incident(1), health("am", "fresh"))
    faults = faults_of(board, ViewSpec("x", "-is:stale"))
    assert faults.keys(0) == ["am:incident:1"]
    faults.update(board, fold(board, health("am", "stale")), NOW)
    assert faults.keys(0) == [] and faults.hidden == 1


def test_a_filter_by_time_needs_the_clock():
    assert Faults(WallSpec(views=(ViewSpec("x", "since:2h"),))).needs_clock
    assert not Faults(WallSpec(filter="team:x")).needs_clock


@given(st.lists(FACTS, max_size=8).map(unique), STEPS)
def test_followed_change_by_change_it_is_what_it_is_when_built_anew(facts, steps):
    spec = WallSpec(views=(OVERVIEW, ViewSpec("a", "source:a -is:stale"), BUILDS), filter="-environment:staging")
    board = board_of(*facts)
    followed = Faults(spec)
    followed.rebuild(board, NOW)
    for step in steps:
        followed.update(board, fold(board, *step), NOW)
        anew = Faults(spec)
        anew.rebuild(board, NOW)
        for view in range(3):
            assert followed.keys(view) == anew.keys(view)
            assert followed.failing(view) == anew.failing(view)
        assert followed.hidden == anew.hidden and followed.hidden_critical == anew.hidden_critical
    shown = {key for view in range(3) for key in followed.keys(view)}
    failing = {row.key for row in board.failing()}
    assert len(failing - shown) == followed.hidden


# -- what changed just before


def test_the_newest_release_of_a_service_is_that_of_the_same_environment():
    board = board_of(
        release(1, version="1", started_at=ago(90)),
        release(2, version="2", started_at=ago(30)),
        release(3, version="3", started_at=ago(10), environment="staging"),
    )
    deployed = Deployed()
    deployed.rebuild(board)

    def newest(service: str, environment: str) -> str:
        found = deployed.newest(board, service, environment)
        return found.version if isinstance(found, Release) else ""

    assert newest("shop", "production") == "2"
    assert newest("shop", "staging") == newest("shop", "") == "3"
    assert newest("other", "production") == ""
    deployed.update(board, fold(board, release(4, version="4", started_at=ago(1)), "cd:release:2"))
    assert newest("shop", "production") == "4"
    deployed.update(board, fold(board, "cd:release:4"))
    assert newest("shop", "production") == "1"
    given_up = release(5, "inactive", version="0", started_at=ago(99), ended_at=ago(1))
    deployed.update(board, fold(board, given_up))
    assert newest("shop", "production") == "1", "what another one replaced is no change"
    deployed.update(board, fold(board, "cd:release:1"))
    assert newest("shop", "production") == "0"


# -- pages


def test_without_a_fault_it_walks_through_all_views():
    rotation = Rotation(30, 0)
    parts = [Part(0, 1, False), Part(1, 1, False)]
    assert rotation.settle(parts, 0) == Slide(0, 0)
    assert rotation.settle(parts, 29) == Slide(0, 0)
    assert rotation.settle(parts, 30) == Slide(1, 0)
    assert rotation.settle(parts, 60) == Slide(0, 0)


def test_it_stays_with_what_is_red_and_walks_through_its_pages():
    rotation = Rotation(30, 0)
    rotation.settle([Part(0, 1, False), Part(1, 1, False)], 0)
    red = [Part(0, 1, False), Part(1, 2, True)]
    assert rotation.settle(red, 10) == Slide(1, 0), "at once"
    assert rotation.settle(red, 40) == Slide(1, 1)
    assert rotation.settle(red, 70) == Slide(1, 0)
    one = [Part(0, 1, True), Part(1, 1, False)]
    assert [rotation.settle(one, now) for now in (80, 200)] == [Slide(0, 0)] * 2
    assert rotation.left(200) is None


def test_a_page_that_has_gone_leads_to_the_one_before_it():
    rotation = Rotation(30, 0)
    rotation.settle([Part(0, 1, True), Part(1, 3, True)], 0)
    for now in (30, 60, 90):
        rotation.settle([Part(0, 1, True), Part(1, 3, True)], now)
    assert rotation.shown == Slide(1, 2)
    assert rotation.settle([Part(0, 1, True), Part(1, 2, True)], 91) == Slide(1, 1)


def test_what_stood_alone_for_an_hour_has_its_time_when_a_second_one_comes():
    rotation = Rotation(30, 0)
    for now in (0, 3600):
        rotation.settle([Part(0, 1, True)], now)
    two = [Part(0, 2, True)]
    assert rotation.settle(two, 3601) == Slide(0, 0)
    assert rotation.settle(two, 3630) == Slide(0, 0)
    assert rotation.settle(two, 3631) == Slide(0, 1)


def test_a_new_fault_is_shown_but_nothing_is_torn_away_within_seconds():
    rotation = Rotation(30, 0)
    parts = [Part(0, 3, True)]
    rotation.settle(parts, 0)
    assert not rotation.go_to(Slide(0, 2), 3)
    assert rotation.go_to(Slide(0, 2), 5) and rotation.shown == Slide(0, 2)
    assert rotation.settle(parts, 34) == Slide(0, 2), "its time begins anew"
    assert rotation.go_to(Slide(0, 7), 100) and rotation.shown == Slide(0, 2), "there is no such page"


def test_the_countdown_goes_in_coarse_steps():
    rotation = Rotation(30, 0)
    parts = [Part(0, 2, True)]
    rotation.settle(parts, 0)
    assert [rotation.left(now) for now in (0, 0.5, 4.9, 5.5, 14, 24, 29.5)] == [30, 30, 30, 25, 20, 10, 5]
    assert rotation.next == Slide(0, 1)


def test_no_page_is_shown_for_less_than_it_takes_to_read_it():
    rotation = Rotation(0.1, 0)
    parts = [Part(0, 2, True)]
    rotation.settle(parts, 0)
    assert rotation.settle(parts, 4.9) == Slide(0, 0)
    assert rotation.settle(parts, 5) == Slide(0, 1)


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=4), st.lists(st.floats(0, 60)))
def test_only_pages_that_there_are_are_ever_shown(views, waits):
    parts = [Part(n, pages, red) for n, (pages, red) in enumerate(views)]
    rotation, now = Rotation(10, 0), 0.0
    for wait in waits:
        now += wait
        slide = rotation.settle(parts, now)
        assert slide in slides_of(parts)
        assert parts[slide.view].red or not any(part.red for part in parts)


# -- how fresh it is


def status(source: str, *, read: float, due: float | None = None) -> Status:
    due_at = NOW + timedelta(seconds=due) if due is not None else None
    return Status(source=source, last_success=NOW - timedelta(seconds=read), next_poll=due_at)


def judged(board: Board, *statuses: Status, role: str = "polling", notice: str = ""):
    return freshness(board, {each.source: each for each in statuses}, role, notice, NOW)


def test_all_is_fresh():
    board = board_of(health("ci"), health("am"), health("extra", "down", optional=True))
    told = judged(board, status("ci", read=5), status("am", read=130))
    assert (told.level, told.headline) == ("fresh", "")
    assert told.told == "all 2 sources fresh, the oldest read 2m ago; 1 optional unread"
    assert told.read_at == NOW - timedelta(seconds=5)


@pytest.mark.parametrize(
    ("state", "level", "headline"),
    [
        ("aging", "old", "1 OF 2 OLD"),
        ("stale", "unread", "1 OF 2 UNREAD"),
        ("partial", "unread", "1 OF 2 NOT READ IN FULL"),
    ]
    + [(state, "unread", "1 OF 2 UNREAD") for state in ("down", "starting", "paused")],
)
def test_one_source_that_is_not_read_is_told_with_its_name_and_age(state, level, headline):
    told = judged(board_of(health("ci"), health("am", state)), status("ci", read=5), status("am", read=300))
    assert (told.level, told.headline) == (level, headline)
    assert "am " in told.told and "read 5m ago" in told.told and "ci" not in told.told


def test_an_age_that_says_nothing_is_told_with_how_often_it_is_read():
    board = board_of(health("ci"), health("api", "stale", interval=5.0))
    told = judged(board, status("ci", read=5), status("api", read=25))
    assert told.headline == "1 OF 2 UNREAD" and told.told == "api stale, read <1m ago, due every 5s"


def test_what_is_late_since_reading_it_fails_is_told_so():
    board = board_of(health("ci", "aging", error="exit code 1"))
    told = judged(board, status("ci", read=130))
    assert (told.level, told.headline) == ("unread", "1 OF 1 NOT READ IN FULL")
    assert told.told == "ci aging and failing, read 2m ago"


def test_what_only_the_age_tells_counts_as_well():
    board = board_of(health("ci"))
    board.overlay = {"ci": "aging"}
    assert judged(board, status("ci", read=70), role="following").level == "old"


def test_when_every_poll_is_overdue_nobody_polls():
    board = board_of(health("ci"), health("am"), health("off", "paused", optional=True))
    late = [status("ci", read=40, due=-21), status("am", read=60, due=-30), status("off", read=9_000, due=9_000)]
    told = judged(board, *late, role="reading")
    assert (told.level, told.headline) == ("dead", "NOBODY POLLS")
    assert "read was <1m ago" in told.told
    assert judged(board, *late, role="polling").level == "fresh", "we would know"
    assert judged(board, status("ci", read=40, due=-21), status("am", read=3, due=1), role="reading").level == "fresh"


def test_a_store_that_has_gone_is_told_before_all_else():
    told = judged(board_of(health("ci", "stale")), role="reading", notice="the file was deleted")
    assert (told.level, told.headline) == ("dead", "STORE GONE") and "the file was deleted" in told.told


def test_where_nothing_was_read_nothing_is_fresh():
    assert judged(Board()).headline == "NOTHING READ"
    assert judged(board_of(health("x", "down", optional=True))).level == "unread", "not by optional ones alone"


def test_a_board_that_stores_nothing_says_so():
    told = judged(board_of(health("ci")), status("ci", read=1), notice="nothing is stored: the disk is full")
    assert (told.level, told.headline) == ("old", "NOT STORED")


# -- night


@pytest.mark.parametrize(
    ("at", "dark"),
    [("21:59", False), ("22:00", True), ("23:59", True), ("00:00", True), ("05:59", True), ("06:00", False)],
)
def test_the_night_goes_past_midnight(at, dark):
    hour, minute = map(int, at.split(":"))
    assert Night().holds(datetime(2026, 1, 2, hour, minute, tzinfo=UTC), UTC) is dark


def test_the_night_is_that_of_the_boards_time_zone():
    assert Night().holds(datetime(2026, 1, 2, 21, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    assert not Night(time(1), time(5)).holds(datetime(2026, 1, 2, 5, 0, tzinfo=UTC), UTC)


def test_tickets_are_never_faults():
    board = board_of(ticket(1), ticket(2, "unknown"))
    assert faults_of(board).keys(0) == ["tr:ticket:2"], "but one that could not be read is seen"
    assert faults_of(board).failing(0) == 0
