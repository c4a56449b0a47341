"""What fills the body of the board's screen: lanes, the matrix of services, the timeline, the sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from textual.message import Message
from textual.widget import Widget

from statusboard.board import Delta, Row
from statusboard.query import Query
from statusboard.screens.live import Live
from statusboard.view import ViewSpec, is_fault
from widgets.details import Section
from widgets.placed import Placed
from widgets.table import BoardTable

if TYPE_CHECKING:
    from statusboard.exporting import Format


class File(NamedTuple):
    """What a file holds, in words, and what makes its content, in a thread: all that it takes has been taken."""

    about: str
    make: Callable[[], str]


class Face(Placed):
    """One way of showing the board.  The screen keeps header, filter, details and the bar of views; a face the rest.

    The screen calls `ask` and then `rebuild` when view or filter change, `follow` for what a flush changed, `age` when
    only time has passed, `tell` once a second and `repaint` after a change of colours.  A face that is not shown is
    told `follow`, `forget` and `repaint` alone (``display`` is false then); it is asked and rebuilt when it is shown.
    """

    DEFAULT_CSS = "Face { width: 1fr; height: 1fr; }"

    class Moved(Message):
        """The cursor of the face is on another item."""

    class Opened(Message):
        """A person asks for the details of the item under the cursor."""

    class SortAsked(Message):
        """A person asks for another order: by this column."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    class ItemsAsked(Message):
        """A person asks for the items behind what is under the cursor: those that this filter lets through."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, live: Live, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.live = live

    # -- what it shows

    def ask(self, view: ViewSpec, query: Query, *, faults_only: bool) -> None:
        """What the next `rebuild` shows: ``query`` is the view's filter and the typed one together."""
        raise NotImplementedError

    async def rebuild(self) -> None:
        """Show what was asked for, in steps that let others run.  It may be cancelled at any of them."""
        raise NotImplementedError

    def forget(self) -> None:
        """What was built is not right any more (another board, time has passed): the next `rebuild` begins anew."""

    def follow(self, delta: Delta) -> None:
        """Follow what a fold changed; up to four times a second.  Told to faces that are not shown as well."""
        raise NotImplementedError

    def move(self, delta: Delta) -> None:
        """The past moment that is shown is another one: follow what that changed, and all ages."""
        self.follow(delta)
        if self.display:
            self.age()

    def age(self) -> None:
        """Ages have moved on; what is equal must cost nothing."""

    def tell(self) -> None:
        """Once a second, and after each change: titles, hints.  Written only where they say something else."""

    def repaint(self) -> None:
        """Words carry colours of the terminal's own or of the theme, which is another one now."""

    def resized(self) -> None:
        """The body has another size."""

    # -- what it says of itself

    @property
    def settled(self) -> bool:
        """Whether it shows what was asked for."""
        return True

    @property
    def faults(self) -> int | None:
        """How many failing items are shown; None where this face does not show items one by one."""
        return None

    @property
    def sources(self) -> list[str]:
        """The sources to read when a person wants what is in focus read now."""
        return sorted({*self.live.cells.board.health, *self.live.settings.reads})

    @property
    def sortable(self) -> Sequence[str]:
        """The columns that the rows in focus can be sorted by."""
        return ()

    def stretch(self) -> str | None:
        """Show another stretch of time, and say which; None where there is none to choose."""
        return None

    def fold(self) -> bool:
        """Fold the group under the cursor, or open it; False where there is none."""
        return False

    def fold_all(self, folded: bool) -> bool:
        """Fold all groups, or open them; False where there is none."""
        return False

    def files(self) -> Mapping[Format, File]:
        """What is saved of this face in the place of the board's items, by form."""
        return {}

    # -- places and the cursor

    def step(self, step: int) -> bool:
        """Go to the next thing within the place in focus, or the one before; False where there is none."""
        return False

    def back(self) -> bool:
        """Go one step back within this face; False where there is none."""
        return False

    @property
    def here(self) -> tuple[BoardTable, str] | None:
        """Which of the `matches` a person has put the cursor on."""
        place = self.place
        if isinstance(place, BoardTable) and place.held and place.cursor_key is not None:
            return place, place.cursor_key
        return None

    @property
    def places(self) -> Sequence[Widget]:
        """What can have the focus and has something to see, in the order of the tab key."""
        raise NotImplementedError

    @property
    def place(self) -> Widget | None:
        """The one of `places` that has the focus, or had it last."""
        focused = self.screen.focused
        return focused if focused in self.places else None

    @property
    def subject(self) -> str | None:
        """The key of the item under the cursor."""
        place = self.place
        return place.cursor_key if isinstance(place, BoardTable) else None

    def row(self, key: str) -> Row | None:
        """The row of an item that can be under the cursor; it need not be on the board any more."""
        return self.live.cells.row(key)

    def sections(self) -> list[Section]:
        """What the details say of what is under the cursor before all that is known of the item, or instead of it."""
        return []

    def hold(self) -> None:
        """Show the cursor: whatever is done with a row, it must be seen which."""
        if isinstance(place := self.place, BoardTable):
            place.hold()

    def focus_something(self) -> None:
        """Put the focus on the first place there is."""
        if self.places:
            self.places[0].focus()

    def focused_another(self) -> None:
        """The focus went to another place of this face."""

    def reveal(self, table: BoardTable, key: str) -> None:
        """Put the cursor on one of the `matches`."""
        table.focus()
        table.move_to(key)

    def matches(self) -> list[tuple[BoardTable, str]]:
        """All rows that can be jumped to, in their order: table and key of the row."""
        return []

    def faulty(self) -> list[tuple[BoardTable, str]]:
        """Those of `matches` that tell of a fault."""
        rows = self.live.cells.row
        return [match for match in self.matches() if (row := rows(match[1])) is not None and is_fault(row)]

    def about(self, key: str) -> str:
        """The key of the item that the row of this key is about."""
        return key

    def unseen(self) -> list[tuple[BoardTable, str]]:
        """Those of `matches` that changed while nobody looked."""
        return [match for match in self.matches() if match[1] in self.live.cells.marked]
