"""A list to choose from, by arrows, letters or the mouse, and the line below that says so."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.style import Style
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from statusboard.text import clean, fit

NAME_WIDTH = 20


class Menu(OptionList):
    """Textual's list, with the keys that people of vi know.  Nothing in it is markup."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("g", "first", "First", show=False),
        Binding("G", "last", "Last", show=False),
    ]

    def __init__(self, *options: Option, id: str) -> None:
        super().__init__(*options, id=id, markup=False, compact=True)

    def get_visual_style(self, *component_classes: str, partial: bool = False) -> Style:
        """As Textual's, which forgets `reverse`: without colours nothing else marks the line under the cursor."""
        style = super().get_visual_style(*component_classes, partial=partial)
        reverse = any(self.get_component_styles(name).text_style.reverse for name in component_classes)
        return style + Style(reverse=True) if reverse else style


class Hint(Static):
    """Which keys there are, as far as there is room."""

    def __init__(self, *keys: str) -> None:
        super().__init__("   ".join(keys), classes="hint", markup=False)


def entry(key: str, name: str, about: str, id: str | None, *, width: int = NAME_WIDTH) -> Option:
    """A line of a menu: a key (or ""), what it is, and a few words about it; its colours are those of the line."""
    shown = (f" {key}  " if key else " ") + (fit(clean(name, 80), width) if about else clean(name, 80))
    return Option(Content.assemble((shown, "bold"), f" {clean(about, 200)}".rstrip()), id=id)
