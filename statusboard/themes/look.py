"""What a terminal can be shown: which theme, whether all signs or few, whether any colour at all."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from statusboard.palettes import DARK, LIGHT
from statusboard.text import cell_len
from statusboard.themes.made import ANSI, ANSI_LIGHT

_LINES = dict(zip("─━│┃▌▏▁▂▃▄▅▆▇▔", "--||>|        ", strict=True))
_PLAIN = {"…": "~", **_LINES, **dict(zip("↑↓←→", "^v<>", strict=True))}
_LAST_LETTER = "\u0250"
"""Consoles have the letters of most of Europe, and little else."""
_KEPT_SIGNS = 4_000
_CONSOLES = frozenset({"linux", "vt100", "vt220"})
"""Terminals whose font has few signs."""
_MONOCHROME = frozenset({"dumb", "vt52", "vt100", "vt102", "vt220", "vt320"})
"""Terminals without any colour."""
_TRUE = 1 << 24
_COLOURS_OF_TERM = {"256color": 256, "kitty": 256}
"""The last word of ``TERM`` -> colours, as Rich tells them, which writes the colours; any other has sixteen."""
_COLOURS_FORCED = {"truecolor": _TRUE, "256": 256, "standard": 16}
"""What ``TEXTUAL_COLOR_SYSTEM`` may say."""


class Look(NamedTuple):
    """What a terminal is shown.

    ``theme`` is the name of one, ``no_color`` whether no colour is shown at all, ``few_colors`` whether the terminal
    has but sixteen.  ``ascii_only`` is whether our signs are ASCII, ``few_signs`` whether the terminal has few, so that
    foreign text has to do with them, too.
    """

    theme: str
    ascii_only: bool
    no_color: bool
    encoding: str = "utf-8"
    few_colors: bool = False
    few_signs: bool = False

    @property
    def own_colors(self) -> bool:
        """Whether only the terminal's own colours will do, or none."""
        return self.no_color or self.few_colors


class PlainSigns(LineFilter):
    """Replaces our lines and marks and, where there are ``few_signs``, whatever a console's font or the terminal's
    encoding does not have, cell for cell."""

    def __init__(self, encoding: str, *, few_signs: bool = True) -> None:
        super().__init__()
        self._encoding = encoding
        self._few = few_signs
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
        if not self._few or char.isascii():
            return True
        if _is_unicode(self._encoding):
            return char < _LAST_LETTER
        try:
            char.encode(self._encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True


class NoColors(LineFilter):
    """Takes all colour out of a line, and writes not even that of the terminal: it would not know the codes."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[Style, Style] = {}

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line; what is bold or reversed stays so."""
        return [
            Segment(segment.text, self._plain(segment.style) if segment.style is not None else None, segment.control)
            for segment in segments
        ]

    def _plain(self, style: Style) -> Style:
        plain = self._known.get(style)
        if plain is None:
            if len(self._known) > _KEPT_SIGNS:
                self._known.clear()
            plain = self._known[style] = style.without_color
        return plain


def look_of(env: Mapping[str, str], encoding: str, wanted: str = "", glyphs: str = "") -> Look:
    """The look for a terminal: ``encoding`` is that of its output, ``wanted`` and ``glyphs`` are the config's.

    Without colours, and in a terminal that has sixteen, the terminal's own are used whatever is wanted: any other would
    be rounded to one of them, and text to the colour of its ground.  What the encoding cannot say is never used.
    """
    no_color = "NO_COLOR" in env or _is_monochrome(env)
    encoding = _said(env, encoding)
    few_colors = _colours(env) <= 16
    font = not _is_console(env) or glyphs == "unicode"
    few_signs = not (font and _is_unicode(encoding))
    light = _is_light(env)
    theme = wanted or (LIGHT.name if light else DARK.name)
    if (no_color or few_colors) and theme not in (ANSI.name, ANSI_LIGHT.name):
        theme = ANSI_LIGHT.name if light else ANSI.name
    return Look(theme, few_signs or glyphs == "ascii", no_color, encoding, few_colors, few_signs)


def _colours(env: Mapping[str, str]) -> int:
    """How many colours are written to this terminal, as Rich decides it."""
    forced = _COLOURS_FORCED.get(env.get("TEXTUAL_COLOR_SYSTEM", ""))
    if forced is not None:
        return forced
    if env.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return _TRUE
    return _COLOURS_OF_TERM.get(env.get("TERM", "").strip().lower().rpartition("-")[2], 16)


def _is_monochrome(env: Mapping[str, str]) -> bool:
    told = any(env.get(name) for name in ("TEXTUAL_COLOR_SYSTEM", "COLORTERM"))
    return not told and env.get("TERM", "").strip().lower() in _MONOCHROME


def _said(env: Mapping[str, str], encoding: str) -> str:
    """The encoding of the terminal.  Where the locale is C, Python writes UTF-8 whatever the terminal understands.

    Where ``LC_ALL`` does not say so Python has set ``LC_CTYPE`` to C.UTF-8 by now, and what was meant is not known.
    """
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    python = any(env.get(name) for name in ("PYTHONUTF8", "PYTHONIOENCODING"))
    return "ascii" if locale in ("C", "POSIX") and not python else encoding


def _is_console(env: Mapping[str, str]) -> bool:
    return env.get("TERM", "") in _CONSOLES


def _is_unicode(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding or "ascii").name.startswith("utf")
    except LookupError:
        return False


def _is_light(env: Mapping[str, str]) -> bool:
    """Some terminals tell their colours: ``COLORFGBG=0;15`` is black on white."""
    return env.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
