"""Asks whether a secret that was typed may be put into the keyring; it is never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from statusboard.screens.leaving import LeftOnce
from statusboard.text import clean
from widgets.words import Word, styled

if TYPE_CHECKING:
    from statusboard.screens.welcome import WelcomeApp


class KeepScreen(LeftOnce, ModalScreen[bool]):
    """True: put it into the keyring."""

    app: WelcomeApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "Back", show=False),
        Binding("y", "answer(True)", "Keep it", show=False),
        Binding("right,down", "app.focus_next", "Next", show=False),
        Binding("left,up", "app.focus_previous", "Before", show=False),
    ]

    def __init__(self, field: str, reference: str, variable: str, no_keyring: str) -> None:
        super().__init__()
        self._no_keyring = no_keyring
        self._words: list[Word] = [
            (f"This is the {field} itself", "heading"),
            ("\n\nThe configuration never holds it, only where it is. ", ""),
        ]
        if no_keyring:
            name = variable.removeprefix("env:")
            self._words += [
                (f"And it cannot be kept here: {clean(no_keyring, 300)}.\n\n", "warning"),
                (f"Leave, run `export {name}=…`, start again and write {variable}; ", ""),
                ("or put it into a file that only you can read (chmod 600) and write file:/path.", ""),
            ]
        else:
            self._words += [
                ("Put it into this machine's keyring, as ", ""),
                (reference, "strong"),
                ("? What is kept there under this name is replaced. `statusboard logout ", ""),
                (f"{reference.removeprefix('keyring:')}` deletes it.", ""),
            ]

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(styled(self._words, ansi=self.app.native_ansi_color), markup=False)
            with Horizontal(id="buttons"):
                if not self._no_keyring:
                    yield Button("Keep it y", id="keep")
                yield Button("Back esc", id="back")

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_answer(event.button.id == "keep")

    def action_answer(self, keep: bool) -> None:
        """With what a person wants; nothing is kept where nothing can be."""
        self.dismiss(keep and not self._no_keyring)
