"""What a config may name is what the screen has."""

from __future__ import annotations

import importlib
import pkgutil
import string
from collections.abc import Iterator

import pytest
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import _character_to_key

import statusboard.screens
import widgets
from statusboard import app, themes
from statusboard.keys import ACTIONS, DEFAULTS, THEMES, TOGETHER, clashes, key_named
from statusboard.screens.help import HEADINGS


def ours() -> Iterator[type[DOMNode]]:
    """Every class of ours that may have bindings."""
    modules = [app]
    for package in (statusboard.screens, widgets):
        found = pkgutil.iter_modules(package.__path__, package.__name__ + ".")
        modules.extend(importlib.import_module(info.name) for info in found)
    for module in modules:
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, DOMNode) and thing.__module__ == module.__name__:
                yield thing


PLACES = {
    "BoardApp": "app",
    "BoardScreen": "board",
    "RewindKeys": "board",
    "ViewKeys": "board",
    "SourcesFace": "sources",
    "HelpScreen": "help",
    "WallScreen": "wall",
    "AskScreen": "asking",
    "BoardTable": "table",
    "DetailsPane": "details",
}
"""What `statusboard.keys.DEFAULTS` calls the classes that have bindings."""


def test_every_binding_of_ours_can_be_named_with_the_keys_that_it_has() -> None:
    bound: dict[str, dict[str, str]] = {}
    for cls in ours():
        for binding in cls.__dict__.get("BINDINGS", ()):
            if isinstance(binding, Binding) and binding.id:
                bound.setdefault(PLACES.get(cls.__name__, cls.__name__), {})[binding.id] = binding.key
    assert bound == DEFAULTS


def test_every_key_has_its_place_in_the_help() -> None:
    told = [action for actions in HEADINGS.values() for action in actions]
    heard = {action for place in ("app", "board", "sources", "table", "details") for action in DEFAULTS[place]}
    assert len(told) == len(set(told))
    assert heard - {f"view_{number}" for number in range(2, 10)} <= set(told) <= ACTIONS


def test_a_key_is_named_as_the_screen_names_it() -> None:
    for character in [*string.printable.strip(), " ", "é", "ß"]:
        assert key_named(character) == _character_to_key(character)
    assert {key_named(key) for place in DEFAULTS.values() for keys in place.values() for key in keys.split(",")} == {
        key for place in DEFAULTS.values() for keys in place.values() for key in keys.split(",")
    }


def test_the_places_that_are_heard_together_are_all_there() -> None:
    assert {place for places in TOGETHER for place in places} == set(DEFAULTS)


@pytest.mark.parametrize(
    ("bound", "told"),
    [
        ({"open": ["K"], "details": ["K"]}, [("K", "details", "open", True)]),
        ({"open": ["K"], "details": ["ctrl+k", "K"], "copy_url": ["K"]}, 3),
        ({"open": ["p"]}, [("p", "open", "details", False)]),
        ({"next_view": ["j"]}, [("j", "next_view", "details.down", False), ("j", "next_view", "table.down", False)]),
        ({"table.down": ["q"]}, [("q", "table.down", "quit", False)]),
        ({"refresh": ["?"]}, [("question_mark", "refresh", "help", False)]),
        ({"open": ["p"], "details": ["o"]}, []),  # swapped
        ({"open": ["o", "K"]}, []),  # its own key, and one more
        ({"open": ["K"], "close_help": ["K"]}, []),  # never at the same time
        ({"table.down": ["K"], "details.down": ["K"]}, []),
        ({"quit": ["K"], "close_help": ["K"]}, []),  # as by default
        ({"pause": ["o"]}, [("o", "pause", "open", False)]),
        ({"quit": ["space"]}, [("space", "quit", "fold", False), ("space", "quit", "pause", False)]),
    ],
)
def test_a_key_that_would_do_two_things_is_found(bound: dict[str, list[str]], told: object) -> None:
    found = list(clashes(bound))
    assert (len(found) if isinstance(told, int) else found) == told


def test_every_theme_can_be_named() -> None:
    assert tuple(theme.name for theme in themes.THEMES) == THEMES
