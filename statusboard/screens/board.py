"""The board itself: header, one face at a time (lanes, matrix, timeline), details, filter."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.events import Click, Resize
from textual.geometry import Size
from textual.reactive import Reactive
from textual.widget import AwaitMount, Widget

from statusboard.board import Delta, Row
from statusboard.model import Build, Incident, Release, Ticket
from statusboard.query import complete, word_at
from statusboard.screens.away import Attendance
from statusboard.screens.bars import check, row_hints
from statusboard.screens.faces import Face
from statusboard.screens.frame import Frame
from statusboard.screens.layouts import make_face
from statusboard.screens.live import Live
from statusboard.screens.telling import Chosen, Teller
from statusboard.screens.viewing import Viewing
from statusboard.screens.viewkeys import ViewKeys
from statusboard.screens.work import begin_work
from statusboard.view import Layout
from widgets.details import DetailsPane
from widgets.filterbar import FilterBar
from widgets.table import BoardTable

if TYPE_CHECKING:
    from statusboard.app import BoardApp
    from statusboard.screens.settings import Settings
    from statusboard.screens.then import Then

PAINT_FIRST = 0.02
MANY = 1_000
"""From so many changes on, building the lanes anew is cheaper than following each."""


class BoardScreen(ViewKeys):
    """What is wrong and what goes on, in the layout of the view, and the details of what is under the cursor."""

    # As a CSS_PATH it would have Textual parse all styles of the app anew.
    DEFAULT_CSS = Path(__file__).with_suffix(".tcss").read_text(encoding="utf-8")
    AUTO_FOCUS = ""
    # As Textual's, which would paint the whole screen anew for it: what has the focus and what had it do so themselves.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    app: BoardApp

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_lane", "Next lane", show=False, id="next_lane"),
        Binding("shift+tab", "previous_lane", "Previous lane", show=False, id="previous_lane"),
        *(Binding(str(n), f"view({n})", "View by its number", show=False, id=f"view_{n}") for n in range(1, 10)),
        Binding("l,right", "step_view(1)", "Next view", show=False, id="next_view"),
        Binding("h,left", "step_view(-1)", "Previous view", show=False, id="previous_view"),
        Binding("escape", "back", "Back: out of the details, out of the filter", show=False, id="back"),
        Binding("slash", "filter", "Filter", key_display="/", show=False, id="filter"),
        Binding("n", "next_match(1)", "Next fault, or with a filter the next match", show=False, id="next_match"),
        Binding("P", "next_match(-1)", "The fault or match before", show=False, id="previous_match"),
        Binding("u", "next_unseen", "Next row that changed while you were away", show=False, id="next_unseen"),
        Binding("U", "all_seen", "Take those marks away: all is seen", show=False, id="all_seen"),
        Binding("z", "faults_only", "Faults only", show=False, id="faults_only"),
        Binding("w", "save_view", "Save what is shown as a view", show=False, id="save_view"),
        Binding("ctrl+s", "export", "Save what is shown to a file", show=False, id="export"),
        Binding("p", "details", "Details on or off", show=False, id="details"),
        Binding("a", "acknowledge", "Say that I am on it, or no longer", show=False, id="acknowledge"),
        Binding("N", "note", "Write a note on it, seen on all boards", show=False, id="note"),
        Binding("c", "confirm_suspect", "An incident's first suspect was it", show=False, id="confirm"),
        Binding("x", "dismiss_suspect", "An incident's first suspect was not it", show=False, id="dismiss"),
        Binding("X", "last_word", "Take back what was said last of its suspects", show=False, id="last_word"),
        Binding("o", "open", "Open its page in the browser", show=False, id="open"),
        Binding("y", "copy_url", "Copy the link to its page", show=False, id="copy_url"),
        Binding("Y", "copy_key", "Copy its key, as in show --json", show=False, id="copy_key"),
        Binding("r", "refresh_lane", "Read this lane's sources now", show=False, id="refresh"),
        Binding("R", "refresh_all", "Read all sources now", show=False, id="refresh_all"),
        Binding("S", "app.sources", "How well each source is read", show=False, id="sources"),
        Binding("f", "app.wall", "Wall: large type, page by page", show=False, id="wall"),
    ]

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live
        self.viewing = Viewing(live)
        self.face: Face = make_face(live.settings.views[0].layout, live)
        #: Those of the present, and those of the past moment that is shown.
        self._faces: dict[Layout, Face] = {live.settings.views[0].layout: self.face}
        self._past_faces: dict[Layout, Face] = {}
        self._past_body: Container | None = None
        self._values: Mapping[str, Iterable[str]] = {}
        self._frame = Frame(live, self.viewing)
        self.attendance = Attendance(live, self)
        self._filter_bar = FilterBar(check, self._complete, id="filter")
        self._body = Container(id="body")
        self._details = DetailsPane(links=not live.ascii_only, id="details")
        self._teller = Teller(live, self._details, self._chosen)
        self._subject: str | None = None
        #: What had the focus before the terminal got too small for anything.
        self._left: Widget | None = None
        self._mounting: AwaitMount | None = None
        self._rest_mounting: AwaitMount | None = None

    # -- putting it up

    def compose(self) -> ComposeResult:
        self._fit(self.app.size)
        yield self._frame.headline
        with self._body:
            yield self.face
        yield self._frame.views

    def on_mount(self) -> None:
        """The rows are there already: the first picture is a whole one."""
        self.tick()
        self._focus_something()
        self.call_after_refresh(self._compose_rest)

    def _compose_rest(self) -> None:
        """What is not seen at first is mounted after the first picture, so that it is there at once when asked for."""
        if self._rest_mounting is not None:
            return
        frame = self._frame
        bars = [frame.notice, self.attendance.line, self._filter_bar]
        self._rest_mounting = self.mount_all(bars, after=frame.headline)
        self._body.mount(self._details)
        self.mount(frame.small)
        begin_work(self, self.attendance.begin, group="away")

    async def _rest_composed(self) -> None:
        """That is there, too: a key may be the quicker one."""
        self._compose_rest()
        assert self._rest_mounting is not None
        await self._rest_mounting

    def on_unmount(self) -> None:
        """The board ends."""
        self.attendance.leave()

    def on_resize(self, event: Resize) -> None:
        """Another size, another arrangement."""
        if event.size == self._frame.size:
            return
        self._fit(event.size)
        self.repaint_words()
        self.call_after_refresh(self._face_resized)

    def _face_resized(self) -> None:
        self.face.resized()
        if not self.has_class("-small") and self.focused is None:
            if self._left is not None and self._left.focusable:
                self._left.focus(scroll_visible=False)
            else:
                self._focus_something()

    def _fit(self, size: Size) -> None:
        """Another size; where nothing can be shown, nothing has the focus."""
        if not self.has_class("-small"):
            self._left = self.focused
        self._frame.fit(size, self)

    # -- painting

    @property
    def filtered(self) -> bool:
        """Whether a person hides rows: by a filter, or with faults only."""
        return self.viewing.filtered

    @property
    def faces(self) -> Collection[Face]:
        """Those of the present that were shown so far."""
        return self._faces.values()

    @property
    def settled(self) -> bool:
        """Whether the body shows what was asked for last."""
        moving = self._rewinding is not None and self._rewinding.busy
        return self._mounting is None and self.face.settled and not moving

    def repaint_words(self) -> None:
        """Header, notice, titles and views: each is written only where it says something else than before."""
        self.face.tell()
        self._paint_frame()

    def _paint_frame(self) -> None:
        self._frame.paint(self.face.faults if self.face.settled else None, ansi=self.app.native_ansi_color)

    def tick(self) -> None:
        """Once a second: the clock, and what only time changes."""
        self._frame.tick()
        self.repaint_words()
        if self._rewinding is not None:
            self._rewinding.tick()

    def theme_changed(self) -> None:
        """Words carry colours of the terminal's own or of the theme."""
        for face in (*self._faces.values(), *self._past_faces.values()):
            face.repaint()
        self._details.repaint()
        if self._rewinding is not None:
            self._rewinding.scrubber.refresh()
        self.repaint_words()

    # -- following the board

    def follow(self, delta: Delta) -> None:
        """What a flush changed: up to 4 times a second."""
        self.attendance.follow(delta)
        if len(delta.changed) + len(delta.gone) > MANY:
            self.anew()
            return
        for face in self._faces.values():
            face.follow(delta)
        if self.then is None:
            self._show_followed(delta)

    def _show_followed(self, delta: Delta) -> None:
        self._focus_something()
        self._teller.follow(delta)
        self.repaint_words()

    def age_rows(self) -> None:
        """Ages move on; a filter that asks for them may show other rows now."""
        if self.then is not None:
            return
        self.face.age()
        if self.viewing.query.needs_clock:
            self.anew()
        self._tell_details()

    def settings_changed(self, before: Settings) -> None:
        """Other settings than ``before``.  The view that is shown stays, by its name; so do filter and cursor."""
        self.viewing.settings_changed(before)
        for face in (*self._faces.values(), *self._past_faces.values()):
            face.forget()
        self.shown.cells.zone = self.live.cells.zone
        self.ask()
        self.face.age()

    def anew(self) -> None:
        """Build all that is shown again: everything may be different."""
        self.attendance.follow(Delta(frozenset(), frozenset()))
        for face in self._faces.values():
            face.forget()
        if self.then is None:
            self.rebuild()

    @work(exclusive=True, group="rebuild")
    async def rebuild(self) -> None:
        """What the face was asked for, in steps; a later call ends an earlier one."""
        if not self.settled:  # what asked for it (a letter typed, a key) is painted first
            await asyncio.sleep(PAINT_FIRST)
        await self._rebuild()

    async def _rebuild(self) -> None:
        if self._mounting is not None:
            await self._mounting
            self._mounting = None
        await self.face.rebuild()
        self.repaint_words()
        self._focus_something()
        self._tell_details()

    # -- another moment

    async def show_moment(self, then: Then | None) -> None:
        """Another moment in the place of what is shown; None: the present.  The cursor stays on its item."""
        place, subject = self.face.place, self.face.subject
        held = isinstance(place, BoardTable) and place.held
        self._frame.live = self.shown
        self._teller.turn_to(self.shown)
        if then is None:
            self.attendance.come_back()
        else:
            self.attendance.line.hide()
        with self.app.batch_update():
            if then is not None:
                await self._clear_the_past()
            self._ask_face()
            await self._rebuild()
            if subject is not None and held:
                self.reveal(subject)
            self._frame.tick()
            self.repaint_words()
        if then is None:
            self.call_after_refresh(self._forget_the_past)

    def reveal(self, key: str) -> None:
        """Put the cursor on the item of this key, where it is shown."""
        found = next((match for match in self.face.matches() if self.face.about(match[1]) == key), None)
        if found is not None:
            self.face.reveal(*found)

    async def _clear_the_past(self) -> None:
        """Faces are of one moment that moves; that of before is gone."""
        self._past_faces = {}
        if self._past_body is not None:
            await self._past_body.remove_children()
        else:
            self._past_body = Container(id="then")
            await self._body.mount(self._past_body, before=0)

    async def _forget_the_past(self) -> None:
        """Its board takes as much room as that of the present."""
        if self.then is None:
            await self._clear_the_past()

    async def follow_moment(self, delta: Delta | None) -> None:
        """The moment moved; a small step costs no more than what it changed."""
        faces = self._past_faces.values()
        many = delta is None or len(delta.changed) + len(delta.gone) > MANY
        with self.app.batch_update():
            if delta is None or many or self.viewing.query.needs_clock:
                for face in faces:
                    face.forget()
                await self._rebuild()
                self.face.age()
            else:
                for face in faces:
                    face.move(delta)
                self._focus_something()
                self._tell_details()
            self._frame.tick()
            self.repaint_words()

    # -- lanes and the cursor

    def _focus_something(self) -> None:
        """The focus leaves a place that is not shown or has become empty; until a person moves it is on the first."""
        focused, places = self.focused, self.face.places
        if not isinstance(focused, BoardTable | None):
            return
        untouched = not any(isinstance(place, BoardTable) and place.held for place in places)
        # Sources answer one after another: where the focus is must not depend on which of them was the quickest.
        if focused not in places or (untouched and focused is not places[0]):
            self.face.focus_something()

    @property
    def subject_row(self) -> Row | None:
        """The row that the details tell of."""
        return self.face.row(self._subject) if self._subject is not None else None

    def chosen_row(self) -> Row | None:
        """The row under the cursor; with the focus in the details the one that they tell of."""
        if self._subject is not None and isinstance(self.focused, DetailsPane):
            return self.subject_row
        self.face.hold()
        subject = self.face.subject
        return self.face.row(subject) if subject is not None else None

    def action_next_lane(self) -> None:
        """To the next lane that has rows; the details are the last one."""
        self._step_lane(1)

    def action_previous_lane(self) -> None:
        """To the lane before."""
        self._step_lane(-1)

    def _step_lane(self, step: int) -> None:
        if self.face.place is not None and self.face.step(step):
            return
        places = [*self.face.places, *([self._details] if self._details.display else [])]
        if not places:
            return
        current = self.focused
        index = places.index(current) + step if current in places else 0
        self.set_focus(places[index % len(places)])  # at once: the cursor to be shown is the one there
        self.face.hold()

    def action_next_match(self, step: int) -> None:
        """With a filter: the next row that matches, in whatever lane; else the next fault."""
        typed = self.viewing.typed
        wanted = self.face.matches() if typed else self.face.faulty()
        if not wanted:
            self.app.say("nothing matches" if typed else "no fault here")
            return
        here = self.face.here
        if here is not None and here in wanted:
            target = wanted[(wanted.index(here) + step) % len(wanted)]
        else:
            target = wanted[0 if step > 0 else -1]
        self.face.reveal(*target)

    def action_next_unseen(self) -> None:
        """To the next row that changed while nobody looked."""
        if not self.refuses("marked as seen"):
            self.attendance.next_unseen()

    def action_all_seen(self) -> None:
        """Everything that changed has been seen."""
        if not self.refuses("marked as seen"):
            self.attendance.all_seen()

    # -- views and filters

    def action_view(self, number: int) -> None:
        """Show view ``number``, from 1."""
        if number <= len(self.viewing.views):
            self.choose_view(number - 1)
        else:
            self.app.say(f"there is no view {number}")

    def action_step_view(self, step: int) -> None:
        """The view beside this one."""
        self.choose_view((self.viewing.place + step) % len(self.viewing.views))

    def on_click(self, event: Click) -> None:
        """A click on the name of a view shows it."""
        region = self._frame.views.content_region
        if region.contains(event.screen_x, event.screen_y):
            place = self._frame.view_at(event.screen_x - region.x)
            if place is not None:
                self.choose_view(place)

    def show_layout(self, layout: Layout) -> None:
        """Show the first view of this layout, or the one before where it is shown already."""
        place = self.viewing.to_and_fro(layout)
        if place is not None:
            self.choose_view(place)

    def choose_view(self, index: int) -> None:
        """Show the view at ``index`` of the settings' views."""
        self.viewing.place = index
        self.ask()

    def show_anew(self) -> None:
        """Show the view as it is wanted now, and what hides rows of it."""
        self._rest()
        self.ask()

    def ask(self) -> None:
        """Show what is wanted now."""
        self._ask_face()
        self.rebuild()

    def _ask_face(self) -> None:
        viewing = self.viewing
        self._turn_to(viewing.view.layout)
        self.face.ask(viewing.view, viewing.query, faults_only=viewing.faults_only)
        self._paint_frame()

    def _turn_to(self, layout: Layout) -> None:
        """Show the face of this layout, of the moment that is shown; it is made when it is asked for first."""
        body, faces = self._body, self._faces
        if self._past_body is not None:
            self._past_body.display = self.then is not None
            if self.then is not None:
                body, faces = self._past_body, self._past_faces
        face = faces.get(layout)
        if face is None:
            face = faces[layout] = make_face(layout, self.shown)
            self._mounting = body.mount(face, before=0)
        if face is not self.face:
            self.face.display = False
            self.face = face
            face.display = True
            if face.is_mounted:
                self._focus_something()  # at once: another focus repaints all of a table

    def action_save_view(self) -> None:
        """Save the view as it is shown, with the filter that is typed, under a name of one's own."""
        from statusboard.screens.keeping import save_view

        save_view(self)

    def forget_view(self, name: str) -> None:
        """Take a saved view away."""
        from statusboard.screens.keeping import forget_view

        forget_view(self, name)

    def action_export(self) -> None:
        """Save what is shown to a file."""
        from statusboard.screens.export import ExportScreen

        viewing = self.viewing
        self.app.push_screen(ExportScreen.of(self, viewing.view, viewing.query, faults_only=viewing.faults_only))

    def action_faults_only(self) -> None:
        """Show what is failing or unknown, or everything again."""
        self.viewing.faults_only = not self.viewing.faults_only
        self.show_anew()

    async def action_filter(self) -> None:
        """Type a filter."""
        await self._rest_composed()
        self._values = self.shown.known_values()
        await self._filter_bar.edit(self.viewing.typed)

    @on(FilterBar.Changed)
    def _typed_more(self, event: FilterBar.Changed) -> None:
        event.stop()
        self.filter_by(event.text)

    @on(FilterBar.Broken)
    def _typed_wrong(self, event: FilterBar.Broken) -> None:
        """The last good filter stays, without the key that was read as a word before its colon came."""
        event.stop()
        key, colon, _ = event.word.partition(":")
        words = self.viewing.typed.split(" ")
        if colon and words[-1] == key:
            self.filter_by(" ".join(words[:-1]))

    def filter_by(self, text: str) -> None:
        """Put this filter in force.  One that does not parse changes nothing."""
        if check(text) is not None or text.strip() == self.viewing.typed:
            return
        self.viewing.typed = text.strip()
        self.ask()

    @on(Face.ItemsAsked)
    def _items_asked(self, event: Face.ItemsAsked) -> None:
        """Show the items in lanes; one step back leads here again."""
        event.stop()
        if check(event.text) is None and (lanes := self.viewing.leave_for(event.text)) is not None:
            self._rest()
            self.choose_view(lanes)

    @on(FilterBar.Kept)
    def _keep(self, event: FilterBar.Kept) -> None:
        event.stop()
        self._rest()
        self._focus_lane()

    @on(FilterBar.Cleared)
    def _clear(self, event: FilterBar.Cleared) -> None:
        event.stop()
        self.clear_filter()
        self._focus_lane()

    def clear_filter(self) -> None:
        """Show everything in this view again."""
        self.viewing.clear()
        self.show_anew()

    def _rest(self) -> None:
        self._filter_bar.rest(self.viewing.words)

    def _focus_lane(self) -> None:
        self.face.focus_something()

    def _complete(self, text: str, cursor: int) -> tuple[tuple[int, int], Sequence[str]]:
        return word_at(text, cursor), complete(text, cursor, self._values) if text else []

    # -- details

    @on(Face.Moved)
    def _moved(self, event: Face.Moved) -> None:
        event.stop()
        self._subject = self.face.subject
        self._tell_details()

    @on(Face.Opened)
    def _opened(self, event: Face.Opened) -> None:
        event.stop()
        if self._details.display:
            self._details.focus()
        else:
            self.action_details()

    def on_descendant_focus(self) -> None:
        """Another place has another row under its cursor."""
        if self.face.place is not None:
            self.face.focused_another()
            self._subject = self.face.subject
            self._tell_details()

    def action_details(self) -> None:
        """Show or hide the details."""
        if self._details.display and self.focused is self._details:
            self._focus_lane()
        self._details.display = not self._details.display
        if self._details.display:
            self.face.hold()
        self._tell_details()
        self.call_after_refresh(self._face_resized)

    def _tell_details(self) -> None:
        if self._details.display:
            row = self.subject_row
            item = row.fact if row is not None and isinstance(row.fact, Build | Incident | Release | Ticket) else None
            hints = row_hints(
                self.live.keys_of,
                page=item is not None and bool(item.url),
                answers=item is not None and self.then is None and self.live.engine.role != "reading",
            )
            self._details.border_title = Content(f" {hints} ")
        self._teller.tell()

    def _chosen(self) -> Chosen:
        return self._subject, self.subject_row, self.face.sections()

    def action_back(self) -> None:
        """One step back: out of the details, then out of the filter, then out of the sources."""
        if self._details.display:
            self.action_details()
        elif self.face.back():
            return
        elif (place := self.viewing.back()) is not None:
            self._rest()
            self.choose_view(place)
        elif self.filtered:
            self.clear_filter()
        elif self.view.layout in ("sources", "metrics"):
            self.show_layout(self.view.layout)
