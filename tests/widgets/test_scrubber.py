"""The line of time: what stands in which cell, what fits, and where a click leads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.text import cell_len
from widgets.scrubber import (
    ASCII,
    UNICODE,
    Gap,
    Laid,
    Mark,
    Signs,
    Track,
    lay_track,
    legend,
    moment_at,
    place_of,
    put_here,
)

BEGAN = datetime(2026, 3, 11, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def hours(count: float) -> datetime:
    return BEGAN + timedelta(hours=count)


def track(**more: object) -> Track:
    return Track(BEGAN, BEGAN + DAY)._replace(**more)  # type: ignore[arg-type]


def cells_of(laid: Laid) -> list[str]:
    return [text for text, _ in laid.words[1 : laid.cells + 1]]


def drawn(laid: Laid) -> str:
    return "".join(text for text, _ in laid.words)


@pytest.mark.parametrize("signs", [UNICODE, ASCII])
def test_what_happened_stands_where_it_happened(signs: Signs):
    marks = [Mark(hours(3), "incident"), Mark(hours(12), "release"), Mark(hours(18.1), "build")]
    laid = lay_track(track(marks=marks), 114, signs)
    found = {cell: sign for cell, sign in enumerate(cells_of(laid)) if sign in signs.marks.values()}
    assert laid.cells == 100 and found == {
        12: signs.marks["incident"],
        50: signs.marks["release"],
        75: signs.marks["build"],
    }


@pytest.mark.parametrize("width", [1, 5, 30, 114])
def test_what_has_not_been_read_is_neither_quiet_nor_unwatched(width: int):
    laid = lay_track(track(known=False, at=hours(12), marks=[Mark(hours(3), "incident")]), width)
    assert cell_len(drawn(laid)) == width and len(cells_of(laid)) == laid.cells
    assert not {UNICODE.watched, UNICODE.unwatched, UNICODE.marks["incident"]} & set(cells_of(laid))
    assert width < 30 or "being read" in drawn(laid)
    assert put_here(laid, track(at=hours(12)))[laid.cells // 2 + 1][1] == "past"


def test_of_several_in_one_cell_the_gravest_is_seen():
    marks = [Mark(hours(3), what) for what in ("incident", "build", "release")]
    assert UNICODE.marks["incident"] in cells_of(lay_track(track(marks=marks), 60))
    assert UNICODE.marks["build"] in cells_of(lay_track(track(marks=marks[1:]), 60))


def test_a_release_that_failed_has_the_colour_of_failures():
    laid = lay_track(track(marks=[Mark(hours(3), "release", bad=True)]), 60)
    assert (UNICODE.marks["release"], "failed") in laid.words


def test_what_nobody_watched_is_never_shown_as_watched():
    gaps = [Gap(hours(2), hours(5)), Gap(hours(10), hours(14), partly=True), Gap(hours(20), hours(20.1))]
    cells = cells_of(lay_track(track(gaps=gaps), 14 + 48))
    assert cells[4:10] == [UNICODE.unwatched] * 6
    assert cells[20:28] == [UNICODE.partly] * 8
    assert cells[40] == UNICODE.partly, "a fifth of half an hour"
    assert UNICODE.watched in cells


@settings(deadline=None)
@given(st.floats(0, 23), st.floats(0.3, 24), st.integers(20, 300))
def test_a_gap_of_an_eighth_of_a_cell_is_seen(begin: float, length: float, width: int):
    laid = lay_track(track(gaps=[Gap(hours(begin), hours(begin + length))]), width)
    each = 24 / laid.cells
    for cell, sign in enumerate(cells_of(laid)):
        covered = max(0.0, min((cell + 1) * each, begin + length, 24) - max(cell * each, begin)) / each
        if covered >= 0.13:
            assert sign in (UNICODE.unwatched, UNICODE.partly), (cell, covered)
        elif covered <= 0.12:
            assert sign not in (UNICODE.unwatched, UNICODE.partly), (cell, covered)


def test_the_moment_is_marked_and_keeps_the_sign_below_it():
    shown = track(at=hours(12), marks=[Mark(hours(3), "incident")])
    laid = lay_track(shown, 114)
    assert put_here(laid, shown)[51] == (UNICODE.here, "past")
    at_mark = shown._replace(at=hours(3))
    assert put_here(laid, at_mark)[13] == (UNICODE.marks["incident"], "past")
    outside = shown._replace(at=hours(-1))
    assert put_here(laid, outside) == laid.words


def test_it_says_when_it_begins_and_where_it_ends():
    assert drawn(lay_track(track(), 80)).startswith("Wed 10:00 ") and drawn(lay_track(track(), 80)).endswith(" now")
    assert drawn(lay_track(track(ends_now=False), 80, ASCII)).endswith(" > now")
    east = track(zone=timezone(timedelta(hours=9)))
    assert drawn(lay_track(east, 80)).startswith("Wed 19:00 ")
    quarter = Track(BEGAN, BEGAN + 90 * DAY)
    assert drawn(lay_track(quarter, 80)).startswith("11 Mar ")


def test_times_stand_on_it_where_nothing_else_does():
    told = drawn(lay_track(track(), 120))
    assert "12:00" in told and "Thu" in told and "18:00" in told
    covered = track(gaps=[Gap(BEGAN, BEGAN + DAY)])
    assert ":" not in drawn(lay_track(covered, 120))[10:-4]
    assert "Sat" in drawn(lay_track(Track(BEGAN, BEGAN + 7 * DAY), 120))
    assert "16 Mar" in drawn(lay_track(Track(BEGAN, BEGAN + 90 * DAY), 120))


@settings(deadline=None)
@given(
    st.integers(1, 400),
    st.lists(st.tuples(st.floats(-5, 30), st.sampled_from(["incident", "build", "release"])), max_size=20),
    st.lists(st.tuples(st.floats(-5, 30), st.floats(0, 9)), max_size=5),
    st.floats(-2, 26),
    st.sampled_from([1, 7, 90]),
)
def test_it_takes_the_cells_it_is_given(width, marks, gaps, at, days):
    shown = Track(
        BEGAN,
        BEGAN + days * DAY,
        hours(at),
        [Mark(hours(when), what) for when, what in marks],
        [Gap(hours(when), hours(when + long)) for when, long in gaps],
    )
    for signs in (UNICODE, ASCII):
        laid = lay_track(shown, width, signs)
        words = put_here(laid, shown, signs)
        assert cell_len("".join(text for text, _ in words)) == width
        assert all(cell_len(text) == 1 for text, _ in words[1:-1])
        if signs is ASCII:
            assert "".join(text for text, _ in words).isascii()


@settings(deadline=None)
@given(st.integers(2, 300), st.floats(0, 24))
def test_a_cell_leads_to_a_moment_that_stands_in_it(cells: int, at: float):
    cell = place_of(hours(at), track(), cells)
    assert cell is not None
    back = moment_at(cell, track(), cells)
    assert place_of(back, track(), cells) == cell
    assert abs((back - hours(at)).total_seconds()) <= 86_400 / cells + 1


def test_the_last_cell_is_the_end():
    assert moment_at(99, track(), 100) == BEGAN + DAY == moment_at(500, track(), 100)
    assert place_of(hours(-1), track(), 100) is None and place_of(hours(25), track(), 100) is None


def test_the_legend_has_every_sign():
    for signs in (UNICODE, ASCII):
        assert all(sign in legend(signs) for sign in (*signs.marks.values(), signs.unwatched, signs.partly))
    assert len({*ASCII.marks.values(), ASCII.watched, ASCII.partly, ASCII.unwatched, ASCII.here}) == 7
    assert len({*UNICODE.marks.values(), UNICODE.watched, UNICODE.partly, UNICODE.unwatched, UNICODE.here}) == 7
