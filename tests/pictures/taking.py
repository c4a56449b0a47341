"""Pictures of the board of a made-up company: as SVG, and what can be read in one."""

from __future__ import annotations

import html
import os
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from textual.pilot import Pilot
from textual.widgets import Input

from statusboard.app import BoardApp
from statusboard.away import write_visit
from statusboard.exporting import picture_for_files
from statusboard.palettes import DARK, LIGHT, PALETTES
from statusboard.text import cell_len
from statusboard.themes import ANSI, Look
from tests.app.stage import board, screen_of, settled, text_of, until
from tests.pictures.company import NOW, StillClock, remember, sources
from tests.pictures.weeks import aiming, remember_weeks

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
STILL = 3
"""So many looks one after the other at which nothing has changed."""
SIZES = ((60, 20), (80, 24), (120, 40), (200, 60), (300, 100))
CELL = 12.2
"""The width of a cell in a picture."""
_TEXT = re.compile(r'<text [^>]*?x="([\d.]+)" y="([\d.]+)" textLength[^>]*>([^<]*)</text>')


class Shot(NamedTuple):
    """A picture: its file, how the terminal is, and what is pressed before.

    ``typed`` goes into the field that the keys lead to; ``away`` is for how many minutes nobody was there.  With
    ``weeks`` of the past there is something to measure.
    """

    name: str
    size: tuple[int, int]
    theme: str = DARK.name
    no_color: bool = False
    keys: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()
    away: float = 0.0
    weeks: bool = False


SHOTS = (
    Shot("board", (120, 34)),
    Shot("narrow", (80, 24)),
    Shot("details", (160, 34), keys=("enter",)),
    Shot("build", (100, 36), keys=("4", "enter")),
    Shot("services", (120, 15), keys=("2",)),
    Shot("groups", (120, 18), keys=("4", "v", "minus", "space")),
    Shot("timeline", (120, 24), keys=("7",)),
    Shot("metrics", (120, 36), keys=("m", "n", "p"), weeks=True),
    Shot("behind", (120, 16), keys=("m", "n", "enter"), weeks=True),
    Shot("sources", (120, 15), keys=("8",)),
    Shot("rewind", (120, 24), keys=("left_curly_bracket", "left_curly_bracket")),
    Shot("filter", (120, 20), keys=("slash",), typed=("team:payments", " severity:>=hi")),
    Shot("away", (120, 20), away=30),
    Shot("wall", (73, 20), keys=("f",)),
    Shot("light", (120, 20), LIGHT.name),
    Shot("no-color", (120, 20), ANSI.name, no_color=True),
)
"""Those of the documentation."""


def every() -> Iterator[Shot]:
    """Every view, the wall and the details in every theme at every size, to be looked at."""
    faces = {
        "overview": (),
        "details": ("enter",),
        "services": ("2",),
        "incidents": ("3",),
        "builds": ("4",),
        "releases": ("5",),
        "tickets": ("6",),
        "timeline": ("7",),
        "sources": ("8",),
        "unowned": ("9",),
        "metrics": ("m",),
        "number": ("m", "n", "p"),
        "behind": ("m", "n", "enter"),
        "rewind": ("left_curly_bracket", "left_curly_bracket"),
        "handover": ("H",),
        "groups": ("v", "minus"),
        "wall": ("f",),
        "keys": ("question_mark",),
    }
    for name, keys in faces.items():
        for width, height in SIZES:
            for theme in [*PALETTES, "no-color"]:
                plain = theme == "no-color"
                at = f"{name}-{width}x{height}-{theme}"
                weeks = "m" in keys
                yield Shot(at, (width, height), ANSI.name if plain else theme, plain, keys, weeks=weeks)


class Studio:
    """Where pictures are taken: each is of a board of its own, on a copy of the same history."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store_id = ""

    async def take(self, shot: Shot) -> str:
        """The picture as SVG."""
        history, store = self._folder / "history.sqlite", self._folder / f"{shot.name}.sqlite"
        if not self._store_id:
            self._store_id = await remember(history)
        shutil.copy(history, store)
        visits = None
        if shot.away:
            visits = self._folder / "visits.json"
            write_visit(visits, self._store_id, NOW - timedelta(minutes=shot.away))
        before = os.environ.pop("NO_COLOR", None)
        if shot.no_color:
            os.environ["NO_COLOR"] = "1"
        try:
            return await self._take(shot, store, visits)
        finally:
            os.environ.pop("NO_COLOR", None)
            if before is not None:
                os.environ["NO_COLOR"] = before

    async def _take(self, shot: Shot, store: Path, visits: Path | None) -> str:
        look = Look(shot.theme, ascii_only=False, no_color=shot.no_color)
        told = sources()
        async with board(
            *told,
            size=shot.size,
            look=look,
            title="acme",
            clock=StillClock(),
            store_path=store,
            visits_file=visits,
        ) as (app, pilot):
            assert app.live is not None
            engine = app.live.engine
            await until(pilot, lambda: engine.poller is not None)
            polled = engine.poller.polled  # type: ignore[union-attr]
            await until(pilot, lambda: all(each.status.last_attempt == NOW for each in polled.values()))
            engine._note_statuses()  # which it does by itself within a second
            if shot.weeks:
                app.live.use(aiming(app.live.settings))
                await remember_weeks(engine)
            if shot.away:
                await until(pilot, lambda: screen_of(app).attendance.line.display)
            for key in shot.keys:
                await pilot.press(key)
                await settled(app, pilot)
            for text in shot.typed:
                assert isinstance(app.focused, Input)
                app.focused.insert_text_at_cursor(text)
                await pilot.pause()
                await settled(app, pilot)
            if screen_of(app).then is not None:
                await until(pilot, lambda: " since" in text_of(app))
            app.clear_notifications()
            screen_of(app).tick()
            await still(app, pilot)
            svg = app.export_screenshot(title="statusboard")
        return picture_for_files(svg)


async def still(app: BoardApp, pilot: Pilot[Any]) -> None:
    """Until the screen has said the same for a while, and nothing on it is on its way."""
    before, same = "", 0
    while same < STILL:
        await settled(app, pilot)
        await pilot.pause(0.03)
        now = text_of(app)
        coming = "being read" in now or any(worker.group == "suspects" for worker in app.workers)
        same = same + 1 if now == before and not coming else 0
        before = now


def read(svg: str) -> list[str]:
    """The lines that can be read in a picture, as they stand in the terminal, without blanks at their ends."""
    lines: dict[float, str] = {}
    for x, y, text in sorted((float(x), float(y), text) for x, y, text in _TEXT.findall(svg)):
        line = lines.get(y, "")
        gap = round(x / CELL) - cell_len(line)
        lines[y] = line + " " * gap + html.unescape(text).replace("\xa0", " ")
    return [lines[y].rstrip() for y in sorted(lines)]
