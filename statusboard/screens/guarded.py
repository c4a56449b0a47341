"""What a screen is that nobody ends by accident."""

from __future__ import annotations


class Guarded:
    """A screen that is asked before the app ends by a key."""

    def may_end(self) -> bool:
        """Whether the app may end now."""
        return True
