"""Saying something of an item: that one is on it, or a note, seen by every board of this store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from statusboard import notes
from statusboard.errors import StatusboardError
from statusboard.model import Annotation, Item
from statusboard.screens.asking import AskScreen

if TYPE_CHECKING:
    from statusboard.app import BoardApp

READ_ONLY = "this board only follows: nothing can be said here"

SEEN_HERE = "seen here only, nothing is stored"


async def acknowledge(app: BoardApp, item: Item) -> None:
    """A person is on it; of what somebody is on already, take that back."""
    said = said_of(app, item)
    if said is None:
        return
    assert app.live is not None
    author, now = notes.author_of(os.environ), app.live.now
    ack = notes.acknowledgement(said, item)
    if ack is None:
        await say(app, notes.acknowledge(item, author, now), f"{author} is on it")
    else:
        await say(app, notes.withdraw(ack, author, now), f"taken back: {ack.author} was on it")


def note(app: BoardApp, item: Item) -> None:
    """Ask for a note, and store it; a person has one on each item."""
    said = said_of(app, item)
    if said is None:
        return
    author = notes.author_of(os.environ)
    before = notes.note_by(author, said, item)

    async def keep(text: str | None) -> None:
        assert app.live is not None
        if text is None or text.strip() == (before.text if before is not None else ""):
            return
        if text.strip():
            await say(app, notes.write(item, author, text, app.live.now), "noted")
        elif before is not None:
            await say(app, notes.withdraw(before, author, app.live.now), "the note is taken back")

    seen = SEEN_HERE if app.live is not None and app.live.engine.unkept else "every board of this store sees it"
    told = f"Enter keeps it, esc leaves it. Said by {author}; {seen}."
    if before is not None:
        told += " An empty one is taken back."
    about = f"Note on {item.title or item.key}"
    app.push_screen(AskScreen(about, before.text if before is not None else "", told=told, optional=True), keep)


def said_of(app: BoardApp, item: Item) -> list[Annotation] | None:
    """What was said of an item; None where nothing can be, which a person is told."""
    if app.live is None:
        return None
    if app.live.engine.role == "reading":
        app.say(READ_ONLY, severity="warning")
        return None
    return app.live.cells.board.annotations(item.key)


async def say(app: BoardApp, said: Annotation, told: str) -> None:
    """Store what a person said, and tell that it is, or that nobody else learns of it."""
    assert app.live is not None
    try:
        await app.live.engine.annotate(said)
    except StatusboardError as error:
        app.say(f"not stored: {error}", severity="error")
        return
    if app.live.engine.unkept:
        app.say(f"{told}: {SEEN_HERE}", severity="warning")
    else:
        app.say(told)
