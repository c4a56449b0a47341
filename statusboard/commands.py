"""The board's commands in the command palette.  Everything is handed over as `Content`: plain text, never markup."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from statusboard.screens.board import BoardScreen

if TYPE_CHECKING:
    from statusboard.app import BoardApp


class Command(NamedTuple):
    """What it is called, what it does in a few words, and what runs it."""

    name: str
    told: str
    run: Callable[[], Any]


class BoardCommands(Provider):
    """Views, what can be done with a row, sources, themes."""

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for command in commands(self.app):  # type: ignore[arg-type]
            yield DiscoveryHit(_shown(Content(command.name), command), command.run, text=command.name)

    async def search(self, query: str) -> Hits:
        """Those whose name fits what is typed."""
        matcher = self.matcher(query)
        for command in commands(self.app):  # type: ignore[arg-type]
            score = matcher.match(command.name)
            if score > 0:
                shown = _shown(matcher.highlight(command.name), command)
                yield Hit(score, shown, command.run, text=command.name)


class BoardPalette(CommandPalette):
    """Textual's palette in the board's colours."""

    DEFAULT_CSS = Path(__file__).with_name("commands.tcss").read_text(encoding="utf-8")

    def __init__(self) -> None:
        super().__init__(providers=[BoardCommands], placeholder="What do you want to do?", id="--command-palette")


def commands(app: BoardApp) -> Iterator[Command]:
    """The commands that make sense now."""
    board = next((screen for screen in app.screen_stack if isinstance(screen, BoardScreen)), None)
    if board is None:
        yield Command("Quit", "", app.action_quit)
        return
    settings = board.live.settings
    for number, view in enumerate(settings.views):
        told = view.filter or ", ".join(f"{lane}s" for lane in view.lanes)
        yield Command(f"View: {view.name}", told, partial(board.choose_view, number))
    yield Command("Filter", "show only what matches", board.action_filter)
    yield Command("Faults only", "on or off", board.action_faults_only)
    yield Command("Clear the filter", "show everything in this view", board.clear_filter)
    yield Command("Details", "on or off", board.action_details)
    yield Command("Open the link", "of the row under the cursor", board.action_open)
    yield Command("Copy the link", "of the row under the cursor", board.action_copy_url)
    yield Command("Copy the key", "of the row under the cursor", board.action_copy_key)
    yield Command("Read this lane's sources now", "", board.action_refresh_lane)
    yield Command("Read all sources now", "", board.action_refresh_all)
    yield Command("Sources", "how well each is read", app.action_sources)
    for name in sorted(settings.reads):
        yield Command(f"Read {name} now", "one source", partial(app.refresh_sources, [name]))
    for theme in app.own_themes:
        yield Command(f"Theme: {theme.name}", "", partial(app.use_theme, theme.name))
    yield Command("Keys", "of this screen", app.action_keys)
    yield Command("Quit", "", app.action_quit)


def _shown(name: Content, command: Command) -> Content:
    """A `Content`, since Textual would read a string as markup."""
    return Content.assemble(name, (f"  {command.told}", "italic not bold")) if command.told else name
