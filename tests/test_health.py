"""Health, judged by the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from statusboard.errors import NotFound, Timeout
from statusboard.health import Tracker, by_age

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def tracker(**kw: object) -> Tracker:
    return Tracker("am", "alertmanager", 15.0, **kw)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (-3600, "stale"),
        (-1, "fresh"),
        (0, "fresh"),
        (30, "fresh"),
        (30.1, "aging"),
        (60, "aging"),
        (60.1, "stale"),
        (1e6, "stale"),
    ],
)
def test_age_alone(age: float, state: str) -> None:
    assert by_age(T0, 15, at(age)) == state


def test_nothing_yet_is_starting_then_down() -> None:
    t = tracker()
    assert t.judge(T0).state == "starting"
    t.failed("alerts", Timeout("not read within 10 s"))
    assert t.judge(at(1)).state == "down"
    t.read("alerts", at(2), ())
    assert t.judge(at(2)).state == "fresh"


def test_a_failed_part_makes_a_source_partial_and_never_fresh() -> None:
    t = tracker()
    t.read("a", T0, ())
    assert t.failed("b", NotFound("GET /b: 404")) is True
    assert t.failed("b", NotFound("GET /b: 404")) is False, "told once"
    health = t.judge(T0)
    assert health.state == "partial" and [e.part for e in health.errors] == ["b"]
    t.read("b", at(15), ())
    assert t.judge(at(15)).state == "fresh"


def test_a_dead_source_ages_then_goes_stale_whatever_its_errors() -> None:
    t = tracker()
    t.read("alerts", T0, ())
    t.failed("alerts", Timeout("no answer"))
    assert [t.judge(at(s)).state for s in (15, 30, 31, 45, 60, 61)] == [
        "partial",
        "partial",
        "aging",
        "aging",
        "aging",
        "stale",
    ]
    t.read("alerts", at(62), ())
    assert t.judge(at(62)).state == "fresh"


def test_a_missing_heartbeat_is_stale_however_fresh_the_answer() -> None:
    t = tracker(expected={"Watchdog"})
    t.read("alerts", T0, ())
    t.polled({"alerts"})
    health = t.judge(T0)
    assert health.state == "stale" and "Watchdog" in health.error and health.missing == ("Watchdog",)
    t.read("alerts", at(15), {"Watchdog"})
    t.polled({"alerts"})
    assert t.judge(at(15)).state == "fresh"


def test_a_heartbeat_once_seen_is_required_even_after_a_restart() -> None:
    t = tracker()
    t.read("alerts", T0, {"Watchdog"})
    t.polled({"alerts"})
    told = t.judge(T0)
    assert told.state == "fresh" and told.beats == ("Watchdog",)
    again = tracker(before=told, last_success=T0)
    again.read("alerts", at(15), ())
    again.polled({"alerts"})
    assert again.judge(at(15)).state == "stale"


def test_a_304_says_nothing_new_of_heartbeats() -> None:
    t = tracker(expected={"Watchdog"})
    t.read("alerts", T0, {"Watchdog"})
    t.polled({"alerts"})
    t.read("alerts", at(15), (), unchanged=True)
    t.polled({"alerts"})
    assert t.judge(at(15)).state == "fresh"


def test_parts_no_longer_asked_for_are_forgotten() -> None:
    t = tracker()
    t.read("a", T0, ())
    t.failed("b", NotFound("404"))
    t.polled({"a"})
    assert t.judge(T0).state == "fresh"


def test_nothing_new_is_the_same_object() -> None:
    t = tracker()
    t.read("a", T0, ())
    assert t.judge(T0) is t.judge(at(10))
    later = t.judge(at(31))
    assert later.state == "aging" and later.started_at == at(31)


def test_after_a_night_without_a_board_it_is_stale_until_read() -> None:
    t = tracker(last_success=at(-8 * 3600))
    assert t.judge(T0).state == "stale"


def test_paused_by_a_person() -> None:
    t = tracker()
    t.read("a", T0, ())
    t.paused = True
    assert t.judge(at(1000)).state == "paused"


def test_errors_are_one_line_without_secrets() -> None:
    t = tracker()
    t.failed("a", Timeout("Authorization: Bearer abcdef123456\nsecond line \x1b[31m"))
    (error,) = t.judge(T0).errors
    assert "abcdef123456" not in error.error and "\n" not in error.error and "\x1b" not in error.error


def test_what_could_not_be_read_before_a_restart_is_not_fresh_after_it() -> None:
    t = tracker()
    t.read("a", T0, ())
    t.failed("b", NotFound("404"))
    again = tracker(before=t.judge(T0), last_success=T0)
    assert again.judge(at(1)).state == "partial", "nothing was read since"
    again.read("a", at(15), ())
    again.polled({"a", "b"})
    assert again.judge(at(15)).state == "partial"
    again.read("b", at(30), ())
    assert again.judge(at(30)).state == "fresh"


def test_an_error_of_the_whole_source_outlives_a_restart() -> None:
    t = tracker()
    t.failed_whole(Timeout("no answer"))
    again = tracker(before=t.judge(T0))
    assert again.judge(at(1)).state == "down" and again.judge(at(1)).error == "no answer"


def test_a_missing_heartbeat_is_told_once_and_goes_with_it_even_after_a_restart() -> None:
    t = tracker(expected={"Watchdog"})
    t.read("alerts", T0, ())
    t.polled({"alerts"})
    again = tracker(expected={"Watchdog"}, before=t.judge(T0), last_success=T0)
    again.read("alerts", at(15), (), unchanged=True)
    again.polled({"alerts"})
    assert again.judge(at(15)).state == "stale", "a 304 vouches for an answer without it"
    again.read("alerts", at(30), {"Watchdog"})
    again.polled({"alerts"})
    assert (again.judge(at(30)).state, again.judge(at(30)).error) == ("fresh", "")


def test_a_heartbeat_in_a_part_that_did_not_change_or_failed_is_not_missed() -> None:
    t = tracker()
    t.read("a", T0, {"Watchdog"})
    t.read("b", T0, ())
    t.polled({"a", "b"})
    t.read("a", at(15), (), unchanged=True)
    t.read("b", at(15), ())
    t.polled({"a", "b"})
    assert t.judge(at(15)).state == "fresh"
    t.failed("a", Timeout("no answer"))
    t.read("b", at(30), ())
    t.polled({"a", "b"})
    assert t.judge(at(30)).state == "partial"
    t.read("a", at(45), ())
    t.polled({"a", "b"})
    assert t.judge(at(45)).state == "stale"


def test_a_clock_that_is_set_back_keeps_nothing_fresh() -> None:
    t = tracker()
    t.read("alerts", T0, ())
    t.judge(T0)
    assert [t.judge(at(s)).state for s in (1, 2 - 7200)] == ["fresh", "fresh"]
    assert [t.judge(at(s - 7200)).state for s in (30, 40, 60, 70)] == ["fresh", "aging", "aging", "stale"]
    t.read("alerts", at(-7200 + 75), ())
    assert t.judge(at(-7200 + 75)).state == "fresh" and t.last_success == at(-7200 + 75)


def test_a_clock_that_leaps_ahead_is_believed_until_the_next_answer() -> None:
    t = tracker()
    t.read("alerts", T0, ())
    assert t.judge(at(7200)).state == "stale", "a laptop that slept"
    t.read("alerts", at(7201), ())
    assert t.judge(at(7201)).state == "fresh"
