"""The keys that say how a view looks: its order, its groups, its columns, and what is made of it."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from statusboard.columns import GROUPS, TIMES
from statusboard.screens.faces import Face
from statusboard.screens.rewindkeys import RewindKeys
from statusboard.screens.viewing import Viewing
from statusboard.sorting import Sort, turned
from statusboard.view import Layout, ViewSpec


class ViewKeys(RewindKeys):
    """A screen that shows views, which a person may change."""

    viewing: Viewing

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "Sort by the next column", show=False, id="sort"),
        Binding("i", "turn", "Sort the other way round", show=False, id="turn"),
        Binding("v", "group", "Group by team, service, environment, source", show=False, id="group"),
        Binding("space", "fold", "Fold or open the group, or show a service's items", show=False, id="fold"),
        Binding("minus", "fold_all(True)", "Fold all groups", show=False, id="fold_all"),
        Binding("plus", "fold_all(False)", "Open all groups", show=False, id="open_all"),
        Binding("ctrl+w", "wide", "All columns, or the usual ones", show=False, id="wide"),
        Binding("T", "times", "Ages, or times, or times in UTC", show=False, id="times"),
        Binding("m", "metrics", "Delivery metrics against their goals", show=False, id="metrics"),
        Binding("D", "stretch", "Metrics of 7, 30 or 90 days", show=False, id="stretch"),
        Binding("H", "handover", "Hand-over: what whoever takes over must know", show=False, id="handover"),
    ]

    # -- what the screen does

    @property
    def view(self) -> ViewSpec:
        """The view that is shown, as a person has changed it."""
        return self.viewing.view

    def ask(self) -> None:
        """Show what is wanted now."""
        raise NotImplementedError

    def show_layout(self, layout: Layout) -> None:
        """Show the first view of this layout, or the one before where it is shown already."""
        raise NotImplementedError

    # -- keys

    def alter(self, **changes: Any) -> None:
        """Show the view with other fields, until the board ends or the view is saved under a name."""
        self.viewing.alter(**changes)
        self.ask()

    def action_sort(self) -> None:
        """By the next column of the lane in focus; after the last one by urgency again."""
        ids = self.face.sortable
        if not ids:
            self.app.say("the rows of this view have one order only")
            return
        self.sort_by(self.viewing.next_sort(ids))

    def action_turn(self) -> None:
        """The other way round."""
        sort = self.view.sort
        if sort.by:
            self.sort_by(Sort(sort.by, descending=not sort.descending))
        else:
            self.app.say("sorted by urgency: choose a column first")

    @on(Face.SortAsked)
    def _sort_asked(self, event: Face.SortAsked) -> None:
        event.stop()
        self.sort_by(turned(self.view.sort, event.column))

    def sort_by(self, sort: Sort) -> None:
        """Another order."""
        self.alter(sort=sort)
        self.app.say(
            f"sorted by {sort.by}{', the other way round' if sort.descending else ''}" if sort.by else "by urgency"
        )

    def action_metrics(self) -> None:
        """Show delivery metrics, or the view before."""
        self.show_layout("metrics")

    def action_stretch(self) -> None:
        """Another stretch of time."""
        self.app.say(self.face.stretch() or "this view has no stretch of time to choose")

    def action_group(self) -> None:
        """By the next of team, service, environment, source; then not at all."""
        if self.view.layout != "lanes":
            self.app.say("the rows of this view have no groups")
            return
        choices = ("", *GROUPS)
        group = choices[(choices.index(self.view.group) + 1) % len(choices)]
        self.alter(group=group)
        self.app.say(f"grouped by {group}" if group else "not grouped")

    def action_fold(self) -> None:
        """Fold the group under the cursor, or open it; while a stretch is played, hold it or go on."""
        if self._rewinding is not None and self._rewinding.toggle():
            return
        if not self.face.fold():
            self.app.say("no group here: choose one with the key for groups")

    def action_fold_all(self, folded: bool) -> None:
        """Fold all groups, or open them."""
        if not self.face.fold_all(folded):
            self.app.say("no groups here: choose some with the key for groups")

    def action_wide(self) -> None:
        """All columns there is room for, or the usual ones."""
        if self.view.layout in ("services", "sources", "metrics"):
            self.app.say("this view shows every column that there is room for")
            return
        self.alter(wide=not self.view.wide)

    def action_times(self) -> None:
        """Ages, or times in the board's zone, or in UTC."""
        cells = self.live.cells
        cells.times = TIMES[(TIMES.index(cells.times) + 1) % len(TIMES)]
        self.shown.cells.times = cells.times
        zone = self.live.settings.timezone or "this machine's zone"
        self.app.say({"ago": "ages", "local": f"times in {zone}", "utc": "times in UTC"}[cells.times])
        self.face.age()

    def action_handover(self) -> None:
        """What whoever takes over must know."""
        from statusboard.screens.handover import HandoverScreen

        if not self.refuses("handed over"):
            self.app.push_screen(HandoverScreen(self.live))
