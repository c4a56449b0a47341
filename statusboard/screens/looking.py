"""A screen of the welcome that shows what was found around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen

from statusboard.screens.leaving import LeftOnce
from statusboard.setup.around import Around

if TYPE_CHECKING:
    from statusboard.screens.welcome import WelcomeApp


class Looking(LeftOnce, Screen[None]):
    """Told when looking around has come to its end."""

    app: WelcomeApp

    def looked_around(self, around: Around) -> None:
        """It is known now."""
