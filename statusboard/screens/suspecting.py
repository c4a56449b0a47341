"""The suspects of incidents on the screen: who finds them, what the details say of them, and a person's last word."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from statusboard import notes, wiring
from statusboard.board import Row
from statusboard.current import UNREAD
from statusboard.model import Incident, Item, Release
from statusboard.presenting.suspects import charged_lines, release_name, suspect_lines
from statusboard.screens.live import Live
from statusboard.screens.noting import said_of, say
from statusboard.screens.settings import Settings
from statusboard.suspicion import Suspicion
from widgets.details import Section

if TYPE_CHECKING:
    from statusboard.app import BoardApp


def suspicion_of(settings: Settings) -> Suspicion:
    """What finds suspects, as configured."""
    return wiring.suspicion_of(settings.config)


async def begin(live: Live) -> AsyncIterator[None]:
    """Have the suspects of a board found, in steps between which others are to run."""
    suspicion = suspicion_of(live.settings)
    for _ in suspicion.settle_steps(live.cells.board):
        yield
    live.cells.suspicion = suspicion


def suspect_sections(live: Live, row: Row) -> list[Section]:
    """Of an incident its suspects, of a release the incidents that it is a suspect of; of anything else nothing."""
    if not isinstance(row.fact, Incident | Release) or row.key not in live.cells.board.rows:
        return []
    suspicion = _settled(live)
    if isinstance(row.fact, Release):
        charged = charged_lines(suspicion.charged(row), live.glyphs)
        return [("Suspected of", charged)] if charged else []
    lines = suspect_lines(
        suspicion.of(row),
        suspicion.dismissed(row),
        row.fact,
        unread=_unread(live),
        hours=float(suspicion.weights.window) / 3600,
        keys=_keys(live) if live.newest is None else "",
    )
    return [("Suspects", lines)]


def _settled(live: Live) -> Suspicion:
    cells = live.cells
    if cells.suspicion is None:
        cells.suspicion = suspicion_of(live.settings)
    cells.suspicion.settle(cells.board)
    return cells.suspicion


def _unread(live: Live) -> list[str]:
    """The sources that may tell of releases and are not read."""
    board, reads = live.cells.board, live.settings.reads
    return [
        name
        for name in sorted({*board.health, *reads})
        if "release" in reads.get(name, ()) and board.state_of(name) in UNREAD
    ]


def _keys(live: Live) -> str:
    confirm, dismiss, back = (live.keys_of(action)[0] for action in ("confirm", "dismiss", "last_word"))
    return f"{confirm}: it was the first; {dismiss}: it was not; {back}: take that back"


# -- a person's word


async def judge(app: BoardApp, item: Item, *, guilty: bool) -> None:
    """Say of the first suspect of an incident that it was it, or that it was not."""
    live, row = app.live, _incident(app, item)
    if live is None or row is None or said_of(app, item) is None:
        return
    suspects = [suspect for suspect in _settled(live).of(row) if not suspect.confirmed_by]
    if not suspects:
        app.say("there is no suspect of whom nobody has said anything")
        return
    release = suspects[0].release
    author = notes.author_of(os.environ)
    told = f"{release_name(release)} {'was it' if guilty else 'was not it'}, says {author}"
    await say(app, notes.judge(item, release, author, live.now, guilty=guilty), told)


async def unsay(app: BoardApp, item: Item) -> None:
    """Take back what was said last of an incident's suspects, whoever said it."""
    live, row = app.live, _incident(app, item)
    said = said_of(app, item) if row is not None else None
    if live is None or said is None:
        return
    word = notes.last_verdict(said, item)
    if word is None:
        app.say("nobody has said anything of its suspects")
        return
    await say(app, notes.withdraw(word, notes.author_of(os.environ), live.now), f"taken back: what {word.author} said")


def _incident(app: BoardApp, item: Item) -> Row | None:
    if isinstance(item, Incident) and app.live is not None and (row := app.live.cells.row(item.key)) is not None:
        return row
    app.say("only incidents have suspects")
    return None
