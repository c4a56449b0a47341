"""Asks in which form, and under which name, what is shown is saved to a file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from statusboard import exporting
from statusboard.exporting import Format
from statusboard.query import Query
from statusboard.screens.leaving import OnTop
from statusboard.screens.menu import Menu, entry
from statusboard.text import clean
from statusboard.view import ViewSpec
from widgets.cleanline import CleanLine
from widgets.words import styled

if TYPE_CHECKING:
    from statusboard.app import BoardApp
    from statusboard.screens.board import BoardScreen
    from statusboard.screens.faces import File
    from statusboard.screens.live import Live

FORMS: Final[tuple[tuple[str, Format, str, str], ...]] = (
    ("1", "svg", "Picture", "SVG, the screen as it is now"),
    ("2", "txt", "Text", "as it is shown, all rows, aligned"),
    ("3", "csv", "CSV", "an item a line, all fields"),
    ("4", "json", "JSON", "the items, as show --json has them"),
)
"""Key, form, name, and what it is."""


class ExportScreen(OnTop, ModalScreen[None]):
    """A form and a file name; enter saves."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    AUTO_FOCUS = "Menu"
    app: BoardApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", show=False),
        *(Binding(key, f"form('{form}')", name, show=False) for key, form, name, _ in FORMS),
    ]

    def __init__(
        self,
        live: Live,
        view: ViewSpec,
        query: Query,
        *,
        faults_only: bool,
        picture: str,
        text: str,
        files: Mapping[Format, File],
    ) -> None:
        """``picture`` (SVG) and ``text`` are of the screen before this one; a view without lanes has no other text.

        ``files`` are what the view saves in the place of the board's items.
        """
        super().__init__()
        self._files = files
        self._live = live
        self._view = view
        self._query = query
        self._faults_only = faults_only
        self._picture = picture
        self._text = text
        self._at = live.now.astimezone(live.cells.zone)
        self._folder = folder()
        self._form: Format = "svg"
        self._file = CleanLine(self._proposed("svg"), select_on_focus=False, id="export-name")
        self._told = Static(id="export-told", markup=False)

    @classmethod
    def of(cls, board: BoardScreen, view: ViewSpec, query: Query, *, faults_only: bool) -> ExportScreen:
        """Of what the board shows now."""
        strips = board._compositor.render_strips()
        return cls(
            board.shown,
            view,
            query,
            faults_only=faults_only,
            picture=board.app.export_screenshot(title=clean(board.live.settings.title, 80)),
            text=exporting.lines_of(strip.text for strip in strips),
            files=board.face.files(),
        )

    def compose(self) -> ComposeResult:
        with Vertical(id="export"):
            yield Static("Save what is shown", id="export-title", markup=False)
            options = [
                entry(key, name, self._files[form].about if form in self._files else about, form, width=9)
                for key, form, name, about in FORMS
            ]
            yield Menu(*options, id="export-forms")
            yield self._file
            yield self._told

    def on_mount(self) -> None:
        self._file.cursor_blink = False
        self._tell(f"into {self._folder}; enter saves, tab to the name, esc leaves")

    def _tell(self, text: str, style: str = "muted") -> None:
        self._told.update(styled([(clean(text, 600), style)], ansi=self.app.native_ansi_color))

    def _proposed(self, form: Format) -> str:
        return exporting.proposed_name(self._view.name, self._at, form)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The name follows the form: one of a person's own gets another ending."""
        event.stop()
        form: Format = FORMS[event.option_index][1]
        stem, dot, ending = self._file.value.rpartition(".")
        if dot and ending == self._form:
            self._file.value = f"{stem}.{form}"
        self._form = form

    @on(OptionList.OptionSelected)
    @on(CleanLine.Submitted)
    def _chosen(self, event: OptionList.OptionSelected | CleanLine.Submitted) -> None:
        event.stop()
        self._save()

    def action_form(self, form: Format) -> None:
        """This form."""
        menu = self.query_one(Menu)
        menu.highlighted = menu.get_option_index(form)
        menu.focus()

    def action_leave(self) -> None:
        """Save nothing."""
        self.dismiss()

    @work(exclusive=True, group="export")
    async def _save(self) -> None:
        name = self._file.value.strip()
        if not name:
            self._tell("type a name for the file", "warning")
            return
        make = self._maker(self._form)

        def work() -> Path:
            target = self._folder / Path(name).expanduser()
            save_new(target, make())
            return target

        try:
            target = await asyncio.to_thread(work)
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no such home folder
            self._tell(f"! {name} was not saved: {why(error)}", "warning")
            return
        self.dismiss()
        self.app.say(f"saved to {target}")

    def _maker(self, form: Format) -> Callable[[], str]:
        """What makes the file's content, in a thread: all that it takes of the board is taken now."""
        live = self._live
        if form == "svg":
            return lambda: exporting.picture_for_files(self._picture)
        if form in self._files:
            return self._files[form].make
        if form == "txt" and self._view.layout != "lanes":
            return lambda: self._text
        board, now = live.cells.board, live.now
        made = exporting.shown(board, self._view, self._query, now, faults_only=self._faults_only)
        if form == "csv":
            return lambda: exporting.as_csv(made)
        if form == "json":
            head = exporting.head_of(made, board, live.statuses, now)
            return lambda: exporting.as_json(made, head)
        cells = live.cells
        title = live.settings.title if live.newest is None else f"{live.settings.title} as it was then"
        return lambda: exporting.as_text(
            made, now, title=title, glyphs=cells.glyphs, zone=cells.zone, times=cells.times
        )


def folder() -> Path:
    """Where files go: the current folder, or the home of a person who stands in one that is gone."""
    try:
        return Path.cwd()
    except OSError:
        return Path.home()


def save_new(target: Path, text: str) -> None:
    """Write a file that was not there, with the rights that the person's umask leaves; whole, or not at all.

    OSError where it cannot be, FileExistsError where there is one already.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
            file.write(text)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def why(error: Exception) -> str:
    """In words."""
    if isinstance(error, FileExistsError):
        return "there is a file of that name, and none is overwritten"
    if isinstance(error, FileNotFoundError):
        return "there is no such folder"
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
