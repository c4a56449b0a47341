"""A line of text that is typed."""

from __future__ import annotations

from textual.widgets import Input

from statusboard.text import clean


class CleanLine(Input):
    """Takes only what may be shown: what is pasted is foreign text, too."""

    def replace(self, text: str, start: int, end: int) -> None:
        """As Textual's, but cleaned; what is typed or pasted comes this way, over a selection or not."""
        inner = clean(text, 2_000)
        before = " " if text.startswith(" ") else ""  # a space parts words from those beside it
        after = " " if inner and text.endswith(" ") else ""
        super().replace(f"{before}{inner}{after}", start, end)
