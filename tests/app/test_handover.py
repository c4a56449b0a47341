"""The hand-over on the screen: what it tells, of how long and of whom, and that it can be pasted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.worker import WorkerFailed

from statusboard.app import BoardApp
from statusboard.crash import EXIT_BUG
from statusboard.engine import Engine
from statusboard.model import Incident
from statusboard.screens.handover import HandoverScreen
from statusboard.screens.settings import Settings
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


class Broken(HandoverScreen):
    """A hand-over of which a fault of ours can be asked for."""

    def _teams(self) -> list[str]:
        return ["payments"]

    def action_team(self) -> None:
        self._live = None  # type: ignore[assignment]
        self._read()


async def test_a_fault_in_one_screen_is_logged_and_told_and_takes_nothing_else_away(
    faults: list[BaseException],
) -> None:
    async with board(incidents()) as (app, pilot):
        assert app.live is not None
        await app.push_screen(Broken(app.live))
        await until(pilot, lambda: "Still open" in text_of(app))
        await pilot.press("t")
        await until(pilot, lambda: "hand-over: this failed (AttributeError), the log has it: " in flat(app))
        assert "it cannot be read: this failed (AttributeError)" in flat(app)
        assert [type(fault) for fault in faults] == [AttributeError]
        assert faults[0].__traceback__ is not None
        await pilot.press("r")  # over and over: once in the log, once on the screen
        await pilot.pause()
        assert len(faults) == 1
        await pilot.press("escape")
        assert app.screen is screen_of(app)
        assert app.return_code is None and app.is_running
        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, HandoverScreen) and "Still open" in text_of(app))


def flat(app: BoardApp) -> str:
    return " ".join(text_of(app).split())


async def test_of_what_a_board_is_made_a_fault_ends_it(faults: list[BaseException]) -> None:
    class Unborn(BoardApp):
        async def _go_live(self, engine: Any, settings: Any) -> None:
            raise RuntimeError("nothing can be shown")

    app = Unborn(lambda: (Settings(), Engine([], store_path=None)))
    with pytest.raises(WorkerFailed):
        async with app.run_test() as pilot:
            await until(pilot, lambda: False)
    await app.close()
    assert app.return_code == EXIT_BUG
    assert "an unexpected fault of ours (RuntimeError)" in app.farewell
    assert [str(fault) for fault in faults] == ["nothing can be shown"]
