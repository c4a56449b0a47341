"""The timeline on the screen: it follows, goes back as far as one looks, and keeps the cursor where it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.board import Delta
from statusboard.errors import ServerError, StoreUnusable
from statusboard.model import Item
from statusboard.screens import feed, timeline
from statusboard.screens.timeline import TimelineFace
from statusboard.store.memory import MemoryStore
from statusboard.themes import Look
from statusboard.view import ViewSpec
from tests.app.stage import Told, board, line_with, poll, screen_of, settled, text_of, until
from tests.scripted import alert, build
from widgets.table import BoardTable

NOW = datetime.now(UTC)
HOSTILE = "[/x] [@click=app.quit]boom \x1b]52;c;ZXZpbA==\x07 \u202e evil"


def builds(count: int, hours: float = 1, **more: Any) -> list[Item]:
    """Builds that ended so many hours after each other, the first one just now."""
    return [build(n, "failed", branch=f"b{n}", ended_at=NOW - timedelta(hours=hours * n), **more) for n in range(count)]


def face_of(app: BoardApp) -> TimelineFace:
    face = screen_of(app).face
    assert isinstance(face, TimelineFace)
    return face


def table_of(app: BoardApp) -> BoardTable:
    return face_of(app).query_one(BoardTable)


async def to_timeline(app: BoardApp, pilot: Pilot[None]) -> None:
    screen = screen_of(app)
    assert app.live is not None
    screen.choose_view([view.layout for view in app.live.settings.views].index("timeline"))
    await settled(app, pilot)


async def test_what_changed_stands_under_its_day_newest_first():
    async with board(Told("ci", "build", builds(30)), Told("am", "incident", [alert(1)])) as (app, pilot):
        await to_timeline(app, pilot)
        lines = text_of(app).splitlines()
        told = [line for line in lines if "build failed on b" in line or "Today" in line or "Yesterday" in line]
        assert "Today, " in told[0] and any("Yesterday, " in line for line in told)
        numbers = [int(line.split("failed on b")[1].split()[0]) for line in told if " on b" in line]
        assert numbers == sorted(numbers) and len(numbers) > 20
        assert "31 changes" in line_with(app, "Timeline ")


async def test_new_changes_come_in_on_top_and_the_cursor_stays():
    am = Told("am", "incident", [alert(1, severity="high")])
    async with board(am, Told("ci", "build", builds(3))) as (app, pilot):
        await to_timeline(app, pilot)
        await pilot.press("j", "j", "j")
        chosen = face_of(app).subject
        am.items = [alert(1, "acknowledged", severity="high", acknowledged_by="ann")]
        await poll(app, pilot)
        await until(pilot, lambda: "high incident acknowledged by ann" in text_of(app))
        assert face_of(app).subject == chosen
        lines = text_of(app).splitlines()
        places = [n for n, line in enumerate(lines) if "acknowledged by ann" in line or "failed on b0" in line]
        assert "acknowledged" in lines[places[0]]


async def test_what_happened_while_another_view_was_shown_is_there():
    am = Told("am", "incident", [alert(1)])
    async with board(am) as (app, pilot):
        await to_timeline(app, pilot)
        await pilot.press("1")
        await settled(app, pilot)
        am.items = []
        await poll(app, pilot)
        await to_timeline(app, pilot)
        await until(pilot, lambda: "incident resolved" in text_of(app))


async def test_the_filter_applies_to_the_items():
    async with board(Told("ci", "build", builds(5)), Told("am", "incident", [alert(1)])) as (app, pilot):
        await to_timeline(app, pilot)
        screen_of(app).filter_by("kind:incident")
        await until(pilot, lambda: "1 change that passes" in text_of(app))
        assert "incident opened" in text_of(app) and "build failed" not in text_of(app)
        screen_of(app).filter_by("nothing-like-it")
        await until(pilot, lambda: "no change" in line_with(app, "Timeline "))
        await pilot.press("escape")
        await until(pilot, lambda: "6 changes" in text_of(app))


async def test_faults_only_and_the_next_fault():
    items = [*builds(2), build(7, "success", branch="ok", ended_at=NOW - timedelta(minutes=30))]
    items[0] = build(0, "failed", ended_at=NOW)
    async with board(Told("ci", "build", items)) as (app, pilot):
        await to_timeline(app, pilot)
        await pilot.press("n")
        await until(pilot, lambda: face_of(app).subject == "ci:build:0")
        await pilot.press("z")
        await until(pilot, lambda: "2 changes that pass" in text_of(app))
        assert "succeeded" not in text_of(app)


async def test_older_changes_are_read_as_one_goes_down(monkeypatch):
    for module, name, value in (
        (feed, "PAGE", 20),
        (timeline, "FIRST", 20),
        (timeline, "AHEAD", 5),
        (timeline, "MORE", 20),
    ):
        monkeypatch.setattr(module, name, value)
    ci = Told("ci", "build", [])
    async with board(ci, size=(100, 24)) as (app, pilot):
        for number in range(12):
            ci.items = [build(n, "running", branch=f"b{n}", started_at=None) for n in range(10 * number + 10)]
            await poll(app, pilot)
        await to_timeline(app, pilot)
        assert "back to" in line_with(app, "Timeline ")
        before = table_of(app).row_count
        table_of(app).scroll_to(y=before)  # as the wheel does
        await until(pilot, lambda: table_of(app).row_count > before)
        for _ in range(20):
            await pilot.press("G")
            await pilot.pause(0.02)
        await until(pilot, lambda: "nothing older is stored" in text_of(app))
        assert "120 changes" in line_with(app, "Timeline ") and "b0" in text_of(app)


async def test_a_filter_that_finds_little_says_how_far_it_looked(monkeypatch):
    for name, value in (("PAGE", 5), ("PATIENCE", 2)):
        monkeypatch.setattr(feed, name, value)
    ci = Told("ci", "build", [])
    async with board(ci) as (app, pilot):
        for number in range(5):
            ci.items = [build(n, "running", branch=f"b{n}", started_at=None) for n in range(10 * number + 10)]
            await poll(app, pilot)
        await to_timeline(app, pilot)
        screen_of(app).filter_by("branch:b0")
        await until(pilot, lambda: "no change" in line_with(app, "Timeline "))
        assert "searched back to " in text_of(app)
        for _ in range(6):
            await pilot.press("enter")
            await pilot.pause(0.05)
        await until(pilot, lambda: "build started on b0" in text_of(app) and "nothing older is stored" in text_of(app))


async def test_details_of_the_change_and_of_its_item():
    async with board(Told("am", "incident", [alert(1, title="Disk full", severity="high")])) as (app, pilot):
        await to_timeline(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Change" in text_of(app))
        assert "◉ high incident opened" in line_with(app, "  what  ") and "Disk full" in line_with(app, "to what")
        assert "Changed before it" in text_of(app)
        assert table_of(app).cursor_key is not None and table_of(app).cursor_key.isdecimal()  # type: ignore[union-attr]


async def test_what_has_left_the_board_can_still_be_looked_at():
    ci = Told("ci", "build", [build(1, "running", title="Ship it", url="https://ci.example/1")])
    async with board(ci, size=(120, 60)) as (app, pilot):
        ci.items = []
        await poll(app, pilot)
        await to_timeline(app, pilot)
        assert "no longer there" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: "https://ci.example/1" in text_of(app))


async def test_a_source_that_is_not_read_is_news_and_has_details():
    ci = Told("ci", "build", builds(1))
    async with board(ci, size=(120, 60)) as (app, pilot):
        ci.items = ServerError("500 from ci")
        await poll(app, pilot)
        await to_timeline(app, pilot)
        assert "ci is read in part" in text_of(app) or "ci is down" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: "Source now" in text_of(app))
        await pilot.press("o")
        await until(pilot, lambda: "no row is chosen" in text_of(app))


@pytest.mark.parametrize("width,told", [(120, False), (200, True)])
async def test_who_and_where_from_where_there_is_room(width: int, told: bool):
    async with board(Told("ci", "build", builds(1, actor="ann")), size=(width, 30)) as (app, pilot):
        await to_timeline(app, pilot)
        await pilot.pause()
        assert ("Source" in line_with(app, "What happened")) is told
        await pilot.press("ctrl+w")
        await until(pilot, lambda: "Source" in line_with(app, "What happened"))
        assert "ann" in line_with(app, "on b0")


async def test_ages_times_and_utc():
    ended = datetime.now(UTC)
    async with board(Told("ci", "build", [build(0, "failed", branch="b0", ended_at=ended)])) as (app, pilot):
        await to_timeline(app, pilot)
        assert "<1m" in line_with(app, "on b0")
        await pilot.press("T")
        await until(pilot, lambda: f"{ended:%H:%M}" in line_with(app, "on b0"))


async def test_hostile_texts_are_only_texts():
    async with board(Told("am", "incident", [alert(1, title=HOSTILE, services=(HOSTILE,))])) as (app, pilot):
        await to_timeline(app, pilot)
        assert "[/x] [@click=app.quit]boom" in text_of(app)
        assert "\x1b" not in text_of(app) and "\x07" not in text_of(app)


async def test_a_store_that_cannot_be_read_is_said(monkeypatch):
    async with board(Told("am", "incident", [alert(1)])) as (app, pilot):

        async def broken(self: MemoryStore, **_: object) -> list[Any]:
            raise StoreUnusable("the disk is gone", reason="io")

        monkeypatch.setattr(MemoryStore, "past", broken)
        await to_timeline(app, pilot)
        await until(pilot, lambda: "the history cannot be read: the disk is gone" in text_of(app))
        monkeypatch.undo()
        await pilot.press("1")
        await to_timeline(app, pilot)
        await until(pilot, lambda: "1 change" in line_with(app, "Timeline "))


async def test_an_empty_history():
    async with board() as (app, pilot):
        await to_timeline(app, pilot)
        assert "no change" in line_with(app, "Timeline ")
        await pilot.press("j", "enter", "n", "o")
        await pilot.pause()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 60), (20, 5)])
async def test_the_timeline_at_any_size(size: tuple[int, int]):
    look = Look("ansi", ascii_only=True, no_color=True)
    async with board(Told("ci", "build", builds(40, title="漢字" * 200)), size=size, look=look) as (app, pilot):
        await to_timeline(app, pilot)
        lines = text_of(app).splitlines()
        assert len(lines) == size[1]
        assert size == (20, 5) or "X build failed on b3" in text_of(app)


async def test_at_rest_nothing_is_painted():
    async with board(Told("ci", "build", builds(40))) as (app, pilot):
        await to_timeline(app, pilot)
        table = table_of(app)
        painted: list[object] = []
        refresh = table.refresh

        def note(*regions: object, **options: object) -> object:
            painted.append(regions)
            return refresh(*regions, **options)  # type: ignore[arg-type]

        table.refresh = note  # type: ignore[method-assign, assignment]
        for _ in range(3):
            screen_of(app).tick()
        screen_of(app).follow(Delta(frozenset(), frozenset()))
        await pilot.pause(0.05)
        assert painted == []


async def test_a_view_of_ones_own_has_its_filter():
    mine = ViewSpec("Broken", "state:failed", layout="timeline")
    items: list[Item] = [build(1, "failed", ended_at=NOW), build(2, "success", ended_at=NOW)]
    async with board(Told("ci", "build", items), views=(mine,)) as (app, pilot):
        assert app.live is not None
        screen_of(app).choose_view([view.name for view in app.live.settings.views].index("Broken"))
        await settled(app, pilot)
        assert "1 change that passes" in line_with(app, "Broken ")
        await to_timeline(app, pilot)
        assert "2 changes" in line_with(app, "Timeline ")
