"""The view of the sources: how well each is read, and what can be done about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.errors import NotFound
from statusboard.model import Status
from statusboard.presenting import UNICODE
from statusboard.screens.sources import SourcesFace, source_cells
from statusboard.view import ViewSpec
from tests.app.stage import Told, board, line_with, poll, screen_of, settled, show, text_of, until
from tests.boards import health
from tests.scripted import alert, build


def face_of(app: BoardApp) -> SourcesFace:
    face = screen_of(app).face
    assert isinstance(face, SourcesFace)
    return face


def row_of(app: BoardApp, name: str) -> str:
    return next(line for line in text_of(app).splitlines() if f" {name} " in line and "scripted" in line)


async def to_sources(app: BoardApp, pilot: Pilot[None]) -> None:
    await pilot.press("S")
    await until(pilot, lambda: isinstance(screen_of(app).face, SourcesFace))
    await settled(app, pilot)
    await until(pilot, lambda: "this board is" in text_of(app))


async def test_the_sources_and_what_is_wrong_with_them():
    ci = Told("ci", "build", [build(1)])
    async with board(ci, Told("am", "incident", NotFound("404 no such thing"))) as (app, pilot):
        await to_sources(app, pilot)
        assert "✗ down" in row_of(app, "am") and "404 no such thing" in row_of(app, "am")
        assert "✓ fresh" in row_of(app, "ci")
        assert "1 of 2 fresh" in line_with(app, "Sources ")
        assert "this board is polling" in text_of(app) and "space pause  r read now" in text_of(app)


@pytest.mark.parametrize("key", ["S", "escape"])
async def test_one_comes_back_to_where_one_was(key: str):
    async with board(Told("ci", "build", [build(1)])) as (app, pilot):
        await show(app, pilot, "Builds")
        before = screen_of(app).view.name
        await to_sources(app, pilot)
        await pilot.press(key)
        await settled(app, pilot)
        assert screen_of(app).view.name == before


async def test_a_source_is_paused_and_never_counts_as_read_then():
    async with board(Told("ci", "build", [build(1)])) as (app, pilot):
        assert "ALL OK" in text_of(app)
        await to_sources(app, pilot)
        await pilot.press("space")
        await until(pilot, lambda: "❚ paused" in text_of(app))
        assert "❚ paused" in row_of(app, "ci")
        await until(pilot, lambda: "BLIND" in text_of(app))
        assert "1 paused: ci" in text_of(app) and "ALL OK" not in text_of(app)
        await pilot.press("space")
        await until(pilot, lambda: "✓ fresh" in row_of(app, "ci"))


async def test_one_source_is_read_now():
    ci = Told("ci", "build", [build(1)])
    async with board(ci, Told("am", "incident", [alert(1)])) as (app, pilot):
        await to_sources(app, pilot)
        await pilot.press("j", "j")
        await until(pilot, lambda: face_of(app).sources == ["ci"])
        ci.items = [build(1), build(2)]
        await pilot.press("r")
        assert app.live is not None
        live = app.live
        await until(pilot, lambda: "ci:build:2" in live.cells.board.rows)
        await until(pilot, lambda: " 2 " in row_of(app, "ci"))


async def test_the_details_tell_everything_of_it():
    async with board(Told("am", "incident", NotFound("404 no such thing"))) as (app, pilot):
        await to_sources(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Volume" in text_of(app))
        assert "scripted" in text_of(app) and "404 no such thing" in line_with(app, "incident  ")
        await pilot.press("y")
        await until(pilot, lambda: "copied incident: 404 no such thing" in text_of(app))
        await pilot.press("escape")
        await pilot.pause()
        assert "Volume" not in text_of(app)
        assert isinstance(screen_of(app).face, SourcesFace)


async def test_a_filter_and_faults_only_leave_sources_out_and_say_so():
    async with board(Told("ci", "build", [build(1)]), Told("am", "incident", NotFound("404"))) as (app, pilot):
        await to_sources(app, pilot)
        await pilot.press("z")
        await until(pilot, lambda: "1 hidden" in text_of(app))
        assert "✗ down" in text_of(app) and "✓ fresh" not in text_of(app)
        await pilot.press("z")
        screen_of(app).filter_by("is:stale")
        await until(pilot, lambda: "1 hidden" in text_of(app) and "✓ fresh" not in text_of(app))
        screen_of(app).filter_by("source:ci")
        await until(pilot, lambda: "✓ fresh" in text_of(app) and "✗ down" not in text_of(app))


async def test_n_goes_to_what_is_not_read():
    sources = [Told(name, "build", [build(1, source=name)]) for name in ("a", "b", "c")]
    async with board(*sources, Told("x", "incident", NotFound("404"))) as (app, pilot):
        await to_sources(app, pilot)
        await pilot.press("n")
        await until(pilot, lambda: face_of(app).sources == ["x"])


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("interval", "ahead", "told"), [(5, 8, "<10s"), (15, 4, "<30s"), (30, 1, "<1m"), (60, 90, "<2m"), (300, 200, "3m")]
)
def test_the_next_poll_is_told_as_coarsely_as_it_is_sure(interval: float, ahead: float, told: str) -> None:
    status = Status(source="am", interval=interval, last_success=NOW, next_poll=NOW + timedelta(seconds=ahead))
    cells = source_cells("am", "fresh", None, status, 1, NOW, UNICODE).cells
    assert cells["next"] == (told, "muted")


def test_items_of_a_source_that_has_other_options_now_are_told_to_be_from_before() -> None:
    changed = health("cmd", "starting")
    cells = source_cells("cmd", "starting", changed, None, 32, NOW, UNICODE).cells
    assert (cells["read"], cells["items"]) == (("not yet", "unknown"), ("32", ""))
    assert cells["told"][0] == "not read yet with its present options: its items are from before"
    assert source_cells("cmd", "down", changed, None, 0, NOW, UNICODE).cells["read"] == ("never", "unknown")


async def test_it_follows_the_states():
    ci = Told("ci", "build", [build(1)])
    async with board(ci) as (app, pilot):
        await to_sources(app, pilot)
        ci.items = NotFound("gone away")
        await poll(app, pilot)
        await until(pilot, lambda: "gone away" in text_of(app))


async def test_at_rest_nothing_is_painted_but_the_clock():
    async with board(Told("ci", "build", [build(1)]), Told("am", "incident", [alert(1)])) as (app, pilot):
        await to_sources(app, pilot)
        await until(pilot, lambda: "<2m" in row_of(app, "am") and "<2m" in row_of(app, "ci"))
        table = face_of(app).places[0]
        repaints: list[object] = []
        refresh = table.refresh

        def note(*regions: object, **options: object) -> object:
            repaints.append(regions)
            return refresh(*regions, **options)  # type: ignore[arg-type]

        table.refresh = note  # type: ignore[method-assign, assignment]
        for _ in range(3):
            screen_of(app).tick()
        assert repaints == []


@pytest.mark.parametrize("size", [(60, 20), (200, 60), (20, 5)])
async def test_sources_at_any_size(size: tuple[int, int]):
    async with board(Told("ci", "build", [build(1)]), size=size) as (app, pilot):
        await pilot.press("S")
        await until(pilot, lambda: isinstance(screen_of(app).face, SourcesFace))
        await settled(app, pilot)
        lines = text_of(app).splitlines()
        assert len(lines) == size[1] and all(len(line) == size[0] for line in lines)
        assert size == (20, 5) or "✓ fresh" in line_with(app, "ci")


async def test_a_board_may_begin_with_its_sources():
    first = ViewSpec("Overview", layout="sources")
    async with board(Told("ci", "build", [build(1)]), views=(first,)) as (app, _):
        assert "✓ fresh" in row_of(app, "ci")
