"""The keys of the screen one came from, as they are bound now."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from statusboard.text import fit
from widgets.words import Word, styled

if TYPE_CHECKING:
    from statusboard.app import BoardApp

QUERY_HELP = """\
state:failed        team:payments       kind:build          -label:flaky
severity:>=high     since:2h            is:failing          has:url
"free text"         a OR b              ( ) group           - leaves out"""


class HelpScreen(ModalScreen[None]):
    """Keys, generated from the bindings, so that rebound ones are told as they are."""

    CSS_PATH = Path(__file__).with_name("help.tcss")
    app: BoardApp

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "close", "Close", show=False, id="close_help"),
        Binding("j,down", "scroll(1)", "Down", show=False),
        Binding("k,up", "scroll(-1)", "Up", show=False),
    ]

    def __init__(self, of: Screen[Any]) -> None:
        super().__init__()
        self._rows = key_rows(of.active_bindings.values(), of, of.app)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(self._content(), markup=False)

    def action_close(self) -> None:
        """Back."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Up or down a line."""
        self.query_one("#help", VerticalScroll).scroll_relative(y=lines, animate=False)

    def _content(self) -> Content:
        words: list[Word] = [("Keys", "heading"), ("   j k scroll, esc closes\n", "muted")]
        for heading, rows in self._rows:
            words.append((f"\n{heading}\n", "strong"))
            for keys, what in rows:
                words += [(fit(keys, 16), "marker"), (f" {what}\n", "")]
        words += [("\nFilters\n", "strong"), (QUERY_HELP, "")]
        return styled(words, ansi=self.app.native_ansi_color)


def key_rows(
    bindings: Iterable[ActiveBinding], screen: Screen[Any], app: object
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Heading -> (keys, what they do), from what is bound: in the widget with the focus, on the screen, everywhere."""
    groups: dict[str, dict[str, list[str]]] = {"On this screen": {}, "In what has the focus": {}, "Everywhere": {}}
    for active in bindings:
        binding = active.binding
        if not binding.description or binding.id is None:  # what is Textual's own has no id
            continue
        heading = (
            "On this screen"
            if active.node is screen
            else "Everywhere"
            if active.node is app
            else "In what has the focus"
        )
        keys = groups[heading].setdefault(binding.description, [])
        shown = key_name(binding.key)
        if shown not in keys:
            keys.append(shown)
    return [
        (heading, [(_several(keys), what) for what, keys in rows.items()]) for heading, rows in groups.items() if rows
    ]


def _several(keys: list[str]) -> str:
    """Keys side by side; digits that follow each other as a range."""
    if len(keys) > 2 and all(key.isdecimal() for key in keys):
        return f"{keys[0]}-{keys[-1]}"
    return " ".join(keys)


_NAMES = {
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "escape": "esc",
    "space": "space",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


def key_name(key: str) -> str:
    """How a key is written for people."""
    return _NAMES.get(key, key.removeprefix("upper_"))
