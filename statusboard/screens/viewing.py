"""Which view the board's screen shows, as a person has changed it, and what is typed over it.  Nothing here draws."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from statusboard.query import Query, parse
from statusboard.screens.live import Live
from statusboard.screens.settings import with_saved
from statusboard.screens.views import forget, keep
from statusboard.sorting import URGENCY, Sort
from statusboard.view import Layout, ViewSpec

if TYPE_CHECKING:
    from statusboard.screens.settings import Settings


class Left(NamedTuple):
    """The view and filter that a person left for the items behind a line, and the filter that shows those."""

    place: int
    typed: str
    text: str


class Viewing:
    """``place`` is that of the view among the settings' views; ``typed`` is a filter that parses."""

    def __init__(self, live: Live) -> None:
        self.place = 0
        self.typed = ""
        self.faults_only = False
        self._live = live
        self._before = 0
        self._left: Left | None = None
        self._altered: dict[str, ViewSpec] = {}

    @property
    def views(self) -> Sequence[ViewSpec]:
        """Those to choose from."""
        return self._live.settings.views

    @property
    def view(self) -> ViewSpec:
        """The view that is shown, as a person has changed it."""
        view = self.views[min(self.place, len(self.views) - 1)]
        return self._altered.get(view.name, view)

    @property
    def query(self) -> Query:
        """The view's filter and the typed one together."""
        return parse(self.view.filter) & parse(self.typed)

    @property
    def filtered(self) -> bool:
        """Whether a person hides rows: by a filter, or with faults only."""
        return bool(self.typed) or self.faults_only

    @property
    def words(self) -> str:
        """What a person hides rows by, in words."""
        return " ".join(filter(None, ("faults only" if self.faults_only else "", self.typed)))

    def clear(self) -> None:
        """Nothing is hidden but by the view."""
        self.typed = ""
        self.faults_only = False

    # -- from view to view

    def first(self, layout: Layout) -> int | None:
        """The place of the first view of this layout."""
        return next((place for place, view in enumerate(self.views) if view.layout == layout), None)

    def to_and_fro(self, layout: Layout) -> int | None:
        """The place of the first view of this layout; where one is shown, of that which was shown before."""
        if self.view.layout == layout:
            return self._before
        found = self.first(layout)
        if found is not None:
            self._before = self.place
        return found

    def leave_for(self, text: str) -> int | None:
        """The place of a view in lanes, for the items that pass this filter; `back` leads here again."""
        lanes = self.first("lanes")
        if lanes is not None:
            self._left = Left(self.place, self.typed, text)
            self.typed = text
        return lanes

    def back(self) -> int | None:
        """The place of the view that was left for the items that are shown; None where it was not."""
        if self._left is None or self.typed != self._left.text:
            return None
        place, self.typed, _ = self._left
        self._left = None
        return place

    # -- as a person wants it

    def alter(self, **changes: Any) -> None:
        """Other fields of the view, until the board ends or the view is saved under a name."""
        self._altered[self.view.name] = structs.replace(self.view, **changes)

    def next_sort(self, columns: Sequence[str]) -> Sort:
        """By the next of these columns; after the last one by urgency again."""
        by = self.view.sort.by
        place = columns.index(by) + 1 if by in columns else 0
        return Sort(columns[place]) if place < len(columns) else URGENCY

    def keep(self, name: str) -> None:
        """Save the view as it is shown, with the filter that is typed, and show that.

        QueryError where both filters together are no filter any more (too long), OSError where it cannot be written,
        ConfigError where what is saved already has mistakes.
        """
        view = structs.replace(self.view, name=name, filter=parse(self.query.text).text)
        before, shown = self._live.settings, self.view.name
        assert before.views_file is not None
        self._use_saved(keep(before.views_file, view), stale=(shown, name))
        self.typed = ""
        self.place = [each.name for each in self.views].index(name)

    def forget(self, name: str) -> None:
        """Take a saved view away; a view that it stood for is there again.  Raises what `keep` does."""
        file = self._live.settings.views_file
        assert file is not None
        self._use_saved(forget(file, name), stale=(name,))

    def _use_saved(self, saved: tuple[ViewSpec, ...], *, stale: Collection[str]) -> None:
        before = self._live.settings
        self._live.use(with_saved(before, saved))
        for name in stale:
            self._altered.pop(name, None)
        self.settings_changed(before)

    def settings_changed(self, before: Settings) -> None:
        """Other settings than ``before``.  The view that is shown stays, by its name; so does the filter."""
        names = [view.name for view in before.views]
        places = {view.name: place for place, view in enumerate(self.views)}

        def now(place: int) -> int:
            place = min(place, len(names) - 1)
            return places.get(names[place], min(place, len(self.views) - 1))

        self.place, self._before = now(self.place), now(self._before)
        if self._left is not None:
            self._left = self._left._replace(place=now(self._left.place))
        same = {view.name for view in before.views if view in self.views}
        self._altered = {name: view for name, view in self._altered.items() if name in same}
