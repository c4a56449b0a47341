"""``themes:``, ``theme:`` and ``glyphs:`` of a config: how the board looks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal

from msgspec import Struct

from statusboard._config.sections import choose
from statusboard.binding import BAD, bind, closest, convert, shown
from statusboard.errors import Problem
from statusboard.palettes import NAMES, NIGHT, PALETTES, Pair, Palette, derived, is_color, unreadable
from statusboard.yamlfile import Map, Node, Scalar, join, problem_at

Glyphs = Literal["auto", "unicode", "ascii"]
_HEX_HINT: Final = 'write it as "#rrggbb", in quotes'


class ThemeOptions(Struct, frozen=True):
    """A theme of one's own: one of ours, in which some colours are others."""

    base: str = "dark"
    colors: dict[str, str | None] = {}


def bind_themes(node: Node | None, taken: Collection[str], problems: list[Problem]) -> tuple[Palette, ...]:
    """The themes that a config adds; every text of them can be read.  ``taken`` are names that stand for others."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return ()
    if not isinstance(node, Map):
        problems.append(problem_at(node.at, "themes are written as `name: {base: …, colors: {…}}`", path="themes"))
        return ()
    made: list[Palette] = []
    for name, entry in node.entries.items():
        path = join("themes", name)
        if name in taken or name in PALETTES or name == NIGHT.name:
            message = f"`{shown(name)}` is a theme of the board"
            problems.append(problem_at(entry.at, message, path=path, hint="give yours another name"))
        elif not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
            hint = "use letters, digits, `-` and `_`"
            problems.append(problem_at(entry.at, f"`{shown(name)}` is no good name for a theme", path=path, hint=hint))
        else:
            palette = _bind_theme(name, entry.value, path, problems)
            made += [palette] if palette is not None else []
    return tuple(made)


def _bind_theme(name: str, node: Node, path: str, problems: list[Problem]) -> Palette | None:
    before = len(problems)
    options = bind(node, ThemeOptions, problems, path)
    if options is None:
        return None
    written = node if isinstance(node, Map) else Map({}, node.at)
    base = PALETTES.get(options.base)
    if base is None:
        message = f"there is no theme `{shown(options.base)}` to begin with"
        hint = closest(options.base, PALETTES)
        problems.append(problem_at(written.mark("base"), message, path=join(path, "base"), hint=hint))
    colors = written.get("colors")
    node, path = (colors if isinstance(colors, Map) else written), join(path, "colors")
    chosen = _colors(node, options.colors, path, problems)
    if base is None or len(problems) > before:
        return None
    palette = derived(name, base, chosen)
    _tell_unreadable(palette, base, node, path, problems)
    return palette


def _colors(node: Map, colors: Mapping[str, str | None], path: str, problems: list[Problem]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for key, color in colors.items():
        if key not in NAMES:
            hint = closest(key, NAMES)
            problems.append(problem_at(node.key_mark(key), f"there is no colour `{shown(key)}`", path=path, hint=hint))
        elif color is None:
            # Very likely: a `#` that is in no quotes begins a comment.
            problems.append(problem_at(node.mark(key), "there is no colour here", path=join(path, key), hint=_HEX_HINT))
        elif not is_color(color):
            message = f"`{shown(color)}` is no colour"
            problems.append(problem_at(node.mark(key), message, path=join(path, key), hint=_HEX_HINT))
        else:
            chosen[key] = color
    return chosen


def _tell_unreadable(palette: Palette, base: Palette, node: Map, path: str, problems: list[Problem]) -> None:
    """The worst pair of each colour that the person wrote: that of a text, or else that of its ground."""
    worst: dict[str, list[Pair]] = {}
    for pair in unreadable(palette):
        worst.setdefault(next((key for key in (pair.front, pair.ground) if key in node.entries), ""), []).append(pair)
    for key, (pair, *more) in worst.items():
        front, ground = palette.colors[pair.front], palette.colors[pair.ground]
        lighter = palette.dark == (key != pair.ground)
        message = f"{pair}" + (f", and {len(more)} more pairs are too close" if more else "")
        hint = f"they are {front} and {ground}; "
        if key == pair.ground and palette.dark != base.dark:
            hint += f"begin with `base: {'dark' if palette.dark else 'light'}`"
        else:
            hint += f"make `{key or pair.front}` {'lighter' if lighter else 'darker'}"
        problems.append(problem_at(node.mark(key), message, path=join(path, key) if key else path, hint=hint))


def choose_theme(node: Node | None, known: Collection[str], own: Node | None, problems: list[Problem]) -> str:
    """``theme:``, one of ``known`` (anything where that is empty) or of the config's ``own``, right or wrong."""
    named = own.entries if isinstance(own, Map) else ()
    return choose(node, (*known, *named) if known else (), "theme", problems)


def choose_glyphs(node: Node | None, problems: list[Problem]) -> str:
    """``glyphs:``, or ``""`` for what the terminal can show."""
    if node is None:
        return ""
    found = convert(node, Glyphs, problems, "glyphs")
    return "" if found is BAD or found == "auto" else str(found)
