"""The form of one source: typed, tried against the real server, and handed on to be saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Button, Input, Static
from textual.worker import Worker

from statusboard.credentials import Secret
from statusboard.errors import CredentialError, StatusboardError
from statusboard.screens.leaving import LeftOnce
from statusboard.screens.welcome_fields import FieldBox, Line
from statusboard.screens.work import begin_work
from statusboard.setup.forming import Complaint, Form
from statusboard.setup.proposing import SourceDraft
from statusboard.text import clean
from widgets.words import Word, styled

if TYPE_CHECKING:
    from statusboard.screens.welcome import WelcomeApp

PATIENCE = 30.0
"""Seconds that a trial may take."""


class FormScreen(LeftOnce, Screen[None]):
    """Fields, a trial, and the way on."""

    app: WelcomeApp
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back, or stop the trial", show=False),
        Binding("ctrl+t", "try", "Try it", show=False, priority=True),
        Binding("ctrl+s", "save", "Save", show=False, priority=True),
        Binding("down", "app.focus_next", "Next field", show=False, priority=True),
        Binding("up", "app.focus_previous", "Field before", show=False, priority=True),
        Binding("pagedown", "page(1)", "A page down", show=False, priority=True),
        Binding("pageup", "page(-1)", "A page up", show=False, priority=True),
    ]

    def __init__(self, form: Form, typed: Mapping[str, str]) -> None:
        """``typed`` is what was typed here before."""
        super().__init__()
        self._form = form
        self._boxes = {field.name: FieldBox(field, typed.get(field.name, field.value)) for field in form.fields}
        self._outcome = Static("", markup=False)
        self._worker: Worker[None] | None = None
        self._tried: SourceDraft | None = None

    def compose(self) -> ComposeResult:
        form, ansi = self._form, self.app.native_ansi_color
        yield Static(
            styled([(form.type, "heading"), (f"  {clean(form.summary, 200)}", "")], ansi=ansi), id="title", markup=False
        )
        with VerticalScroll(id="fields", can_focus=False):
            yield from self._boxes.values()
            if form.setup:
                words: list[Word] = [("How to set it up", "strong")]
                words += [(f"\n{indent_of(line)}{clean(line, 1_000)}", "muted") for line in form.setup]
                yield Static(styled(words, ansi=ansi), id="setup", markup=False)
        with VerticalScroll(id="outcome", can_focus=False):
            yield self._outcome
        with Horizontal(id="buttons"):
            yield Button("Try it ^T", id="try")
            yield Button("Save ^S", id="save")
            yield Button("Back esc", id="back")

    def on_mount(self) -> None:
        """To the first thing that has to be typed; to the trial where all is there."""
        empty = [box for box in self._boxes.values() if not box.line.value]
        needed = [box for box in empty if box.field.needed]
        rest = [box for box in empty if box.field.secret] if self._form.proposed else empty
        (needed[0].line if needed else rest[0].line if rest else self.query_one("#try")).focus()

    # -- moving about

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if isinstance(event.input.parent, FieldBox):
            event.input.parent.complain("")

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        getattr(self, f"action_{event.button.id}")()

    def action_page(self, step: int) -> None:
        """Scroll, whatever has the focus: an outcome that is longer than its place, else the fields."""
        outcome = self.query_one("#outcome", VerticalScroll)
        area = outcome if outcome.max_scroll_y else self.query_one("#fields", VerticalScroll)
        area.scroll_relative(y=step * max(1, area.size.height - 1), animate=False)

    def action_back(self) -> None:
        """Stop what is under way; else leave, keeping what was typed."""
        if self._worker is not None and self._worker.is_running:
            self._worker.cancel()
            self._tell([("Stopped.", "muted")])
            return
        hidden = {name for name, box in self._boxes.items() if box.line.password}
        self.app.typed[self._form.type] = {n: text for n, text in self._answers().items() if n not in hidden}
        self.dismiss()

    # -- what was typed

    def _answers(self) -> dict[str, str]:
        return {name: box.line.value for name, box in self._boxes.items()}

    def _complain(self, complaints: Sequence[Complaint]) -> None:
        """Say at each field what is wrong with it, and go to the first of them."""
        told = {complaint.field: complaint.told for complaint in reversed(complaints)}
        for name, box in self._boxes.items():
            box.complain(told.get(name, ""))
        general = [complaint.told for complaint in complaints if complaint.field not in self._boxes]
        if general:
            self._tell([(f"! {told}", "warning") for told in general])
        wrong = next((box for name, box in self._boxes.items() if name in told), None)
        if wrong is not None:
            wrong.line.focus()

    def _tell(self, lines: Iterable[Word]) -> None:
        """What came of it, below the fields."""
        words: list[Word] = []
        for text, style in lines:
            words.append((("\n" if words else "") + text, style))
        self._outcome.update(styled(words, ansi=self.app.native_ansi_color))
        self.query_one("#outcome").set_class(bool(words), "-told")
        self.call_after_refresh(self._show_focused)

    def _show_focused(self) -> None:
        """The field stays in sight where the outcome takes room."""
        if isinstance(self.focused, Line):
            self.focused.scroll_visible(animate=False)

    async def _draft(self) -> SourceDraft | None:
        """The source, if all is right with it; secrets that were typed are in the keyring then, with consent."""
        form, answers = self._form, self._answers()
        plain = form.plain(answers)
        stand_in = answers | {field: form.own_reference(field, answers) for field in plain}
        draft, complaints = await asyncio.to_thread(form.draft, stand_in)
        self._complain(complaints)
        if complaints:
            return None
        for field in plain:
            if not await self._keep(field, form.own_reference(field, answers), Secret(answers[field].strip())):
                self._boxes[field].line.focus()
                return None
        return draft

    async def _keep(self, field: str, reference: str, secret: Secret) -> bool:
        """Put a secret into the keyring, if the person wants that and it can be."""
        from statusboard.screens.welcome_keep import KeepScreen

        assert self.app.around is not None
        variable = self._form.own_variable(field, self._answers())
        consent = KeepScreen(field, reference, variable, self.app.around.no_keyring)
        if not await self.app.push_screen_wait(consent):
            return False
        keychain = self.app.beginning.keychain()
        try:
            await keychain.store(reference.removeprefix("keyring:"), secret)
            if await keychain.resolve(reference, fresh=True) != secret:
                raise CredentialError(reference, "another keyring, which is asked first, holds another secret")
        except CredentialError as error:
            self._boxes[field].complain(str(error))
            return False
        self._boxes[field].line.value = reference
        return True

    # -- trying and saving

    def action_try(self) -> None:
        """Read the source once, aside."""
        self._begin(self._try)

    def action_save(self) -> None:
        """Show what will be written."""
        self._begin(self._save)

    def _begin(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        if self._worker is None or not self._worker.is_running:
            self._worker = begin_work(self, work, group="form", exclusive=True)

    async def _try(self) -> None:
        from statusboard.setup.answers import check_text
        from statusboard.setup.checking import check
        from statusboard.setup.proposing import config_text
        from statusboard.setup.telling import told

        self._tell([])
        draft = await self._draft()
        if draft is None:
            return
        self._tell([(f"Reading it once, for at most {PATIENCE:.0f} s; esc stops", "running")])
        try:
            config = await asyncio.to_thread(check_text, config_text("x", [draft]), self.app.beginning.known)
            found = await check(config, timeout=PATIENCE, keychain=self.app.beginning.keychain())
        except StatusboardError as error:
            self._tell([(f"! {clean(error, 600)}", "warning")])
            return
        finding = found.sources[0]
        self._tell(told(finding))
        self._tried = draft if finding.verdict == "ok" else None
        if self._tried is not None:
            self.query_one("#save").focus()

    async def _save(self) -> None:
        from statusboard.screens.welcome_save import SaveScreen

        draft = await self._draft()
        if draft is not None:
            self.app.push_screen(SaveScreen([*self.app.drafts, draft], untried=draft != self._tried))


def indent_of(line: str) -> str:
    """What a line of a setup text begins with: code stands further in."""
    return " " * min(4, len(line) - len(line.lstrip(" ")))
