"""The colours of the board: dark, light, and the terminal's own.

Status never rests on colour alone, so a theme only has to be legible: every text colour of ``dark`` and ``light`` has a
contrast of at least 4.5:1 on the background (a test computes it), and ``ansi`` leaves both to the terminal.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Final, NamedTuple

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

from statusboard.text import cell_len

DARK: Final = Theme(
    name="dark",
    dark=True,
    background="#0f141b",
    surface="#161d27",
    panel="#1d2632",
    foreground="#d9e0ea",
    primary="#6cb6ff",
    secondary="#a3b4c9",
    accent="#7fd3e6",
    warning="#f0b64a",
    error="#ff7b72",
    success="#63d38e",
    variables={
        "text": "#d9e0ea",
        "text-muted": "#92a0b3",
        "text-primary": "#6cb6ff",
        "text-secondary": "#a3b4c9",
        "text-accent": "#7fd3e6",
        "text-warning": "#f0b64a",
        "text-error": "#ff7b72",
        "text-success": "#63d38e",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-background": "#26548f",
        "border": "#3a4a5e",
        "scrollbar": "#3a4a5e",
        "scrollbar-hover": "#55687f",
        "scrollbar-active": "#6cb6ff",
        "scrollbar-background": "#141b24",
    },
)

LIGHT: Final = Theme(
    name="light",
    dark=False,
    background="#fbfcfd",
    surface="#f0f3f6",
    panel="#e6ebf0",
    foreground="#1c2530",
    primary="#0b57b0",
    secondary="#46566a",
    accent="#0a6475",
    warning="#855000",
    error="#b0141c",
    success="#136b30",
    variables={
        "text": "#1c2530",
        "text-muted": "#566372",
        "text-primary": "#0b57b0",
        "text-secondary": "#46566a",
        "text-accent": "#0a6475",
        "text-warning": "#855000",
        "text-error": "#b0141c",
        "text-success": "#136b30",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-background": "#0b57b0",
        "border": "#b9c4d0",
        "scrollbar": "#b9c4d0",
        "scrollbar-hover": "#92a0b3",
        "scrollbar-active": "#0b57b0",
        "scrollbar-background": "#eef1f4",
    },
)

ANSI: Final = Theme(
    name="ansi",
    ansi=True,
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    foreground="ansi_default",
    primary="ansi_blue",
    secondary="ansi_cyan",
    accent="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    variables={
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "text-muted": "ansi_default",
        "block-cursor-foreground": "ansi_default",
        "block-cursor-background": "ansi_default",
        "block-cursor-text-style": "bold reverse",
        "block-cursor-blurred-foreground": "ansi_default",
        "block-cursor-blurred-background": "ansi_default",
        "block-cursor-blurred-text-style": "bold reverse",
        "border": "ansi_default",
        "border-blurred": "ansi_default",
        "input-cursor-text-style": "reverse",
        "scrollbar": "ansi_default",
        "scrollbar-hover": "ansi_default",
        "scrollbar-active": "ansi_default",
        "scrollbar-background": "ansi_default",
    },
)

THEMES: Final = (DARK, LIGHT, ANSI)
"""Our own; a config may also name one of Textual's."""

_PLAIN = {"…": "~", "─": "-", "━": "-", "│": "|", "┃": "|", "▌": ">", "▏": "|", **dict.fromkeys("▁▂▃▄▅▆▇▔", " ")}
_LAST_LETTER = "\u0250"
"""Consoles have the letters of most of Europe, and little else."""
_KEPT_SIGNS = 4_000
_FEW_COLOURS = frozenset({"linux", "vt100", "vt220", "xterm-mono", "ansi"})


class Look(NamedTuple):
    """What a terminal is shown: the name of a theme, whether only signs that any font has, whether no colour at all."""

    theme: str
    ascii_only: bool
    no_color: bool
    encoding: str = "utf-8"


class PlainSigns(LineFilter):
    """Replaces what a console's font or a terminal's encoding does not have, cell for cell."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding
        self._known: dict[str, str] = dict(_PLAIN)

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line in signs that can be shown."""
        return [
            segment if segment.text.isascii() else Segment(self._plain(segment.text), segment.style, segment.control)
            for segment in segments
        ]

    def _plain(self, text: str) -> str:
        known = self._known
        for char in set(text).difference(known):
            if len(known) > _KEPT_SIGNS:
                known.clear()
                known.update(_PLAIN)
            known[char] = char if self._shows(char) else "?" * cell_len(char)
        return "".join(known[char] for char in text)

    def _shows(self, char: str) -> bool:
        if char.isascii():
            return True
        if _is_unicode(self._encoding):
            return char < _LAST_LETTER
        try:
            char.encode(self._encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True


def look_of(env: Mapping[str, str], encoding: str, wanted: str = "") -> Look:
    """The look for a terminal: ``encoding`` is that of its output, ``wanted`` the theme that the config names.

    Without colours, and on a console that has sixteen, the terminal's own are used whatever is wanted.
    """
    no_color = "NO_COLOR" in env
    console = env.get("TERM", "") in _FEW_COLOURS
    ascii_only = console or not _is_unicode(encoding)
    if no_color or console:
        return Look(ANSI.name, ascii_only, no_color, encoding)
    return Look(wanted or (LIGHT.name if _is_light(env) else DARK.name), ascii_only, no_color, encoding)


def _is_unicode(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding or "ascii").name.startswith("utf")
    except LookupError:
        return False


def _is_light(env: Mapping[str, str]) -> bool:
    """Some terminals tell their colours: ``COLORFGBG=0;15`` is black on white."""
    return env.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
