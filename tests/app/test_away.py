"""Coming back to the board: what changed is marked, summed up in one line, and a key goes through it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.away import read_visits, write_visit
from statusboard.model import Item
from statusboard.screens.timeline import TimelineFace
from statusboard.store.memory import MemoryStore
from statusboard.themes import Look
from tests.app.stage import Told, board, line_with, poll, screen_of, settled, text_of, until
from tests.scripted import alert, build

NOW = datetime.now(UTC)


def alerts(count: int, **more: Any) -> list[Item]:
    """The first three of long ago, the others of just now."""
    return [
        alert(
            n,
            title=f"alert-{n}-",
            severity="high",
            started_at=NOW - timedelta(seconds=n, hours=16 if n < 3 else 0),
            **more,
        )
        for n in range(count)
    ]


async def learned(app: BoardApp, pilot: Pilot[None]) -> None:
    await until(pilot, lambda: screen_of(app).attendance.marks._read == app.live.cells.board.health.keys())  # type: ignore[union-attr]


def be_away(app: BoardApp, **time: float) -> None:
    """As if no key had been pressed for so long."""
    marks = screen_of(app).attendance.marks
    marks.since -= timedelta(**(time or {"hours": 2}))


def marked(app: BoardApp, sign: str = "✱") -> list[str]:
    return [line for line in text_of(app).splitlines() if line.startswith(sign)]


async def test_what_changes_while_one_looks_on_is_marked_until_the_next_key():
    am = Told("am", "incident", alerts(4))
    async with board(am) as (app, pilot):
        await learned(app, pilot)
        assert marked(app) == []
        am.items = [
            *alerts(2),
            alert(2, "acknowledged", title="alert-2-", severity="high", started_at=alerts(3)[2].started_at),
            alerts(4)[3],
        ]
        await poll(app, pilot)
        assert len(marked(app)) == 1 and "alert-2-" in marked(app)[0]
        await pilot.press("j")
        await until(pilot, lambda: marked(app) == [])
        assert "while you were away" not in text_of(app)


async def test_a_label_is_no_change_and_neither_is_what_was_there_at_the_start():
    am = Told("am", "incident", alerts(4))
    async with board(am) as (app, pilot):
        await learned(app, pilot)
        am.items = alerts(4, labels={"pod": "b"}, assignee="ann")
        await poll(app, pilot)
        assert app.live is not None
        assert all(getattr(row.fact, "assignee", "") == "ann" for row in app.live.cells.board.items())
        assert marked(app) == []


async def test_who_comes_back_is_told_in_one_line_and_finds_the_marks():
    am, ci = Told("am", "incident", alerts(3)), Told("ci", "build", [build(1, "running")])
    async with board(am, ci) as (app, pilot):
        await learned(app, pilot)
        be_away(app)
        am.items = [alerts(5)[n] for n in (1, 2, 3, 4)]
        ci.items = [build(1, "failed", ended_at=datetime.now(UTC))]
        await poll(app, pilot)
        await pilot.press("full_stop")
        await until(pilot, lambda: "while you were away (2h): " in text_of(app))
        told = line_with(app, "while you were away")
        assert "2 incidents opened, 1 resolved, 1 build broke" in told and "marked" in told and "u goes" in told
        assert {line.split("alert-")[1][0] for line in marked(app) if "alert-" in line} >= {"3", "4"}
        await pilot.press("full_stop")
        await until(pilot, lambda: "while you were away" not in text_of(app))
        assert marked(app), "they stay until they are seen"


async def test_u_goes_through_them_across_lanes_and_takes_each_mark_away():
    am, ci = Told("am", "incident", alerts(3)), Told("ci", "build", [build(1, "running"), build(2, pipeline="other")])
    async with board(am, ci) as (app, pilot):
        await learned(app, pilot)
        be_away(app)
        am.items = alerts(4)
        ci.items = [build(1, "failed"), build(2, pipeline="other")]
        await poll(app, pilot)
        await pilot.press("u")
        await until(pilot, lambda: screen_of(app).face.subject == "am:incident:3")
        await until(pilot, lambda: len(marked(app)) == 1 and "✗ failed" in marked(app)[0])
        await pilot.press("u")
        await until(pilot, lambda: screen_of(app).face.subject == "ci:build:1")
        await until(pilot, lambda: marked(app) == [])
        await pilot.press("u")

        await until(pilot, lambda: "nothing has changed since you looked" in text_of(app))


async def test_u_keeps_the_marks_of_this_moment():
    am = Told("am", "incident", alerts(3))
    async with board(am) as (app, pilot):
        await learned(app, pilot)
        am.items = alerts(5)
        await poll(app, pilot)
        await pilot.press("u")
        await until(pilot, lambda: len(marked(app)) == 1)
        await pilot.press("k")
        await settled(app, pilot)
        assert len(marked(app)) == 1


async def test_u_goes_to_a_view_that_shows_the_row():
    am, ci = Told("am", "incident", alerts(3)), Told("ci", "build", [build(1)])
    async with board(am, ci) as (app, pilot):
        await learned(app, pilot)
        assert app.live is not None
        screen_of(app).choose_view([view.name for view in app.live.settings.views].index("Builds"))
        await settled(app, pilot)
        am.items = alerts(4)
        await poll(app, pilot)
        await pilot.press("u")
        await until(pilot, lambda: screen_of(app).face.subject == "am:incident:3")
        assert "incident" in screen_of(app).view.lanes


async def test_u_says_what_a_filter_hides():
    am = Told("am", "incident", alerts(3))
    async with board(am) as (app, pilot):
        await learned(app, pilot)
        screen_of(app).filter_by("alert-0-")
        await settled(app, pilot)
        am.items = alerts(4)
        await poll(app, pilot)
        await pilot.press("u")
        await until(pilot, lambda: "what else has changed is hidden by the filter" in text_of(app))


async def test_all_can_be_seen_at_once():
    am = Told("am", "incident", alerts(3))
    async with board(am) as (app, pilot):
        await learned(app, pilot)
        be_away(app)
        am.items = alerts(6)
        await poll(app, pilot)
        await pilot.press("full_stop")
        await until(pilot, lambda: "while you were away" in text_of(app))
        assert len(marked(app)) == 3
        await pilot.press("U")
        await until(pilot, lambda: marked(app) == [] and "while you were away" not in text_of(app))


async def test_the_changes_themselves_are_marked_in_the_timeline():
    am = Told("am", "incident", alerts(3))
    async with board(am) as (app, pilot):
        await learned(app, pilot)
        assert app.live is not None
        screen_of(app).choose_view([view.layout for view in app.live.settings.views].index("timeline"))
        await settled(app, pilot)
        am.items = [alert(0, "acknowledged", title="alert-0-", severity="high", started_at=NOW), *alerts(3)[1:]]
        await poll(app, pilot)
        await until(pilot, lambda: len(marked(app)) == 1 and "acknowledged" in marked(app)[0])
        await pilot.press("u")
        await until(pilot, lambda: marked(app) == [])
        assert isinstance(screen_of(app).face, TimelineFace) and screen_of(app).face.subject == "am:incident:0"


async def test_the_mark_reads_in_ascii_and_the_cursor_s_own_goes_first():
    am = Told("am", "incident", alerts(3))
    async with board(am, look=Look("ansi", ascii_only=True, no_color=True)) as (app, pilot):
        await learned(app, pilot)
        await pilot.press("j")
        be_away(app)
        am.items = [alert(n, "acknowledged", title=f"alert-{n}-", severity="high") for n in range(3)]
        await poll(app, pilot)
        assert len(marked(app, "*")) == 2 and len(marked(app, ">")) == 1


async def test_keys_are_told_as_they_are_bound():
    am = Told("am", "incident", alerts(3))
    async with board(am, keys={"next_unseen": "J"}) as (app, pilot):
        await learned(app, pilot)
        be_away(app)
        am.items = alerts(4)
        await poll(app, pilot)
        await pilot.press("k")
        await until(pilot, lambda: "1 marked: J goes through them" in text_of(app))
        await pilot.press("J")
        await until(pilot, lambda: screen_of(app).face.subject == "am:incident:3")


@pytest.mark.parametrize("hours", [14, 0.08])
async def test_what_changed_since_the_last_visit(tmp_path: Path, hours: float, monkeypatch):
    monkeypatch.setattr("statusboard.screens.away.PATIENCE", 0.5)
    am = Told("am", "incident", alerts(6)[3:])
    async with board(am) as (app, pilot):
        await learned(app, pilot)
        assert app.live is not None
        path = tmp_path / "visits.json"
        app.live.settings = structs.replace(app.live.settings, visits_file=path)
        store_id = app.live.cells.board.store_id
        write_visit(path, store_id, app.live.now - timedelta(hours=hours))
        await screen_of(app).attendance.begin()
        await until(pilot, lambda: len(marked(app)) == 3)
        await pilot.pause(0.1)
        assert ("since your last visit (14h): 3 incidents opened" in text_of(app)) is (hours == 14)
        await until(pilot, lambda: NOW - read_visits(path)[store_id] < timedelta(minutes=1))
        await pilot.press("U")
        screen_of(app).attendance.marks.since += timedelta(minutes=3)
        last = screen_of(app).attendance.marks.since
    assert read_visits(path)[store_id] == last, "kept at the end"


async def test_where_the_past_cannot_be_read_nothing_is_said(monkeypatch):
    am = Told("am", "incident", alerts(3))
    async with board(am) as (app, pilot):
        await learned(app, pilot)
        be_away(app)
        am.items = alerts(4)
        await poll(app, pilot)

        async def broken(self: MemoryStore, **_: object) -> list[Any]:
            from statusboard.errors import StoreError

            raise StoreError("gone")

        monkeypatch.setattr(MemoryStore, "past", broken)
        await pilot.press("full_stop")
        await pilot.pause(0.1)
        assert "while you were away" not in text_of(app) and len(marked(app)) == 1


async def test_another_board_of_the_store_marks_what_differs():
    am = Told("am", "incident", alerts(3))
    async with board(am) as (app, pilot):
        await learned(app, pilot)
        assert app.live is not None
        engine = app.live.engine
        am.items = [*alerts(2), alert(2, "acknowledged", title="alert-2-", severity="high", started_at=NOW)]
        await engine.refresh()
        await engine._load()
        await poll(app, pilot)
        await until(pilot, lambda: len(marked(app)) == 1 and "alert-2-" in marked(app)[0])
