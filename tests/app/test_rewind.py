"""Rewind on the screen: what was known then, never to be taken for now, and nothing done there changes the present."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.commands import BoardPalette
from statusboard.engine import Engine
from statusboard.model import Item
from statusboard.screens.export import ExportScreen
from statusboard.screens.wall import WallScreen
from statusboard.themes import Look
from tests.app.stage import Told, board, line_with, poll, screen_of, settled, show, text_of, until
from tests.pictures.company import StillClock
from tests.scripted import alert, build

START = datetime(2026, 3, 12, 9, 0, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


class Morning:
    """A board, and what happens on it: `then` lets minutes pass and has everything read."""

    history: Path

    def __init__(self, app: BoardApp, pilot: Pilot[None], clock: StillClock, am: Told, ci: Told) -> None:
        self.app, self.pilot, self.clock, self.am, self.ci = app, pilot, clock, am, ci

    async def then(self, minutes: float, *, alerts: Any = None, builds: Any = None) -> None:
        self.clock.moment = at(minutes)
        self.am.items = self.am.items if alerts is None else alerts
        self.ci.items = self.ci.items if builds is None else builds
        await poll(self.app, self.pilot)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.moved()

    async def to(self, text: str) -> None:
        await screen_of(self.app).go_to(text)
        await self.moved()

    async def says(self, words: str) -> None:
        """Wait for a notice."""
        await until(self.pilot, lambda: words in text_of(self.app))

    async def moved(self) -> None:
        await until(self.pilot, lambda: not screen_of(self.app).rewinding.busy)
        await settled(self.app, self.pilot)


def sources() -> tuple[Told, Told]:
    return Told("am", "incident", []), Told("ci", "build", [build(1, branch="main", started_at=at(-5))])


def alerts_at(minutes: float) -> list[Item]:
    """Three open one after the other, and the first is resolved."""
    opened = [alert(n, severity="high", started_at=at(10 * n), services=("shop",)) for n in (1, 2, 3)]
    return [each for n, each in enumerate(opened, 1) if 10 * n <= minutes and (n > 1 or minutes < 40)]


async def remember(path: Path) -> None:
    """The morning until 09:50, read every minute."""
    clock = StillClock(START)
    am, ci = sources()
    engine = Engine((am, ci), store_path=path, clock=clock)
    engine.keep_polling = False
    await engine.start()
    for minute in range(51):
        clock.moment = at(minute)
        am.items = alerts_at(minute)
        assert await engine.poll_once()
    await engine.stop()


@pytest.fixture(scope="module", autouse=True)
def _remembered(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("morning") / "history.db"
    asyncio.run(remember(path))
    Morning.history = path


@asynccontextmanager
async def morning(**more: Any) -> AsyncIterator[Morning]:
    """The board at 09:50."""
    clock = StillClock(at(50))
    am, ci = sources()
    am.items = alerts_at(50)
    with TemporaryDirectory() as folder:
        path = Path(shutil.copy(Morning.history, folder))
        async with board(am, ci, clock=clock, store_path=path, **more) as (app, pilot):
            yield Morning(app, pilot, clock, am, ci)


async def test_back_step_by_step_and_live_again():
    async with morning() as day:
        app = day.app
        await day.press("left_square_bracket", "left_square_bracket")
        assert "REWOUND to Thu 09:30:00, 20 min ago" in line_with(app, "REWOUND")
        assert "WAS FAILING 3" in text_of(app) and "3 failing" in line_with(app, "Incidents  3")
        await day.press("left_square_bracket")
        assert "WAS FAILING 2" in text_of(app) and "2 failing" in line_with(app, "Incidents  2")
        assert "10m ◉ open       high     shop               alert 1" in text_of(app), "ages are those of then"
        await day.press("right_square_bracket")
        assert "WAS FAILING 3" in text_of(app) and "09:30:00" in line_with(app, "WAS FAILING")
        await day.press("0")
        assert "REWOUND" not in text_of(app) and "WAS" not in text_of(app)
        assert "FAILING 2" in text_of(app) and "09:50:00" in line_with(app, "FAILING 2")


async def typed(day: Morning, text: str) -> None:
    """Into the palette, and enter at once."""
    await day.pilot.press("colon")
    await until(day.pilot, lambda: isinstance(day.app.screen, BoardPalette))
    await day.pilot.press(*("space" if letter == " " else letter for letter in text), "enter")
    await until(day.pilot, lambda: not isinstance(day.app.screen, BoardPalette))
    await day.moved()


async def test_a_moment_typed_into_the_palette():
    async with morning() as day:
        await typed(day, "at 09:25")
        assert "REWOUND to Thu 09:25:00, 25 min ago" in text_of(day.app)
        assert "WAS FAILING 2" in text_of(day.app)
        await typed(day, "at -10m")
        assert "REWOUND to Thu 09:40:00" in text_of(day.app)


async def test_a_moment_that_cannot_be_shown_leaves_one_where_one_was():
    async with morning() as day:
        for text, told in (("08:00", "the earliest is"), ("2027-01-01", "lies ahead"), ("lunch", "no moment")):
            await day.to(text)
            await day.says(told)
            assert "REWOUND" not in text_of(day.app)
        await day.to("09:25")
        await day.to("08:00")
        assert "REWOUND to Thu 09:25:00" in text_of(day.app)


async def test_the_prompt_says_at_once_what_is_no_moment():
    async with morning() as day:
        await day.pilot.press("at")
        await day.pilot.press(*"noon")
        await until(day.pilot, lambda: "`noon` is no moment" in text_of(day.app))
        await day.pilot.press(*["backspace"] * 4, *"-25m", "enter")
        await day.moved()
        assert "REWOUND to Thu 09:25:00" in text_of(day.app)


async def test_incidents_forth_and_back():
    async with morning() as day:
        await day.press("left_curly_bracket")
        assert "REWOUND to Thu 09:30:00" in text_of(day.app)
        await day.press("left_curly_bracket", "left_curly_bracket")
        assert "REWOUND to Thu 09:10:00" in text_of(day.app)
        await day.press("left_curly_bracket")
        await day.says("no earlier incident is stored")
        assert "REWOUND to Thu 09:10:00" in text_of(day.app)
        await day.press("right_curly_bracket")
        assert "REWOUND to Thu 09:20:00" in text_of(day.app)
        await day.press("right_curly_bracket", "right_curly_bracket")
        await day.says("0 goes back to live")
        assert "REWOUND to Thu 09:30:00" in text_of(day.app)


async def test_the_details_offer_only_what_can_be_done():
    async with morning() as day:
        await day.press("j", "p")
        await day.says("─ a on it  esc back ─")  # it has no page
        await day.press("left_curly_bracket")
        await day.says("─ esc back ─")
        await day.press("0")
        await day.says("─ a on it  esc back ─")


async def test_the_cursor_is_on_the_incident_that_was_gone_to():
    async with morning() as day:
        screen = screen_of(day.app)
        await day.press("j", "p")
        for key, number in (("left", 3), ("left", 2), ("left", 1), ("right", 2)):
            await day.press(f"{key}_curly_bracket")
            assert screen.face.subject == f"am:incident:{number}"
            assert line_with(day.app, f"alert {number}").startswith("▌")
            chosen = screen.subject_row  # of which the details tell
            assert chosen is not None and chosen.key == f"am:incident:{number}"
        await day.press("4", "left_curly_bracket")  # a view without incidents has no such row
        assert screen.face.subject == "ci:build:1"


async def test_a_held_key_runs_and_ends_where_it_ends():
    async with morning() as day:
        await day.press(*["left_square_bracket"] * 9)
        await day.says("no earlier change is stored")
        assert "REWOUND to Thu 09:00:00" in text_of(day.app)
        await day.press(*["right_square_bracket"] * 9)
        assert "REWOUND to Thu 09:40:00" in text_of(day.app)


async def test_forward_from_the_present_there_is_nothing():
    async with morning() as day:
        for key in ("right_square_bracket", "right_curly_bracket", "0"):
            await day.press(key)
            await day.says("this is the present")
            assert "REWOUND" not in text_of(day.app)


async def test_nothing_can_be_done_to_the_past():
    async with morning() as day:
        assert day.app.live is not None
        await day.press("j", "left_square_bracket", "left_square_bracket")
        before = day.app.live.engine.board.digest
        for key in ("a", "N", "r", "R", "u", "U"):
            await day.press(key)
            await day.says("this is the past: nothing can be")
        await show(day.app, day.pilot, "Sources")
        await day.press("space")
        await day.says("nothing can be paused here")
        assert day.app.live.engine.board.digest == before
        assert not any(row.fact.kind == "annotation" for row in day.app.live.engine.board.rows.values())


async def test_every_view_shows_that_moment():
    async with morning() as day:
        await day.to("09:25")
        for view in [view.name for view in screen_of(day.app).live.settings.views]:
            await show(day.app, day.pilot, view)
            text = text_of(day.app)
            assert "REWOUND to Thu 09:25:00" in text and "WAS FAILING 2" in text, view
            assert "alert 3" not in text, view
        await show(day.app, day.pilot, "Timeline")
        assert "alert 2" in text_of(day.app) and "resolved" not in text_of(day.app)
        await day.press("left_square_bracket", "left_square_bracket")
        assert "alert 2" not in text_of(day.app) and "alert 1" in text_of(day.app)
        await day.press("right_square_bracket", "right_square_bracket")
        assert "alert 3" in text_of(day.app)
        await show(day.app, day.pilot, "Sources")
        assert "as they were read then" in text_of(day.app)


async def test_details_tell_what_was_known_then():
    async with morning() as day:
        await day.to("09:25")
        await day.press("j", "j", "p")
        await until(day.pilot, lambda: "09:10 ◉ open" in text_of(day.app))
        assert "resolved" not in text_of(day.app)
        await day.press("0")
        await until(day.pilot, lambda: "resolved" in text_of(day.app))


async def test_the_present_goes_on_underneath():
    async with morning() as day:
        await day.to("09:25")
        await day.then(60, alerts=[alert(9, severity="critical", started_at=at(60))])
        await until(day.pilot, lambda: "5 changes since" in text_of(day.app))
        assert "WAS FAILING 2" in text_of(day.app) and "alert 9" not in line_with(day.app, "Incidents  2")
        assert day.app.live is not None and "am:incident:9" in day.app.live.cells.marked
        await day.press("0")
        assert "FAILING 1" in text_of(day.app) and "WAS" not in text_of(day.app)
        assert "am:incident:9" in day.app.live.cells.marked, "nobody has seen it yet"


async def test_what_nobody_watched_is_not_shown_as_fine():
    async with morning() as day:
        await day.then(300, alerts=[])
        await day.to("12:00")
        text = text_of(day.app)
        assert "not watched" in text and "ALL OK" not in text
        assert "WAS FAILING 2" in text, "what was wrong last is still told"
        await show(day.app, day.pilot, "Sources")
        assert "⊘ not watched" in text_of(day.app)


async def test_the_cursor_stays_on_its_item():
    async with morning() as day:
        await day.press("j", "j")
        subject = screen_of(day.app).face.subject
        assert subject is not None
        await day.press("left_square_bracket", "left_square_bracket")
        assert screen_of(day.app).face.subject == subject
        await day.press("0")
        assert screen_of(day.app).face.subject == subject


async def test_a_click_on_the_line_of_time_goes_there():
    async with morning() as day:
        await day.press("t")
        scrubber = screen_of(day.app).rewinding.scrubber
        assert scrubber.display and "REWOUND" not in text_of(day.app)
        await until(day.pilot, lambda: scrubber.size.width)
        await day.pilot.click(scrubber, offset=(scrubber.size.width - 7, 1))
        await day.moved()
        assert "REWOUND to Thu 09:" in text_of(day.app)
        await day.pilot.click(scrubber, offset=(scrubber.size.width - 2, 1))
        await day.moved()
        assert "REWOUND" not in text_of(day.app)
        await day.press("t")
        assert not scrubber.display


async def test_the_wall_stays_live():
    async with morning() as day:
        await day.to("09:15")
        await day.pilot.press("f")
        await until(day.pilot, lambda: isinstance(day.app.screen, WallScreen))
        assert "REWOUND" not in text_of(day.app) and "09:50" in text_of(day.app)
        await day.pilot.press("escape")
        await day.moved()
        assert "REWOUND to Thu 09:15:00" in text_of(day.app)


async def test_a_stretch_is_played_and_held():
    async with morning() as day:
        screen = screen_of(day.app)
        screen.rewinding.start(at(5), at(35), 1_200)
        await until(day.pilot, lambda: "REPLAY 1200x" in text_of(day.app))
        await day.pilot.press("space")
        await until(day.pilot, lambda: "REPLAY PAUSED" in text_of(day.app))
        await day.pilot.press("space")
        await until(day.pilot, lambda: "the end of the stretch" in text_of(day.app))
        assert "Thu 09:35:00" in text_of(day.app) and "WAS FAILING 3" in text_of(day.app)
        await day.press("0")
        assert "REPLAY" not in text_of(day.app)


async def test_who_goes_back_to_live_while_a_moment_is_being_read_is_there():
    async with morning() as day:
        await day.press("left_square_bracket", "0")
        assert "WAS" not in text_of(day.app)
        await day.press("left_square_bracket", "left_square_bracket", "0", "left_square_bracket", "0")
        assert "WAS" not in text_of(day.app) and "FAILING 2" in text_of(day.app)
        await day.to("09:25")
        await day.to("now")
        assert "WAS" not in text_of(day.app)


async def test_what_is_saved_is_what_was_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with morning() as day:
        await day.to("09:25")
        await day.pilot.press("ctrl+s", "j")
        await until(day.pilot, lambda: isinstance(day.app.screen, ExportScreen))
        day.app.screen.action_form("json")  # type: ignore[attr-defined]
        await day.pilot.press("enter")
        await until(day.pilot, lambda: list(tmp_path.iterdir()))
        saved = json.loads(next(tmp_path.iterdir()).read_text())
        assert saved["at"] == "2026-03-12T09:25:00Z" and saved["summary"]["failing"] == 2


async def test_the_colours_of_then_are_those_that_can_be_read():
    for look in (Look("ansi", ascii_only=True, no_color=True), Look("ansi-light", ascii_only=False, no_color=False)):
        async with morning(look=look) as day:
            await day.to("09:25")
            text = text_of(day.app)
            assert "REWOUND to Thu 09:25:00" in text and "WAS FAILING 2" in text
            assert not look.ascii_only or text.isascii()
