"""The table of every lane: what its lines show, where its cursor stays, and that it repaints no more than it must."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style
from textual import on
from textual.app import App, ComposeResult
from textual.content import Content
from textual.events import MouseScrollDown
from textual.geometry import Region
from textual.message import Message
from textual.pilot import Pilot

from statusboard.text import cell_len, clean, fit
from tests.bench.harness_pty import PtyProgram
from widgets.table import STYLE_NAMES, BoardTable, Column, Place, RowCells, follow, lay_out

STATE = Column("state", "STATE", width=8, min_width=4, priority=9)
TITLE = Column("title", "TITLE", min_width=10, priority=8)
TEAM = Column("team", "TEAM", width=6, min_width=6, priority=1)
AGE = Column("age", "AGE", width=4, min_width=4, priority=5, align="right")
COLUMNS = (STATE, TITLE, TEAM, AGE)


class Table(BoardTable):
    """Notes which regions it asks to be repainted, and which keys it asked for."""

    def __init__(self, columns: Sequence[Column] = COLUMNS, **options: Any) -> None:
        self.regions: list[Region] = []
        self.whole = 0
        self.asked: list[str] = []
        self.items: dict[str, RowCells] = {}
        super().__init__(columns, **options)
        self.set_source(self._cells_of)

    def _cells_of(self, key: str) -> RowCells:
        self.asked.append(key)
        return self.items[key]

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Table:
        self.regions += regions
        self.whole += repaint and not regions
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def forget(self) -> None:
        self.regions, self.whole, self.asked = [], 0, []

    def lines(self) -> list[str]:
        return [self.render_line(y).text for y in range(self.size.height)]

    def style_at(self, x: int, y: int) -> Style:
        end = 0
        for segment in self.render_line(y):
            end += segment.cell_length
            if x < end:
                assert segment.style is not None
                return segment.style
        raise IndexError(x)


class Board(App[None]):
    def __init__(self, *tables: Table) -> None:
        super().__init__()
        self.tables = tables
        self.heard: list[tuple[str, str | None]] = []

    def compose(self) -> ComposeResult:
        yield from self.tables

    @on(BoardTable.Highlighted)
    @on(BoardTable.Selected)
    def note(self, message: Message) -> None:
        assert isinstance(message, BoardTable.Highlighted | BoardTable.Selected)
        assert message.control in self.tables
        self.heard.append((type(message).__name__, message.key))


def row(title: str = "", state: str = "failed", age: str = "1m", row_style: str = "") -> RowCells:
    return RowCells(
        {"state": (state, state), "title": (title, ""), "team": ("core", "muted"), "age": (age, "")}, row_style
    )


def filled(count: int, **options: Any) -> Table:
    table = Table(**options)
    table.items = {f"k{n}": row(f"title {n}") for n in range(count)}
    table.set_rows(list(table.items))
    return table


def running(*tables: Table, size: tuple[int, int] = (40, 8)) -> tuple[Board, AbstractAsyncContextManager[Pilot[None]]]:
    board = Board(*tables)
    return board, board.run_test(size=size, notifications=True)


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


# ------------------------------------------------------------------------------------------------- what lines show


async def test_lines_of_a_table():
    table = Table()
    table.items = {"a": row("first"), "b": row("second", "running", "12m")}
    table.set_rows(["a", "b"])
    board, app = running(table)
    async with app:
        # A cell is kept free for the scrollbar, so 39 are left.
        assert table.lines()[:4] == [
            " STATE    TITLE             TEAM    AGE",
            "▌failed   first             core     1m",
            " running  second            core    12m",
            " " * 39,
        ]
        assert board.heard == [("Highlighted", "a")]


async def test_without_header_and_in_ascii():
    table = filled(2, show_header=False, ascii_only=True)
    async with running(table)[1] as pilot:
        assert table.lines()[0].startswith(">failed   title 0")
        table.show_header = True
        await pilot.pause()
        assert table.lines()[0].startswith(" STATE")
        assert table.lines()[1].startswith(">failed   title 0")


async def test_foreign_text_is_shown_as_it_is():
    hostile = "build [/x] [@click=app.quit]boom[/] [red]list[int] \\[b]"
    table = Table()
    table.items = {"a": row(clean(hostile), state="[b]x[/b]")}
    table.set_columns([Column("state", "[/T]", width=9, min_width=9), TITLE])
    table.set_rows(["a"])
    board, app = running(table, size=(90, 5))
    async with app as pilot:
        assert table.lines()[0].startswith(" [/T]      TITLE")
        assert table.lines()[1] == f"▌[b]x[/b]  {hostile}".ljust(89)
        await pilot.click(table, offset=(40, 1))
        await pilot.pause()
        assert board.is_running
        assert board.heard[-1] == ("Highlighted", "a")


async def test_wide_characters_keep_the_columns_in_line():
    table = Table()
    titles = [
        "日本語のビルドが失敗しました",
        "e\u0301te\u0301 re\u0301sume\u0301 tre\u0300s long",
        "👍👍👍👍👍👍👍👍👍👍",
        "한국어",
        "plain",
    ]
    table.items = {str(n): row(clean(title), age="日") for n, title in enumerate(titles)}
    table.set_rows(list(table.items))
    async with running(table)[1]:
        for y, title in enumerate(titles, 1):
            line = table.lines()[y]
            assert cell_len(line) == 39
            before, after = line[1:].split(" core ")
            assert cell_len(before) == 26, "the team begins in the same cell of every line"
            assert before == fit("failed", 9) + fit(clean(title), 17)
            assert after.endswith("  日")


async def test_no_rows_show_the_message_and_not_its_markup():
    table = Table(empty=Content("[b]No incidents[/b]"))
    board, app = running(table, size=(20, 6))
    async with app as pilot:
        assert [line.rstrip() for line in table.lines()[1:3]] == [" [b]No", " incidents[/b]"]
        assert table.cursor_key is None
        await pilot.press("j", "G", "pagedown", "enter")
        assert board.heard == []
        table.set_empty(Content("12 rows hidden"))
        assert table.lines()[1].rstrip() == " 12 rows hidden"
        table.items = {"a": row("first")}
        table.set_rows(["a"])
        await pilot.pause()
        assert "hidden" not in "".join(table.lines())
        table.set_rows([])
        await pilot.pause()
        assert table.lines()[1].rstrip() == " 12 rows hidden"
        assert board.heard == [("Highlighted", "a"), ("Highlighted", None)]


async def test_a_missing_cell_and_an_unknown_style_are_plain():
    table = Table()
    table.items = {"a": RowCells({"title": ("first", "no such style")}), "b": RowCells({}, "nor this")}
    table.set_rows(["a", "b"])
    async with running(table)[1]:
        assert table.lines()[1].strip("▌ ") == "first"
        assert table.lines()[2].strip() == ""


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (5, 3), (20, 5), (60, 20), (300, 100)])
async def test_any_size(size):
    table = filled(30)
    async with running(table, size=size)[1]:
        assert {cell_len(line) for line in table.lines()} == {max(0, size[0] - 1)}


async def test_resizing_drops_columns_and_brings_them_back():
    table = filled(30)
    async with running(table, size=(60, 10))[1] as pilot:
        assert "TEAM" in table.lines()[0]
        await pilot.resize_terminal(24, 10)
        await pilot.pause()
        assert "TEAM" not in table.lines()[0]
        assert "TITLE" in table.lines()[0]
        await pilot.resize_terminal(60, 10)
        await pilot.pause()
        assert "TEAM" in table.lines()[0]


async def test_a_visible_cursor_stays_visible_when_the_terminal_shrinks():
    table = filled(30)
    async with running(table, size=(60, 20))[1] as pilot:
        table.move_to("k15")
        await pilot.resize_terminal(60, 6)
        await pilot.pause()
        assert [line for line in table.lines() if line.startswith("▌")] == [
            line for line in table.lines() if "title 15" in line
        ]


# --------------------------------------------------------------------------------------------------------- styles


async def test_every_style_name_is_a_component_class_and_looks_like_something():
    table = Table()
    table.items = {name: RowCells({"state": ("x", name)}) for name in ("first", *STYLE_NAMES)}
    table.set_rows(list(table.items))
    async with running(table, size=(40, 30))[1]:
        plain = table.style_at(30, 2)
        for y, name in enumerate(STYLE_NAMES, 2):
            style = table.style_at(1, y)
            assert (style != plain) == (name != "plain"), name
            assert style.bgcolor == plain.bgcolor


async def test_a_row_style_colours_its_plain_cells():
    table = Table()
    table.items = {"first": row(), "a": row("a"), "b": row("b", row_style="stale")}
    table.set_rows(list(table.items))
    async with running(table)[1]:
        assert table.style_at(10, 2) != table.style_at(10, 3)
        assert table.style_at(10, 3).italic


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark", "ansi-light"])
async def test_a_theme_recolours_what_is_shown(theme):
    table = filled(3)
    board, app = running(table)
    async with app as pilot:
        board.theme = "nord"
        await pilot.pause()
        before = [table.style_at(2, y) for y in range(4)]
        board.theme = theme
        await pilot.pause()
        after = [table.style_at(2, y) for y in range(4)]
        assert all(a != b for a, b in zip(before, after, strict=True))
        assert after[1].bgcolor != after[2].bgcolor or after[1].reverse, "the cursor stands out"
        assert after[2].color != after[2].bgcolor


async def test_the_cursor_is_seen_without_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    table = filled(3)
    async with running(table)[1]:
        assert table.lines()[1][0] == "▌"
        assert table.style_at(5, 1).reverse
        assert table.style_at(5, 1).bold
        assert not table.style_at(5, 2).reverse


async def test_only_the_focused_table_shows_its_cursor_strongly():
    one, other = filled(3, id="one"), filled(3, id="other")
    async with running(one, other, size=(40, 12))[1] as pilot:
        assert one.lines()[1].startswith("▌")
        assert other.lines()[1].startswith(" "), "nobody was here yet"
        await pilot.press("j", "tab")
        assert one.lines()[2].startswith("▏")
        assert one.style_at(5, 2).bgcolor == one.style_at(5, 1).bgcolor
        assert other.lines()[1].startswith("▌")


# --------------------------------------------------------------------------------------------------------- cursor


@pytest.mark.parametrize(
    "keys, key, top",
    [
        ("j", "k1", 0),
        ("down", "k1", 0),
        ("k", "k0", 0),
        ("j j k", "k1", 0),
        ("j up", "k0", 0),
        ("G", "k49", 40),
        ("end", "k49", 40),
        ("G g", "k0", 0),
        ("G home", "k0", 0),
        ("pagedown", "k10", 10),
        ("j pagedown pagedown", "k21", 20),
        ("pagedown pageup", "k0", 0),
        ("ctrl+d", "k5", 5),
        ("ctrl+d ctrl+d ctrl+u", "k5", 5),
        ("G pagedown", "k49", 40),
        ("G k", "k48", 40),
        ("G pageup j", "k40", 31),
    ],
)
async def test_keys_move_the_cursor(keys, key, top):
    table = filled(50)
    async with running(table, size=(40, 11))[1] as pilot:
        await pilot.press(*keys.split())
        assert table.cursor_key == key
        assert table.scroll_offset.y == top
        assert next(line for line in table.lines() if line.startswith("▌")).split()[-3] == key[1:]


async def test_enter_and_a_double_click_select():
    table = filled(5)
    board, app = running(table)
    async with app as pilot:
        await pilot.press("j", "enter")
        await pilot.double_click(table, offset=(3, 4))
        await pilot.click(table, offset=(3, 0))
        await pilot.click(table, offset=(3, 7))
        await pilot.pause()
        assert board.heard == [
            ("Highlighted", "k0"),
            ("Highlighted", "k1"),
            ("Selected", "k1"),
            ("Highlighted", "k3"),
            ("Selected", "k3"),
        ]
        assert table.cursor_key == "k3"


async def test_move_to():
    table = filled(50)
    async with running(table)[1]:
        assert table.move_to("k30")
        assert table.cursor_key == "k30"
        assert any("title 30" in line for line in table.lines())
        assert not table.move_to("gone")
        assert table.cursor_key == "k30"


async def test_the_app_may_rebind_keys():
    class Rebound(Board):
        def on_mount(self) -> None:
            self.set_keymap({"table.down": "n"})

    table = filled(5)
    async with Rebound(table).run_test(size=(40, 8)) as pilot:
        await pilot.press("n", "n", "j")
        assert table.cursor_key == "k2"


async def test_the_wheel_scrolls_and_leaves_the_cursor_alone():
    table = filled(50)
    async with running(table)[1] as pilot:
        await pilot._post_mouse_events([MouseScrollDown], widget=table, offset=(3, 3), button=0)
        await pilot.pause()
        assert table.scroll_offset.y == 2
        assert table.cursor_key == "k0"
        assert table.lines()[1].startswith(" failed   title 2")
        table.scroll_to(y=10, animate=True)
        assert table.scroll_offset.y == 10, "never animated"


async def test_the_scrollbar_shows_where_we_are():
    table = filled(70)
    async with running(table)[1] as pilot:

        def thumb() -> list[int]:
            bar = table.vertical_scrollbar
            glyphs = [strip.text + str(strip) for strip in bar.render_lines(bar.size.region)]
            return [y for y, glyph in enumerate(glyphs) if glyph != glyphs[3]]

        await pilot.pause()
        assert 0 in thumb()
        await pilot.press("G")
        assert 7 in thumb()
        assert 0 not in thumb()
        assert table.vertical_scrollbar.position == 63
        table.items |= {f"below{n}": row() for n in range(500)}
        table.set_rows(list(table.items))
        await pilot.pause()
        assert thumb() in ([0], [0, 1], [1])
        assert table.vertical_scrollbar.window_virtual_size == 571


# ------------------------------------------------------------------------------------------------------ new rows


async def test_the_cursor_follows_its_key_and_outlives_it():
    table = filled(10)
    board, app = running(table, size=(40, 12))
    async with app as pilot:
        table.move_to("k4")
        table.set_rows(["k9", "k8", "k4", "k1"])
        assert table.cursor_key == "k4"
        assert table.lines()[3].startswith("▌failed   title 4")
        table.set_rows(["k9", "k8", "k1"])
        assert table.cursor_key == "k1"
        table.set_rows(["k9"])
        assert table.cursor_key == "k9"
        await pilot.pause()
        assert [key for _, key in board.heard] == ["k0", "k4", "k1", "k9"]


async def test_what_comes_in_above_a_scrolled_table_moves_nothing():
    table = filled(100)
    table.items |= {f"new{n}": row("new") for n in range(20)}
    async with running(table)[1] as pilot:
        table.move_to("k50")
        await pilot.pause()
        before = table.lines()
        table.forget()
        table.set_rows([f"new{n}" for n in range(20)] + [f"k{n}" for n in range(100)], [f"new{n}" for n in range(20)])
        await pilot.pause()
        assert table.lines() == before
        assert (table.regions, table.whole, table.asked) == ([], 0, [])


async def test_what_comes_in_at_the_top_is_seen():
    table = filled(100)
    table.items["new"] = row("new")
    async with running(table)[1]:
        table.set_rows(["new", *(f"k{n}" for n in range(100))])
        assert table.lines()[1].startswith(" failed   new")
        assert table.lines()[2].startswith("▌failed   title 0")


async def test_the_same_list_may_come_again_altered():
    table = filled(5)
    keys = list(table.items)
    table.set_rows(keys)
    async with running(table)[1]:
        table.move_to("k1")
        keys.insert(0, keys.pop())
        table.set_rows(keys)
        assert table.cursor_key == "k1"
        assert table.lines()[1].startswith(" failed   title 4")
        assert table.lines()[3].startswith("▌failed   title 1")


async def test_a_key_that_comes_back_is_asked_for_again():
    table = filled(3)
    async with running(table)[1]:
        table.set_rows(["k0", "k1"])
        table.items["k2"] = row("other")
        table.set_rows(["k0", "k1", "k2"])
        assert table.lines()[3].startswith(" failed   other")


async def test_rows_may_come_before_the_table_is_on_screen_and_while_it_is_hidden():
    table = filled(30)
    async with running(table)[1] as pilot:
        table.move_to("k20")
        table.display = False  # which takes its focus
        await pilot.pause()
        table.items["k20"] = row("changed")
        table.set_rows([f"k{n}" for n in range(5, 30)], ["k20"])
        table.display = True
        await pilot.pause()
        assert table.cursor_key == "k20"
        assert [line[10:17] for line in table.lines() if line.startswith("▏")] == ["changed"]


# -------------------------------------------------------------------------------------------------- what it costs


async def test_only_visible_rows_are_asked_for():
    table = Table()
    table.items = {f"k{n}": row(f"title {n}") for n in range(50_000)}
    async with running(table)[1] as pilot:
        table.set_rows(list(table.items), table.items.keys())
        await pilot.pause()
        assert set(table.asked) == {f"k{n}" for n in range(7)}
        table.forget()
        table.set_rows(list(table.items), [f"k{n}" for n in range(5, 300)])
        await pilot.pause()
        assert sorted(table.asked) == ["k5", "k6"]


async def test_equal_and_unseen_changes_repaint_nothing():
    table = filled(100)
    async with running(table)[1] as pilot:
        await pilot.pause()
        table.forget()
        table.items["k2"] = row("title 2")
        table.items["k50"] = row("other")
        table.set_rows(list(table.items), ["k2", "k50"])
        table.set_rows([*table.items][:99], [])
        await pilot.pause()
        assert (table.regions, table.whole) == ([], 0)
        table.move_to("k50")
        assert any("other" in line for line in table.lines())


@pytest.mark.parametrize(
    "new, region",
    [
        (row("title 2", state="running"), Region(1, 3, 9, 1)),  # another style: up to the next column
        (row("title two"), Region(10, 3, 9, 1)),
        (row("title 2", age="9m"), Region(35, 3, 4, 1)),
        (row("t", age="9m"), Region(10, 3, 29, 1)),
        (row("t"), Region(10, 3, 7, 1)),
    ],
)
async def test_a_change_repaints_from_its_first_cell_to_its_last(new, region):
    table = filled(100)
    async with running(table)[1] as pilot:
        await pilot.pause()
        table.forget()
        table.items["k2"] = new
        table.set_rows(list(table.items), ["k2"])
        assert (table.regions, table.whole) == ([region], 0)


async def test_moving_the_cursor_repaints_two_lines():
    table = filled(100)
    async with running(table)[1] as pilot:
        await pilot.pause()
        table.forget()
        await pilot.press("j")
        assert ({region.y for region in table.regions}, table.whole) == ({1, 2}, 0)


async def test_kept_lines_are_bounded():
    table = Table()
    table.items = {f"k{n}": row(f"title {n}") for n in range(5_000)}
    async with running(table, size=(40, 90))[1] as pilot:
        table.set_rows(list(table.items))
        for _ in range(10):
            table.action_page_down()
        await pilot.pause()
        assert table.kept_lines == 500


# What a person sees must be what the rows say, whatever happened and however little was repainted.

Step = tuple[str, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("change", "change", "equal", "insert", "remove", "shuffle", "clear"),
                *("down", "up", "page", "last", "first", "wheel", "focus", "blur", "paint"),
            ]
        ),
        st.integers(0, 1_000),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 25), steps)
def test_the_screen_shows_the_rows(count: int, script: list[Step]) -> None:
    asyncio.run(_play(count, script))


async def _play(count: int, script: list[Step]) -> None:
    table = Table(empty=Content("nothing here"))
    keys = [f"k{n}" for n in range(count)]
    table.items = {key: row(f"title {key}") for key in keys}
    table.set_rows(keys)
    async with Board(table).run_test(size=(40, 9)) as pilot:
        await pilot.pause()
        screen = [_characters(table, y) for y in range(9)]
        table.forget()
        for serial, (verb, number) in enumerate(script):
            _perform(table, keys, verb, number, serial)
            await _follow_repaints(pilot, table, screen)
            cursor = table.cursor_key
            assert cursor in keys if keys else cursor is None
            assert screen == [_characters(table, y) for y in range(9)]
        top = table.scroll_offset.y
        shown = ["".join(char for char, _ in line) for line in screen]
        for y, key in enumerate(keys[top : top + 8], 1):
            title, state = table.items[key].cells["title"][0], table.items[key].cells["state"][0]
            mark = " " if key != table.cursor_key else "▌" if table.has_focus else shown[y][0]
            assert shown[y] == f"{mark}{state:<9}{title:<18}core     1m"
        if not keys:
            assert shown[1].strip() == "nothing here"


def _perform(table: Table, keys: list[str], verb: str, number: int, serial: int) -> None:
    key = keys[number % len(keys)] if keys else ""
    actions: dict[str, Callable[[], object]] = {
        "down": table.action_cursor_down,
        "up": table.action_cursor_up,
        "page": table.action_page_down,
        "last": table.action_last,
        "first": table.action_first,
        "wheel": lambda: table.scroll_to(y=number % 30),
        "focus": table.focus,
        "blur": table.blur,
        "paint": lambda: table.refresh(),
    }
    if verb in actions:
        actions[verb]()
        return
    changed: list[str] = []
    if verb == "insert":
        changed = [f"n{serial}"]
        table.items[changed[0]] = row(f"new {serial}")
        keys.insert(number % (len(keys) + 1), changed[0])
    elif verb == "clear":
        keys.clear()
    elif verb == "shuffle":
        keys.sort(key=lambda key: hash((key, number)))
    elif key and verb == "remove":
        keys.remove(key)
    elif key and verb == "change":
        changed = [key]
        table.items[key] = row(f"other {number}", ("failed", "running", "success")[number % 3])
    elif key and verb == "equal":
        changed = list(keys)
    table.set_rows(keys, changed)


async def _follow_repaints(pilot: Pilot[None], table: Table, screen: list[list[tuple[str, Style | None]]]) -> None:
    """Copies to `screen` what the table asked to be repainted, as the compositor does."""
    await pilot.pause()
    if table.whole:
        screen[:] = [_characters(table, y) for y in range(len(screen))]
    for x, y, width, height in table.regions:
        for line in range(y, y + height):
            screen[line][x : x + width] = _characters(table, line)[x : x + width]
    table.forget()


def _characters(table: Table, y: int) -> list[tuple[str, Style | None]]:
    """Line `y`, cell by cell (these tests use narrow characters only). A blank has no colour of its own."""
    cells: list[tuple[str, Style | None]] = []
    for text, style, _ in table.render_line(y):
        assert style is not None
        blank = Style.from_color(None, style.bgcolor) + Style(reverse=style.reverse, underline=style.underline)
        cells += [(char, blank if char == " " else style) for char in text]
    return cells


# ------------------------------------------------------------------------------------- in a terminal, to the byte

PROGRAM = """
from textual.app import App
from widgets.table import BoardTable, Column, RowCells

class Program(App):
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [("1", "change(3, 'state')"), ("4", "change(3, 'age')"), ("5", "change(500, 'state')"), ("6", "equal")]
    values = {}
    keys = [str(n) for n in range(10_000)]

    def compose(self):
        yield BoardTable([
            Column("state", "STATE", 10), Column("title", "TITLE"), Column("service", "SERVICE", 20),
            Column("age", "AGE", 5, align="right"),
        ])

    def on_mount(self):
        self.table = self.query_one(BoardTable)
        self.table.set_source(lambda key: RowCells({
            "state": (self.values.get((key, "state"), "x failed"), "failed"), "title": ("ready " + key, ""),
            "service": ("checkout", "link"), "age": (self.values.get((key, "age"), "1m"), "muted"),
        }))
        self.table.set_rows(self.keys)

    def action_change(self, row, column):
        old = self.values.get((str(row), column))
        self.values[str(row), column] = "2m" if old != "2m" else "3m"
        self.table.set_rows(self.keys, [str(row)])

    def action_equal(self):
        self.table.set_rows(list(self.keys), self.keys)

Program().run()
"""


@pytest.mark.real  # a real terminal
@pytest.mark.skipif(sys.platform != "linux", reason="the harness reads /proc")
def test_bytes_to_the_terminal():
    root = Path(__file__).parents[2]
    with PtyProgram([sys.executable, "-c", PROGRAM], env={"PYTHONPATH": str(root)}) as program:
        program.wait_for("ready 30", timeout=60)
        program.settle()
        assert 0 < program.gesture("1").bytes <= 100, "a cell of the first column"
        assert 0 < program.gesture("4").bytes <= 300, "a cell of the last column"
        assert program.gesture("5").bytes == 0, "out of sight"
        assert program.gesture("6").bytes == 0, "10,000 changes that change nothing"
        assert 0 < program.gesture("j").bytes <= 1_000, "the cursor"
        assert program.watch(0.5).bytes == 0, "left alone"
        program.send("\x11")
        assert program.wait() == 0
