"""Lanes by need, words by importance, carets under mistakes: the pure parts of the widgets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.screens.bars import hints, view_words
from widgets.filterbar import Mistake, point_at
from widgets.headline import lay_all, lay_words
from widgets.layout import place, share
from widgets.words import STYLES, rich_style, styled, width_of

# -- lines for lanes


def test_everybody_gets_what_it_needs_where_there_is_enough():
    assert share([5, 1, 12, 1], 30) == [5, 1, 23, 1], "the rest goes to the last that is open"
    assert share([1, 1], 10) == [1, 1], "empty lanes need no more than their title"
    assert share([], 10) == []


def test_nobody_gets_more_than_it_needs_while_another_has_too_little():
    assert share([100, 1, 4, 100], 35) == [15, 1, 4, 15]


def test_with_little_room_the_favoured_lane_can_be_read():
    assert share([40, 40, 40, 40], 13) == [5, 5, 1, 1] or sum(share([40, 40, 40, 40], 13)) == 13
    assert share([40, 40, 40, 40], 8, favoured=3) == [1, 1, 1, 5]
    assert share([40, 40, 40], 2, favoured=2)[2] == 1


needs = st.lists(st.integers(1, 60), max_size=6)


@given(needs, st.integers(0, 120), st.integers(0, 5))
def test_lines_are_never_given_twice(needs, room, favoured):
    favoured = min(favoured, max(0, len(needs) - 1))
    given_ = share(needs, room, favoured)
    assert len(given_) == len(needs) and sum(given_) <= room and all(lines >= 0 for lines in given_)
    if any(need > 1 for need in needs) and room >= len(needs):
        assert sum(given_) == room, "no line is wasted while a lane is open"
    if needs and room > 0:
        assert given_[favoured] >= 1


@given(needs, st.integers(1, 320), st.integers(1, 110))
def test_lanes_do_not_overlap(needs, width, height):
    seen: set[tuple[int, int]] = set()
    for x, y, w, h in place(needs, width, height):
        assert x >= 0 and x + w <= width and y >= 0 and y + h <= height
        cells = {(column, row) for column in (x, x + w - 1) for row in range(y, y + h)}
        assert not cells & seen
        seen |= cells


# -- words for the header


def test_words_by_importance():
    words = [(" FAILING 3 ", "verdict-failed"), ("Payments", "strong")]
    more = [("2 critical", "critical"), ("4 of 5 fresh", "warning"), ("1 stale: am", "unknown")]
    one = lay_words(words, more, 200, 1)
    assert ["".join(text for text, _ in row) for row in one] == [
        " FAILING 3   Payments  2 critical  4 of 5 fresh  1 stale: am"
    ]
    two = lay_words(words, more, 28, 2)
    assert ["".join(text for text, _ in row) for row in two] == [" FAILING 3   Payments", "2 critical  4 of 5 fresh"]
    assert lay_words(words, more, 6, 1) == [[(" FAIL…", "verdict-failed")]]


@pytest.mark.parametrize("lines", [1, 2])
def test_who_polls_is_told_before_what_is_less_important(lines: int) -> None:
    words = [(" FAILING 9 ", "verdict-failed"), ("Payments", "strong")]
    more = [("4 of 5 fresh", "warning"), ("3 critical", "critical"), ("4 high", "high"), ("2 suppressed", "muted")]
    corner = [("reading", "muted")]
    for width in range(20, 120):
        rows = lay_all(words, more, corner, width, lines)
        assert all(width_of(row) <= width for row in rows)
        assert rows[0][0] == words[0]
        assert sum(row[-1] == corner[0] for row in rows) == 1
        assert width < 60 or rows[-1].count(more[0]) or rows[0].count(more[0])
    assert lay_all(words, more, corner, 200, lines)[0][-1] == corner[0]
    assert lay_all(words, more, [], 40, lines) == lay_words(words, more, 40, lines)


@given(st.lists(st.tuples(st.text("ab 漢", max_size=12), st.just("")), max_size=6), st.integers(1, 60), st.booleans())
def test_words_never_exceed_the_line(words, width, two):
    for row in lay_words(words[:2], words[2:], width, 2 if two else 1):
        assert width_of(row) <= width


# -- mistakes


@pytest.mark.parametrize(
    "text, mistake, width, shown",
    [
        ("stat:x", Mistake("unknown key", 0, 4), 60, "^^^^ unknown key"),
        ("a" * 50 + " stat:x", Mistake("unknown key", 51, 55), 60, " " * 39 + "unknown key ^^^^"),
        ("stat:x", Mistake("unknown key `stat`: did you mean `state`?", 0, 4), 20, "unknown key `stat`:…"),
        ("", Mistake("nothing", 0, 1), 20, "^ nothing"),
    ],
)
def test_carets_stand_under_what_is_wrong(text, mistake, width, shown):
    assert "".join(text for text, _ in point_at(text, mistake, width)) == shown


@given(st.text("ab 漢", max_size=60), st.integers(0, 60), st.integers(1, 6), st.integers(1, 80))
def test_a_mistake_never_exceeds_the_line(text, start, length, width):
    start = min(start, len(text))
    words = point_at(text, Mistake("this is what is wrong with it", start, start + length), width)
    assert width_of(words) <= width


# -- views


NAMES = ["Overview", "Incidents", "Builds", "Releases", "Tickets", "Payments", "Core"]
HINTS = hints(lambda action: {"next_match": ["n"], "help": ["question_mark"]}.get(action, ["x"]), filtered=False)


def bar_of(width: int, chosen: int = 0) -> str:
    return "".join(text for text, _ in view_words(NAMES, chosen, width, HINTS))


def test_the_chosen_view_is_always_there():
    for width in (20, 40, 60, 80, 200):
        for chosen in range(len(NAMES)):
            words = view_words(NAMES, chosen, width, HINTS)
            assert NAMES[chosen] in "".join(text for text, style in words if style == "chosen"), (width, chosen)
            assert width_of(words) <= max(width, 15)


def test_the_way_to_what_is_wrong_is_told_where_there_is_room():
    assert bar_of(40).endswith("? keys") and "fault" not in bar_of(40)
    for width in (58, 78, 118):
        assert bar_of(width).endswith("? keys") and "n next fault" in bar_of(width)
    assert "x open" in view_words([*NAMES, *NAMES], 0, 118, HINTS)[-1][0]
    assert "x open" in bar_of(200) and "x quit" in bar_of(200)
    assert "n next match" in hints(lambda action: ["n"], filtered=True)[-2]


def test_views_out_of_sight_are_told_of():
    assert "…" not in bar_of(200)
    assert bar_of(78).startswith(" 1 Overview") and " … " in bar_of(78)
    assert bar_of(58, chosen=6).startswith(" … ") and "7 Core" in bar_of(58, chosen=6)


# -- styles


def test_every_style_can_be_parsed_and_text_is_never_markup():
    assert styled([("[/x] [b]", "failed"), ("y", "no such style")]).plain == "[/x] [b]y"
    for name in ("critical", "muted"):
        assert name in STYLES


async def test_styles_follow_the_theme():
    from textual.app import App

    app: App[None] = App()
    async with app.run_test():
        dark = rich_style("failed")
        assert dark.bold and dark.color is not None
        assert rich_style("muted", ansi=True).dim
