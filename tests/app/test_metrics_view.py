"""The metrics view: numbers by scope, their goals, what is behind them, and what it says where nothing is known."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.board import Delta
from statusboard.catalog import Catalog
from statusboard.diff import draft
from statusboard.measuring import Knowledge, Measure
from statusboard.metrics import parse_goal
from statusboard.model import Incident, Item, Release
from statusboard.screens.export import ExportScreen
from statusboard.screens.metrics import MetricsFace
from statusboard.screens.settings import Settings
from statusboard.store.base import Backfilled, Batch
from statusboard.themes import Look
from tests.app.stage import Told, line_with, screen_of, settled, show, text_of, until
from tests.app.stage import board as stage
from tests.pictures.company import NOW, StillClock

DAY = timedelta(days=1)


def release(number: int, day: float, state: Any = "success", *, service: str = "checkout", **more: Any) -> Release:
    """A deployment so many days ago."""
    at = NOW - day * DAY
    known: dict[str, Any] = {
        "title": f"{service} 1.{number}",
        "version": f"1.{number}",
        "services": (service,),
        "team": "payments",
        "environment": "production",
        "started_at": at - timedelta(minutes=5),
        "ended_at": at,
        "actor": "ann",
        "url": f"https://cd.example/{number}",
    }
    return Release(key=f"cd:release:{number}", source="cd", state=state, **{**known, **more})


def incident(number: int, day: float, *, lasted: float | None = 0.1, **more: Any) -> Incident:
    at = NOW - day * DAY
    known: dict[str, Any] = {
        "title": f"alert {number}",
        "services": ("checkout",),
        "team": "payments",
        "environment": "production",
        "severity": "high",
        "started_at": at,
        "ended_at": None if lasted is None else at + lasted * DAY,
        "url": f"https://am.example/{number}",
    }
    state: Any = "open" if lasted is None else "resolved"
    return Incident(key=f"am:incident:{number}", source="am", state=state, **{**known, **more})


PAST: list[Item] = [
    *(release(n, 29 - n) for n in range(1, 25)),
    *(release(100 + n, 28 - 2 * n, service="search", team="find") for n in range(1, 12)),
    incident(1, 19.99),
    incident(2, 9.98),
]
"""Checkout is deployed daily, and twice an incident followed minutes later; search every other day, and well."""


GOALS = (
    parse_goal("payments", "change_fail_rate", "<= 5%"),
    parse_goal("payments", "deployment_frequency", ">= 3/week"),
    parse_goal("payments", "lead_time", "<= 2d"),
    parse_goal("find", "change_fail_rate", "<= 5%"),
)


class Aiming(Settings, frozen=True, kw_only=True):
    """Settings of teams that have goals."""

    def measure(self, store: Knowledge, zone: tzinfo) -> Measure:
        return Measure(store, Catalog(), goals=GOALS, zone=zone)


@asynccontextmanager
async def metrics(
    *items: Item, size: tuple[int, int] = (120, 40), watched: int = 90, aiming: bool = True, **more: Any
) -> AsyncIterator[tuple[BoardApp, Pilot[None]]]:
    """A board that remembers these, watched for so many days, and shows the metrics view."""
    sources = (Told("cd", "release", []), Told("am", "incident", []))
    async with stage(*sources, size=size, clock=StillClock(), **more) as (app, pilot):
        assert app.live is not None
        engine = app.live.engine
        kept = {name: getattr(app.live.settings, name) for name in app.live.settings.__struct_fields__}
        app.live.use(Aiming(**kept) if aiming else app.live.settings)
        drafts = tuple(draft(None, item, part=item.kind, origin="backfill") for item in items)
        stretches = tuple(
            Backfilled(source=name, part=part, until=NOW, since=NOW - watched * DAY, done=True)
            for name, part in (("cd", "release"), ("am", "incident"))
            if watched
        )
        await engine.store.append(Batch(observed_at=NOW, drafts=drafts, backfilled=stretches), engine._lease)
        await pilot.press("m")
        await settled(app, pilot)
        yield app, pilot


def face(app: BoardApp) -> MetricsFace:
    found = screen_of(app).face
    assert isinstance(found, MetricsFace)
    return found


# -- what is shown


async def test_a_row_a_scope_tells_goals_by_sign_and_the_chosen_number_in_a_sentence() -> None:
    async with metrics(*PAST) as (app, pilot):
        shown = text_of(app)
        assert "Metrics  7 [30] 90 days  ✗ 1 missed  ✓ goal met ✗ missed  ▴ better ▾ worse" in shown
        assert "✗ 8.3%" in line_with(app, "team payments")
        assert "✓ 5.7/w" in line_with(app, "team payments")
        assert "✓ 0%" in line_with(app, "team find")
        assert "✗" not in line_with(app, " checkout ")  # whose goal it is not
        await pilot.press("n")
        await pilot.pause()
        assert "[✗ 8.3%]" in line_with(app, "▌team payments")
        assert "team payments: change fail rate ✗ 8.3%, goal <= 5% missed  n 24" in text_of(app)


async def test_what_is_not_known_is_said_and_is_never_good() -> None:
    async with metrics(*PAST, watched=0) as (app, _):
        for name in ("everything", "team payments", "team find"):
            line = line_with(app, name)
            assert line.count("? no data") == 5
            assert "✓" not in line and "0%" not in line
        assert "no data: nothing of this window was watched" in text_of(app)


async def test_what_was_watched_in_part_says_so() -> None:
    async with metrics(*PAST, watched=10) as (app, pilot):
        assert ", of 10.0 of 29 days" in text_of(app)
        await pilot.press("p")
        await pilot.pause()
        assert "10.0 of 29 days: the rest is not known" in text_of(app)


async def test_a_board_that_remembers_nothing_says_so() -> None:
    async with metrics(aiming=False) as (app, pilot):
        assert "no releases are known yet" in text_of(app)
        await pilot.press("enter", "n", "tab", "p")
        assert "no fault here" in text_of(app)


async def test_another_window_by_a_key() -> None:
    async with metrics(*PAST) as (app, pilot):
        await pilot.press("D")
        await until(pilot, lambda: "7 30 [90] days" in text_of(app) and face(app).settled)
        await pilot.press("D")
        await until(pilot, lambda: "[7] 30 90 days" in text_of(app) and face(app).settled)
        assert "8.3%" not in text_of(app)  # the incidents were before
        assert "? no data" in line_with(app, "search")  # nothing of it failed: nothing to recover from
        await show(app, pilot, "Overview")
        await pilot.press("D")
        assert "this view has no stretch of time to choose" in text_of(app)


async def test_columns_are_chosen_by_tab_and_views_by_their_keys() -> None:
    async with metrics(*PAST) as (app, pilot):
        await pilot.press("j", "tab")
        assert "›Rework" in text_of(app)
        await pilot.press("shift+tab", "shift+tab")
        assert "›Recovery" in text_of(app)
        assert "everything: failed deployment recovery time 2h 24m" in text_of(app)
        await pilot.press("h")
        await settled(app, pilot)
        assert screen_of(app).view.name == "Unowned"
        await pilot.press("l")
        await settled(app, pilot)
        assert screen_of(app).view.name == "Metrics"
        await pilot.press("m")
        assert screen_of(app).view.name == "Overview"


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (160, 50), (200, 60)])
async def test_the_chosen_number_never_gives_way(size: tuple[int, int]) -> None:
    async with metrics(*PAST, size=size) as (app, pilot):
        await pilot.press("j", "tab")
        assert "›Rework" in text_of(app)
        assert "[0%]" in line_with(app, "everything")
        await pilot.press("n")
        assert "[✗ " in line_with(app, "team payments")
        if size[0] >= 160:
            assert "[✗ missed 8.3%]" in line_with(app, "team payments")
            assert "⣿" in line_with(app, "team payments")


async def test_a_filter_and_faults_only_leave_scopes_out() -> None:
    async with metrics(*PAST) as (app, pilot):
        screen_of(app).filter_by("service:search")
        await settled(app, pilot)
        assert "search" in text_of(app)
        assert "team payments" not in text_of(app)
        screen_of(app).clear_filter()
        await pilot.press("z")
        await settled(app, pilot)
        assert "team payments" in text_of(app)
        assert "team find" not in text_of(app)


async def test_in_ascii_all_of_it_can_be_read() -> None:
    look = Look("dark", ascii_only=True, no_color=True)
    async with metrics(*PAST, look=look, size=(160, 50)) as (app, pilot):
        await pilot.press("n", "p")
        await pilot.pause()
        shown = text_of(app)
        body = "\n".join(shown.splitlines()[1:-1])
        assert "[X 8.3%]" in body
        assert "dashed: the goal, <= 5%" in body
        assert all(sign.isascii() or sign == "│" for sign in body)


# -- what is behind a number


def _fact(app: BoardApp, key: str) -> str:
    row = face(app).row(key)
    assert row is not None
    return row.fact.key


async def test_from_a_red_number_to_what_is_behind_it_in_two_keys() -> None:
    async with metrics(*PAST) as (app, pilot):
        await pilot.press("n", "enter")
        await pilot.pause()
        assert "4 behind team payments: change fail rate" in text_of(app)
        report = face(app)._found["team:payments"].report
        assert (
            {_fact(app, key) for _, key in face(app).matches()}
            == set(report["change_fail_rate"].evidence)
            == {"cd:release:9", "cd:release:19", "am:incident:1", "am:incident:2"}
        )
        assert "failed: incident, over after 2h 24m" in line_with(app, "1.19")
        assert "suspected: 28m 48s after 1.19" in line_with(app, "alert 2")


async def test_what_has_left_the_board_is_opened_copied_and_told_of() -> None:
    async with metrics(*PAST) as (app, pilot):
        assert app.live is not None
        assert not list(app.live.cells.board.items())
        await pilot.press("n", "enter", "Y")
        assert "copied cd:release:19" in text_of(app)
        await pilot.press("j", "y")
        assert "copied https://am.example/2" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: "suspected: 28m 48s after 1.19, lasted 2h 24m" in text_of(app))
        assert "it has left the board" in text_of(app)


async def test_steps_back_lead_out_of_it_to_the_view_before() -> None:
    async with metrics(*PAST) as (app, pilot):
        await pilot.press("n", "enter", "escape")
        await pilot.pause()
        assert "Metrics  7 [30] 90 days" in text_of(app)
        assert "[✗ 8.3%]" in line_with(app, "team payments")
        await pilot.press("escape")
        await settled(app, pilot)
        assert screen_of(app).view.name == "Overview"


async def test_behind_nothing_there_is_nothing_to_list() -> None:
    async with metrics(*PAST) as (app, pilot):
        await pilot.press("n", "tab", "enter")
        assert "nothing is behind it" in text_of(app)
        assert "Metrics  7 [30] 90 days" in text_of(app)


async def test_numbers_follow_what_happens() -> None:
    async with metrics(*PAST) as (app, pilot):
        assert app.live is not None
        engine = app.live.engine
        assert "✗ 8.3%" in line_with(app, "team payments")
        drafts = (draft(None, incident(3, 14.99), part="incident", origin="backfill"),)
        await engine.store.append(Batch(observed_at=NOW, drafts=drafts), engine._lease)
        face(app).follow(Delta(frozenset({"am:incident:3"}), frozenset()))
        await until(pilot, lambda: "✗ 12.5%" in line_with(app, "team payments"))


async def test_a_past_moment_has_the_numbers_that_were_known_then() -> None:
    async with metrics(*PAST) as (app, pilot):
        assert app.live is not None
        engine = app.live.engine
        engine.clock.moment = later = NOW + timedelta(minutes=10)  # type: ignore[attr-defined]
        drafts = (draft(None, incident(3, 14.99), part="incident", origin="poll"),)
        await engine.store.append(Batch(observed_at=later, drafts=drafts), engine._lease)
        board = app.live.cells.board
        await until(pilot, lambda: "am:incident:3" in board.rows)
        await until(pilot, lambda: "✗ 12.5%" in line_with(app, "team payments"))
        assert "known then" not in text_of(app)
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: "by what was known then" in text_of(app))
        assert "read back later" not in text_of(app)
        assert "✗ 8.3%" in line_with(app, "team payments")
        await pilot.press("n", "enter")
        await pilot.pause()
        assert "4 behind team payments: change fail rate" in text_of(app)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "6 behind team payments: change fail rate" in text_of(app))
        await pilot.press("0")
        await until(pilot, lambda: "✗ 12.5%" in text_of(app))


async def test_before_anything_was_known_a_past_moment_says_so() -> None:
    async with metrics(aiming=False) as (app, pilot):
        assert app.live is not None
        engine = app.live.engine
        engine.clock.moment = later = NOW + timedelta(minutes=10)  # type: ignore[attr-defined]
        drafts = (draft(None, release(1, 0), part="release", origin="poll"),)
        await engine.store.append(Batch(observed_at=later, drafts=drafts), engine._lease)
        await until(pilot, lambda: "everything" in text_of(app))
        await pilot.press("left_square_bracket", "left_square_bracket")
        await until(pilot, lambda: "no releases were known then" in text_of(app))


async def test_what_was_read_back_after_a_past_moment_is_left_out_and_that_is_said() -> None:
    async with metrics(*PAST) as (app, pilot):
        assert app.live is not None
        engine = app.live.engine
        for minutes, origin in ((10, "poll"), (20, "backfill")):
            at = engine.clock.moment = NOW + timedelta(minutes=minutes)  # type: ignore[attr-defined]
            drafts = (draft(None, incident(minutes, 15 - minutes / 5), part="incident", origin=origin),)  # type: ignore[arg-type]
            await engine.store.append(Batch(observed_at=at, drafts=drafts), engine._lease)
        await until(pilot, lambda: "16.7%" in line_with(app, "team payments"))
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: "known then, without what was read back later" in text_of(app))
        # Two of the 15 since the oldest incident that had been read back by then: how far that had come nobody noted.
        assert "13.3%" in line_with(app, "team payments")


# -- saved to a file


async def _saved(app: BoardApp, pilot: Pilot[None], form: str, folder: Path) -> str:
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(app.screen, ExportScreen))
    await pilot.pause()
    assert "as metrics --json has them" in text_of(app)
    await pilot.press(form, "enter")
    await until(pilot, lambda: "saved to" in text_of(app))
    (file,) = folder.iterdir()
    return file.read_text(encoding="utf-8")


async def test_the_numbers_that_are_seen_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with metrics(*PAST) as (app, pilot):
        screen_of(app).filter_by("team:payments")
        await settled(app, pilot)
        told = json.loads(await _saved(app, pilot, "4", tmp_path))
    scopes = [report["scope"] for report in told["reports"]]
    assert [(scope["team"], scope["service"]) for scope in scopes] == [("payments", "")]
    rate = next(n for n in told["reports"][0]["numbers"] if n["metric"] == "change_fail_rate")
    assert rate["goal"] == {"text": "<= 5%", "met": False} and len(rate["evidence"]) == 4
    assert told["reports"][0]["window"]["days"] == 30


async def test_of_an_opened_number_its_scope_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with metrics(*PAST) as (app, pilot):
        await pilot.press("n", "enter")
        await pilot.pause()
        lines = (await _saved(app, pilot, "3", tmp_path)).splitlines()
    assert len(lines) == 6 and all(line.split(",")[1] == "payments" for line in lines[1:])
    assert "cd:release:19" in lines[4]
