"""Which columns there is room for, and where a cursor stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.widgets.tables import COLUMNS
from widgets.table import Column, Place, follow, lay_out

# ------------------------------------------------------------------------------------------------- which columns


def test_columns_take_their_width_and_the_flexible_one_the_rest():
    layout = lay_out(COLUMNS, 60)
    assert [column.id for column in layout.columns] == ["state", "title", "team", "age"]
    assert layout.starts == (1, 10, 49, 56)
    assert layout.widths == (8, 38, 6, 4)
    assert layout.ends == (10, 49, 56, 60)


def test_columns_shrink_before_the_least_important_goes():
    assert lay_out(COLUMNS, 30).widths == (6, 10, 6, 4), "which are 26, a gutter and three dividers"
    assert [column.id for column in lay_out(COLUMNS, 27).columns] == ["state", "title", "age"]
    assert [column.id for column in lay_out(COLUMNS, 17).columns] == ["state", "title"]
    assert [column.id for column in lay_out(COLUMNS, 15).columns] == ["title"]


def test_of_equal_columns_the_rightmost_goes_first():
    columns = [Column(name, name, width=5, min_width=5) for name in "abc"]
    assert [column.id for column in lay_out(columns, 14).columns] == ["a", "b"]


def test_what_flexes_gets_its_share_before_the_others_grow():
    columns = [Column("a", "A", width=40, min_width=5), Column("t", "T", min_width=5)]
    assert lay_out(columns, 52).widths == (34, 16), "32 per cent of 51"
    assert lay_out(columns, 102).widths == (40, 60)


def test_flexible_columns_share():
    assert lay_out([Column("a", "A"), Column("b", "B")], 12).widths == (5, 5)


columns_strategy = st.lists(
    st.builds(
        Column,
        id=st.uuids().map(str),
        title=st.just("t"),
        width=st.none() | st.integers(0, 30),
        min_width=st.integers(0, 20),
        priority=st.integers(-3, 3),
    ),
    max_size=6,
)


@given(columns_strategy, st.integers(0, 120))
def test_a_layout_never_exceeds_the_table(columns, width):
    layout = lay_out(columns, width)
    assert bool(layout.columns) == bool(columns)
    assert [column for column in columns if column in layout.columns] == list(layout.columns), "order is kept"
    if columns:
        assert layout.ends == (*layout.starts[1:], width)
    for column, start, cells, end in zip(layout.columns, layout.starts, layout.widths, layout.ends, strict=True):
        assert start + cells <= max(end, 1)
        if len(layout.columns) > 1:
            assert cells >= column.least
            assert column is layout.columns[-1] or start + cells == end - 1
        if column.width is not None and len(layout.columns) > 1:
            assert cells <= max(1, column.width)
    if any(column.width is None for column in columns):
        assert any(column.width is None for column in layout.columns), "fixed columns go first"


# ------------------------------------------------------------------------------------------- where the cursor stays

keys_strategy = st.lists(st.integers(0, 40).map(str), unique=True, max_size=40)


@given(keys_strategy, keys_strategy, st.data())
def test_the_cursor_stays_on_its_key_and_the_view_with_it(old, new, data):
    page = data.draw(st.integers(1, 12))
    top = data.draw(st.integers(0, max(0, len(old) - page)))
    cursor = data.draw(st.integers(0, len(old) - 1)) if old else -1
    key = old[cursor] if old else None
    held = data.draw(st.booleans())
    place = follow(new, Place(cursor, top), key, old[top : top + page], page, held)

    if not new:
        assert place == Place(-1, 0)
        return
    furthest = max(0, len(new) - page)
    assert 0 <= place.cursor < len(new)
    assert 0 <= place.top <= furthest
    if key in new:
        assert new[place.cursor] == key
    else:
        assert place.cursor == min(max(0, cursor), len(new) - 1)
    in_sight = top <= cursor < top + page
    line = place.cursor - place.top
    if old == new:
        assert place == Place(cursor, top)
    elif in_sight and key in new and top > 0:
        assert line == cursor - top or place.top in (0, furthest)
    elif in_sight and held:
        assert 0 <= line < page
    elif top == 0:
        assert place.top == 0, "what comes in at the top of a table nobody moved is seen"
    if not in_sight and top > 0:
        kept = [key for key in old[top : top + page] if key in new]
        if kept:
            assert new.index(kept[0]) - place.top == old.index(kept[0]) - top or place.top in (0, furthest)


def test_where_the_first_visible_row_went_the_next_one_holds_the_view():
    old = [f"k{n}" for n in range(50)]
    new = [f"n{n}" for n in range(5)] + [key for key in old if key not in ("k20", "k21")]
    place = follow(new, Place(cursor=2, top=20), "k2", old[20:30], page=10, held=True)
    assert place.cursor == 7
    assert new[place.top + 2] == "k22", "on the line where it was"
