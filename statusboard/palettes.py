"""The colours of each theme by what they mean, and whether they can be read.  Pure, and known without the screen.

Status never rests on colour alone, so a palette has two duties: every text can be read on every ground that it may
stand on (WCAG 2.2's contrast), and it stays calm, since red is for what is failing and nothing else.

The greys are such that a terminal with 256 colours shows them as greys: of a bluish one it would make a blue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

TEXT: Final = 4.5
"""The contrast that text needs (WCAG 2.2, 1.4.3)."""
TEXT_HIGH: Final = 7.0
"""The contrast that text needs where a palette promises much of it (1.4.6)."""
SHAPE: Final = 3.0
"""The contrast that what is no text needs to be seen: a cursor's bar, a scrollbar (1.4.11)."""

GROUNDS: Final = ("background", "surface", "panel")
"""What text stands on: rows; titles, details and dialogs; bars."""
WORDS: Final = ("text", "muted", "accent", "running", "success", "warning", "unknown", "failed", "past")
"""The colours of words. Reversed, they are a ground for the ground they stand on: the same pair."""
OTHERS: Final = ("cursor", "cursor-text", "scrollbar", "border")
NAMES: Final = (*GROUNDS, *WORDS, *OTHERS)
"""Every colour that a palette has."""

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


class Palette(NamedTuple):
    """``colors`` has every name of `NAMES`, as ``#rrggbb``; ``least`` is the contrast that its texts promise."""

    name: str
    dark: bool
    colors: Mapping[str, str]
    least: float = TEXT


class Pair(NamedTuple):
    """Two colours that stand on each other, the contrast that they have, and the one that they need."""

    front: str
    ground: str
    contrast: float
    least: float

    def __str__(self) -> str:
        # Rounded down: 4.48 is not the 4.5 that is asked for.
        have = int(self.contrast * 10) / 10
        return f"`{self.front}` on `{self.ground}` has a contrast of {have}:1, where {self.least:g}:1 is needed"


def _palette(name: str, *, dark: bool, least: float = TEXT, **colors: str) -> Palette:
    return Palette(name, dark, {key.replace("_", "-"): value for key, value in colors.items()}, least)


DARK: Final = _palette(
    "dark",
    dark=True,
    background="#101215",
    surface="#16181b",
    panel="#22262b",
    text="#dfe2e6",
    muted="#9aa5b4",
    accent="#7fd3e6",
    running="#6cb6ff",
    success="#63d38e",
    warning="#f0b64a",
    unknown="#c8a2f0",
    failed="#ff6a60",
    past="#ff7ac6",
    cursor="#2b69cc",
    cursor_text="#ffffff",
    scrollbar="#5d6a7c",
    border="#3d4855",
)

LIGHT: Final = _palette(
    "light",
    dark=False,
    background="#fcfcfd",
    surface="#f1f2f3",
    panel="#e5e8eb",
    text="#20242a",
    muted="#525e6c",
    accent="#0a6172",
    running="#0b57b0",
    success="#136b30",
    warning="#7d4b00",
    unknown="#6a2f9e",
    failed="#b0141c",
    past="#9b1464",
    cursor="#0b57b0",
    cursor_text="#ffffff",
    scrollbar="#7a8897",
    border="#b9c0c8",
)

HIGH_CONTRAST: Final = _palette(
    "high-contrast",
    dark=True,
    least=TEXT_HIGH,
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    text="#ffffff",
    muted="#cfcfcf",
    accent="#5fffff",
    running="#87d7ff",
    success="#5fff87",
    warning="#ffd700",
    unknown="#ffafff",
    failed="#ff8787",
    past="#ff9933",
    cursor="#ffffff",
    cursor_text="#000000",
    scrollbar="#bcbcbc",
    border="#ffffff",
)

HIGH_CONTRAST_LIGHT: Final = _palette(
    "high-contrast-light",
    dark=False,
    least=TEXT_HIGH,
    background="#ffffff",
    surface="#ffffff",
    panel="#f2f2f2",
    text="#000000",
    muted="#3a3a3a",
    accent="#00475f",
    running="#003f8f",
    success="#004d1a",
    warning="#5f3b00",
    unknown="#5f0087",
    failed="#870000",
    past="#6b0043",
    cursor="#000000",
    cursor_text="#ffffff",
    scrollbar="#444444",
    border="#000000",
)

COLOR_BLIND: Final = _palette(
    # Hues of Okabe and Ito, as light or dark as it takes to keep them apart for every kind of colour blindness.
    "color-blind",
    dark=True,
    background="#101215",
    surface="#16181b",
    panel="#22262b",
    text="#dfe2e6",
    muted="#9aa5b4",
    accent="#a8dcf5",
    running="#4a94ff",
    success="#4adfae",
    warning="#f5ec42",
    unknown="#f0a8e2",
    failed="#ff5a1f",
    past="#b98b6d",
    cursor="#2b69cc",
    cursor_text="#ffffff",
    scrollbar="#5d6a7c",
    border="#3d4855",
)

COLOR_BLIND_LIGHT: Final = _palette(
    "color-blind-light",
    dark=False,
    background="#fcfcfd",
    surface="#f1f2f3",
    panel="#e5e8eb",
    text="#16191d",
    muted="#525e6c",
    accent="#0a6172",
    running="#005fdf",
    success="#165c46",
    warning="#786413",
    unknown="#a31d7b",
    failed="#650b01",
    past="#36004c",
    cursor="#0b57b0",
    cursor_text="#ffffff",
    scrollbar="#7a8897",
    border="#b9c0c8",
)

NIGHT: Final = _palette(
    "wall-night",
    dark=True,
    background="#000000",
    surface="#000000",
    panel="#0a0a0a",
    text="#8c8c8c",
    muted="#808080",
    accent="#5f8f9a",
    running="#5f87af",
    success="#5f9a6e",
    warning="#a58445",
    unknown="#9a80b4",
    failed="#d0605a",
    past="#b07a9a",
    cursor="#2b69cc",
    cursor_text="#ffffff",
    scrollbar="#66788f",
    border="#3d4855",
)
"""The colours of a wall at night: as dim as they can be and still be read. Not one to choose."""

PALETTES: Final[Mapping[str, Palette]] = {
    palette.name: palette
    for palette in (DARK, LIGHT, HIGH_CONTRAST, HIGH_CONTRAST_LIGHT, COLOR_BLIND, COLOR_BLIND_LIGHT)
}
"""Our own, by name."""


def is_color(text: str) -> bool:
    """Whether ``text`` is a colour as a palette holds it (``#rrggbb``) or can (``#rgb``)."""
    return _HEX.fullmatch(text) is not None


def derived(name: str, base: Palette, colors: Mapping[str, str]) -> Palette:
    """``base`` with some colours replaced; it is dark if its background is, and promises what ``base`` does."""
    made = {**base.colors, **{key: _long(value) for key, value in colors.items()}}
    ground = made["background"]
    return Palette(name, contrast("#ffffff", ground) >= contrast("#000000", ground), made, base.least)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (``#rrggbb``), from 1 to 21, as WCAG defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def pairs(palette: Palette) -> Iterator[Pair]:
    """Every two colours that may stand on each other."""
    wanted = [(word, ground, palette.least) for word in WORDS for ground in GROUNDS]
    wanted.append(("cursor-text", "cursor", palette.least))
    wanted += [(shape, ground, SHAPE) for shape in ("cursor", "scrollbar") for ground in ("background", "surface")]
    for front, ground, least in wanted:
        yield Pair(front, ground, contrast(palette.colors[front], palette.colors[ground]), least)


def unreadable(palette: Palette) -> list[Pair]:
    """The pairs whose contrast is too low, the worst first."""
    return sorted((pair for pair in pairs(palette) if pair.contrast < pair.least), key=lambda pair: pair.contrast)


def _long(color: str) -> str:
    color = color.lower()
    return color if len(color) == 7 else "#" + "".join(digit * 2 for digit in color[1:])


def _luminance(color: str) -> float:
    """Relative luminance, as WCAG defines it."""
    red, green, blue = (_linear(int(color[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
