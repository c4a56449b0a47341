"""Large type and tiles: what is drawn, how large, and that nothing leaves its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.text import cell_len
from widgets.bigtype import big, height_of_big, largest, spelled, width_of_big
from widgets.tiles import MOST_COLUMNS, Plan, Tile, column_lines, columns_of_cells, least_scale, plan, tile_lines
from widgets.words import width_of

LETTERS = st.text("ABCXYZ0189 .-/:?", min_size=1, max_size=12)


def test_letters_are_drawn_of_half_blocks():
    assert big("OK") == (
        "▄▀▀▄ █ ▄▀",
        "█  █ █▀▄ ",
        " ▀▀  ▀  ▀",
    )


def test_without_block_characters_a_dot_is_a_sign_that_any_font_has():
    assert big("OK", ascii_only=True) == (
        " ##  #  #",
        "#  # # # ",
        "#  # ##  ",
        "#  # # # ",
        " ##  #  #",
    )


@given(LETTERS, st.integers(1, 4), st.booleans())
def test_every_row_is_as_wide_as_was_said_and_there_are_as_many(text, scale, ascii_only):
    rows = big(text, scale, ascii_only=ascii_only)
    assert len(rows) == height_of_big(scale, ascii_only=ascii_only)
    assert {cell_len(row) for row in rows} == {width_of_big(text, scale)}
    assert not ascii_only or "".join(rows).isascii()


@given(LETTERS, st.integers(0, 200), st.integers(0, 30), st.booleans())
def test_the_largest_that_fits_fits_and_a_larger_one_does_not(text, width, height, ascii_only):
    scale = largest(text, width, height, ascii_only=ascii_only)

    def fits(scale: int) -> bool:
        return width_of_big(text, scale) <= width and height_of_big(scale, ascii_only=ascii_only) <= height

    assert scale == 0 or fits(scale)
    assert scale == 4 or not fits(scale + 1)


def test_all_signs_differ_from_each_other():
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:-_/%+?!'()#"
    assert len({big(sign) for sign in signs}) == len(signs)


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("checkout-api", "CHECKOUT-API"),
        ("Größe", "GROSSE"),
        ("Łódź", "LODZ"),
        ("Århus", "ARHUS"),
        ("支付", None),
        ("a@b", None),
    ],
)
def test_names_are_spelled_as_far_as_there_are_letters(text, spelt):
    assert spelled(text) == spelt


# -- tiles


def tile(**more: str) -> Tile:
    known = {
        "key": "am:incident:1",
        "sign": "●",
        "word": "CRITICAL",
        "style": "critical",
        "since": "09:37, 4m",
        "name": "checkout",
        "place": "production",
        "team": "payments",
        "person": "mira",
        "what": "ErrorRateHigh: 7.1 % of the checkouts fail",
        "change": "JUST BEFORE v2, 8m ago",
    }
    return Tile(**{**known, **more})


def texts(lines: object) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]  # type: ignore[attr-defined]


def test_at_five_metres_a_tile_has_four_lines():
    laid = plan(6, 73, 12)
    assert (laid.scale, laid.columns, laid.rows, laid.height) == (0, 2, 3, 4)
    assert texts(tile_lines(tile(), laid, 36)) == [
        " ● CRITICAL  09:37, 4m     payments ",
        "▌ checkout (production)",
        "▌ ErrorRateHigh: 7.1 % of the check…",
        "▌ JUST BEFORE v2, 8m ago",
    ]


def test_few_tiles_are_larger_and_one_is_as_wide_as_the_wall():
    one = plan(1, 73, 12)
    assert (one.scale, one.columns) == (1, 1)
    lines = texts(tile_lines(tile(), one, 73))
    assert lines[1:4] == [f"▌ {row}" for row in big("CHECKOUT")]
    assert lines[0].endswith("payments, mira ") and "production: ErrorRate" in lines[4]


def test_from_afar_states_are_large_too():
    assert least_scale(73, 20) == least_scale(115, 60) == 0 and least_scale(120, 40) == 1
    laid = plan(4, 120, 29, least=1)
    assert laid.far and laid.scale == 1
    lines = texts(tile_lines(tile(), laid, 60))
    assert [line[1:].startswith(row) for line, row in zip(lines, big("CRITICAL"), strict=False)] == [True] * 3
    assert "09:37" in lines[0] and "payments" in lines[1] and "mira" in lines[2]


def test_a_name_that_cannot_be_spelled_is_written_in_plain_letters():
    lines = texts(tile_lines(tile(name="支付"), plan(1, 73, 12), 73))
    assert lines[1] == "▌ 支付"


@given(
    st.integers(0, 60),
    st.integers(40, 300),
    st.integers(1, 100),
    st.booleans(),
    st.builds(
        tile,
        name=st.text("aé支X ", max_size=60),
        what=st.text("a支 ", max_size=200),
        team=st.text("t支", max_size=60),
        person=st.text("p", max_size=60),
        word=st.sampled_from(["LOW acked", "BUILD FAILED, running again", "支"]),
        change=st.text("c支", max_size=90),
    ),
)
def test_tiles_stay_in_their_columns_and_pages_hold_all_of_them(count, width, height, ascii_only, each):
    laid = plan(count, width, height, least=least_scale(width, height), ascii_only=ascii_only)
    assert laid.each >= 1 and laid.columns <= MOST_COLUMNS
    assert laid.pages(count) * laid.each >= count and laid.pages(0) == 1
    cells = columns_of_cells(laid, width)
    assert sum(cells) + len(cells) - 1 == width
    lines = column_lines([each] * min(count, laid.rows), laid, cells[0], height)
    assert len(lines) <= height
    assert all(width_of(line) <= cells[0] for line in lines)
    if count:
        assert lines, "every page shows something"


def test_where_there_is_hardly_room_one_tile_is_cut_from_below():
    laid = plan(5, 60, 2)
    assert laid == Plan(0, 1, 1, 2)
    assert len(tile_lines(tile(), laid, 60)) == 2
