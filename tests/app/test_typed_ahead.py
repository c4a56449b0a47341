"""What is typed in one write: what follows a key that opens an input belongs to that input, and is no command."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.events import Key, Paste
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import Input

from statusboard.app import BoardApp
from statusboard.commands import BoardPalette
from statusboard.model import Annotation
from statusboard.screens.asking import AskScreen
from statusboard.screens.board import BoardScreen
from statusboard.screens.keyboard import Passed, UnderWay
from tests.app.stage import Told, board, screen_of, settled, until
from tests.boards import ago, incident, release

NAMED = {"\n": "enter", "\x1b": "escape"}


def write(app: BoardApp, text: str) -> None:
    """As a terminal gives what comes in one write: nothing else runs between two keys."""
    for letter in text:
        key = NAMED.get(letter) or (letter if letter.isalnum() else _character_to_key(letter))
        app.post_message(Key(key, None if letter in NAMED else letter))


async def done(app: BoardApp, pilot: Pilot[None]) -> None:
    """Until all of it was carried out."""
    for _ in range(3):  # the last key is under way when nothing waits any more
        await pilot.pause()
        await until(pilot, lambda: not app.typed_ahead)


def sources() -> tuple[Told, Told]:
    """An incident with a suspect."""
    am = Told("am", "incident", [incident(1, severity="high", title="Slow", services=("checkout",), started_at=ago(5))])
    cd = Told("cd", "release", [release(1, services=("checkout",), started_at=ago(9), ended_at=ago(8))])
    return am, cd


def said(app: BoardApp) -> list[Annotation]:
    """What people said."""
    facts = (row.fact for row in screen_of(app).live.cells.board.rows.values())
    return [fact for fact in facts if isinstance(fact, Annotation)]


def focused_value(app: BoardApp) -> str:
    """What stands in the input that has the focus."""
    assert isinstance(app.focused, Input)
    return app.focused.value


@pytest.mark.parametrize("text", ["checkout", "xca", "-state:success", "qqq", "team:a NaN"])
async def test_a_filter_in_one_write(text: str) -> None:
    async with board(*sources()) as (app, pilot):
        for _ in range(2):  # the first one mounts the line
            write(app, f"/{text}")
            await done(app, pilot)
            assert isinstance(app.screen, BoardScreen) and app.screen is screen_of(app)
            assert focused_value(app) == text
            assert screen_of(app).viewing.place == 0 and not said(app)
            write(app, "\x1b")
            await done(app, pilot)
            await settled(app, pilot)


async def test_keys_before_and_behind_a_filter() -> None:
    async with board(*sources()) as (app, pilot):
        write(app, "j/checkout\n")
        await done(app, pilot)
        await until(pilot, lambda: screen_of(app).viewing.typed == "checkout")
        await until(pilot, lambda: not isinstance(app.focused, Input))
        assert not said(app)


async def test_two_writes() -> None:
    async with board(*sources()) as (app, pilot):
        write(app, "/")
        await pilot.pause(0)
        write(app, "check")
        await pilot.pause(0)
        write(app, "out")
        await done(app, pilot)
        assert focused_value(app) == "checkout"


async def test_a_command_in_one_write() -> None:
    async with board(*sources()) as (app, pilot):
        write(app, ":metrics")
        await done(app, pilot)
        assert isinstance(app.screen, BoardPalette)
        assert focused_value(app) == "metrics"


async def test_a_moment_in_one_write() -> None:
    async with board(*sources()) as (app, pilot):
        write(app, "@-3m")
        await done(app, pilot)
        assert isinstance(app.screen, AskScreen)
        assert focused_value(app) == "-3m"


async def test_a_note_in_one_write(tmp_path: Path) -> None:
    async with board(*sources(), store_path=tmp_path / "history.db") as (app, pilot):
        write(app, "Nhello all\n")
        await done(app, pilot)
        await until(pilot, lambda: said(app))
        assert [(each.what, each.text) for each in said(app)] == [("note", "hello all")]


async def test_a_name_for_a_view_in_one_write(tmp_path: Path) -> None:
    async with board(*sources(), views_file=tmp_path / "views.yaml") as (app, pilot):
        write(app, "wMine")
        await done(app, pilot)
        assert focused_value(app) == "Mine"


async def test_what_is_pasted_behind_the_key() -> None:
    async with board(*sources()) as (app, pilot):
        write(app, "/")
        app.post_message(Paste("checkout"))
        await done(app, pilot)
        assert focused_value(app) == "checkout"


async def test_keys_that_open_nothing_are_carried_out_in_their_order() -> None:
    async with board(*sources()) as (app, pilot):
        write(app, "4132")
        await done(app, pilot)
        assert screen_of(app).viewing.place == 1
        write(app, "?")
        write(app, "\x1b3")
        await done(app, pilot)
        assert app.screen is screen_of(app) and screen_of(app).viewing.place == 2


@pytest.mark.parametrize("opened", ["/x", "@-3m", "Nhello", ":x", "?"])
async def test_keys_behind_what_was_left(opened: str) -> None:
    async with board(*sources()) as (app, pilot):
        write(app, f"{opened}\x1b")
        await done(app, pilot)
        await until(pilot, lambda: app.screen is screen_of(app) and not isinstance(app.focused, Input))
        write(app, "3")
        await done(app, pilot)
        assert screen_of(app).viewing.place == 2 and not said(app)


async def test_a_key_that_is_lost_holds_up_the_others_for_a_moment_only() -> None:
    async with board(*sources()) as (app, pilot):
        app._under_way = lost = UnderWay(Key("x", "x"), screen_of(app))
        lost.follower = Passed()  # was sent, and did not come
        app._overdue = asyncio.get_running_loop().call_later(0.1, app._give_up, lost)
        write(app, "3")
        await until(pilot, lambda: screen_of(app).viewing.place == 2)


async def test_what_is_typed_before_the_board_is_there_waits_for_it() -> None:
    class Early(BoardApp):
        def on_mount(self) -> None:
            super().on_mount()
            write(self, "/checkout")

    async with board(*sources(), app_type=Early) as (app, pilot):
        await done(app, pilot)
        assert focused_value(app) == "checkout"
        assert screen_of(app).viewing.place == 0 and not said(app)


async def test_a_command_and_enter_in_one_write() -> None:
    async with board(*sources()) as (app, pilot):
        write(app, ":view: metrics\n")
        await done(app, pilot)
        await until(pilot, lambda: app.screen is screen_of(app))
        await settled(app, pilot)
        assert screen_of(app).view.name == "Metrics"
