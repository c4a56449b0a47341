"""Widgets whose size says nothing to anybody else."""

from __future__ import annotations

from textual.geometry import Size
from textual.scrollbar import ScrollBar
from textual.widget import Widget


class Placed(Widget):
    """A widget that another size gives no reason to lay out the screen once more.

    Textual does so whenever the room in which a widget can scroll has changed, in case that its parent depends on it:
    each lane that gets other lines would cost a second layout, and a second painting of all rows.
    """

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        return super()._size_updated(size, virtual_size, container_size, layout=False)


class PlacedScrollBar(Placed, ScrollBar):
    """The scrollbar of a table."""
