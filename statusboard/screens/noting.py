"""Saying something of an item: that one is on it, or a note, seen by every board of this store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from statusboard import notes
from statusboard.errors import StatusboardError
from statusboard.model import Annotation, Item
from statusboard.text import clean, clip
from widgets.words import Word, styled

if TYPE_CHECKING:
    from statusboard.app import BoardApp

READ_ONLY = "this board only follows: nothing can be said here"


class NoteLine(Input):
    """Where a note is typed."""

    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def insert(self, text: str, index: int) -> None:
        """As Textual's, but only what may be shown."""
        super().insert(text if text == " " else clean(text, notes.MOST_TEXT), index)


class NoteScreen(ModalScreen[str | None]):
    """A line at the foot of the board; gives the note, or None where it is left as it is."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    app: BoardApp

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave it as it is", show=False)]

    def __init__(self, title: str, author: str, text: str) -> None:
        """``text`` is the note of ``author`` as it stands, ``""`` where there is none."""
        super().__init__()
        self._told: list[Word] = [(f"Note of {author} ", "strong"), (f"on {title}", "")]
        self._before = text

    def compose(self) -> ComposeResult:
        hint = "Enter keeps, Esc leaves it as it is" + (", an empty one is taken back" if self._before else "")
        yield Static(id="note-about", markup=False)
        line = NoteLine(self._before, max_length=notes.MOST_TEXT, compact=True, select_on_focus=False, id="note-line")
        line.cursor_blink = False
        yield line
        yield Static(styled([(hint, "muted")]), id="note-hint", markup=False)

    def on_mount(self) -> None:
        """The line is ready to be typed in."""
        room = max(10, self.app.size.width - 2)
        told = [(clip(text, room), style) for text, style in self._told]
        self.query_one("#note-about", Static).update(styled(told, ansi=self.app.native_ansi_color))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        self.dismiss(event.value)

    def action_leave(self) -> None:
        """Escape."""
        self.dismiss(None)


async def acknowledge(app: BoardApp, item: Item) -> None:
    """A person is on it; of what somebody is on already, take that back."""
    said = _said_of(app, item)
    if said is None:
        return
    assert app.live is not None
    author, now = notes.author_of(os.environ), app.live.now
    ack = notes.acknowledgement(said, item)
    if ack is None:
        await _say(app, notes.acknowledge(item, author, now), f"{author} is on it: {item.title}")
    else:
        whose = "" if ack.author == author else f" of {ack.author}"
        await _say(app, notes.withdraw(ack, author, now), f"acknowledgement{whose} taken back: {item.title}")


def note(app: BoardApp, item: Item) -> None:
    """Ask for a note, and store it; a person has one on each item."""
    said = _said_of(app, item)
    if said is None:
        return
    author = notes.author_of(os.environ)
    before = notes.note_by(author, said, item)

    async def keep(text: str | None) -> None:
        assert app.live is not None
        if text is None or text.strip() == (before.text if before is not None else ""):
            return
        if text.strip():
            await _say(app, notes.write(item, author, text, app.live.now), "noted")
        elif before is not None:
            await _say(app, notes.withdraw(before, author, app.live.now), "the note is taken back")

    app.push_screen(NoteScreen(item.title or item.key, author, before.text if before is not None else ""), keep)


def _said_of(app: BoardApp, item: Item) -> list[Annotation] | None:
    """What was said of it, None where nothing can be."""
    if app.live is None:
        return None
    if app.live.engine.role == "reading":
        app.say(READ_ONLY, severity="warning")
        return None
    return app.live.cells.board.annotations(item.key)


async def _say(app: BoardApp, said: Annotation, told: str) -> None:
    assert app.live is not None
    try:
        await app.live.engine.annotate(said)
    except StatusboardError as error:
        app.say(f"not stored: {error}", severity="error")
    else:
        app.say(told)
