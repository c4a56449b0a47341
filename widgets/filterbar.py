"""The line in which a filter is typed: what is wrong with it stands below, at its place; so do suggestions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from statusboard.text import cell_len, clip, fit
from widgets.cleanline import CleanLine
from widgets.words import Word, styled


class Mistake(NamedTuple):
    """What is wrong with a filter, and where: character offsets."""

    message: str
    start: int
    end: int


Check = Callable[[str], "Mistake | None"]
Complete = Callable[[str, int], "tuple[tuple[int, int], Sequence[str]]"]
"""(text, cursor) -> the span that a suggestion replaces, and the suggestions."""


def point_at(text: str, mistake: Mistake, width: int) -> list[Word]:
    """Carets under the characters that are wrong, with the sentence beside them: in ``width`` cells."""
    start = cell_len(text[: mistake.start])
    marks = "^" * max(1, cell_len(text[mistake.start : mistake.end]))
    room = width - start - len(marks) - 1
    if room >= min(cell_len(mistake.message), 24):
        return [(" " * start, ""), (marks, "failed"), (" " + clip(mistake.message, room), "warning")]
    before = start - 1 if start < width else 0
    if before >= cell_len(mistake.message) or before >= 24:
        message = clip(mistake.message, before)
        return [
            (" " * (before - cell_len(message)), ""),
            (message + " ", "warning"),
            (clip(marks, width - start), "failed"),
        ]
    return [(clip(mistake.message, width), "warning")]


class FilterLine(CleanLine):
    """The input itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Take the suggestion", show=False),
        Binding("escape", "clear", "Clear", show=False),
    ]

    def action_complete(self) -> None:
        """Take the first suggestion."""
        bar = self.parent
        assert isinstance(bar, FilterBar)
        bar.complete()

    def action_clear(self) -> None:
        """Without any filter."""
        bar = self.parent
        assert isinstance(bar, FilterBar)
        bar.post_message(FilterBar.Cleared())


class FilterBar(Widget):
    """A filter while it is typed (two lines), and the one in force afterwards (one line)."""

    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    ALLOW_SELECT: ClassVar[bool] = False

    class Changed(Message):
        """Another filter that means something was typed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Broken(Message):
        """What is typed means nothing (yet); ``word`` is the one that is being typed."""

        def __init__(self, word: str) -> None:
            super().__init__()
            self.word = word

    class Kept(Message):
        """Enter: the filter stays, the line goes back to the lanes."""

    class Cleared(Message):
        """Escape: no filter."""

    def __init__(self, check: Check, complete: Complete, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._check = check
        self._complete = complete
        self._input: FilterLine | None = None
        self._mistake: Mistake | None = None
        self._kept = Static(id="filter-kept", markup=False)
        self._told = Static(id="filter-hint", markup=False)

    def compose(self) -> ComposeResult:
        yield Static("/", id="filter-mark", markup=False)
        yield self._kept
        yield self._told

    @property
    def mistake(self) -> Mistake | None:
        """What is wrong with what is typed."""
        return self._mistake

    @property
    def value(self) -> str:
        """What is typed."""
        return self._input.value if self._input is not None else ""

    async def edit(self, text: str) -> None:
        """Open the line with ``text`` in it."""
        self.display = True
        self.add_class("-editing")
        if self._input is None:
            self._input = FilterLine(value=text, compact=True, select_on_focus=False)
            self._input.cursor_blink = False
            await self.mount(self._input, after="#filter-mark")
        else:
            self._input.value = text
        self._input.cursor_position = len(text)
        self._input.focus()
        self._hint()

    def rest(self, text: str) -> None:
        """Show the filter in force, or nothing where there is none."""
        self.remove_class("-editing")
        self.display = bool(text)
        words: list[Word] = [(text, "strong"), ("   / edit, Esc clears", "muted")]
        self._kept.update(styled(words, ansi=self.app.native_ansi_color))

    @property
    def editing(self) -> bool:
        """Whether a filter is being typed."""
        return self.has_class("-editing")

    def complete(self) -> None:
        """Take the first suggestion, if there is one."""
        line = self._input
        if line is None:
            return
        (start, end), suggestions = self._complete(line.value, line.cursor_position)
        if suggestions:
            text = suggestions[0] if suggestions[0].endswith(":") else suggestions[0] + " "
            line.replace(text, start, end)
            line.cursor_position = start + len(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        """A letter more or less."""
        event.stop()
        if not self.editing:
            return
        self._hint()
        if self._mistake is None:
            self.post_message(self.Changed(event.value))
        elif self._input is not None:
            (start, end), _ = self._complete(event.value, self._input.cursor_position)
            self.post_message(self.Broken(event.value[start:end]))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps the filter, unless it is wrong."""
        event.stop()
        if self._mistake is None:
            self.post_message(self.Kept())

    def on_resize(self, event: events.Resize) -> None:
        """The hint is laid out by width."""
        if self.editing:
            self._hint()

    def _hint(self) -> None:
        line = self._input
        if line is None:
            return
        text = line.value
        self._mistake = self._check(text)
        width = max(1, self.size.width - 4)
        self._told.update(styled(self._words(text, line.cursor_position, width), ansi=self.app.native_ansi_color))

    def _words(self, text: str, cursor: int, width: int) -> list[Word]:
        _, suggestions = self._complete(text, cursor)
        if self._mistake is not None and not (suggestions and self._mistake.end >= len(text)):
            return point_at(text, self._mistake, width)
        if not suggestions:
            example = "" if text else "for instance state:failed or team:payments   "
            return [(clip(example + "Enter keeps, Esc clears", width), "muted")]
        words: list[Word] = []
        words.append(("Tab: ", "muted"))
        room = width - sum(cell_len(word) for word, _ in words)
        for number, suggestion in enumerate(suggestions):
            if cell_len(suggestion) + 2 > room:
                break
            words.append((suggestion, "strong" if number == 0 else "muted"))
            words.append(("  ", ""))
            room -= cell_len(suggestion) + 2
        return words


__all__ = ["FilterBar", "Mistake", "fit", "point_at"]
