"""A config that changes under a running board: what is on the screen then, and what a person had chosen there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.config import Config, Files, load_files
from statusboard.keys import ACTIONS, THEMES
from statusboard.query import parse
from statusboard.registry import Registry
from statusboard.reloading import ConfigFile
from statusboard.screens.board import BoardScreen
from statusboard.screens.reloading import Reloader
from statusboard.screens.settings import only
from statusboard.walls import WallApp
from tests.app.stage import DARK, line_with, screen_of, settled, text_of, until

TYPES = Registry.installed()


class Running:
    """A board of a config file; it looks at the file when a test says so."""

    def __init__(self, folder: Path, pilot: Pilot[None], app: BoardApp, reloader: Reloader) -> None:
        self.config = folder / "config.yaml"
        self.folder = folder
        self.pilot = pilot
        self.app = app
        self.reloader = reloader

    async def change(self, text: str) -> str:
        """Write the config, have it looked at, and return what is on the screen then."""
        self.config.write_text(text)
        await self.reloader.look(self.app)
        await settled(self.app, self.pilot)
        screen_of(self.app).tick()
        await self.pilot.pause()
        return text_of(self.app)

    async def until(self, words: str) -> None:
        await until(self.pilot, lambda: words in text_of(self.app))

    @property
    def view(self) -> str:
        return screen_of(self.app).view.name


def deploys(folder: Path, name: str, *versions: str, state: str = "success", service: str = "") -> str:
    """A deploy log, and the source that reads it."""
    lines: list[dict[str, Any]] = [
        {
            "id": f"{name}-{version}",
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "service": service or name,
            "environment": "production",
            "version": version,
            "state": state,
        }
        for version in versions
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"  - {{type: deploy-log, name: {name}, path: {name}.jsonl, interval: 60s}}\n"


def read(files: Files) -> Config:
    return load_files(files, registry=TYPES, env={}, check_filter=parse, actions=ACTIONS, themes=THEMES)


async def at_once(seconds: float) -> None:
    """No waiting for writers in tests."""


@asynccontextmanager
async def running(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, *, follow: bool = False, **options: Any
) -> AsyncIterator[Running]:
    """A board of this config; with ``follow`` it looks at the file by itself."""
    for name in ("DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"STATUSBOARD_{name}", str(folder / name.lower()))
    for name, value in {"TERM": "xterm-256color", "COLORTERM": "truecolor"}.items():
        monkeypatch.setenv(name, value)
    config = folder / "config.yaml"
    config.write_text(text)
    reloader = Reloader(lambda: ConfigFile(config, read, sleep=at_once), **options)
    app = BoardApp(reloader.load, look=DARK, reloader=reloader if follow else None)
    try:
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await until(pilot, lambda: isinstance(app.screen, BoardScreen))
            assert app.live is not None
            await until(pilot, app.live.engine.ready.is_set)
            await settled(app, pilot)
            yield Running(folder, pilot, app, reloader)
    finally:
        await app.close()


async def test_sources_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = deploys(tmp_path, "shop", "1.0"), deploys(tmp_path, "search", "7.7")
    async with running(tmp_path, monkeypatch, "sources:\n" + one) as board:
        await board.until("1.0")
        assert "7.7" not in text_of(board.app)
        assert "config: source search added" in await board.change("sources:\n" + one + two)
        await board.until("7.7")
        await board.until("2 of 2 fresh")
        await board.change("sources:\n" + two)
        await until(board.pilot, lambda: "1.0" not in text_of(board.app))
        await board.until("1 of 1 fresh")


async def test_it_looks_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = deploys(tmp_path, "shop", "1.0"), deploys(tmp_path, "search", "7.7")
    async with running(tmp_path, monkeypatch, "sources:\n" + one, follow=True) as board:
        await board.until("1.0")
        board.config.write_text("board: {title: Other}\nsources:\n" + one + two)
        await board.until("7.7")
        await board.until("Other")
        board.config.write_text("sources: [\n")
        await board.until("config not applied: config.yaml:2")
        board.config.write_text("sources:\n" + one)
        await until(board.pilot, lambda: "not applied" not in text_of(board.app) and "7.7" not in text_of(board.app))


async def test_what_is_broken_is_said_until_it_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = "sources:\n" + deploys(tmp_path, "shop", "1.0")
    async with running(tmp_path, monkeypatch, one) as board:
        await board.until("1.0")
        shown = await board.change(one + "veiws: []\nkeys: {quitt: x}\n")
        assert "config not applied, 2 problems: config.yaml:3: unknown key `veiws`" in shown
        assert "1.0" in shown, "and all goes on"
        await board.pilot.pause()
        assert "veiws" in text_of(board.app)
        assert "not applied" not in await board.change(one)
        assert board.app.live is not None
        board.app.live.engine.dispute = "another board reads shop with other options"
        screen_of(board.app).tick()
        await board.until("another board reads shop with other options")


async def test_another_store_needs_a_restart_and_the_rest_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = deploys(tmp_path, "shop", "1.0"), deploys(tmp_path, "search", "7.7")
    async with running(tmp_path, monkeypatch, "sources:\n" + one) as board:
        await board.until("1.0")
        shown = await board.change("board: {id: other, title: Renamed}\nsources:\n" + two)
        assert "board.id has changed: restart to use another store" in shown and "Renamed" in shown
        assert "1.0" in shown and board.app.live is not None
        assert set(board.app.live.engine.setups) == {"shop"} == set(board.app.live.settings.reads)
        shown = await board.change("sources:\n" + one)
        assert "restart" not in shown and "Renamed" not in shown


async def test_views_change_and_what_was_chosen_and_typed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = "sources:\n" + deploys(tmp_path, "shop", "1.0", "1.1", "1.2")
    views = "views:\n  - {name: Mine, lanes: [releases]}\n  - {name: Late, filter: 'state:failed'}\n"
    async with running(tmp_path, monkeypatch, sources + views) as board:
        await board.until("1.2")
        screen = screen_of(board.app)
        screen.choose_view([view.name for view in screen.viewing.views].index("Mine"))
        screen.filter_by("service:shop")
        await settled(board.app, board.pilot)
        await board.pilot.press("j")
        subject = screen._subject
        assert subject is not None and board.view == "Mine"
        await board.pilot.press("slash")
        await board.pilot.press(*" ver")
        more = "views:\n  - {name: First}\n  - {name: Mine, lanes: [releases, builds], group: service}\n"
        shown = await board.change(sources + more)
        assert board.view == "Mine" and "First" in shown and "Late" not in shown
        assert screen._subject == subject and screen.view.group == "service"
        assert "service:shop ver" in shown, "what is being typed is not lost"
        await board.pilot.press("enter")
        shown = await board.change(sources)
        assert board.view in shown, "a view that is there no longer gives way to another"


async def test_what_a_person_changed_of_a_view_stays_unless_the_config_changes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = "sources:\n" + deploys(tmp_path, "shop", "1.0")
    async with running(tmp_path, monkeypatch, sources) as board:
        await board.until("1.0")
        await board.pilot.press("v")
        group = screen_of(board.app).view.group
        assert group
        await board.change(sources + "views: [{name: Mine}]\n")
        assert screen_of(board.app).view.group == group
        await board.change(sources + "views: [{name: Overview, group: source}]\n")
        assert screen_of(board.app).view.group == "source"


async def test_keys_theme_title_and_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = "sources:\n" + deploys(tmp_path, "shop", "1.0")
    async with running(tmp_path, monkeypatch, sources) as board:
        await board.until("1.0")
        before = board.app.theme
        board.app.use_theme("light")
        shown = await board.change(
            sources + "keys: {details: d}\nboard: {title: Renamed, timezone: Pacific/Kiritimati}\n"
        )
        assert "Renamed" in shown and board.app.theme == "light", "what was picked stays"
        assert board.app.live is not None
        assert str(board.app.live.cells.zone) == "Pacific/Kiritimati"
        await board.pilot.press("p")
        assert not screen_of(board.app)._details.display, "it is another key now"
        await board.pilot.press("d")
        assert screen_of(board.app)._details.display
        await board.change(sources + "theme: high-contrast\n")
        assert board.app.theme == "high-contrast" != before
        await board.pilot.press("p")
        assert not screen_of(board.app)._details.display, "its own key again"


async def test_another_catalog_files_what_is_on_the_board_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = "sources:\n" + deploys(tmp_path, "shop", "1.0", service="checkout")
    async with running(tmp_path, monkeypatch, sources) as board:
        await board.until("1.0")
        await board.change(sources + "services: {checkout: {team: payments}}\n")
        live = board.app.live
        assert live is not None
        rows = live.cells.board.items
        await until(board.pilot, lambda: {getattr(row.fact, "team", "") for row in rows()} == {"payments"})


async def test_what_is_written_on_the_notice_line_is_plain_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = "sources:\n" + deploys(tmp_path, "shop", "1.0")
    async with running(tmp_path, monkeypatch, sources) as board:
        await board.until("1.0")
        await board.change(sources + "'[/red][@click=app.quit]x': 1\n")
        assert "[/red][@click=app.quit]x" in line_with(board.app, "not applied")


async def test_a_wall_follows_its_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"STATUSBOARD_{name}", str(tmp_path / name.lower()))
    sources = "sources:\n" + deploys(tmp_path, "shop", "1.0", state="failed")
    config = tmp_path / "config.yaml"
    config.write_text(sources + "views: [{name: Mine}]\n")
    reloader = Reloader(lambda: ConfigFile(config, read, sleep=at_once), adapt=lambda settings: only(settings, "Mine"))
    app = WallApp(reloader.load, look=DARK)
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: app.live is not None and app.live.engine.ready.is_set())
            config.write_text(sources + "board: {title: Renamed}\nviews: [{name: Mine, filter: 'state:success'}]\n")
            await reloader.look(app)
            assert app.live is not None and app.live.settings.wall.views[0].filter == "state:success"
            assert app.live.notice == ""
            config.write_text(sources)
            await reloader.look(app)
            assert "there is no view" in app.live.notice and "`Mine`" in app.live.notice
            await until(pilot, lambda: "there is no view" in text_of(app))
            assert "all 1 source" in text_of(app) or "1 source fresh" in text_of(app), "which is nothing of the store's"
            assert app.live.settings.wall.views[0].name == "Mine", "it shows what it showed"
    finally:
        await app.close()
