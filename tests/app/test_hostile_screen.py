"""The screen under what nobody wishes it: tiny terminals, long and foreign names, keys in any order."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from textual.command import CommandList
from textual.events import MouseDown, MouseUp
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from statusboard.app import BoardApp
from statusboard.commands import BoardPalette
from statusboard.keys import DEFAULTS
from statusboard.model import Item
from statusboard.screens.views import read_saved
from statusboard.text import cell_len
from tests.app.stage import Told, board, poll, screen_of, settled, show, text_of, until
from tests.boards import build, incident
from widgets.details import DetailsPane
from widgets.table import BoardTable


class Endless(BoardApp):
    """Does not end by a key, nor by a command."""

    async def action_quit(self) -> None:
        """It goes on."""


LAYOUTS = ("Overview", "Services", "Timeline", "Sources")


def alerts(count: int) -> list[Item]:
    return [incident(n, title=f"Alert {n:02}", services=(f"service-{n:02}",), severity="high") for n in range(count)]


def builds(count: int) -> list[Item]:
    return [build(n, "failed", pipeline=f"p{n}", title=f"Build {n:02}") for n in range(count)]


def steady(app: BoardApp) -> list[str]:
    """What is shown above the details, but for the time of day, the revision, and when the next poll is due."""
    text = re.sub(r"(r\d+)? *\d\d:\d\d:\d\d", "", text_of(app)).replace("<2m", "   ")
    return [line.rstrip() for line in text.splitlines()[:14]]


async def resized(app: BoardApp, pilot: Pilot[None], *size: int) -> None:
    await pilot.resize_terminal(*size)
    await pilot.pause()
    await settled(app, pilot)


# -- terminals too small for anything


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_a_tiny_terminal_says_what_it_needs_and_one_that_grows_again_shows_all(layout: str) -> None:
    async with board(Told("ci", "build", builds(3)), Told("am", "incident", alerts(30)), size=(100, 30)) as (
        app,
        pilot,
    ):
        await show(app, pilot, layout)
        await pilot.press("j", "j", "p")
        await settled(app, pilot)
        await pilot.pause()
        before, subject = steady(app), screen_of(app).face.subject
        told = screen_of(app).query_one(DetailsPane)._rows[0]
        for size in ((20, 5), (39, 30), (100, 7), (20, 5)):
            await resized(app, pilot, *size)
            assert "FAILING" in text_of(app)
            assert "Needs 40x8" in text_of(app)
        await resized(app, pilot, 100, 30)
        assert steady(app) == before
        assert screen_of(app).face.subject == subject
        assert screen_of(app).query_one(DetailsPane)._rows[0] == told
        assert isinstance(screen_of(app).focused, BoardTable), "the keys lead where they led before"


async def test_a_filter_that_is_typed_outlives_a_tiny_terminal() -> None:
    async with board(Told("am", "incident", alerts(30)), size=(100, 30)) as (app, pilot):
        await pilot.press("slash", *"Alert")
        await resized(app, pilot, 20, 5)
        await pilot.press(*" 07")
        await resized(app, pilot, 100, 30)
        await pilot.press("enter")
        await settled(app, pilot)
        assert "Alert 07" in text_of(app) and "29 hidden" in text_of(app)


async def test_the_details_keep_the_focus_over_a_tiny_terminal() -> None:
    async with board(Told("am", "incident", alerts(3)), size=(100, 30)) as (app, pilot):
        await pilot.press("p", "enter")
        await pilot.pause()
        assert isinstance(app.focused, DetailsPane)
        await resized(app, pilot, 20, 5)
        await resized(app, pilot, 100, 30)
        assert isinstance(app.focused, DetailsPane)


# -- the cursor and the details


async def test_details_that_are_opened_again_tell_of_what_is_under_the_cursor_now() -> None:
    async with board(Told("am", "incident", alerts(9)), size=(100, 30)) as (app, pilot):
        await pilot.press("j", "p")
        await settled(app, pilot)
        await pilot.press("p", "j", "j", "p")
        await settled(app, pilot)
        await pilot.pause()
        subject = screen_of(app).face.subject
        assert subject is not None
        pane = screen_of(app).query_one(DetailsPane)
        assert f"Alert {int(subject.rpartition(':')[2]):02}" in "".join(text for text, _ in pane._rows[0].words)


# -- what comes twice


@pytest.mark.parametrize("key", ["question_mark", "f", "colon", "ctrl+s", "N"])
async def test_what_is_left_twice_at_once_leaves_the_board_where_it_is(key: str) -> None:
    async with board(Told("ci", "build", builds(3))) as (app, pilot):
        await pilot.press(key)
        await until(pilot, lambda: app.screen is not screen_of(app))
        on_top: Screen[Any] = app.screen
        on_top.dismiss()
        on_top.dismiss()
        await pilot.pause()
        assert app.screen is screen_of(app)
        assert "Build 00" in text_of(app)


async def test_a_double_click_beside_the_palette_closes_the_palette_alone() -> None:
    async with board(Told("ci", "build", builds(3))) as (app, pilot):
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, BoardPalette))
        for event in (MouseDown, MouseUp) * 2:  # at once, as a terminal sends them
            app.screen.post_message(event(None, 2, 38, 0, 0, 1, False, False, False, screen_x=2, screen_y=38))
        await until(pilot, lambda: app.screen is screen_of(app))
        await pilot.pause()
        assert app.screen is screen_of(app)


async def test_a_list_of_commands_that_is_not_laid_out_yet_can_be_paged() -> None:
    async with board(Told("ci", "build", builds(3))) as (app, pilot):
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, BoardPalette))
        app.screen.query_one(CommandList).clear_options().add_option("one")
        await app.run_action("screen.command_list('page_down')")
        assert app.screen.query_one(CommandList).option_count


@pytest.mark.parametrize("key", ["question_mark", "f", "colon", "ctrl+s", "N"])
async def test_what_lies_on_the_board_says_what_it_needs(key: str) -> None:
    async with board(Told("ci", "build", builds(3))) as (app, pilot):
        await pilot.press(key)
        await until(pilot, lambda: app.screen is not screen_of(app))
        await pilot.resize_terminal(20, 5)
        await until(pilot, lambda: f"eeds {'40x10' if key == 'f' else '40x8'}" in " ".join(text_of(app).split()))
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "eeds 40x" not in text_of(app))
        assert app.screen is not screen_of(app)


async def test_groups_of_one_view_are_left_for_a_view_without_any() -> None:
    async with board(Told("ci", "build", builds(3))) as (app, pilot):
        await show(app, pilot, "Builds")
        await pilot.press("v")
        await settled(app, pilot)
        await pilot.press("minus")
        await settled(app, pilot)
        assert "no team" in text_of(app) and "Build 00" in text_of(app)
        await show(app, pilot, "Overview")
        assert "no team" not in text_of(app)
        await show(app, pilot, "Builds")
        assert "no team" in text_of(app)


# -- what was saved and cannot be read


async def test_saved_views_that_cannot_be_read_are_told_and_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "views.yaml"
    file.write_text("views:\n- {name: Mine, columns: [colour]}\n")
    async with board(Told("ci", "build", builds(3)), views_file=file) as (app, pilot):
        assert app.live is not None
        _, problems = read_saved(file)
        app.use_settings(structs.replace(app.live.settings, told=f"saved views: {problems[0]}"))
        screen_of(app).tick()
        await until(pilot, lambda: "saved views: " in text_of(app))
        assert problems[0].line == 2  # how much of its place fits depends on the folder's name
        await pilot.press("w")
        await until(pilot, lambda: "Save this view as" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: "not saved, mend this first" in text_of(app))
        assert "colour" in file.read_text()


# -- the mouse


async def test_a_click_on_the_name_of_a_view_shows_it() -> None:
    async with board(Told("ci", "build", builds(3))) as (app, pilot):
        bar = text_of(app).splitlines()[-1]
        await pilot.click(offset=(bar.index("Builds"), 39))
        await settled(app, pilot)
        assert screen_of(app).view.name == "Builds"
        await pilot.click(offset=(bar.index("? keys"), 39))
        await settled(app, pilot)
        assert screen_of(app).view.name == "Builds"


async def test_a_double_click_on_a_group_folds_it() -> None:
    async with board(Told("ci", "build", builds(3))) as (app, pilot):
        await show(app, pilot, "Builds")
        await pilot.press("v")
        await settled(app, pilot)
        y = next(n for n, line in enumerate(text_of(app).splitlines()) if "no team" in line)
        await pilot.click(offset=(10, y), times=2)
        await settled(app, pilot)
        assert "Build 01" not in text_of(app) and "no team" in text_of(app)


# -- letters, while everything changes


async def test_no_letter_of_a_filter_is_lost_while_everything_changes() -> None:
    source = Told("am", "incident", alerts(200))
    async with board(source) as (app, pilot):
        assert app.live is not None
        await pilot.press("slash")
        for number, letter in enumerate("Alert17"):
            source.items = [incident(n, title=f"Alert{n}", severity="low", team=f"t{number}") for n in range(200)]
            await app.live.engine.refresh()
            await pilot.press(letter)
            assert isinstance(app.focused, Input)
        await poll(app, pilot)
        assert screen_of(app).query_one(Input).value == "Alert17"
        await pilot.press("enter")
        await settled(app, pilot)
        rows = [line for line in text_of(app).splitlines() if " ◉ open" in line]
        assert len(rows) == 11 and all("Alert17" in row for row in rows)


async def test_the_cursor_and_the_details_stay_on_their_item_whatever_comes() -> None:
    source = Told("am", "incident", alerts(20))
    async with board(source) as (app, pilot):
        await pilot.press("j", "j", "j", "p")
        await settled(app, pilot)
        subject = screen_of(app).face.subject
        assert subject is not None
        new = [incident(n, title=f"New {n}", severity="critical") for n in range(100, 130)]
        source.items = [*new, *alerts(20)]
        await poll(app, pilot)
        assert screen_of(app).face.subject == subject
        await pilot.press("v")
        await settled(app, pilot)
        assert screen_of(app).face.subject == subject, "in groups"
        await pilot.press("v", "v", "v", "v", "s", "s")
        await settled(app, pilot)
        assert screen_of(app).face.subject == subject, "in another order"
        await show(app, pilot, "Services")
        await show(app, pilot, "Overview")
        assert screen_of(app).face.subject == subject, "after another view"
        pane = screen_of(app).query_one(DetailsPane)
        assert f"Alert {int(subject.rpartition(':')[2]):02}" in "".join(text for text, _ in pane._rows[0].words)


# -- any keys at all


@pytest.mark.parametrize("seed", [6, 18])
async def test_any_keys_clicks_and_sizes_leave_a_board_that_works(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where files are saved
    chance = random.Random(seed)
    hidden = {"quit", "quit_always", "suspend"}
    known = {
        key
        for keys in DEFAULTS.values()
        for each, text in keys.items()
        if each not in hidden
        for key in text.split(",")
    }
    keys = sorted(known - {"q"})
    sources = (Told("ci", "build", builds(9)), Told("am", "incident", alerts(9)))
    async with board(*sources, views_file=tmp_path / "views.yaml", app_type=Endless) as (app, pilot):
        assert app.live is not None
        for _ in range(150):
            kind = chance.random()
            width, height = app.size
            if kind < 0.85:
                app.simulate_key(chance.choice(keys))
            elif kind < 0.92:
                x, y = chance.randrange(width), chance.randrange(height)
                for event in (MouseDown, MouseUp) * chance.choice((1, 2)):
                    app.screen.post_message(event(None, x, y, 0, 0, 1, False, False, False, screen_x=x, screen_y=y))
            elif kind < 0.96:
                await pilot.resize_terminal(*chance.choice(((20, 5), (60, 20), (120, 40), (200, 60), (40, 8))))
            else:
                sources[0].items = builds(chance.randrange(12))
                sources[1].items = alerts(chance.randrange(20)) if chance.random() < 0.8 else RuntimeError("down")
                await app.live.engine.refresh()
            await asyncio.sleep(chance.choice((0, 0, 0.01)))
        await pilot.resize_terminal(120, 40)
        while app.screen is not screen_of(app):
            app.screen.dismiss()
            await pilot.pause()
        screen = screen_of(app)
        await settled(app, pilot)
        assert app._crashed is None
        assert not screen.face.places or screen.focused is not None
        assert f" {screen.view.name} " in text_of(app).splitlines()[-1]
        for strip in app.screen._compositor.render_strips():
            assert sum(cell_len(segment.text) for segment in strip) == 120
