"""Exports SVG pictures of the board to docs/pictures: the README's, and one of each size and kind of colours."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from statusboard.palettes import DARK, LIGHT
from statusboard.themes import ANSI, Look
from tests.app.stage import board, screen_of, settled
from tests.pictures.company import StillClock, sources

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}\s*")


class Shot(NamedTuple):
    """A picture: its file, how the terminal is, and what is pressed before."""

    name: str
    size: tuple[int, int]
    theme: str = DARK.name
    no_color: bool = False
    keys: tuple[str, ...] = ()


SHOTS = (
    Shot("board", (120, 34)),
    Shot("board-80x24-dark", (80, 24)),
    Shot("board-120x40-dark", (120, 40), keys=("enter",)),
    Shot("board-200x60-dark", (200, 60), keys=("enter",)),
    Shot("board-80x24-light", (80, 24), LIGHT.name),
    Shot("board-120x40-light", (120, 40), LIGHT.name, keys=("enter",)),
    Shot("board-200x60-light", (200, 60), LIGHT.name),
    Shot("board-80x24-no-color", (80, 24), ANSI.name, no_color=True),
    Shot("board-120x40-no-color", (120, 40), ANSI.name, no_color=True),
    Shot("filter", (100, 24), keys=("slash", *"team:payments severity:>=hi")),
    Shot("sources", (100, 24), keys=("S",)),
    Shot("keys", (100, 40), keys=("question_mark",)),
)


async def take(shot: Shot) -> str:
    """The picture as SVG."""
    with suppress(KeyError):
        del os.environ["NO_COLOR"]
    if shot.no_color:
        os.environ["NO_COLOR"] = "1"
    look = Look(shot.theme, ascii_only=False, no_color=shot.no_color)
    async with board(*sources(), size=shot.size, look=look, title="acme", clock=StillClock()) as (app, pilot):
        for key in shot.keys:
            await pilot.press(key)
            await settled(app, pilot)
        screen_of(app).tick()
        await pilot.pause(0.3)
        svg = app.export_screenshot(title="statusboard")
    # Without these a converter joins runs of blanks; fonts are those of whoever looks, not of a server.
    return _FONT_FACE.sub("", svg.replace("<text class", '<text xml:space="preserve" class'))


async def main() -> int:
    """Take all of them, or those that the command line names."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = set(sys.argv[1:])
    for shot in SHOTS:
        if not wanted or shot.name in wanted:
            path = FOLDER / f"{shot.name}.svg"
            path.write_text(await take(shot), encoding="utf-8")
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
