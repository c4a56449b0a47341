"""The screen under what nobody wishes it: tiny terminals, long and foreign names, keys in any order."""

from __future__ import annotations

import re

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.model import Item
from tests.app.stage import Told, board, screen_of, settled, show, text_of
from tests.boards import build, incident
from widgets.details import DetailsPane
from widgets.table import BoardTable

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
