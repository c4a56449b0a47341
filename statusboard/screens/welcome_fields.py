"""One line to type into, and a field of a form: what is asked, the line, and what is wrong with the answer."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from statusboard.setup.forming import Field, is_hidden
from statusboard.text import clean, strip_controls
from widgets.cleanline import CleanLine
from widgets.words import Word, styled

LONGEST = 2_000


class Line(CleanLine):
    """In one row, and it does not blink."""

    def __init__(self, value: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(clean(value, LONGEST), placeholder=clean(placeholder, 200), id=id)
        self.cursor_blink = False


class SecretLine(Line):
    """Where a secret is, in clear; anything else that is typed may be the secret itself, and is not shown."""

    def replace(self, text: str, start: int, end: int) -> None:
        """What is pasted stays as it is: it is not shown before it is a reference."""
        Input.replace(self, strip_controls(text), start, end)

    def watch_value(self, value: str) -> None:
        """Hide it before it is drawn."""
        self.password = is_hidden(value)

    def action_copy(self) -> None:
        """Not into a clipboard."""
        if not self.password:
            super().action_copy()

    def action_cut(self) -> None:
        """Nor this way."""
        if not self.password:
            super().action_cut()


class FieldBox(Vertical):
    """One field."""

    def __init__(self, field: Field, value: str) -> None:
        super().__init__()
        self.field = field
        sample = f"such as {field.sample}" if field.sample else ""
        hint = ("paste it: it is not shown" if field.secret else sample) or ("needed" if field.needed else "")
        make = SecretLine if field.secret else Line
        self.line: Line = make(value, placeholder=hint)
        self._complaint = Static("", classes="complaint", markup=False)
        self._complained = ""

    def compose(self) -> ComposeResult:
        words: list[Word] = [(self.field.name, "strong"), (" (needed)" if self.field.needed else "", "marker")]
        words.append((f"  {clean(self.field.about, 300)}", "muted"))
        yield Static(styled(words, ansi=self.app.native_ansi_color), classes="label", markup=False)
        yield self.line
        yield self._complaint

    def complain(self, told: str) -> None:
        """Say what is wrong with it; ``""``: nothing."""
        if told != self._complained:
            self._complained = told
            self._complaint.update(styled([(f"! {clean(told, 400)}", "")]))
            self.set_class(bool(told), "-wrong")
