"""Rewind on the screen: what was known then, never to be taken for now, and nothing done there changes the present."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from textual.pilot import Pilot

from statusboard.app import BoardApp
from tests.app.stage import Told, board, line_with, poll, screen_of, settled, text_of, until
from tests.pictures.company import StillClock
from tests.scripted import alert, build

START = datetime(2026, 3, 12, 9, 0, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


class Morning:
    """A board, and what happens on it: `then` lets minutes pass and has everything read."""

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

    async def moved(self) -> None:
        await until(self.pilot, lambda: not screen_of(self.app).rewinding.busy)
        await settled(self.app, self.pilot)


@asynccontextmanager
async def morning(**more: Any) -> AsyncIterator[Morning]:
    """Three alerts open one after the other, and the first is resolved; at 09:50 it is 09:50."""
    clock = StillClock(START)
    am, ci = Told("am", "incident", []), Told("ci", "build", [build(1, branch="main", started_at=at(-5))])
    async with board(am, ci, clock=clock, **more) as (app, pilot):
        day = Morning(app, pilot, clock, am, ci)
        one, two, three = (alert(n, severity="high", started_at=at(10 * n), services=("shop",)) for n in (1, 2, 3))
        await day.then(10, alerts=[one])
        await day.then(20, alerts=[one, two])
        await day.then(30, alerts=[one, two, three])
        await day.then(40, alerts=[two, three])
        await day.then(50)
        yield day


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
