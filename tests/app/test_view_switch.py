"""What a view shows the moment it is shown again, whatever happened while another one was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.clock import SystemClock
from statusboard.model import Item
from tests.app.stage import Told, board, line_with, poll, screen_of, settled, show, text_of, until
from tests.boards import build, incident

DOOM = incident("zz6", "open", severity="critical", title="Doom")


class Moved(SystemClock):
    """The machine's time, and what a test adds to it."""

    def __init__(self) -> None:
        super().__init__()
        self.more = timedelta()

    def now(self) -> Any:
        return super().now() + self.more


class Filmed(BoardApp):
    """An app that keeps what its frames show."""

    frames: list[str] | None = None

    def _display(self, screen: Any, renderable: Any) -> None:
        super()._display(screen, renderable)
        if self.frames is not None and renderable is not None:
            self.frames.append(text_of(self))

    @contextmanager
    def filming(self) -> Iterator[list[str]]:
        """The frames of this block."""
        frames: list[str] = []
        self.frames = frames
        yield frames
        self.frames = None


async def known(app: BoardApp, pilot: Pilot[None], **states: str) -> None:
    """Have everything read until the board knows these states, by the items' remote ids."""
    await poll(app, pilot)
    rows = screen_of(app).live.cells.board.rows

    def states_of() -> dict[str, str]:
        return {key.rpartition(":")[2]: getattr(row.fact, "state", "") for key, row in rows.items()}

    await until(pilot, lambda: states.items() <= states_of().items())
    await settled(app, pilot)


def world() -> tuple[Told, Told]:
    """Two incidents, one of them critical; builds that are well."""
    incidents: list[Item] = [
        incident("zz5", "open", severity="high", title="Flop"),
        DOOM,
    ]
    return Told("am", "incident", incidents), Told("ci", "build", [build(1, title="Compile"), build(2, pipeline="b")])


@pytest.mark.parametrize("away", ["Services", "Sources", "Tickets", "Timeline", "Metrics"])
async def test_every_frame_of_a_view_shows_what_is_so_now(away: str) -> None:
    am, ci = world()
    async with board(am, ci, size=(100, 30), app_type=Filmed) as (app, pilot):
        assert isinstance(app, Filmed)
        am.items = [incident("zz5", "resolved", severity="high", title="Flop"), DOOM]
        await known(app, pilot, zz5="resolved")
        assert "resolved" in line_with(app, "Flop")
        await show(app, pilot, away)
        am.items = [
            incident("zz5", "open", severity="high", title="Flop again"),
            incident("zz6", "resolved", severity="critical", title="Doom"),
        ]
        ci.items = [build(1, "failed", title="Compile"), build(2, pipeline="b")]
        await known(app, pilot, zz5="open", zz6="resolved", **{"1": "failed"})
        with app.filming() as frames:
            await show(app, pilot, "Overview")
        shown = [frame for frame in frames if "Flop" in frame]
        assert shown
        for frame in shown:
            assert re.search(r"open .* Flop again", frame) and re.search(r"resolved .* Doom", frame), frame
            assert re.search(r"failed .* Compile", frame), frame
            assert re.search(r" Incidents .* 1 failing", frame) and re.search(r" Builds .* 1 failing", frame), frame


async def test_the_view_of_one_lane_shows_what_is_so_now() -> None:
    am, ci = world()
    async with board(am, ci, size=(100, 30), app_type=Filmed) as (app, pilot):
        assert isinstance(app, Filmed)
        await show(app, pilot, "Builds")
        await show(app, pilot, "Incidents")
        ci.items = [build(1, "failed", title="Compile"), build(2, pipeline="b")]
        await known(app, pilot, **{"1": "failed"})
        with app.filming() as frames:
            await show(app, pilot, "Builds")
        shown = [frame for frame in frames if "Compile" in frame]
        assert shown
        assert all("failed" in frame and "1 failing" in frame for frame in shown)


async def test_the_matrix_and_the_sources_show_what_is_so_now() -> None:
    am, ci = world()
    am.items = [incident("zz5", "open", severity="low", services=("ledger",))]
    async with board(am, ci, size=(100, 30), app_type=Filmed) as (app, pilot):
        assert isinstance(app, Filmed)
        for view in ("Services", "Sources", "Overview"):
            await show(app, pilot, view)
        am.items = [incident("zz5", "open", severity="high", services=("ledger",))]
        ci.items = OSError("gone")
        await known(app, pilot, zz5="open", ci="partial")
        with app.filming() as frames:
            await show(app, pilot, "Services")
        shown = [frame for frame in frames if "ledger" in frame]
        assert shown and all("high" in frame for frame in shown)
        with app.filming() as frames:
            await show(app, pilot, "Sources")
        shown = [frame for frame in frames if "of 2 fresh" in frame]
        assert shown and all("1 of 2 fresh" in frame for frame in shown)


async def test_the_timeline_says_that_it_is_being_read_until_the_newest_is_there() -> None:
    am, ci = world()
    async with board(am, ci, size=(100, 30), app_type=Filmed) as (app, pilot):
        assert isinstance(app, Filmed)
        await show(app, pilot, "Timeline")
        await show(app, pilot, "Overview")
        am.items = [incident("zz7", "open", severity="high", title="Newest")]
        await known(app, pilot, zz7="open")
        with app.filming() as frames:
            await show(app, pilot, "Timeline")
        shown = [frame for frame in frames if "\n Timeline" in frame]
        assert shown and all("Newest" in frame or "is being read" in frame for frame in shown)
        assert "Newest" in text_of(app)


async def test_ages_have_gone_on_while_a_view_was_not_shown() -> None:
    am, ci = world()
    clock = Moved()
    am.items = [incident("zz6", "open", title="Doom", started_at=clock.now() - timedelta(minutes=5))]
    async with board(am, ci, size=(100, 30), clock=clock) as (app, pilot):
        assert " 5m " in line_with(app, "Doom")
        await show(app, pilot, "Sources")
        clock.more = timedelta(hours=3)
        screen_of(app).choose_view(0)
        await settled(app, pilot)
        assert " 3h " in line_with(app, "Doom")
