"""What a screen is that follows the seconds."""

from __future__ import annotations


class Ticking:
    """A screen that is told of every second while it is shown."""

    def tick(self) -> None:
        """A second has passed, or something has changed."""
