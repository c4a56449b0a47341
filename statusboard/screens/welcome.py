"""What opens where there is no configuration: the demo, the form of a first source, where the docs are.

An app of its own: it ends with what a person chose, and whoever runs it opens the demo or the board then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from statusboard.credentials import Keychain
from statusboard.registry import Registry
from statusboard.screens.looking import Looking
from statusboard.screens.menu import Hint, Menu, entry
from statusboard.screens.terminal import TerminalApp
from statusboard.setup.around import Around
from statusboard.setup.proposing import SourceDraft
from statusboard.text import clean
from statusboard.themes import Look
from widgets.words import Word, styled

Outcome: TypeAlias = "Literal['demo'] | Path"
"""See the demo, or open the board of this configuration, which was just written."""

MOST_FOUND = 9
"""As many have a key."""


@dataclass(frozen=True)
class Beginning:
    """What the welcome screen starts from.

    ``target`` is where the configuration will be; ``made``: its folder is ours to make.  ``looked`` tells where one was
    looked for (a place, what is there), ``notices`` what a person should know first.  ``look`` is called in a thread.
    """

    known: Registry
    target: Path
    look: Callable[[], Around]
    keychain: Callable[[], Keychain] = Keychain
    made: bool = True
    folder: Path = Path()
    looked: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    log: Path = Path()
    docs: str = ""


class WelcomeApp(TerminalApp[Outcome]):
    """Runs until a person has chosen; ``return_value`` is what, None where they left."""

    CSS_PATH = Path(__file__).with_name("welcome.tcss")
    ENABLE_COMMAND_PALETTE = False
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-low"), (12, "-high")]  # noqa: RUF012 - Textual's type
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "leave", "Quit", show=False, priority=True),
    ]

    def __init__(self, beginning: Beginning, *, look: Look, again: bool = False) -> None:
        """``again``: a person comes back from the demo."""
        super().__init__(look)
        self.beginning = beginning
        self.around: Around | None = None
        self.drafts: list[SourceDraft] = []
        """The sources that were filled in so far."""
        self.typed: dict[str, dict[str, str]] = {}
        """What was typed into the forms that were left, by type; never a secret."""
        self._again = again

    def on_mount(self) -> None:
        """Look around aside: it takes longer than a person waits for a screen."""
        self.push_screen(WelcomeScreen(self.beginning, again=self._again))
        self._look_around()

    @work(exclusive=True, group="look")
    async def _look_around(self) -> None:
        import asyncio

        self.around = await asyncio.to_thread(self.beginning.look)
        for screen in self.screen_stack:
            if isinstance(screen, Looking):
                screen.looked_around(self.around)

    def action_leave(self) -> None:
        """End without anything."""
        self.leave(0)

    def set_up(self, type: str, like: SourceDraft | None = None) -> None:
        """The form of one source."""
        from statusboard.errors import ConfigError
        from statusboard.screens.welcome_form import FormScreen
        from statusboard.setup.forming import Form

        around = self.around
        if around is None:
            return
        taken = [draft.name for draft in self.drafts]
        try:
            form = Form(
                self.beginning.known,
                type,
                around.seen,
                like=like,
                taken=taken,
                keyring=not around.no_keyring,
                folder=self.beginning.folder,
            )
        except ConfigError as error:
            self.say(str(error), severity="error")
            return
        self.push_screen(FormScreen(form, self.typed.get(type, {}) if like is None else {}))

    def choose_type(self) -> None:
        """The list of all types."""
        from statusboard.screens.welcome_types import TypesScreen

        self.push_screen(TypesScreen(self.around))

    def go_on_with(self, drafts: Sequence[SourceDraft]) -> None:
        """These sources are as they should be: choose a type of one more."""
        self.drafts = list(drafts)
        self.typed.clear()
        while not isinstance(self.screen, WelcomeScreen):
            self.pop_screen()
        self.choose_type()


class WelcomeScreen(Looking):
    """What there is to choose."""

    AUTO_FOCUS = "Menu"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "demo", "See the demo", show=False),
        Binding("s", "set_up", "Set it up", show=False),
        Binding("w,question_mark", "docs", "Where the docs are", show=False),
        Binding("q,escape", "app.leave", "Quit", show=False),
        *(Binding(str(n), f"found({n})", "Set up what was found", show=False) for n in range(1, MOST_FOUND + 1)),
    ]

    def __init__(self, beginning: Beginning, *, again: bool) -> None:
        super().__init__()
        self._beginning = beginning
        self._again = again
        self._found: list[SourceDraft] = []

    def compose(self) -> ComposeResult:
        title: list[Word] = [("statusboard", "heading")]
        title.append(("  one live board of builds, incidents, releases and tickets", ""))
        yield Static(styled(title, ansi=self.app.native_ansi_color), id="title", markup=False)
        yield Static(self._told(), id="told", markup=False)
        yield Menu(*self._choices(), id="choices")
        yield Hint("j k or arrows move", "enter choose", "q quit")

    def on_mount(self) -> None:
        if self.app.around is not None:
            self.looked_around(self.app.around)

    def _told(self) -> Content:
        words: list[Word] = [("There is no configuration yet.", "strong")]
        if self._again:
            words = [("That was the demo; nothing of it is kept.", "strong")]
        words += [(f"\n! {clean(notice, 400)}", "warning") for notice in self._beginning.notices]
        return styled(words, ansi=self.app.native_ansi_color)

    def _choices(self) -> list[Option]:
        return [
            entry("d", "See the demo", "a pretend company; needs nothing, keeps nothing", "demo"),
            entry("s", "Set it up", "choose a tool, try it, then save", "set_up"),
            entry("w", "Where the docs are", "commands and files", "docs"),
            entry("q", "Quit", "", "leave"),
        ]

    def looked_around(self, around: Around) -> None:
        """Propose what was found, once."""
        if self._found or not around.found:
            return
        self._found = list(around.found[:MOST_FOUND])
        menu, ansi = self.query_one("#choices", Menu), self.app.native_ansi_color
        heading: list[Word] = [("\n Found here (names only; nothing was read or sent)", "muted")]
        found = [
            entry(str(n), draft.name, ", ".join(draft.found), f"found-{n}") for n, draft in enumerate(self._found, 1)
        ]
        before = menu.highlighted
        menu.add_options([Option(styled(heading, ansi=ansi), disabled=True), *found])
        menu.highlighted = before

    @on(OptionList.OptionSelected, "#choices")
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        what = event.option_id or ""
        if what == "leave":
            self.app.action_leave()
        elif what.startswith("found-"):
            self.action_found(int(what.removeprefix("found-")))
        else:
            getattr(self, f"action_{what}")()

    def action_demo(self) -> None:
        """See the demo."""
        self.app.exit("demo")

    def action_set_up(self) -> None:
        """Choose a type."""
        self.app.choose_type()

    def action_docs(self) -> None:
        """Where the docs are."""
        from statusboard.screens.welcome_docs import DocsScreen

        self.app.push_screen(DocsScreen(self._beginning))

    def action_found(self, number: int) -> None:
        """The form of what was found."""
        if number <= len(self._found):
            draft = self._found[number - 1]
            self.app.set_up(draft.type, draft)
