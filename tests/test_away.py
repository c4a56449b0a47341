"""What is marked while nobody looks, the digest, and the file that holds the last visit."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from statusboard.away import AWAY, Marks, digest, digest_line, read_visits, write_visit
from statusboard.model import Fact
from statusboard.timeline import Entry
from tests.boards import NOW, ago, board_of, build, fold, health, incident, note, release, ticket

LATER = NOW + AWAY


def marks_on(*facts: Fact) -> tuple[Any, Marks]:
    read = [health(name, last_success=NOW) for name in ("ci", "am", "cd", "tr")]
    board = board_of(*read, *facts)
    marks = Marks(NOW)
    marks.learn(board.items())
    marks.begin(board)
    return board, marks


@pytest.mark.parametrize(
    "before,after,marked",
    [
        (build(1), build(1, "failed"), True),
        (build(1, "running"), build(1, "running", attempt=2), True),
        (build(1), build(1, labels={"a": "b"}, title="Other", updated_at=ago(0)), False),
        (incident(1), incident(1, severity="critical"), True),
        (incident(1), incident(1, assignee="ann", labels={"pod": "2"}), False),
        (incident(1), incident(1, started_at=ago(1)), True),
        (release(1), release(1, version="2.0"), True),
        (release(1), release(1, commits=7), False),
        (ticket(1), ticket(1, priority="high"), True),
        (ticket(1), ticket(1, updated_at=ago(0)), False),
    ],
)
def test_what_counts_as_changed(before: Fact, after: Fact, marked: bool):
    board, marks = marks_on(before)
    marks.follow(board, fold(board, after))
    assert (before.key in marks) is marked and len(marks) == marked


def test_what_is_new_is_marked_and_what_leaves_is_not():
    board, marks = marks_on()
    marks.follow(board, fold(board, incident(1), health("am", "stale", last_success=NOW), note(incident(1), "x")))
    assert set(marks) == {"am:incident:1"} and marks["am:incident:1"] == 5
    marks.follow(board, fold(board, "am:incident:1"))
    assert len(marks) == 0
    marks.follow(board, fold(board, incident(1)))
    assert "am:incident:1" in marks, "it came back"


def test_a_source_that_is_read_for_the_first_time_brings_no_change():
    board, marks = marks_on()
    marks.follow(board, fold(board, incident(1, source="new"), incident(2, source="new")))
    marks.follow(board, fold(board, health("new", last_success=NOW)))
    assert len(marks) == 0
    marks.follow(board, fold(board, incident(2, "acknowledged", source="new"), incident(3, source="new")))
    assert set(marks) == {"new:incident:2", "new:incident:3"}


def test_nothing_is_marked_before_all_is_learned():
    board, marks = board_of(health("am", last_success=NOW)), Marks(NOW)
    marks.follow(board, fold(board, incident(1)))
    assert len(marks) == 0
    marks.begin(board)
    marks.follow(board, fold(board, incident(1, "acknowledged")))
    assert len(marks) == 1


def test_a_key_press_takes_the_marks_of_the_moment_away():
    board, marks = marks_on(incident(1))
    marks.follow(board, fold(board, incident(1, "acknowledged")))
    assert marks.pressed(NOW + timedelta(seconds=20)) == (timedelta(), frozenset({"am:incident:1"}))
    assert len(marks) == 0 and marks.since == NOW + timedelta(seconds=20)


def test_marks_of_who_was_away_stay_until_they_are_seen():
    board, marks = marks_on(incident(1), incident(2))
    marks.follow(board, fold(board, incident(1, "acknowledged")))
    assert marks.pressed(LATER) == (AWAY, frozenset())
    marks.follow(board, fold(board, incident(2, "acknowledged"), incident(1, "resolved")))
    away, lost = marks.pressed(LATER + timedelta(seconds=9))
    assert not away and lost == {"am:incident:2"} and set(marks) == {"am:incident:1"}
    assert marks["am:incident:1"] == 7, "the first change that nobody saw"
    assert marks.seen(["am:incident:1", "am:incident:2"]) == {"am:incident:1"} and len(marks) == 0


def test_the_key_that_asks_for_marks_keeps_them():
    board, marks = marks_on(incident(1))
    marks.follow(board, fold(board, incident(1, "acknowledged")))
    assert marks.pressed(NOW + timedelta(seconds=5), looking=True) == (timedelta(), frozenset())
    assert marks.pressed(NOW + timedelta(seconds=6)) == (timedelta(), frozenset())
    assert "am:incident:1" in marks


def test_a_clock_that_is_set_back_makes_nobody_absent():
    _, marks = marks_on()
    assert marks.pressed(NOW - timedelta(hours=3)) == (timedelta(), frozenset())
    assert marks.since == NOW


def test_what_changed_before_this_board_began():
    board, marks = marks_on(incident(1), release(2))
    entries = [entry("incident", "moved", "am:incident:1", seq=9), entry("incident", "opened", "am:incident:1", seq=5)]
    entries += [entry("release", "released", "cd:release:7"), entry("release", "said", "cd:release:2")]
    entries += [entry("source", "lost", "ci:source:ci")]
    assert marks.keep(entries, board) == set(marks) == {"am:incident:1"}
    assert marks["am:incident:1"] == 5


# -- the digest


def entry(kind: Any, event: Any, key: str = "", *, seq: int = 1) -> Entry:
    return Entry(
        seq=seq,
        at=NOW,
        seen_at=NOW,
        kind=kind,
        key=key or f"s:{kind}:{seq}",
        source="s",
        event=event,
        state="open",
        words="x",
    )


def test_the_digest_counts_items_not_changes():
    entries = [entry("incident", "opened", f"am:incident:{n % 2}") for n in range(6)]
    entries += [entry("incident", "closed"), entry("build", "moved"), entry("ticket", "moved")]
    entries += [entry("release", "released", seq=n) for n in range(5)]
    assert digest(entries) == "2 incidents opened, 1 resolved, 5 releases"
    assert digest([entry("incident", "closed"), entry("incident", "said")]) == "1 incident resolved, 1 note by a person"
    assert digest([entry("build", "moved")]) == digest([]) == ""


@pytest.mark.parametrize(
    "gone,told",
    [
        (timedelta(minutes=6), "6m"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(hours=2, minutes=7), "2h"),
        (timedelta(hours=14, minutes=40), "15h"),
        (timedelta(days=5), "5d"),
        (timedelta(seconds=1), "1m"),
    ],
)
def test_how_long_somebody_was_away(gone: timedelta, told: str):
    assert digest_line([entry("build", "failed")], gone) == f"while you were away ({told}): 1 build broke"


def test_where_nothing_happened_nothing_is_said():
    assert digest_line([entry("build", "moved")], AWAY) == ""
    assert digest_line([entry("build", "failed")], AWAY, visit=True).startswith("since your last visit (5m): ")


# -- the last visit


def test_a_visit_is_kept_for_oneself_alone(tmp_path: Path):
    path = tmp_path / "data" / "b.visits"
    assert read_visits(path) == {}
    write_visit(path, "one", ago(10))
    write_visit(path, "two", ago(5))
    write_visit(path, "one", ago(20))
    assert read_visits(path) == {"one": ago(10), "two": ago(5)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["b.visits"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"visits":{"a":1}}', b'{"visits":{"a":"2026-01-01T00:00:00"}}']
)
def test_a_file_that_holds_something_else_is_none(tmp_path: Path, content: bytes):
    path = tmp_path / "visits"
    path.write_bytes(content)
    assert read_visits(path) == {}
    write_visit(path, "a", NOW)
    assert read_visits(path) == {"a": NOW}


def test_few_stores_are_remembered(tmp_path: Path):
    path = tmp_path / "visits"
    for number in range(30):
        write_visit(path, str(number), ago(100 - number))
    assert len(read_visits(path)) == 20 and "29" in read_visits(path) and "9" not in read_visits(path)


def test_where_it_cannot_be_kept(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        write_visit(tmp_path / "file" / "visits", "a", NOW)
