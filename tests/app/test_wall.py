"""The wall: its pages, its keys, and that nothing on it is falsely green."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, time
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from textual.pilot import Pilot

from statusboard import presenting
from statusboard.app import BoardApp
from statusboard.board import Board
from statusboard.clock import FakeClock
from statusboard.engine import Engine
from statusboard.errors import ConfigError, NotFound
from statusboard.keys import VIEWS
from statusboard.model import Fact, Status
from statusboard.palettes import NIGHT, unreadable
from statusboard.screens import presence
from statusboard.screens.settings import Settings, only
from statusboard.screens.views import BUILT_IN
from statusboard.screens.wall import WallScreen
from statusboard.screens.wall_walk import Picture, Told, Walk
from statusboard.view import OVERVIEW, ViewSpec
from statusboard.wall import Night, WallSpec
from statusboard.walls import WallApp
from tests.app.stage import DARK, text_of, until
from tests.app.stage import Told as Source
from tests.app.stage import board as stage
from tests.boards import NOW, ago, board_of, build, fold, health, incident, release
from tests.scripted import alert
from tests.scripted import build as built
from widgets.bigtype import big
from widgets.words import width_of

SIZES = [(73, 20), (80, 24), (120, 40), (200, 60), (40, 10), (300, 100), (60, 20)]
PAYMENTS = ViewSpec("Payments", "team:payments")


class Page:
    """A wall of one board, without a terminal."""

    def __init__(self, board: Board, spec: WallSpec | None = None, *, ascii_only: bool = False) -> None:
        self.board = board
        self.mono = 0.0
        self.role, self.notice = "polling", ""
        self.statuses = {name: Status(source=name, last_success=ago(1)) for name in board.health}
        glyphs = presenting.ASCII if ascii_only else presenting.UNICODE
        self.walk = Walk(spec or WallSpec(), glyphs, UTC, title="acme", demo=False, ascii_only=ascii_only)
        self.walk.rebuild(board, NOW)

    def paint(self, width: int = 73, height: int = 20) -> Picture:
        told = Told(self.board, self.statuses, self.role, self.notice, NOW, self.mono)
        return self.walk.paint(told, width, height)

    def text(self, width: int = 73, height: int = 20) -> str:
        """What it says, its columns one below the other."""
        picture = self.paint(width, height)
        columns = [line for _, lines in picture.columns for line in lines]
        lines = [picture.head, ((picture.countdown, ""),), *picture.top, *columns, *picture.foot]
        return "\n".join("".join(text for text, _ in line) for line in lines)


def says(text: str, words: str, scale: int) -> bool:
    """Whether these words stand there in type of that scale."""
    return all(row.strip() in text for row in big(words, scale))


# -- pages


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("wrong", [0, 1, 7, 40])
@pytest.mark.parametrize("unread", [False, True])
def test_every_page_fills_its_terminal_and_nothing_leaves_it(width, height, ascii_only, wrong, unread):
    facts = [incident(n, severity="critical", services=(f"svc-{n}",), team="支付队") for n in range(wrong)]
    page = Page(board_of(*facts, health("am", "down" if unread else "fresh")), ascii_only=ascii_only)
    picture = page.paint(width, height)
    body = max(len(lines) for _, lines in picture.columns)
    assert 1 + len(picture.top) + body + len(picture.foot) <= height
    for lines, room in [(picture.top, width), (picture.foot, width), *((each, wide) for wide, each in picture.columns)]:
        assert all(width_of(line) <= room for line in lines)
    assert sum(wide for wide, _ in picture.columns) == width
    if ascii_only:
        assert page.text(width, height).replace("支付队", "").replace("…", "").isascii()


def test_a_terminal_too_small_says_what_a_wall_needs():
    page = Page(board_of(incident(1), health("am")))
    assert "FAILING 1" in page.text(39, 9) and "A wall needs 40x10" in page.text(39, 9)


def test_a_tile_says_what_is_wrong_whose_it_is_since_when_and_what_changed_just_before():
    page = Page(
        board_of(
            incident(
                1,
                severity="critical",
                title="ErrorRateHigh",
                services=("shop",),
                team="payments",
                environment="production",
                started_at=ago(10),
            ),
            release(1, version="2.0", started_at=ago(14)),
            health("am"),
        )
    )
    text = page.text()
    assert says(text, "FAILING 1", 2) and "1 critical" in text
    assert "● CRITICAL  11:50, 10m" in text.replace("◉", "●") and "payments" in text
    assert says(text, "SHOP", 1)
    assert "production: ErrorRateHigh" in text and "JUST BEFORE 2.0, 14m ago" in text


@pytest.mark.parametrize(
    ("minutes", "told"), [(9, "since then 2.0"), (69, "JUST BEFORE 2.0"), (200, "last release 2.0")]
)
def test_a_release_is_told_by_how_it_stands_to_the_fault(minutes, told):
    page = Page(board_of(incident(1, services=("shop",)), release(1, version="2.0", started_at=ago(minutes))))
    assert told in page.text()


def test_every_state_is_told_in_words():
    facts: list[Fact] = [
        incident(1, severity="critical"),
        incident(2, "acknowledged", severity="high", acknowledged_by="mira"),
        incident(3),
        build(4, "failed"),
        build(5, "running", pipeline="other", verdict="failed"),
        build(6, "unknown", pipeline="third"),
        release(7, "failed"),
    ]
    text = Page(board_of(*facts, health("am"), health("ci"), health("cd"))).text(200, 60)
    for word in ("CRITICAL", "HIGH ACKED", "SEVERITY UNKNOWN", "BUILD FAILED", "BUILD UNKNOWN", "RELEASE FAILED"):
        assert says(text, word, 1), word
    assert "mira" in text
    assert "BUILD FAILED, running again" in Page(board_of(facts[4], health("ci"))).text()


def test_what_is_no_longer_read_only_was_so():
    text = Page(board_of(incident(1, severity="critical"), health("am", "stale"))).text()
    assert "? WAS CRITICAL" in text and says(text, "1 OF 1 UNREAD", 1)


def test_more_than_fits_comes_on_pages_that_are_walked_through():
    page = Page(board_of(*(incident(n, services=(f"svc-{n:02}",)) for n in range(20)), health("am")))
    seen = set()
    for mono in range(0, 240, 30):
        page.mono = float(mono)
        text = page.text()
        seen |= {n for n in range(20) if f"svc-{n:02}" in text}
        assert "of 4" in text
    assert seen == set(range(20))


def test_a_new_fault_is_gone_to_at_once():
    board = board_of(*(incident(n, severity="high", started_at=ago(5)) for n in range(20)), health("am"))
    page = Page(board)
    page.text()
    page.mono = 30.0
    assert "page 2 of 4" in page.text()
    page.mono = 36.0
    page.walk.follow(board, fold(board, incident("new", severity="critical", services=("boiler",))), NOW)
    assert "boiler" in page.text() and "page 1 of 4" in page.text()


def test_it_stays_with_the_view_that_is_red():
    spec = WallSpec(views=(ViewSpec("Builds", lanes=("build",)), ViewSpec("Incidents", lanes=("incident",))))
    board = board_of(incident(1), health("am"))
    page = Page(board, spec)
    for mono in (0.0, 30.0, 60.0, 90.0):
        page.mono = mono
        assert " Incidents " in page.text() and "stays: failing" in page.text()
    page.walk.follow(board, fold(board, incident(1, "resolved")), NOW)
    assert "Builds in 30s" in page.text()
    page.mono = 120.0
    assert " Builds " in page.text() and "Incidents in 30s" in page.text()


# -- never falsely green


def test_all_ok_says_what_was_read_and_when():
    text = Page(board_of(build(1, services=("shop",)), build(2, pipeline="b"), health("ci"))).text()
    assert says(text, "ALL OK", 3)
    assert "2 builds  0 releases  0 incidents  0 tickets  read at 11:59" in text
    assert "Latest" in text and "success" in text


@pytest.mark.parametrize("state", ["aging", "stale", "down", "partial", "starting", "paused"])
@pytest.mark.parametrize("optional", [False, True])
def test_nothing_is_ok_while_a_source_is_not_fresh(state, optional):
    page = Page(board_of(build(1), health("ci"), health("am", state, optional=optional)))
    assert says(page.text(), "ALL OK", 3) is optional
    styles = {style for line in page.paint().top for _, style in line}
    assert ("success" in styles) is optional


def test_nothing_is_ok_where_nothing_was_read():
    page = Page(board_of(build(1)))
    assert says(page.text(), "BLIND", 3) and says(page.text(), "NOTHING READ", 1)


@pytest.mark.parametrize(
    ("role", "notice", "words"), [("reading", "the file was deleted", "STORE GONE"), ("reading", "", "NOBODY POLLS")]
)
def test_a_picture_that_nobody_renews_is_not_ok(role, notice, words):
    page = Page(board_of(build(1), health("ci")))
    page.role, page.notice = role, notice
    page.statuses = {"ci": Status(source="ci", last_success=ago(2), next_poll=ago(1))}
    text = page.text()
    assert says(text, words, 1) and says(text, "BLIND", 3) and not says(text, "ALL OK", 3)
    assert all(style == "verdict-failed" for line in page.paint().foot for _, style in line), "from edge to edge"


def test_an_unknown_item_is_not_ok():
    text = Page(board_of(build(1, "unknown"), health("ci"))).text()
    assert says(text, "UNKNOWN 1", 1) and "? BUILD UNKNOWN" in text


def test_a_forgotten_filter_cannot_hide_a_critical_incident_unnoticed():
    critical = incident(1, severity="critical", title="Database down", team="search", services=("db",))
    board = board_of(critical, incident(2, severity="low", team="search"), build(3, team="payments"), health("am"))
    page = Page(board, WallSpec(views=(PAYMENTS,), filter="-label:test"))
    pages = []
    for mono in (0.0, 30.0, 60.0):
        page.mono = mono
        pages.append(page.text())
    for text in pages:
        assert not says(text, "ALL OK", 3)
        assert "2 FAULTS HIDDEN by the wall's filter -label:test" in text
        assert "HIDDEN CRITICAL: db 10m: Database down" in text
    assert any("Hidden by filter" in text and "● CRITICAL" in text.replace("◉", "●") for text in pages)
    red = [line for line in page.paint().top if any("HIDDEN" in text for text, _ in line)]
    assert red and {style for line in red for _, style in line} == {"critical"}


def test_every_hidden_critical_incident_is_named_however_many_there_are():
    facts = [incident(n, severity="critical", team="search", services=(f"svc-{n:02}",)) for n in range(30)]
    page = Page(board_of(*facts, health("am")), WallSpec(views=(PAYMENTS,)))
    named = set()
    for mono in range(0, 300, 30):
        page.mono = float(mono)
        text = page.text()
        assert "30 FAULTS HIDDEN" in text
        named |= {n for n in range(30) if f"svc-{n:02}" in text}
    assert named == set(range(30))


def test_a_view_of_which_another_one_is_red_is_never_shown_as_well():
    board = board_of(incident(1, team="search", severity="high"), health("am"))
    page = Page(board, WallSpec(views=(PAYMENTS, OVERVIEW)))
    for mono in (0.0, 30.0, 60.0):
        page.mono = mono
        assert " Overview " in page.text() and "HIDDEN" not in page.text()


def test_a_view_counts_what_it_shows():
    facts: list[Fact] = [build(1, team="payments"), build(2, pipeline="b"), incident(3, "suppressed", team="payments")]
    spec = WallSpec(views=(ViewSpec("Ours", "team:payments", lanes=("build", "incident")),))
    text = Page(board_of(*facts, health("ci")), spec).text()
    assert "1 build  1 incident  read at 11:59" in text and "1 suppressed" in text and "release" not in text


# -- on a terminal


@asynccontextmanager
async def wall(*sources: Source, spec: WallSpec | None = None, clock: Any = None, **more: Any) -> AsyncIterator[Any]:
    """A process that is a wall and nothing else."""
    engine = Engine(sources, store_path=None, clock=clock)
    settings = Settings(title="acme", timezone="UTC", wall=spec or WallSpec())
    app = WallApp(lambda: (settings, engine), look=more.pop("look", DARK), title="acme")
    try:
        async with app.run_test(size=more.pop("size", (73, 20)), notifications=True) as pilot:
            await until(pilot, lambda: isinstance(app.screen, WallScreen))
            await until(pilot, engine.ready.is_set)
            await until(pilot, lambda: all(engine.board.state_of(s.name) != "starting" for s in sources))
            await shown(app, pilot)
            yield app, pilot
    finally:
        await app.close()


async def shown(app: BoardApp, pilot: Pilot[None]) -> None:
    """Let the wall take in what has changed."""
    assert isinstance(app.screen, WallScreen)
    app.screen.tick()
    await pilot.pause()
    await pilot.pause()


async def test_f_leads_to_the_wall_and_back():
    async with stage(Source("am", "incident", [alert(1)])) as (app, pilot):
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, WallScreen))
        await shown(app, pilot)
        assert says(text_of(app), "FAILING 1", 3) or says(text_of(app), "FAILING 1", 4)
        await until(pilot, lambda: "f leaves the wall" in text_of(app))
        await pilot.press("f")
        await until(pilot, lambda: not isinstance(app.screen, WallScreen))
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, WallScreen))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, WallScreen))


async def test_it_follows_what_happens():
    ci = Source("ci", "build", [built(1)])
    async with stage(ci) as (app, pilot):
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, WallScreen))
        ci.items = [built(1, "failed")]
        assert app.live is not None
        await app.live.engine.refresh()
        await until(pilot, lambda: next(app.live.engine.board.failing(), None) is not None)  # type: ignore[union-attr]
        await shown(app, pilot)
        assert "BUILD FAILED" in text_of(app) or says(text_of(app), "BUILD FAILED", 1)


@pytest.mark.parametrize(
    "key", ["f", "escape", "question_mark", "colon", "ctrl+p", "S", "r", "o", "y", "p", "1", "slash"]
)
async def test_no_key_leads_away_from_a_wall(key):
    async with wall(Source("am", "incident", [alert(1)])) as (app, pilot):
        before = text_of(app)
        await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, WallScreen) and app.is_running
        assert text_of(app)[75:] == before[75:], "nothing but the clock has changed"


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_it_ends_at_the_second_press_within_two_seconds(key):
    clock = FakeClock()
    async with wall(clock=clock) as (app, pilot):
        await pilot.press("z", key)  # whatever was pressed before
        await pilot.pause()
        assert app.is_running and "Press it once more within 2 s to end this wall" in text_of(app)
        clock.advance(2.1)
        await shown(app, pilot)
        assert "Press it once more" not in text_of(app)
        await pilot.press(key)
        assert app.is_running, "that was the first press anew"
        clock.advance(1.9)
        await pilot.press(key)
        await until(pilot, lambda: app.return_code is not None or not app.is_running)
    assert app.return_code == 0


async def test_it_is_dimmed_at_night_and_bright_again_when_it_is_left():
    spec = WallSpec(night=Night(time(3), time(4)))
    clock = FakeClock()  # at 03:04:05
    async with wall(spec=spec, clock=clock) as (app, pilot):
        assert app.theme == NIGHT.name
        clock.advance(3600)
        await shown(app, pilot)
        assert app.theme == "dark"


def test_what_is_dimmed_can_be_read():
    assert list(unreadable(NIGHT)) == []


async def test_another_configuration_takes_effect():
    async with wall(Source("am", "incident", [alert(1)])) as (app, pilot):
        app.live.settings = structs.replace(app.live.settings, wall=WallSpec(filter="team:nobody"))
        await shown(app, pilot)
        assert "HIDDEN by the wall's filter team:nobody" in text_of(app)


async def test_a_source_that_cannot_be_read_is_told_in_large_type():
    async with wall(Source("ci", "build", NotFound("404 no such thing"))) as (app, _):
        assert says(text_of(app), "1 OF 1 UNREAD", 1) and "ci down, never read" in text_of(app)


async def test_foreign_text_is_never_markup():
    bad = alert(1, title="[/prod] list[int] [@click=app.quit]x[/]")
    async with wall(Source("am", "incident", [bad])) as (app, _):
        assert "[/prod] list[int]" in text_of(app)


def test_a_terminal_that_answered_once_must_go_on_doing_so():
    there = presence.Presence(0)
    assert not there.gone(1_000), "one that never answers is taken as it is"
    there.heard(1_000)
    assert not there.gone(1_000 + presence.PATIENCE) and there.gone(1_001 + presence.PATIENCE)


def test_an_event_loop_that_stands_still_is_noticed():
    there = presence.Presence(0)
    there.gone(100)
    assert not there.stuck(100 + presence.PATIENCE) and there.stuck(160)


# -- which views, and what is needed for it


def test_the_views_that_a_config_may_name_are_those_with_lanes():
    assert tuple(view.name for view in BUILT_IN if view.layout == "lanes") == VIEWS


def test_a_wall_of_one_view():
    settings = Settings(views=(*BUILT_IN, PAYMENTS))
    assert only(settings, "payments").wall.views == (PAYMENTS,)
    with pytest.raises(ConfigError, match="there is no view `nope`"):
        only(settings, "nope")


def test_who_follows_needs_no_credentials_and_no_http(tmp_path: Path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "board: {id: acme}\nsources:\n"
        '  - {type: github, name: gh, repos: [acme/shop], token: "keyring:nothing-here"}\n'
        "wall: {views: [Overview, Builds], every: 10s}\n"
    )
    code = f"""
import sys
from pathlib import Path
from statusboard.cli.board import reloader_of
settings, engine = reloader_of(Path({str(config)!r}), read_only=True).load()
assert [view.name for view in settings.wall.views] == ["Overview", "Builds"] and settings.wall.every == 10
assert not engine.setups, "no source is even made"
print([name for name in ("keyring",) if name in sys.modules])
"""
    assert _printed(code, tmp_path) == "[]"


def test_who_follows_a_store_does_not_wait_for_the_http_library(tmp_path: Path):
    config = tmp_path / "wall.yaml"
    config.write_text("board: {store: /nowhere/acme.sqlite}\n")
    code = f"""
import sys
from pathlib import Path
from statusboard.cli.board import reloader_of
settings, engine = reloader_of(Path({str(config)!r})).load()
import statusboard.walls, statusboard.screens.wall
print([name for name in ("httpx", "keyring", "importlib.metadata") if name in sys.modules])
"""
    assert _printed(code, tmp_path) == "[]"


def _printed(code: str, folder: Path) -> str:
    """What a fresh interpreter prints."""
    places = {f"STATUSBOARD_{name}": str(folder / name.lower()) for name in ("DATA", "CACHE", "STATE")}
    environment = {**os.environ, **places, "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
