"""The table of every lane: what its lines show, and where its cursor stays."""

from __future__ import annotations

import pytest
from textual.content import Content
from textual.events import MouseScrollDown

from statusboard.text import cell_len, clean, fit
from tests.widgets.tables import TITLE, Board, Table, filled, row, running
from widgets.table import STYLE_NAMES, Column, RowCells

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
