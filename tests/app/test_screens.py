"""Sources, help, the command palette, themes, and what a fault of ours shows."""

from __future__ import annotations

import asyncio
import logging
from typing import ClassVar

import pytest
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget

from statusboard.app import BoardApp
from statusboard.commands import BoardPalette, commands
from statusboard.engine import Engine
from statusboard.errors import ConfigError
from statusboard.keys import key_name
from statusboard.screens.help import HelpScreen
from statusboard.screens.settings import Settings
from statusboard.screens.work import VITAL
from statusboard.themes import Look
from statusboard.view import ViewSpec
from tests.app.stage import Told, board, line_with, poll, screen_of, text_of, until
from tests.scripted import alert, build

TOKEN = "ghp_0123456789abcdef0123456789abcdef0123"

# -- help


async def test_help_tells_the_keys_of_this_screen():
    async with board(Told("ci", "build", [build(1)]), keys={"details": "d"}, size=(120, 90)) as (app, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.pause()
        shown = text_of(app)
        assert "Filter" in line_with(app, " / ")
        assert "Details on or off" in line_with(app, " d  "), "rebound keys as they are bound"
        assert "1-9" in shown and "severity:>=high" in shown
        assert "Pause or resume" not in shown
        assert (
            shown.index("Next fault") < shown.index("enter") < shown.index("Open its page") < shown.index("Half a page")
        )
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))
        await pilot.press("S", "question_mark")
        await until(pilot, lambda: "Pause or resume" in text_of(app))


async def test_in_a_narrow_terminal_help_breaks_its_lines():
    async with board(Told("ci", "build", [build(1)]), size=(50, 140)) as (app, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: "Next row that changed" in text_of(app))
        shown = text_of(app)
        assert " ".join(shown.split()).count("while you were away") == 1, "told whole"
        assert "is:failing" in shown and "- leaves out" in shown


def test_keys_are_written_as_people_know_them():
    assert [key_name(key) for key in ("slash", "question_mark", "colon", "ctrl+d")] == ["/", "?", ":", "ctrl+d"]


# -- commands


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_palette_runs_a_command(key):
    async with board(Told("ci", "build", [build(1)])) as (app, pilot):
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, BoardPalette))
        await pilot.press(*"sources")
        await until(pilot, lambda: "how well each is read" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: screen_of(app).view.name == "Sources")


async def test_a_command_is_found_by_what_is_told_of_it():
    async with board(Told("ci", "build", [build(1)])) as (app, pilot):
        await pilot.press("colon", *"csv")
        await until(pilot, lambda: "Save what is shown to a file" in text_of(app))
        assert "Faults only" not in text_of(app)


async def test_an_answer_takes_the_place_of_the_one_before():
    async with board(Told("ci", "build", [build(1)])) as (app, pilot):
        await pilot.press("T")
        await until(pilot, lambda: "times in UTC" in text_of(app) or "times in this" in text_of(app))
        await pilot.press("v")
        await until(pilot, lambda: "grouped by team" in text_of(app))
        await until(pilot, lambda: len(app.screen.query("Toast")) == 1)
        app.say("this cannot be stored", severity="error")
        app.say("by urgency")
        await until(pilot, lambda: "by urgency" in text_of(app) and "cannot be stored" in text_of(app))


async def test_commands_are_text_never_markup():
    views = (ViewSpec("[@click=app.quit]x[/y]", "team:core"),)
    async with board(Told("ci[/b]", "build", [build(1)]), views=views) as (app, pilot):
        await pilot.press("colon")
        await until(pilot, lambda: "[@click=app.quit]x[/y]" in text_of(app))
        await pilot.press(*"click")
        await until(pilot, lambda: "View: Overview" not in text_of(app) and "[@click=app.quit]x[/y]" in text_of(app))
        assert "Read ci[/b] now" in {command.name for command in commands(app)}


async def test_themes_are_chosen_by_name():
    async with board(Told("ci", "build", [build(1)])) as (app, pilot):
        for theme in ("light", "ansi", "dark"):
            next(c for c in commands(app) if c.name == f"Theme: {theme}").run()
            await pilot.pause()
            assert app.theme == theme
            assert "ALL OK" in text_of(app)


# -- colours


@pytest.mark.parametrize("no_color", [True, False])
async def test_the_terminals_own_colours(no_color, monkeypatch):
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    look = Look("ansi", ascii_only=False, no_color=no_color)
    async with board(Told("am", "incident", [alert(1, severity="critical")]), look=look) as (app, pilot):
        assert app.native_ansi_color
        svg = app.export_screenshot()
        assert "FAILING" in text_of(app)
        if no_color:
            app.use_theme("dark")
            await pilot.pause()
            assert app.theme == "ansi", "another would be painted black on black"
            assert {line for line in svg.split("fill:") if "#" in line[:8]} != set()


# -- faults


class Broken(BoardApp):
    """A fault of ours at the press of a key."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("F", "fault"),
        Binding("W", "fault_later"),
        Binding("B", "fault_beside"),
        Binding("M", "mount_bad"),
    ]

    def action_fault(self) -> None:
        """With a token among the local variables."""
        token = TOKEN
        raise RuntimeError(f"Authorization: Bearer {token}")

    def action_fault_later(self) -> None:
        """In work that the board is none without."""
        self.run_worker(self.later(), group=VITAL)

    def action_fault_beside(self) -> None:
        """In any other work."""
        self.run_worker(self.later())

    async def later(self) -> None:
        """Somewhat later."""
        await asyncio.sleep(0)
        self.action_fault()

    def action_mount_bad(self) -> None:
        """A widget that cannot be made."""

        class Bad(Widget):
            def compose(self) -> ComposeResult:
                token = TOKEN
                yield self.nothing(token)  # type: ignore[attr-defined]

        self.screen.mount(Bad())


@pytest.mark.parametrize("key", ["F", "W", "M"])
async def test_a_fault_ends_the_board_and_shows_nothing(key, capfd, caplog, faults):
    caplog.set_level(logging.ERROR)
    app: BoardApp | None = None
    with pytest.raises(Exception):  # noqa: B017, PT012 - run_test raises whatever it was, at the end of the block
        async with board(Told("ci", "build", [build(1)]), app_type=Broken) as (app, pilot):
            await pilot.press(key)
            await pilot.pause()
    assert app is not None
    assert app.return_code == 70
    assert "an unexpected fault of ours" in app.farewell and "statusboard.log" in app.farewell
    assert TOKEN not in app.farewell
    assert app._exit_renderables == []
    out, err = capfd.readouterr()
    assert TOKEN not in out + err and "Traceback" not in out + err
    assert any(record.exc_info for record in caplog.records), "the log has the traceback"
    assert len(faults) == 1


async def test_a_fault_in_work_beside_the_board_is_told_without_what_it_says(faults):
    async with board(Told("ci", "build", [build(1)]), app_type=Broken) as (app, pilot):
        await pilot.press("B")
        await until(pilot, lambda: "this failed (RuntimeError)" in text_of(app))
        assert TOKEN not in text_of(app)
        await pilot.press("j")
        assert app.return_code is None and app.is_running
    assert [str(fault) for fault in faults] == [f"Authorization: Bearer {TOKEN}"]


async def test_what_a_person_must_mend_ends_the_board_with_a_message():
    def load() -> tuple[Settings, Engine]:
        raise ConfigError("sources[0].url: this is [no] URL")

    app = BoardApp(load)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "STARTING" in text_of(app)
        await until(pilot, lambda: app.return_code is not None)
    await app.close()
    assert (app.return_code, app.farewell) == (2, "config: sources[0].url: this is [no] URL")


async def test_a_store_that_is_read_anew_is_shown_anew():
    ci = Told("ci", "build", [build(1)])
    async with board(ci) as (app, pilot):
        assert app.live is not None
        await app.live.engine._load()
        await until(pilot, lambda: app.live is not None and app.live.cells.board is app.live.engine.board)
        ci.items = [build(1, "failed")]
        await poll(app, pilot)
        assert "FAILING 1" in text_of(app)
