"""The board's commands in the command palette.  Everything is handed over as `Content`: plain text, never markup."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from textual import on
from textual.app import App
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.widgets import Input, OptionList

from statusboard.errors import MomentError
from statusboard.screens.board import BoardScreen
from statusboard.screens.leaving import OnTop
from statusboard.view import Layout

if TYPE_CHECKING:
    from statusboard.app import BoardApp


LAYOUTS: Final[Mapping[Layout, str]] = {
    "services": "services by environments",
    "timeline": "everything that changed, newest first",
    "sources": "how well each is read",
    "metrics": "delivery metrics against their goals",
}
"""What views without lanes show."""


_CSS: Final = Path(__file__).with_name("commands.tcss").read_text(encoding="utf-8")
_IN_WORDS: Final = 0.01
_FIRST: Final = 1_000.0
_TOLD: Final[Mapping[str, str]] = {
    "dark": "calm, on a dark ground",
    "light": "calm, on a light ground",
    "high-contrast": "7:1 and more, on a dark ground",
    "high-contrast-light": "7:1 and more, on a light ground",
    "color-blind": "states differ for all forms of colour blindness, on a dark ground",
    "color-blind-light": "states differ for all forms of colour blindness, on a light ground",
    "ansi": "the terminal's own colours, on a dark ground",
    "ansi-light": "the terminal's own colours, on a light ground",
}


class Command(NamedTuple):
    """What it is called, what it does in a few words, what runs it, and whether it is shown before it is typed."""

    name: str
    told: str
    run: Callable[[], Any]
    listed: bool = True


class BoardCommands(Provider):
    """Views, what can be done with a row, sources, themes."""

    @property
    def commands(self) -> Iterator[Command]:
        """Those to choose from."""
        return commands(self.app)  # type: ignore[arg-type]

    async def discover(self) -> Hits:
        """Before anything is typed."""
        for command in self.commands:
            if command.listed:
                yield DiscoveryHit(_shown(Content(command.name), command), command.run, text=command.name)

    async def search(self, query: str) -> Hits:
        """Those whose name fits what is typed, then those that are told of in these words."""
        if (moment := asked_moment(query)) and (board := _board_of(self.app)) is not None:
            command = Command(f"at {moment}", _moment_told(board, moment), partial(board.go_to, moment))
            yield Hit(_FIRST, _shown(Content(command.name), command), command.run, text=command.name)
        matcher = self.matcher(query)
        for command in self.commands:
            # Not `Matcher.highlight`, which reads a name as markup.
            score, places = matcher.fuzzy_search.match(query, command.name)
            if score <= 0 and query.casefold() in command.told.casefold():
                score = _IN_WORDS  # who types csv means the file: after all whose name fits
            if score > 0:
                name = Content(command.name)
                for place in places:
                    name = name.stylize(matcher.match_style, place, place + 1)
                shown = _shown(name, command)
                yield Hit(score, shown, command.run, text=command.name)


class _Palette(OnTop, CommandPalette):
    """Textual's palette, also while its list is being made."""

    def _action_command_list(self, action: str) -> None:
        """As Textual's, but a list that has not been laid out yet, which cannot be paged through, stays as it is."""
        with suppress(KeyError):
            super()._action_command_list(action)


class BoardPalette(_Palette):
    """Textual's palette in the board's colours."""

    DEFAULT_CSS = _CSS

    @on(Input.Submitted)
    def _moment_typed(self, event: Input.Submitted) -> None:
        """``at 14:23`` is what is typed: the list below may still show what fitted before."""
        board = _board_of(self.app)
        if board is not None and (moment := asked_moment(event.value)):
            event.prevent_default().stop()
            self.dismiss()
            self.app.call_later(board.go_to, moment)

    def __init__(self) -> None:
        super().__init__(providers=[BoardCommands], placeholder="What do you want to do?", id="--command-palette")


class ThemeCommands(BoardCommands):
    """The themes by name."""

    @property
    def commands(self) -> Iterator[Command]:
        """Those that this terminal can be shown."""
        app: BoardApp = self.app  # type: ignore[assignment]
        for theme in app.own_themes:
            yield Command(theme.name, _TOLD.get(theme.name, "of the config"), partial(app.use_theme, theme.name))


class ThemePalette(_Palette):
    """A palette of themes, each of them tried on while the cursor is on it; escape takes it off again."""

    DEFAULT_CSS = _CSS.replace("BoardPalette", "ThemePalette") + "ThemePalette { background: transparent; }"
    app: BoardApp

    def __init__(self, before: str) -> None:
        """``before`` is the theme that is worn."""
        super().__init__(
            providers=[ThemeCommands], placeholder=f"Which theme? Now it is {before}.", id="--theme-palette"
        )
        self._before = before
        self._tried = ""

    @on(OptionList.OptionHighlighted)
    def _try_on(self, event: OptionList.OptionHighlighted) -> None:
        hit = getattr(event.option, "hit", None)
        name = hit.text if hit is not None else None
        if name and self._tried:
            self.app.use_theme(name)
        self._tried = name or self._tried  # the first one is under the cursor before anybody has put it there

    def dismiss(self, result: None = None) -> Any:
        """Without a choice, as it was."""
        if self._selected_command is None:
            self.app.use_theme(self._before)
        return super().dismiss(result)


def asked_moment(typed: str) -> str:
    """The moment in ``at 14:23``; ``""`` where something else is typed."""
    word, _, moment = typed.strip().lstrip(":").strip().partition(" ")
    return moment.strip() if word.casefold() == "at" else ""


def _moment_told(board: BoardScreen, text: str) -> str:
    """What comes of going there."""
    try:
        found = board.moment_of(text)
    except MomentError as error:
        return str(error)
    cells = board.live.cells
    zone = UTC if cells.times == "utc" else cells.zone
    told = f"the board as it was on {found.at.astimezone(zone):%a %Y-%m-%d %H:%M:%S}"
    return f"{told} ({found.note})" if found.note else told


def _board_of(app: App[Any]) -> BoardScreen | None:
    return next((screen for screen in app.screen_stack if isinstance(screen, BoardScreen)), None)


def commands(app: BoardApp) -> Iterator[Command]:
    """The commands that make sense now."""
    board = _board_of(app)
    if board is None:
        yield Command("Quit", "", app.action_quit)
        return
    settings = board.live.settings
    for number, view in enumerate(settings.views):
        told = view.filter or LAYOUTS.get(view.layout) or ", ".join(f"{lane}s" for lane in view.lanes)
        yield Command(f"View: {view.name}", told, partial(board.choose_view, number))
    yield Command("Filter", "show only what matches", board.action_filter)
    yield Command("Faults only", "on or off", board.action_faults_only)
    yield Command("Clear the filter", "show everything in this view", board.clear_filter)
    yield Command("Hand-over", "what whoever takes over must know, to be copied into a chat", board.action_handover)
    yield Command("Save what is shown to a file", "export: picture, text, CSV or JSON", board.action_export)
    yield Command("Details", "on or off", board.action_details)
    yield Command("I am on it", "or no longer: acknowledge the row under the cursor", board.action_acknowledge)
    yield Command("Note", "on the row under the cursor, for all boards", board.action_note)
    yield Command("Open its page", "of the row under the cursor, in the browser", board.action_open)
    for name, url in sorted(board.links.items()):
        yield Command(f"Open the {name}", url, partial(app.open_page, url))
    yield Command("Copy the link", "of the row under the cursor", board.action_copy_url)
    yield Command("Copy the key", "of the row under the cursor, as in show --json", board.action_copy_key)
    yield Command("At a moment", "at 14:23, at yesterday 09:00, at -2h: the board as it was", board.action_moment)
    yield Command("Back to live", "from a past moment to the present", board.action_present)
    yield Command(
        "Back to the incident before", "the board as it was when that was new", partial(board.action_incident, -1)
    )
    yield Command("Line of time", "on or off; a click on it goes there", board.action_time_line)
    yield Command("Sort by the next column", "then the other way round", board.action_sort)
    yield Command("Group rows", "by team, service, environment, source", board.action_group)
    yield Command("Wide", "all columns, or the usual ones", board.action_wide)
    yield Command("Times", "ages, times, times in UTC", board.action_times)
    yield Command("Save this view", "as one of your own", board.action_save_view)
    for view in settings.saved:
        yield Command(f"Forget view: {view.name}", "take a saved view away", partial(board.forget_view, view.name))
    yield Command("Read this lane's sources now", "", board.action_refresh_lane)
    yield Command("Read all sources now", "", board.action_refresh_all)
    for name in sorted(settings.reads):
        yield Command(f"Read {name} now", "one source", partial(app.refresh_sources, [name]))
    yield Command("Themes", f"now {app.theme}; each is tried on as you go", partial(_themes, app))
    for theme in app.own_themes:
        yield Command(f"Theme: {theme.name}", "", partial(app.use_theme, theme.name), listed=False)
    yield Command("Wall", "large type, page by page", app.action_wall)
    yield Command("Mouse", "for the board, or to select text", app.action_mouse)
    yield Command("Keys", "help: those of this screen", app.action_keys)
    yield Command("Quit", "", app.action_quit)


def _themes(app: BoardApp) -> None:
    app.push_screen(ThemePalette(app.theme))


def _shown(name: Content, command: Command) -> Content:
    """A `Content`, since Textual would read a string as markup."""
    return Content.assemble(name, (f"  {command.told}", "italic not bold")) if command.told else name
