"""What will be written, and where; then it is written, and the board opened with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Button, Input, Static

from statusboard.errors import StatusboardError
from statusboard.screens.leaving import LeftOnce
from statusboard.screens.welcome_fields import FieldBox
from statusboard.setup.forming import Field
from statusboard.setup.proposing import SourceDraft, config_text, services_of
from statusboard.setup.writing import write_new
from statusboard.text import clean
from widgets.words import Word, styled

if TYPE_CHECKING:
    from statusboard.screens.welcome import WelcomeApp


class SaveScreen(LeftOnce, Screen[None]):
    """The configuration as it will be."""

    app: WelcomeApp
    AUTO_FOCUS = "#save"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("ctrl+s", "save", "Write it", show=False, priority=True),
        Binding("ctrl+n", "another", "One more source", show=False, priority=True),
        Binding("down,right", "app.focus_next", "Next", show=False),
        Binding("up,left", "app.focus_previous", "Before", show=False),
        Binding("pagedown", "page(1)", "A page down", show=False, priority=True),
        Binding("pageup", "page(-1)", "A page up", show=False, priority=True),
    ]

    def __init__(self, drafts: Sequence[SourceDraft], *, untried: bool = False) -> None:
        """``untried``: nobody knows yet whether the last of them can be read."""
        super().__init__()
        self._drafts = list(drafts)
        self._untried = untried
        self._yaml = Static("", markup=False)
        self._problem = Static("", id="problem", markup=False)

    def compose(self) -> ComposeResult:
        words: list[Word] = [("This will be written to ", ""), (clean(self.app.beginning.target, 400), "strong")]
        words.append(("\nfor your eyes only (0600). Nothing else is changed.", "muted"))
        if self._untried:
            words.append(("\n! The last source was not read in full yet: esc, then ^T tries it.", "warning"))
        yield Static(styled(words, ansi=self.app.native_ansi_color), id="where", markup=False)
        yield FieldBox(Field(name="title", about="what stands at the top of the board"), "Status")
        with VerticalScroll(id="yaml", can_focus=False):
            yield self._yaml
        yield self._problem
        with Horizontal(id="buttons"):
            yield Button("Write it, open the board ^S", id="save")
            yield Button("One more ^N", id="another")
            yield Button("Back esc", id="back")

    def on_mount(self) -> None:
        self._paint()

    @on(Input.Changed)
    def _retitled(self, event: Input.Changed) -> None:
        event.stop()
        self._paint()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        getattr(self, f"action_{event.button.id}")()

    @property
    def _text(self) -> str:
        around = self.app.around
        services = services_of(around.proposal, self._drafts) if around is not None else ()
        title = self.query_one(Input).value.strip() or "Status"
        return config_text(title, self._drafts, services)

    def _paint(self) -> None:
        words: list[Word] = [
            (f"{line}\n", "muted" if line.lstrip().startswith("#") else "") for line in self._text.splitlines()
        ]
        self._yaml.update(styled(words, ansi=self.app.native_ansi_color))

    def action_page(self, step: int) -> None:
        """Scroll what will be written."""
        area = self.query_one("#yaml", VerticalScroll)
        area.scroll_relative(y=step * max(1, area.size.height - 1), animate=False)

    def action_back(self) -> None:
        """To the form."""
        self.dismiss()

    def action_another(self) -> None:
        """Keep these, and choose one more type."""
        self.app.go_on_with(self._drafts)

    def action_save(self) -> None:
        """Write it."""
        self._write()

    @work(exclusive=True, group="write")
    async def _write(self) -> None:
        beginning = self.app.beginning
        try:
            await asyncio.to_thread(write_new, beginning.target, self._text, beginning.known, made=beginning.made)
        except StatusboardError as error:
            self._problem.update(styled([(f"! {clean(error, 600)}", "warning")], ansi=self.app.native_ansi_color))
            return
        self.app.exit(beginning.target)
