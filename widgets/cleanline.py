"""A line of text that is typed."""

from __future__ import annotations

from textual.widgets import Input

from statusboard.text import clean


class CleanLine(Input):
    """Takes only what may be shown: what is pasted is foreign text, too."""

    def insert(self, text: str, index: int) -> None:
        """As Textual's, but cleaned."""
        super().insert(text if text == " " else clean(text, 2_000), index)
