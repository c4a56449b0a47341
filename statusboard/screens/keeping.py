"""Saving the view that is shown under a name, and taking a saved one away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from statusboard.errors import ConfigError, QueryError
from statusboard.screens.asking import AskScreen

if TYPE_CHECKING:
    from statusboard.screens.board import BoardScreen


def save_view(screen: BoardScreen) -> None:
    """Ask for a name, and save the view as it is shown, with the filter that is typed."""
    settings = screen.live.settings
    if settings.views_file is None:
        screen.app.say("this board keeps no views", severity="warning")
        return

    def keep(name: str | None) -> None:
        if name is not None and _done(screen, partial(screen.viewing.keep, name)):
            screen.app.say(f"saved as {name}")

    names = ", ".join(view.name for view in settings.saved) or "none yet"
    told = f"Enter saves it, esc leaves it. A name that is taken is replaced, on your board alone. Your views: {names}"
    screen.app.push_screen(AskScreen("Save this view as", screen.view.name, told=told, proposal=True), keep)


def forget_view(screen: BoardScreen, name: str) -> None:
    """Take a saved view away; a view of the config that it stood for is there again."""
    if _done(screen, partial(screen.viewing.forget, name)):
        screen.app.say(f"{name} is no longer kept")


def _done(screen: BoardScreen, change: Callable[[], None]) -> bool:
    """Change what is saved and show what there is now; False, with a word, where that cannot be."""
    try:
        change()
    except OSError as error:
        screen.app.say(f"cannot save in {screen.live.settings.views_file}: {error.strerror or error}", severity="error")
        return False
    except QueryError as error:
        screen.app.say(f"not saved: {error}", severity="error")
        return False
    except ConfigError as error:
        screen.app.say(f"not saved, mend this first: {error.problems[0]}", severity="error")
        return False
    screen.show_anew()
    return True
