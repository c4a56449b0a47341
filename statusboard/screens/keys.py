"""The actions that a configuration may bind to other keys."""

from __future__ import annotations

from textual.binding import Binding
from textual.dom import DOMNode

from statusboard.screens.board import BoardScreen
from statusboard.screens.help import HelpScreen
from statusboard.screens.sources import SourcesScreen
from widgets.details import DetailsPane
from widgets.table import BoardTable


def actions(app: type[DOMNode]) -> frozenset[str]:
    """The names that ``keys:`` knows: the ids of all bindings, those of the ``app`` among them."""
    places = (app, BoardScreen, SourcesScreen, HelpScreen, BoardTable, DetailsPane)
    bindings = (binding for place in places for binding in place.BINDINGS)
    return frozenset(binding.id for binding in bindings if isinstance(binding, Binding) and binding.id)
