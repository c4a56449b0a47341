"""The details on the screen: what is known at once, what the store tells, what people say, and hostile items."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.commands import commands
from statusboard.engine import Engine
from statusboard.errors import StoreError
from statusboard.model import Build, Change, Incident, Item
from statusboard.notes import USER_VARIABLE
from statusboard.screens.asking import AskScreen
from statusboard.screens.noting import READ_ONLY
from tests.app.stage import Told, line_with, text_of, until
from tests.app.stage import board as stage
from tests.pictures.company import NOW, StillClock, ago
from widgets.details import DetailsPane
from widgets.table import BoardTable


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER_VARIABLE, "ann")


def board(
    *sources: Told, size: tuple[int, int] = (120, 40)
) -> AbstractAsyncContextManager[tuple[BoardApp, Pilot[None]]]:
    """A board on which it is always the same moment."""
    return stage(*sources, size=size, clock=StillClock())


def alert(number: int = 1, **more: Any) -> Incident:
    known: dict[str, Any] = {"state": "open", "title": f"alert {number}", "services": ("shop",), "started_at": ago(10)}
    return Incident(key=f"am:incident:{number}", source="am", **{**known, **more})


def run(number: int, state: Any, **more: Any) -> Build:
    known: dict[str, Any] = {
        "title": f"change {number}",
        "pipeline": "CI",
        "branch": "main",
        "default_branch": "main",
        "services": ("shop",),
        "run_number": number,
        "started_at": ago(100 - number),
        "ended_at": ago(98 - number),
        "actor": f"dev{number}",
    }
    return Build(key=f"ci:build:{number}", source="ci", state=state, **{**known, **more})


def pane_of(app: BoardApp) -> DetailsPane:
    return app.screen.query_one("#details", DetailsPane)


def told(app: BoardApp) -> str:
    """What stands in the pane."""
    pane = pane_of(app)
    region = pane.region
    lines = text_of(app).splitlines()[region.y : region.bottom]
    return "\n".join(line[region.x : region.right].rstrip() for line in lines)


async def read_now(app: BoardApp) -> None:
    """Have all sources read; on a clock that stands still nothing else tells when that is done."""
    assert app.live is not None
    await app.live.engine.refresh()


async def says(app: BoardApp, pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: words in text_of(app))


# -- what is known, and what the store tells


async def test_the_past_is_filled_in_and_kept_up_to_date():
    am = Told("am", "incident", [alert()])
    async with board(am) as (app, pilot):
        await pilot.press("enter")
        await says(app, pilot, "◉ open")
        await until(pilot, lambda: "What happened" in told(app) and "being read" not in told(app))
        am.items = [alert(state="acknowledged", acknowledged_by="mira", acknowledged_at=NOW)]
        await read_now(app)
        await until(pilot, lambda: "acked by mira" in told(app).partition("What happened")[2])


async def test_what_can_be_done_with_it_is_told_above_the_details():
    async with board(Told("am", "incident", [alert()])) as (app, pilot):
        assert "open its page" not in text_of(app)
        await pilot.press("enter")
        await says(app, pilot, " o open its page  y copy the link  a on it  esc back ")


class Unreadable:
    """An engine whose store tells nobody's past."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.store = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def history(self, key: str, limit: int = 100) -> list[Change]:
        raise StoreError("the disk is gone")


async def test_a_past_that_cannot_be_read_is_said():
    async with board(Told("am", "incident", [alert()])) as (app, pilot):
        assert app.live is not None
        app.live.engine = cast(Engine, Unreadable(app.live.engine))
        await pilot.press("enter")
        await says(app, pilot, "its past cannot be read: the disk is gone")
        assert "alert 1" in told(app), "all else is told"


async def test_what_else_happens_to_the_service_is_kept_up_to_date():
    ci = Told("ci", "build", [])
    async with board(Told("am", "incident", [alert()]), ci) as (app, pilot):
        await pilot.press("enter")
        await says(app, pilot, "no release and no broken or mended build of shop")
        ci.items = [run(1, "success"), run(2, "failed", ended_at=ago(14))]
        await read_now(app)
        await says(app, pilot, "4m before")
        assert "broke CI #2" in line_with(app, "4m before")


async def test_the_first_bad_run_and_its_author_are_seen_at_80x24():
    runs: list[Item] = [run(n, "failed" if n > 4 else "success") for n in range(8)]
    async with board(Told("ci", "build", runs), size=(80, 24)) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: "first bad" in told(app))
        assert "#5 by dev5" in told(app)
        assert "✓✓✓✓✓✗✗[✗]" in told(app)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
async def test_hostile_items_stay_within_the_pane(size):
    hostile = alert(
        1,
        title="漢字e\u0301 ﷺ" * 100 + "x" * 500,
        reason="because " * 80,
        description="word " * 2_000,
        labels={f"label {n} שלום": "v" * n for n in range(100)},
        services=tuple("s" * 100 + str(n) for n in range(20)),
        started_at=None,
        url="https://a.example/" + "y" * 500,
        links={"evil": "javascript:alert(1)", "[@click=app.quit]x[/]": "https://b.example/"},
    )
    async with board(Told("am", "incident", [hostile]), size=size) as (app, pilot):
        await pilot.press("enter", "enter")
        await until(pilot, lambda: app.focused is pane_of(app))
        for key in ("pagedown", "pagedown", "G", "g"):
            await pilot.press(key)
            await pilot.pause()
            assert {strip.cell_length for strip in app.screen._compositor.render_strips()} == {size[0]}
        await pilot.press("G")
        await pilot.pause()
        assert "change" in told(app).splitlines()[-1], "its end can be reached"
        assert "javascript" not in told(app)


async def test_what_an_item_leads_to_is_opened_by_name(monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "1")
    linked = alert(url="https://am.example/1", links={"runbook": "https://run.example/shop", "evil": "file:///etc"})
    async with board(Told("am", "incident", [linked])) as (app, pilot):
        await pilot.press("j")
        found = {command.name: command for command in commands(app)}
        assert "Open the evil" not in found
        found["Open the runbook"].run()
        await says(app, pilot, "copied: over SSH")
        assert app.clipboard == "https://run.example/shop"


# -- saying something


async def test_being_on_it_is_seen_in_the_row_and_taken_back_by_the_same_key():
    async with board(Told("am", "incident", [alert()])) as (app, pilot):
        await pilot.press("enter", "a")
        await says(app, pilot, "(ann: on it) alert 1")
        await until(pilot, lambda: "ann: on it <1m ago" in told(app))
        assert "ann is on it" in text_of(app)
        await pilot.press("a")
        await until(pilot, lambda: "(ann: on it)" not in text_of(app) and "ann: on it" not in told(app))


async def test_a_new_episode_has_been_seen_by_nobody():
    am = Told("am", "incident", [alert()])
    async with board(am) as (app, pilot):
        await pilot.press("j", "a")
        await says(app, pilot, "(ann: on it)")
        am.items = [alert(started_at=ago(1))]
        await read_now(app)
        await until(pilot, lambda: "(ann: on it)" not in text_of(app))
        await pilot.press("a")
        await says(app, pilot, "(ann: on it)")


async def test_what_somebody_else_is_on_is_taken_back_by_name(monkeypatch):
    async with board(Told("am", "incident", [alert()])) as (app, pilot):
        await pilot.press("j", "a")
        await says(app, pilot, "(ann: on it)")
        monkeypatch.setenv(USER_VARIABLE, "bob")
        await pilot.press("a")
        await says(app, pilot, "taken back: ann was on it")


async def test_a_note_is_written_changed_and_taken_back():
    async with board(Told("am", "incident", [alert()])) as (app, pilot):
        await pilot.press("j", "N")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await says(app, pilot, "Note on alert 1")
        await pilot.press(*"looking", "enter")
        await says(app, pilot, "(ann: looking) alert 1")
        await pilot.press("N")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"!", "enter")
        await says(app, pilot, "(ann: looking!) alert 1")
        await pilot.press("N")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*["backspace"] * 8, "enter")
        await until(pilot, lambda: "(ann:" not in text_of(app))


async def test_a_note_that_is_left_changes_nothing():
    async with board(Told("am", "incident", [alert()])) as (app, pilot):
        await pilot.press("j", "N")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"looking", "escape")
        await until(pilot, lambda: not isinstance(app.screen, AskScreen))
        assert "(ann:" not in text_of(app)
        assert isinstance(app.focused, BoardTable)


@pytest.mark.parametrize("key", ["a", "N"])
async def test_a_board_that_only_follows_refuses_with_a_clear_word(key):
    async with board(Told("am", "incident", [alert()])) as (app, pilot):
        assert app.live is not None
        app.live.engine.role = "reading"
        await pilot.press("j", key)
        await says(app, pilot, READ_ONLY)
        assert not isinstance(app.screen, AskScreen)


async def test_without_a_row_there_is_nothing_to_say():
    async with board(Told("am", "incident", [])) as (app, pilot):
        await pilot.press("a")
        await says(app, pilot, "no row is chosen")
