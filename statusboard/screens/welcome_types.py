"""All types of sources, found by typing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from statusboard.screens.looking import Looking
from statusboard.screens.menu import Hint, Menu, entry
from statusboard.screens.welcome_fields import Line
from statusboard.setup.around import Around, matching
from statusboard.text import clean
from widgets.words import Word, styled

if TYPE_CHECKING:
    from statusboard.setup.proposing import SourceDraft

WIDTH = 13


class TypesScreen(Looking):
    """The list, and the line that narrows it: letters go into the line, arrows move in the list."""

    AUTO_FOCUS = "#search"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("ctrl+s", "save", "Save what there is", show=False, priority=True),
        Binding("down", "step(1)", "Down", show=False, priority=True),
        Binding("up", "step(-1)", "Up", show=False, priority=True),
        Binding("pagedown", "step(8)", "A page down", show=False, priority=True),
        Binding("pageup", "step(-8)", "A page up", show=False, priority=True),
    ]

    def __init__(self, around: Around | None) -> None:
        super().__init__()
        self._around = around

    def compose(self) -> ComposeResult:
        names = ", ".join(draft.name for draft in self.app.drafts)
        title: list[Word] = [("Which tool is to be read?", "heading")]
        title += [(f"  So far: {clean(names, 200)}", "")] if names else []
        yield Static(styled(title, ansi=self.app.native_ansi_color), id="title", markup=False)
        yield Line(placeholder="type to filter: github, alerts, tickets", id="search")
        yield Menu(id="types")
        yield Hint("arrows move", "enter choose", *(["^S save what there is"] if names else []), "esc back")

    def on_mount(self) -> None:
        self._fill("")

    def looked_around(self, around: Around) -> None:
        """The types are known now."""
        self._around = around
        self._fill(self.query_one("#search", Input).value)

    def _fill(self, typed: str) -> None:
        menu, ansi = self.query_one("#types", Menu), self.app.native_ansi_color
        menu.clear_options()
        if self._around is None:
            menu.add_option(Option(styled([(" looking around", "muted")], ansi=ansi), disabled=True))
            return
        found = self._found()
        types = sorted(matching(self._around.types, typed), key=lambda type: not typed and type.name not in found)
        for type in types:
            about = type.error or type.summary
            if type.name in found and not type.error:
                about = f"found here: {about}"
            menu.add_option(entry("", type.name, about, type.name, width=WIDTH))
        if not types:
            nothing = "no type of that name; `http-json` and `exec` read any other tool"
            menu.add_option(Option(styled([(f" {nothing}", "warning")], ansi=ansi), disabled=True))
        else:
            menu.highlighted = 0

    def _found(self) -> dict[str, SourceDraft]:
        """What was found, the first of each type."""
        assert self._around is not None
        return {draft.type: draft for draft in reversed(self._around.found)}

    def action_step(self, step: int) -> None:
        """Up or down the list, while the line keeps the letters."""
        menu = self.query_one("#types", Menu)
        if menu.option_count:
            menu.highlighted = max(0, min(menu.option_count - 1, (menu.highlighted or 0) + step))

    def action_save(self) -> None:
        """No further source: save those that were filled in."""
        from statusboard.screens.welcome_save import SaveScreen

        if self.app.drafts:
            self.app.push_screen(SaveScreen(self.app.drafts))

    def action_back(self) -> None:
        """To the choices."""
        self.dismiss()

    @on(Input.Changed, "#search")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._fill(event.value)

    @on(Input.Submitted, "#search")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#types", Menu).action_select()

    @on(OptionList.OptionSelected, "#types")
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id and self._around is not None:
            like = self._found().get(event.option_id)
            used = {draft.name for draft in self.app.drafts}
            self.app.set_up(event.option_id, like if like is not None and like.name not in used else None)
