"""What a config may name is what the screen has."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from textual.binding import Binding
from textual.dom import DOMNode

import statusboard.screens
import widgets
from statusboard import app, themes
from statusboard.keys import ACTIONS, THEMES


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


def test_every_binding_of_ours_can_be_named_and_no_other() -> None:
    bound = {
        binding.id
        for cls in ours()
        for binding in cls.__dict__.get("BINDINGS", ())
        if isinstance(binding, Binding) and binding.id
    }
    assert bound == ACTIONS


def test_every_theme_can_be_named() -> None:
    assert tuple(theme.name for theme in themes.THEMES) == THEMES
