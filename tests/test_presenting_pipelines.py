"""How a pipeline does, in words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from statusboard.model import Build
from statusboard.pipelines import LEAST, PipelineHealth, health
from statusboard.presenting import ASCII
from statusboard.presenting.pipelines import COLUMNS, health_lines, health_row, health_words, name_of
from tests.boards import NOW, ago
from tests.boards import build as _build

DAY = 24 * 60


def build(number: int, state: str = "success", minutes: float = 1, *, took: float = 5, **more: Any) -> Build:
    known = {"run_number": number, "revision": f"r{number}", "actor": "ann"}
    times = {"started_at": ago(minutes + took), "ended_at": ago(minutes)}
    return _build(number, state, **{**times, **known, **more})


def line(*builds: Build) -> PipelineHealth:
    (found,) = health(builds, since=NOW - timedelta(days=7), until=NOW)
    return found


def lines(*builds: Build, **more: Any) -> dict[str, str]:
    found = health_lines(line(*builds), days=7, now=NOW, **more)
    return {label: text if isinstance(text, str) else "".join(word for word, _ in text) for label, text, _ in found}


def test_what_is_known_is_told_with_how_many_say_so() -> None:
    older = [build(n, "success", 8 * DAY + n, took=4) for n in range(LEAST)]
    newer = [build(20 + n, "success", DAY + n, took=8, queued_at=ago(DAY + n + 9)) for n in range(LEAST)]
    red = [build(40, "failed", 300, actor="bob", revision="x"), build(41, "success", 60, revision="x", took=8)]
    told = lines(*older, *newer, *red)
    assert told == {
        "over": "7 days: 7 runs, 1 of 7 failed",
        "flaky": "1 revision of 1 tested again both failed and passed, last x, turned red 1 time in 7 verdicts",
        "longest red": "4h, from 07:00 to 11:00, first bad #40 x by bob",
        "takes": "median 8m (n 6), in the 7 days before 4m (n 5), +100 %: slower",
        "waits": "median 1m, nine of ten at most 1m (n 5), of 2 it is not known",
    }


def test_what_is_not_known_is_said_and_is_never_nothing() -> None:
    told = lines(build(1, "running", 5, ended_at=None, revision=""))
    assert told["flaky"] == "no run of it said anything"
    assert told["longest red"] == "not known"
    assert told["takes"] == "no good run tells how long it took"
    assert told["waits"] == "its source does not tell when a build was asked for"
    assert health_lines(None, days=7, now=NOW) == [("over", "7 days: nothing ran", "muted")]


def test_until_older_runs_are_read_only_the_board_is_told_of() -> None:
    assert lines(build(1), reading=True)["over"].startswith("what is on the board; older runs are being read: 1 run")
    assert lines(build(1), problem="no disk")["over"].startswith("what is on the board; no disk: 1 run")


def test_a_line_that_is_red_says_how_long_at_least() -> None:
    assert (
        lines(build(1, "failed", 90))["longest red"] == "1h30m or longer, from 10:30 and still, first bad #1 r1 by ann"
    )
    same = lines(build(1, "success", 300, revision="a"), build(2, "failed", 90, revision="a"))
    assert same["longest red"].endswith("first bad #2 a by ann, which had passed before")


@pytest.mark.parametrize("glyphs,sign", [(None, "✗"), (ASCII, "X")])
def test_a_row_says_all_in_words(glyphs: Any, sign: str) -> None:
    more = {"glyphs": glyphs} if glyphs else {}
    row = health_words(line(build(1, "failed", 90)), NOW, **more)
    assert list(row) == list(COLUMNS)
    assert row["red"] == (f"{sign} 1h", "failed")
    assert row["waits"][0] == row["took"][0] == row["flaky"][0] == "no data"
    assert row["pipeline"][0] == "acme/shop test"
    assert health_words(line(build(1, "cancelled")), NOW)["red"][0] == "? no verdict"  # never good


def test_a_branch_is_named_where_it_is_not_known_to_be_the_default_one() -> None:
    assert name_of(line(build(1, branch="v2", default_branch=""))) == "acme/shop test v2"
    assert name_of(line(build(1))) == "acme/shop test"


def test_a_row_for_scripts_tells_what_is_not_known_as_null() -> None:
    row = json.loads(json.dumps(health_row(line(build(1, "failed", 90), build(1, "running", 5, attempt=2)), NOW)))
    assert row["red"]["seconds"] == 90 * 60
    assert row["red"]["at_least"] is True
    assert row["red"]["first_bad"]["actor"] == "ann"
    assert (row["took"], row["waited"], row["slower"]) == (None, None, None)
    assert row["verdicts"] == 1
