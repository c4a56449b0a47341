"""The hand-over on the screen: what it tells, of how long and of whom, and that it can be pasted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.model import Incident
from statusboard.screens.handover import HandoverScreen
from statusboard.themes import Look
from tests.app.stage import DARK, Told, board, screen_of, text_of, until
from tests.app.test_suspects import release

NOW = datetime.now(UTC)


def incidents() -> Told:
    values: dict[str, Any] = {"source": "am", "environment": "production"}
    errors = Incident(
        key="am:incident:1", state="open", severity="critical", title="Errors [b]rise[/b]", services=("checkout",),
        team="payments", started_at=NOW - timedelta(minutes=12), **values,
    )  # fmt: skip
    slow = Incident(
        key="am:incident:2", state="open", severity="low", title="Slow", services=("search",), team="discovery",
        started_at=NOW - timedelta(hours=30), **values,
    )  # fmt: skip
    return Told("am", "incident", [errors, slow])


async def opened(app: BoardApp, pilot: Pilot[None]) -> HandoverScreen:
    await pilot.press("H")
    await until(pilot, lambda: isinstance(app.screen, HandoverScreen))
    await until(pilot, lambda: "Still open" in text_of(app))
    assert isinstance(app.screen, HandoverScreen)
    return app.screen


@pytest.mark.parametrize(
    ("size", "look"),
    [((120, 40), DARK), ((80, 24), Look("light", ascii_only=True, no_color=True)), ((200, 60), DARK)],
)
async def test_one_key_tells_what_is_open_and_after_what(size: tuple[int, int], look: Look) -> None:
    async with board(incidents(), Told("cd", "release", [release(1, 5)]), size=size, look=look) as (app, pilot):
        await opened(app, pilot)
        text = text_of(app)
        assert "Hand-over, all teams" in text and "(8h)" in text
        assert "Errors [b]rise[/b]" in text
        assert "suspect checkout 1.4.9" in text
        assert "2 still open" in text
        assert all(len(line.rstrip()) <= size[0] for line in text.splitlines())
        await pilot.press("escape")
        assert app.screen is screen_of(app)


async def test_a_team_and_a_longer_time_are_a_key_away() -> None:
    async with board(incidents()) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("t")
        await until(pilot, lambda: "team discovery" in text_of(app))
        assert "Slow" in text_of(app) and "Errors" not in text_of(app)
        await pilot.press("t", "t")
        await until(pilot, lambda: "all teams" in text_of(app))
        assert "1 opened" in text_of(app)
        await pilot.press("d", "d")
        await until(pilot, lambda: "(7d)" in text_of(app))
        assert "2 opened" in text_of(app)


async def test_it_is_copied_as_markdown() -> None:
    async with board(incidents()) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("y")
        await until(pilot, lambda: "copied as Markdown" in text_of(app))
        assert app.clipboard.startswith("**Hand-over, all teams")
        assert r"Errors \[b\]rise\[/b\]" in app.clipboard
