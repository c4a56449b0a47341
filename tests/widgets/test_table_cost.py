"""The table of every lane: it repaints no more than it must."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style
from textual.content import Content
from textual.geometry import Region
from textual.pilot import Pilot

from tests.bench.harness_pty import PtyProgram
from tests.widgets.tables import Board, Table, filled, row, running

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
