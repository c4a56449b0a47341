"""The styles of a table, and its cells joined into what is written to the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style


class Palette(NamedTuple):
    """The component classes as rich styles: complete ones, and by name those that are laid over a row's."""

    base: Style
    header: Style
    cursor: Style
    marked: Style
    named: dict[str, Style]


def joined(segments: Iterable[Segment], base: Style) -> list[Segment]:
    """Neighbours that look alike as one, since each change of style costs some 40 bytes on the way out."""
    found: list[tuple[str, Style]] = []
    for text, style, _ in segments:
        if not text:
            continue
        style = style or base
        if found:
            before, before_style = found[-1]
            blank = text.isspace()
            if (
                style is before_style
                or style == before_style
                or ((blank or before.isspace()) and blank_alike(style, before_style))
            ):
                found[-1] = (before + text, before_style if blank else style)
                continue
        found.append((text, style))
    return [Segment(text, style) for text, style in found]


def blank_alike(a: Style, b: Style) -> bool:
    """Whether a blank looks the same in either style."""
    return a.bgcolor == b.bgcolor and not any(style.reverse or style.underline or style.strike for style in (a, b))
