"""``statusboard keys``: what ``keys:`` of a configuration can name, and what it does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

#: Place, as `statusboard.keys` has it -> (heading, the module and the class that has the bindings).
PLACES: Final = {
    "app": ("Everywhere", "statusboard.app", "BoardApp"),
    "board": ("On the board", "statusboard.screens.board", "BoardScreen"),
    "table": ("In lanes, the matrix and lists", "widgets.table", "BoardTable"),
    "details": ("In the details", "widgets.details", "DetailsPane"),
    "sources": ("In the view of sources", "statusboard.screens.sources", "SourcesFace"),
    "wall": ("On the wall", "statusboard.screens.wall", "WallScreen"),
    "help": ("In the list of keys", "statusboard.screens.help", "HelpScreen"),
    "asking": ("Where a line is asked for", "statusboard.screens.asking", "AskScreen"),
}

_SIGNS: Final = {
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "minus": "-",
    "plus": "+",
    "at": "@",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
}

_HEAD: Final = """\
# Keys

What each key does, by the place where it is heard. `?` on the board shows those of the screen you are on, as they are
bound now; `statusboard keys` prints this list.

To have other keys, name the action in the configuration. Several keys are separated by commas, and take the place of
those that the action had:

    keys:
      refresh_all: "R,f5"
      sort: i
      turn: s

Keys are written as here, with `ctrl+`, `shift+` or `alt+` in front of them where they are held together; a sign stands
in quotes. A key that would do two things in one place is an error that names both: hence `turn` above, which leaves `i`
to `sort`. What is never heard at the same time may share a key.

The keys of dialogs (the filter, saving a file, the form of the first run) are told there and stay as they are.

This file is made by `make docs` from the screens themselves.
"""


class Row(NamedTuple):
    """An action, its keys as a configuration may name them, and what it does."""

    action: str
    keys: tuple[str, ...]
    what: str


@click.command("keys")
@click.option("--markdown", is_flag=True, help="Print them as the document docs/keys.md.")
def command(markdown: bool) -> int:
    """List the actions that `keys:` of a configuration can give other keys, with those that they have by default.

    A configuration says, for instance: keys: {refresh_all: "R,f5"}

    \b
    Example:
      statusboard keys
    """
    width = max(60, min(shutil.get_terminal_size((100, 40)).columns, 120))
    click.echo(document() if markdown else listing(width), nl=False)
    return 0


def rows(place: str) -> Iterator[Row]:
    """The actions of a place, in the order in which its help tells them.  Imports its screen."""
    _, module, name = PLACES[place]
    bindings = list(_bindings(getattr(import_module(module), name)))
    views = [binding for binding in bindings if (binding.id or "").startswith("view_")]
    for binding in bindings:
        if binding.id is None or binding in views[1:]:
            continue
        last = views[-1] if views and binding is views[0] else binding
        keys = tuple(_SIGNS.get(key, key) for key in binding.key.split(","))
        if last is binding:
            yield Row(binding.id, keys, binding.description)
        else:  # they differ in their numbers alone
            yield Row(f"{binding.id} to {last.id}", (f"{binding.key} to {last.key}",), binding.description)


def _bindings(of: type) -> Iterator[Any]:
    """The bindings that a class and those of ours that it is made of have; those of Textual's are not told."""
    for each in of.__mro__:
        if each.__module__.startswith(("statusboard.", "widgets.")):
            yield from (b for b in vars(each).get("BINDINGS", ()) if not isinstance(b, tuple))


def listing(width: int) -> str:
    """All of them, for a terminal of this width."""
    from statusboard.text import clip

    found = {place: list(rows(place)) for place in PLACES}
    every = [row for each in found.values() for row in each]
    first = max(len(row.action) for row in every) + 2
    second = max(len(" ".join(row.keys)) for row in every) + 2
    lines: list[str] = []
    for place, each in found.items():
        lines += [f"{PLACES[place][0]}:"]
        lines += [clip(f"  {row.action:<{first}}{' '.join(row.keys):<{second}}{row.what}", width) for row in each]
        lines.append("")
    return "\n".join([*lines, 'In the configuration: `keys: {refresh_all: "R,f5"}`']) + "\n"


def document() -> str:
    """``docs/keys.md``."""
    lines = [_HEAD.rstrip("\n")]
    for place, (heading, _, _) in PLACES.items():
        lines += ["", f"## {heading}", "", "| keys | | action |", "| --- | --- | --- |"]
        lines += [
            f"| {' '.join(f'`{key}`' for key in row.keys)} | {row.what} | `{row.action}` |" for row in rows(place)
        ]
    return "\n".join(lines) + "\n"
