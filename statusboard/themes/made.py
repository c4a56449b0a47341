"""Textual's themes, made of our palettes, and two that leave the colours to the terminal."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

from statusboard.palettes import PALETTES, Palette


def theme_of(palette: Palette) -> Theme:
    """The palette as Textual has it.

    Every variable that text of ours or of Textual's own widgets is drawn with is set: what Textual would make up of the
    others (tints, mixtures, half transparency) has a contrast that nobody has looked at.
    """
    colors = palette.colors
    text, muted, accent = colors["text"], colors["muted"], colors["accent"]
    cursor, on_cursor = colors["cursor"], colors["cursor-text"]
    return Theme(
        name=palette.name,
        dark=palette.dark,
        background=colors["background"],
        surface=colors["surface"],
        panel=colors["panel"],
        foreground=text,
        primary=colors["running"],
        secondary=colors["unknown"],
        accent=accent,
        warning=colors["warning"],
        error=colors["failed"],
        success=colors["success"],
        variables={
            "text": text,
            "text-muted": muted,
            "text-disabled": muted,
            "foreground-muted": muted,
            "foreground-disabled": muted,
            "text-primary": colors["running"],
            "text-secondary": colors["unknown"],
            "text-accent": accent,
            "text-warning": colors["warning"],
            "text-error": colors["failed"],
            "text-success": colors["success"],
            "text-past": colors["past"],
            "block-cursor-foreground": on_cursor,
            "block-cursor-background": cursor,
            "block-cursor-blurred-foreground": on_cursor,
            "block-cursor-blurred-background": cursor,
            "block-hover-background": colors["panel"],
            "input-cursor-foreground": colors["background"],
            "input-cursor-background": text,
            "input-selection-foreground": on_cursor,
            "input-selection-background": cursor,
            "screen-selection-foreground": on_cursor,
            "screen-selection-background": cursor,
            "link-color": accent,
            "link-color-hover": on_cursor,
            "link-background-hover": cursor,
            "button-foreground": text,
            "button-color-foreground": colors["background"],
            "border": colors["border"],
            "border-blurred": colors["border"],
            "surface-active": colors["panel"],
            "scrollbar": colors["scrollbar"],
            "scrollbar-hover": muted,
            "scrollbar-active": accent,
            "scrollbar-background": colors["surface"],
            "scrollbar-background-hover": colors["surface"],
            "scrollbar-background-active": colors["surface"],
            "scrollbar-corner-color": colors["surface"],
        },
    )


def _of_terminal(name: str, *, dark: bool, running: str, warning: str, unknown: str, accent: str) -> Theme:
    """Sixteen colours, whatever the terminal makes of them, on its own background."""
    default = "ansi_default"
    cursors = ("block-cursor", "block-cursor-blurred")
    texts = ("text", "text-muted", "text-disabled", "foreground-muted", "foreground-disabled")
    lines = ("border", "border-blurred", "scrollbar", "scrollbar-hover", "scrollbar-active", "scrollbar-background")
    return Theme(
        name=name,
        dark=dark,
        ansi=True,
        background=default,
        surface=default,
        panel=default,
        boost=default,
        foreground=default,
        primary=running,
        secondary=unknown,
        accent=accent,
        warning=warning,
        error="ansi_red",
        success="ansi_green",
        variables={
            "ansi-background": default,
            "ansi-foreground": default,
            **dict.fromkeys((*texts, *lines), default),
            "text-past": "ansi_bright_blue",  # what nothing else has
            **{f"{cursor}-{part}": default for cursor in cursors for part in ("foreground", "background")},
            **{f"{cursor}-text-style": "bold reverse" for cursor in cursors},
            "input-cursor-text-style": "reverse",
        },
    )


ANSI: Final = _of_terminal(
    "ansi", dark=True, running="ansi_cyan", warning="ansi_yellow", unknown="ansi_magenta", accent="ansi_cyan"
)
"""The terminal's own colours, those that can be read on a dark ground: its blue mostly cannot."""
ANSI_LIGHT: Final = _of_terminal(
    "ansi-light", dark=False, running="ansi_blue", warning="ansi_magenta", unknown="ansi_magenta", accent="ansi_blue"
)
"""The terminal's own colours, those that can be read on a light ground: its yellow and its cyan mostly cannot."""

THEMES: Final = (*(theme_of(palette) for palette in PALETTES.values()), ANSI, ANSI_LIGHT)
"""Our own; a config may add others."""
