"""Words with a style name each, as the table has them, for widgets that draw text: always plain text, never markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rich.style import Style as RichStyle
from textual.content import Content
from textual.style import Style

from statusboard.text import cell_len

Word = tuple[str, str]
"""(text, style name); the names of `widgets.table.STYLE_NAMES`, those of `STYLES`, or "" for plain."""

STYLES: Final[Mapping[str, str]] = {
    "critical": "bold reverse $text-error",
    "high": "bold $text-error",
    "medium": "$text-warning",
    "low": "$text-accent",
    "info": "$text-muted",
    "unknown": "italic $text-secondary",
    "failed": "bold $text-error",
    "warning": "$text-warning",
    "running": "$text-primary",
    "success": "$text-success",
    "muted": "$text-muted",
    "stale": "italic $text-muted",
    "link": "underline $text-accent",
    "marker": "bold $text-accent",
    "heading": "bold $text-accent",
    "plain": "$foreground",
    "strong": "bold $foreground",
    "verdict-failed": "bold reverse $text-error",
    "verdict-warning": "bold reverse $text-warning",
    "verdict-blind": "bold reverse $text-secondary",
    "verdict-ok": "bold reverse $text-success",
    "verdict-old": "reverse italic $text-muted",
    "chosen": "bold reverse $text-primary",
    "demo": "bold reverse $text-accent",
    "past": "bold reverse $text-past",
}
"""Style name -> Textual style. Sixteen colours hold no shade between text and background, see `FAINT`.

Colours are those that every theme of ours has (`statusboard.themes`), where ``secondary`` is that of the unknown."""

FAINT: Final[Mapping[str, str]] = {"muted": "dim", "stale": "dim italic", "verdict-old": "reverse italic"}
"""What differs with the terminal's own colours."""


def styled(words: Iterable[Word], *, ansi: bool = False) -> Content:
    """One text of all words, as they follow each other."""
    parts: list[tuple[str, str]] = []
    for text, name in words:
        style = FAINT.get(name) if ansi else None
        parts.append((text, STYLES.get(name, "") if style is None else style))
    return Content.assemble(*parts)


def rich_style(name: str, *, ansi: bool = False) -> RichStyle:
    """The style of that name in the app's theme, to be laid over another one: what it does not say stays as it is."""
    style = Style.parse((FAINT.get(name) if ansi else None) or STYLES.get(name, ""))
    return RichStyle(
        color=style.foreground.rich_color if style.foreground is not None else None,
        bold=style.bold,
        dim=style.dim,
        italic=style.italic,
        underline=style.underline,
        reverse=style.reverse,
    )


def width_of(words: Iterable[Word]) -> int:
    """How many cells they take."""
    return sum(cell_len(text) for text, _ in words)
