"""The keys that move the board's screen in time.  What they need is imported when one of them is pressed first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from statusboard.screens.acting import RowActions

if TYPE_CHECKING:
    from statusboard.board import Delta
    from statusboard.moments import Meant
    from statusboard.screens.live import Live
    from statusboard.screens.rewinding import Rewinding
    from statusboard.screens.then import Then
    from widgets.scrubber import Scrubber


class RewindKeys(RowActions):
    """A screen that can show a past moment in the place of the present."""

    live: Live

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "step(-1)", "One change back in time", show=False, id="earlier"),
        Binding("right_square_bracket", "step(1)", "One change forward in time", show=False, id="later"),
        Binding("left_curly_bracket", "incident(-1)", "Back to the incident before", show=False, id="earlier_incident"),
        Binding("right_curly_bracket", "incident(1)", "On to the next incident", show=False, id="later_incident"),
        Binding("at", "moment", "To a moment: 14:23, yesterday 09:00, -2h", show=False, id="moment"),
        Binding("0", "present", "Back to live", show=False, id="present"),
        Binding("t", "time_line", "The line of time on or off", show=False, id="time_line"),
        Binding("Z", "zoom", "The line of time over a day, a week, 90 days", show=False, id="zoom"),
    ]

    _rewinding: Rewinding | None = None

    @property
    def then(self) -> Then | None:
        """The past moment that is shown; None: the present."""
        return self._rewinding.then if self._rewinding is not None else None

    @property
    def shown(self) -> Live:
        """The present, or the past moment in its place."""
        return self.then or self.live

    @property
    def rewinding(self) -> Rewinding:
        """What moves this screen in time."""
        if self._rewinding is None:
            from statusboard.screens.rewinding import Rewinding

            self._rewinding = Rewinding(self)
            self.mount(self._rewinding.scrubber, after="#headline")
        return self._rewinding

    # -- what the screen does when it moves

    async def show_moment(self, then: Then | None) -> None:
        """Show this past moment in the place of what is shown; None: the present."""
        raise NotImplementedError

    async def follow_moment(self, delta: Delta | None) -> None:
        """The past moment is another one; ``delta`` is what that changed, None for everything."""
        raise NotImplementedError

    def reveal(self, key: str) -> None:
        """Put the cursor on the item of this key, where it is shown."""
        raise NotImplementedError

    def refuses(self, what: str) -> bool:
        """Nothing can be done to the past."""
        if self.then is None:
            return False
        key = self.live.keys_of("present")[0]
        self.app.say(f"this is the past: nothing can be {what} here; {key} goes back to live", severity="warning")
        return True

    def holds_or_refuses(self, what: str) -> bool:
        """What is played is held or goes on; what else this key does cannot be done to the past."""
        return (self._rewinding is not None and self._rewinding.toggle()) or self.refuses(what)

    # -- keys

    def action_step(self, way: int) -> None:
        """To the next moment at which something came in, or to the one before."""
        self.rewinding.step(way)

    def action_incident(self, way: int) -> None:
        """To the next moment at which an incident was new, or to the one before."""
        self.rewinding.incident(way)

    async def action_present(self) -> None:
        """The present again."""
        await self.rewinding.back_to_present()

    def action_time_line(self) -> None:
        """Show the line of time in the present, too."""
        self.rewinding.pin()

    def action_zoom(self) -> None:
        """The next of the lengths that the line of time can have."""
        self.rewinding.zoom()

    def action_moment(self) -> None:
        """Ask for a moment."""
        from statusboard.screens.asking import AskScreen

        async def go(text: str | None) -> None:
            if text is not None:
                await self.go_to(text)

        from statusboard.moments import FORMS

        zone = self.live.settings.timezone or "this machine's zone"
        told = f"{FORMS}. Times are in {zone}. Enter goes there, esc leaves."
        self.app.push_screen(AskScreen("Show the board as it was at", told=told, wrong=self._why_not), go)

    async def go_to(self, text: str) -> None:
        """To the moment that somebody typed; a word where there is none."""
        from statusboard.errors import MomentError

        if text.strip().casefold() == "now":
            await self.rewinding.back_to_present()
            return
        try:
            found = self.moment_of(text)
        except MomentError as error:
            self.app.say(str(error), severity="warning")
            return
        if found.note:
            self.app.say(found.note)
        self.rewinding.to(found.at)

    def moment_of(self, text: str) -> Meant:
        """The moment that somebody typed.  `MomentError` where it is none."""
        from statusboard.moments import meant

        return meant(text, self.live.now, self.live.cells.zone)

    def _why_not(self, text: str) -> str:
        from statusboard.errors import MomentError

        try:
            self.moment_of(text)
        except MomentError as error:
            return str(error)
        return ""

    async def on_scrubber_chosen(self, event: Scrubber.Chosen) -> None:
        """A click on the line of time."""
        event.stop()
        if event.at is not None:
            self.rewinding.to(event.at)
        elif self.then is not None:
            await self.rewinding.back_to_present()
