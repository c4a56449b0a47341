"""Sparklines and plots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.presenting.plotting import plot, sparkline
from statusboard.text import cell_len

_values = st.lists(st.none() | st.floats(0, 1e9), max_size=40)


def test_a_sparkline_tells_nothing_known_from_nothing_at_all() -> None:
    assert sparkline([0, None, 1, 2, 3]) == "⣀∙⣤⣶⣿"
    assert sparkline([0, None, 1, 2, 3], ascii_only=True) == "_.-+#"


def test_a_little_is_more_than_nothing() -> None:
    assert sparkline([0, 0.001, 100]) == "⣀⣤⣿"
    assert sparkline([0, 0]) == "⣀⣀"
    assert sparkline([None]) == "∙"
    assert sparkline([]) == ""


@given(_values, st.booleans())
def test_a_sparkline_has_a_cell_a_value(values: list[float | None], ascii_only: bool) -> None:
    drawn = sparkline(values, ascii_only=ascii_only)
    assert cell_len(drawn) == len(values)
    assert drawn.isascii() or not ascii_only
    gap = "." if ascii_only else "∙"
    assert [sign == gap for sign in drawn] == [value is None for value in values]


def test_a_plot_in_ascii_can_be_read() -> None:
    lines, top = plot([0, 0, 4, None, 2], width=10, height=5, goal=3, ascii_only=True)
    assert top == 4
    assert lines == [
        "    **    ",
        "-  -* -  -",
        "    *   **",
        "    *     ",
        "*****     ",
    ]


def test_a_plot_in_braille_has_eight_dots_a_cell() -> None:
    lines, _ = plot([0, 1], width=2, height=1)
    assert lines == ["⣀⡏"]
    (flat,), _ = plot([1, 1], width=4, height=1)
    assert flat == "⠉⠉⠉⠉"
    (low,), _ = plot([0, 0], width=4, height=1)
    assert low == "⣀⣀⣀⣀"


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_plot_of_nothing_known_is_blank(ascii_only: bool) -> None:
    lines, _ = plot([None, None], width=6, height=2, ascii_only=ascii_only)
    assert set("".join(lines)) <= {" ", "\u2800"}
    assert plot([], width=3, height=1, ascii_only=True)[0] == ["   "]


@given(_values, st.integers(1, 60), st.integers(1, 12), st.none() | st.floats(0, 1e9), st.booleans())
def test_a_plot_fills_its_place(
    values: list[float | None], width: int, height: int, goal: float | None, ascii_only: bool
) -> None:
    lines, top = plot(values, width=width, height=height, goal=goal, ascii_only=ascii_only)
    assert [cell_len(line) for line in lines] == [width] * height
    assert top > 0
    known = [value for value in values if value is not None]
    assert all(value <= top for value in known)
    if known and len(values) <= width:
        assert any(sign not in " \u2800" for sign in "".join(lines))
