"""Where the docs are, and where a configuration is looked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from statusboard.screens.leaving import LeftOnce
from statusboard.screens.menu import Hint
from statusboard.text import clean
from widgets.words import styled

if TYPE_CHECKING:
    from statusboard.screens.welcome import Beginning, WelcomeApp

COMMANDS = (
    ("statusboard init", "asks the same questions on the command line; --from-git asks nothing"),
    ("statusboard sources", "every tool that can be read"),
    ("statusboard sources TYPE", "one of them: its options, and how to make a credential that may only read"),
    ("statusboard login NAME", "keeps a secret in this machine's keyring"),
    ("statusboard check", "tries every source and says what it gives"),
    ("statusboard show", "the board once, without a screen; --json for scripts"),
    ("statusboard --help", "all commands"),
)
DOCS = (
    ("docs/guide.md", "the screen, with pictures"),
    ("docs/keys.md", "every key, and how to give it another"),
    ("docs/rewind.md", "going back in time, also for a post-mortem"),
    ("docs/suspects.md", "what changed just before it broke"),
    ("docs/metrics.md", "delivery metrics and goals"),
    ("docs/backfill.md", "the past, on the first day"),
    ("docs/handover.md", "what whoever takes over must know"),
    ("docs/sources.md", "how to set up each tool"),
    ("docs/plugins.md", "a source of your own"),
    ("docs/emit.md", "releases from scripts and pipelines"),
    ("docs/notices.md", "being told of what changes"),
    ("docs/themes.md", "colours and signs"),
    ("docs/walls.md", "a board on the wall, over ssh"),
    ("docs/headless.md", "the board without a screen: scripts, history"),
    ("config.example.yaml", "all that a configuration can say"),
)


STYLES = {"heading": "heading", "place": "strong", "about": "muted"}


class DocsScreen(LeftOnce, Screen[None]):
    """Commands, documents, places; to be scrolled."""

    app: WelcomeApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,w,question_mark", "back", "Back", show=False),
        Binding("j,down", "scroll(1)", "Down", show=False),
        Binding("k,up", "scroll(-1)", "Up", show=False),
        Binding("space,pagedown", "scroll(10)", "A page down", show=False),
        Binding("b,pageup", "scroll(-10)", "A page up", show=False),
    ]

    def __init__(self, beginning: Beginning) -> None:
        super().__init__()
        self._beginning = beginning

    def compose(self) -> ComposeResult:
        ansi = self.app.native_ansi_color
        with VerticalScroll(id="docs", can_focus=False):
            for kind, text in docs_lines(self._beginning):
                yield Static(styled([(text, STYLES[kind])], ansi=ansi), classes=kind, markup=False)
        yield Hint("j k scroll", "esc back")

    def action_back(self) -> None:
        """To the choices."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Up or down."""
        self.query_one("#docs", VerticalScroll).scroll_relative(y=lines, animate=False)


def docs_lines(beginning: Beginning) -> list[tuple[str, str]]:
    """What the screen says: ``heading``, ``place`` or ``about``, and the text."""
    lines = [("heading", "Commands"), *_pairs(COMMANDS)]
    lines += [("heading", "Where a configuration is looked for, in this order"), *_pairs(beginning.looked)]
    lines += [("heading", f"Documents, in {clean(beginning.docs, 300)}"), *_pairs(DOCS)]
    return [*lines, ("heading", "The log"), ("place", clean(beginning.log, 300))]


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for place, about in pairs:
        yield "place", clean(place, 300)
        yield "about", clean(about, 300)
