"""The details on the screen: what is known at once, what the store tells, what people say, and hostile items."""

from __future__ import annotations

import gc
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.commands import commands
from statusboard.diff import draft
from statusboard.engine import Engine
from statusboard.errors import StoreError
from statusboard.model import Build, Change, Incident, Item
from statusboard.notes import USER_VARIABLE
from statusboard.screens.asking import AskScreen
from statusboard.screens.noting import READ_ONLY
from statusboard.screens.telling import Chosen, Teller
from statusboard.store.base import Batch
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


async def test_what_is_passed_before_its_past_was_asked_for_leaves_nothing_behind(recwarn: pytest.WarningsRecorder):
    am = Told("am", "incident", [alert(1), alert(2), alert(3)])
    async with board(am) as (app, pilot):
        await pilot.press("p")
        assert app.live is not None
        passing: list[Chosen] = [
            (row.key, row, []) for row in app.live.cells.board.rows.values() if row.slot is not None
        ]
        assert len(passing) == 3
        teller = Teller(app.live, pane_of(app), lambda: passing[-1])
        while passing:
            teller.tell()  # at once: no worker has its turn between them
            passing.pop()
        await pilot.pause()
    gc.collect()  # a coroutine that nobody awaited complains as it goes
    assert not [str(each.message) for each in recwarn]


async def test_what_can_be_done_with_it_is_told_above_the_details():
    am = Told("am", "incident", [alert(1, url="https://alerts.example/1"), alert(2)])
    async with board(am) as (app, pilot):
        assert "open its page" not in text_of(app)
        await pilot.press("enter")
        await says(app, pilot, "─ o open its page  y copy the link  a on it  esc back ─")
        await pilot.press("j")
        await says(app, pilot, "─ a on it  esc back ─")
        await pilot.press("S")
        await says(app, pilot, "─ esc back ─")


async def test_with_nothing_chosen_there_is_nothing_to_open():
    async with board(Told("am", "incident", [])) as (app, pilot):
        await pilot.press("p")
        await says(app, pilot, "Nothing is chosen")
        assert "─ esc back ─" in text_of(app) and "open its page" not in text_of(app)


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


async def test_what_is_not_stored_is_not_told_as_if_all_could_see_it(tmp_path):
    """A file stands where the folder of the store should be: as where there is no room."""
    (tmp_path / "data").touch()
    am = Told("am", "incident", [alert()])
    async with stage(am, size=(200, 40), clock=StillClock(), store_path=tmp_path / "data" / "board.sqlite") as (
        app,
        pilot,
    ):
        await until(pilot, lambda: "runs from memory" in text_of(app) and "; this is tried again" in text_of(app))
        await pilot.press("j", "a")
        await says(app, pilot, "ann is on it: seen here only, nothing is stored")
        await pilot.press("N")
        await says(app, pilot, "Said by ann; seen here only,")
        assert "very board" not in text_of(app)


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


# -- how its pipeline does


def run_of_day(day: int, state: Any, **more: Any) -> Build:
    """A run that has left the board long ago."""
    began = ago(day * 24 * 60)
    times = {"started_at": began, "ended_at": began + timedelta(minutes=4), "revision": f"r{day}"}
    return run(1000 - day, state, **{**times, **more})


async def remember(app: BoardApp, *builds: Build) -> None:
    """Have these in the store, as backfill brings them: never on the board."""
    assert app.live is not None
    drafts = [draft(None, build, part="build", origin="backfill") for build in builds]
    await app.live.engine.store.append(Batch(observed_at=NOW, drafts=tuple(drafts)), app.live.engine._lease)


async def test_a_pipeline_is_told_of_further_back_than_the_board_reaches() -> None:
    failing = run(1, "failed", actor="cem", revision="r0")
    async with board(Told("ci", "build", [failing])) as (app, pilot):
        flaky = [run_of_day(5, "failed", attempt=2), run_of_day(5, "success", attempt=1)]
        others = [run_of_day(1, "failed", change="7"), run_of_day(1, "failed", pipeline="docs")]
        await remember(app, run_of_day(3, "success"), run_of_day(2, "failed", actor="bob"), *flaky, *others)
        await pilot.press("enter")
        await says(app, pilot, "14 days: 5 runs, 3 of 5 failed")
        shown = told(app)
        assert "1 revision of 1 tested again both failed and passed, last r5" in shown
        assert "first bad #998 r2 by bob" in shown
        assert "2d" in line_with(app, "red since")
        assert "bob, cem" in line_with(app, " ask")
        assert "does not tell when a build was asked for" in shown


async def test_what_a_pipeline_did_before_is_read_once_and_other_builds_of_it_need_no_reading() -> None:
    async with board(Told("ci", "build", [run(1, "success"), run(2, "failed", pipeline="docs")])) as (app, pilot):
        await pilot.press("enter")
        await says(app, pilot, "14 days: 1 run, 1 of 1 failed")
        await pilot.press("escape", "j", "enter")
        await says(app, pilot, "14 days: 1 run, 0 of 1 failed")


async def test_a_pipeline_whose_past_cannot_be_read_is_told_of_from_the_board() -> None:
    async with board(Told("ci", "build", [run(1, "failed")])) as (app, pilot):
        assert app.live is not None
        broken = app.live.engine.store

        async def fail(*_: Any, **__: Any) -> Any:
            raise StoreError("the disk is gone")

        broken.remembered = fail  # type: ignore[method-assign]
        await pilot.press("enter")
        await says(
            app, pilot, "what is on the board; older runs cannot be read: the disk is gone: 1 run, 1 of 1 failed"
        )


async def test_a_pull_request_has_no_pipeline_to_tell_of() -> None:
    async with board(Told("ci", "build", [run(1, "failed", change="7", branch="topic")])) as (app, pilot):
        await pilot.press("enter")
        await says(app, pilot, "pull request 7")
        assert "How this pipeline does" not in told(app)
