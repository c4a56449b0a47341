"""What a person can do with the item under the cursor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.screen import Screen

from statusboard.board import Row
from statusboard.model import Build, Incident, Item, Release, Ticket
from statusboard.screens.faces import Face

if TYPE_CHECKING:
    from statusboard.app import BoardApp


class RowActions(Screen[None]):
    """The actions of a screen that has a `Face`: open, copy, acknowledge, note, read anew."""

    app: BoardApp
    face: Face

    @property
    def subject_row(self) -> Row | None:
        """The row that the details tell of, whether or not the cursor is seen."""
        raise NotImplementedError

    def chosen_row(self) -> Row | None:
        """The row under the cursor, which is shown from here on: it must be seen what something is done with."""
        raise NotImplementedError

    def refuses(self, what: str) -> bool:
        """Whether ``what`` cannot be done to what is shown, which the person is told."""
        return False

    def _item(self) -> Item | None:
        row = self.chosen_row()
        fact = row.fact if row is not None else None
        if isinstance(fact, Build | Incident | Release | Ticket):
            return fact
        self.app.say("no row is chosen")
        return None

    @property
    def links(self) -> Mapping[str, str]:
        """What the item under the cursor leads to beside its page, by name."""
        row = self.subject_row
        fact = row.fact if row is not None else None
        return fact.links if isinstance(fact, Build | Incident | Release | Ticket) else {}

    def action_open(self) -> None:
        """Open the row's page, or copy its URL where no browser can be opened."""
        if (item := self._item()) is not None:
            self.app.open_page(item.url)

    def action_copy_url(self) -> None:
        """Copy the row's URL."""
        if (item := self._item()) is not None:
            if item.url:
                self.app.copy(item.url)
            else:
                self.app.say("this row has no link")

    def action_copy_key(self) -> None:
        """Copy the row's key."""
        if (item := self._item()) is not None:
            self.app.copy(item.key)

    async def action_acknowledge(self) -> None:
        """Say that one is on it, or take that back."""
        from statusboard.screens.noting import acknowledge

        if not self.refuses("acknowledged") and (item := self._item()) is not None:
            await acknowledge(self.app, item)

    def action_note(self) -> None:
        """Note something about the row."""
        from statusboard.screens.noting import note

        if not self.refuses("noted") and (item := self._item()) is not None:
            note(self.app, item)

    async def action_confirm_suspect(self) -> None:
        """Say that an incident's first suspect was it."""
        await self._judge(guilty=True)

    async def action_dismiss_suspect(self) -> None:
        """Say that an incident's first suspect was not it."""
        await self._judge(guilty=False)

    async def _judge(self, *, guilty: bool) -> None:
        from statusboard.screens.suspecting import judge

        if not self.refuses("judged") and (item := self._item()) is not None:
            await judge(self.app, item, guilty=guilty)

    async def action_last_word(self) -> None:
        """Take back what was said last of an incident's suspects."""
        from statusboard.screens.suspecting import unsay

        if not self.refuses("judged") and (item := self._item()) is not None:
            await unsay(self.app, item)

    async def action_refresh_lane(self) -> None:
        """Read the sources of the lane in focus now."""
        if not self.refuses("read"):
            await self.app.refresh_sources(self.face.sources)

    async def action_refresh_all(self) -> None:
        """Read all sources now."""
        if not self.refuses("read"):
            await self.app.refresh_sources(None)
