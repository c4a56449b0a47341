"""The keys of the screen one came from, as they are bound now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from statusboard.keys import key_name
from statusboard.screens.leaving import OnTop
from statusboard.text import fit
from widgets.details import wrap
from widgets.words import Word, styled

if TYPE_CHECKING:
    from statusboard.app import BoardApp

HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "To what is wrong, and what can be done with it": (
        *("next_match", "previous_match", "table.select", "details", "open", "copy_url", "copy_key"),
        *("acknowledge", "note", "confirm", "dismiss", "last_word", "pause"),
    ),
    "Moving about": (
        *("table.down", "table.up", "details.down", "details.up", "next_lane", "previous_lane"),
        *("view_1", "next_view", "previous_view", "sources", "metrics", "handover", "wall", "leave_wall", "back"),
        *("next_unseen", "all_seen"),
        *("table.first", "table.last", "table.page_down", "table.page_up"),
        *("table.half_page_down", "table.half_page_up"),
        *("details.first", "details.last", "details.page_down", "details.page_up"),
    ),
    "What is shown, and how": (
        *("filter", "faults_only", "sort", "turn", "group", "fold", "fold_all", "open_all"),
        *("wide", "times", "stretch", "save_view", "export"),
    ),
    "Back in time": (
        *("earlier", "later", "earlier_incident", "later_incident", "moment", "present"),
        *("time_line", "zoom"),
    ),
    "The board": ("refresh", "refresh_all", "palette", "help", "mouse", "suspend", "quit", "quit_always"),
}
"""What the keys are for: what is asked for first stands first.  An action that has no place here comes last."""

EXAMPLES: Final = (
    *("state:failed", "team:payments", "kind:build", "-label:flaky", "severity:>=high", "since:2h"),
    *("is:failing", "has:url", '"free text"', "a OR b", "( ) group", "- leaves out"),
)
"""What a filter may say."""
_KEYS: Final = 17
"""Cells for the keys."""
_EXAMPLE: Final = 20
"""Cells for an example."""
_AROUND: Final = 8
"""Cells beside the text: padding, the bar to scroll with, a border."""


class HelpScreen(OnTop, ModalScreen[None]):
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
        self._rows = key_rows(of.active_bindings.values())

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(self._content(), id="help-text", markup=False)

    def on_resize(self, event: Resize) -> None:
        """Lines break elsewhere."""
        self.query_one("#help-text", Static).update(self._content())

    def action_close(self) -> None:
        """Back."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Up or down a line."""
        self.query_one("#help", VerticalScroll).scroll_relative(y=lines, animate=False)

    def _content(self) -> Content:
        """Nothing that is told is cut."""
        width = max(30, self.app.size.width - _AROUND)
        words: list[Word] = [("Keys", "heading"), ("   j k scroll, esc closes\n", "muted")]
        for heading, rows in self._rows:
            words.append((f"\n{heading}\n", "strong"))
            for keys, what in rows:
                first, *more = wrap(what, width - _KEYS)
                words += [(fit(keys, _KEYS - 1), "marker"), (f" {first}\n", "")]
                words += [(f"{'':{_KEYS}}{line}\n", "") for line in more]
        words.append(("\nWhat a filter may say\n", "strong"))
        beside = max(1, min(4, width // _EXAMPLE))
        for at in range(0, len(EXAMPLES), beside):
            line = "".join(fit(example, _EXAMPLE) for example in EXAMPLES[at : at + beside])
            words.append((line.rstrip() + "\n", ""))
        return styled(words, ansi=self.app.native_ansi_color)


def key_rows(bindings: Iterable[ActiveBinding]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Heading -> (keys, what they do), from what is bound and heard now."""
    found: dict[str, dict[str, list[str]]] = {}
    for active in bindings:
        binding = active.binding
        if not binding.description or binding.id is None:  # what is Textual's own has no id
            continue
        keys = found.setdefault(binding.id, {}).setdefault(binding.description, [])
        shown = key_name(binding.key)
        if shown not in keys:
            keys.append(shown)
    rows = []
    for heading, actions in {**HEADINGS, "More": tuple(found)}.items():
        told: dict[str, list[str]] = {}
        for action in actions:
            # The views are one line, under the heading of the first.
            named = [id for id in found if id == action or (action == "view_1" and id.startswith("view_"))]
            for id in named:
                for what, keys in found.pop(id).items():
                    told.setdefault(what, []).extend(keys)
        if told:
            rows.append((heading, [(_several(keys), what) for what, keys in told.items()]))
    return rows


def _several(keys: list[str]) -> str:
    """Keys side by side; digits that follow each other as a range."""
    if len(keys) > 2 and all(key.isdecimal() for key in keys):
        return f"{keys[0]}-{keys[-1]}"
    return " ".join(keys)
