"""One question, answered in a line of text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from statusboard.screens.leaving import OnTop
from statusboard.text import clean
from widgets.cleanline import CleanLine

if TYPE_CHECKING:
    from statusboard.app import BoardApp

LONGEST = 200


class AskScreen(OnTop, ModalScreen[str | None]):
    """``wrong`` says what is wrong with an answer (``""``: nothing); esc is no answer.

    An empty answer is one only where it is ``optional``.  ``value`` can be gone on with, or, where it is a
    ``proposal``, the first letter takes its place.
    """

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    app: BoardApp

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "no", "No answer", show=False, id="ask.close"),
    ]

    def __init__(
        self,
        question: str,
        value: str = "",
        *,
        told: str = "",
        wrong: Callable[[str], str] | None = None,
        optional: bool = False,
        proposal: bool = False,
    ) -> None:
        super().__init__()
        self._question = Static(clean(question, LONGEST), id="ask-question", markup=False)
        self._input = CleanLine(value, max_length=LONGEST, select_on_focus=proposal, id="ask-input")
        self._told = Static(clean(told, LONGEST), id="ask-told", markup=False)
        self._usual = clean(told, LONGEST)
        self._wrong = wrong or (lambda answer: "")
        self._missing = "" if optional else "type something, or leave with esc"

    def compose(self) -> ComposeResult:
        with Vertical(id="ask"):
            yield self._question
            yield self._input
            yield self._told

    def on_mount(self) -> None:
        """Type at once."""
        self._input.cursor_blink = False  # nothing on this board blinks
        self._input.focus()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        answer = clean(event.value, LONGEST)
        self._told.update((self._wrong(answer) if answer else "") or self._usual)

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        event.stop()
        answer = clean(event.value, LONGEST)
        problem = self._wrong(answer) if answer else self._missing
        if problem:
            self._told.update(problem)
        else:
            self.dismiss(answer)

    def action_no(self) -> None:
        """Leave it."""
        self.dismiss(None)
