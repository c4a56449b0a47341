"""What fails above the rows in sight is told by the title of its lane."""

from __future__ import annotations

from typing import Any

import pytest

from statusboard.model import Item
from statusboard.sorting import sort_of
from statusboard.themes import Look
from tests.app.stage import DARK, Told, board, line_with, poll, screen_of, settled, show, text_of, until
from tests.boards import ago, build, incident
from widgets.table import BoardTable

LOOKS = {"colours": DARK, "ascii": Look("dark", ascii_only=True, no_color=False), "none": Look("ansi", True, True)}


def low(count: int, **more: Any) -> list[Item]:
    return [
        incident(n, severity="low", title=f"Small {n:02}", started_at=ago(100 + n), services=(f"s{n % 3}",), **more)
        for n in range(count)
    ]


def worse(number: int = 99, severity: str = "critical", **more: Any) -> Item:
    return incident(number, severity=severity, title="Doom", services=("s1",), **more)


@pytest.mark.parametrize("look", LOOKS)
async def test_what_is_worse_above_is_told_and_gone_when_it_is_in_sight(look: str) -> None:
    am = Told("am", "incident", low(31))
    async with board(am, size=(60, 20), look=LOOKS[look]) as (app, pilot):
        sign = "▴" if look == "colours" else "^"
        await pilot.press("G")
        await settled(app, pilot)
        await until(pilot, lambda: "low above" in line_with(app, " Incidents"))
        place = screen_of(app).face.place
        assert isinstance(place, BoardTable)
        chosen = place.cursor_key
        am.items = [*low(31), worse()]
        await poll(app, pilot)
        await until(pilot, lambda: f"{sign} 1 critical above" in line_with(app, " Incidents"))
        assert "Doom" not in text_of(app) and place.cursor_key == chosen
        am.items = [*low(31), worse(), worse(98)]
        await poll(app, pilot)
        await until(pilot, lambda: f"{sign} 2 critical above" in line_with(app, " Incidents"))
        await pilot.press("g")
        await until(pilot, lambda: "above" not in line_with(app, " Incidents"))
        assert "Doom" in text_of(app)


async def test_what_fails_above_is_told_in_any_order_and_group() -> None:
    am = Told("am", "incident", [*low(40), worse(started_at=ago(500))])
    ci = Told("ci", "build", [build(n, "failed", pipeline=f"p{n}") for n in range(40)])
    async with board(am, ci, size=(80, 24)) as (app, pilot):
        await show(app, pilot, "Incidents")
        screen_of(app).sort_by(sort_of("-age"))
        await settled(app, pilot)
        assert "above" not in line_with(app, " Incidents")
        screen_of(app).sort_by(sort_of("severity"))
        await settled(app, pilot)
        await pilot.press("G")
        await until(pilot, lambda: "▴ 1 critical above" in line_with(app, " Incidents"))
        screen_of(app).alter(sort=sort_of(""), group="service")
        await settled(app, pilot)
        await pilot.press("G")
        await until(pilot, lambda: "▴ 1 critical above" in line_with(app, " Incidents"))
        await pilot.press("minus", "g")  # all of them folded: the group in sight tells of its worst
        await until(pilot, lambda: "above" not in line_with(app, " Incidents"))
        await show(app, pilot, "Builds")
        await pilot.press("G")
        await until(pilot, lambda: "failed above" in line_with(app, " Builds"))


async def test_what_is_well_above_is_not_told() -> None:
    am = Told("am", "incident", low(31, state="suppressed"))
    async with board(am, size=(60, 20)) as (app, pilot):
        await pilot.press("G")
        await settled(app, pilot)
        assert "above" not in line_with(app, " Incidents")
