"""Paging backwards through a vendor's lists: cursors that still lead somewhere days later.

A list that takes "until" is asked for what was before the oldest row of the page before, and not for a number of pages:
what has come in front since moves nothing.  The oldest moment is asked for again, since several rows may share it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, TypeVar

import msgspec

from sources._shared.rows import Rows
from statusboard.api import BadAnswer, Item, Past, SourceError, parse_time

T = TypeVar("T")

ReadPage: TypeAlias = Callable[[str], Awaitable[Past]]


class Until(msgspec.Struct, frozen=True):
    """A cursor by time: what was before or at ``at`` (None: the newest), page ``page`` of that."""

    at: datetime | None = None
    page: int = 1

    @classmethod
    def of(cls, cursor: str) -> Until:
        """What `older` wrote."""
        moment, _, page = cursor.partition(" ")
        at = parse_time(moment)
        return cls(at=at, page=int(page)) if at is not None and page.isdecimal() else cls()

    def older(self, times: Iterable[datetime | None], *, more: bool) -> tuple[str, datetime | None]:
        """The cursor of the page behind one with these ``times``, ``""`` without ``more``; and back to when it reaches.

        Where a whole page has one and the same time, its next page is asked for.
        """
        known = [time for time in times if time is not None]
        oldest = min(known, default=None)
        if not more:
            return "", oldest
        if oldest is not None:
            # Cursors hold whole seconds: the second that this page ends in is read once more.
            second = oldest.replace(microsecond=0) + timedelta(seconds=1 if oldest.microsecond else 0)
            if self.at is None or second < self.at:
                return f"{moment(second)} 1", oldest
        return ("" if self.at is None else f"{moment(self.at)} {self.page + 1}"), oldest


def moment(at: datetime) -> str:
    """A moment as vendors read it: ``2026-01-02T03:04:05Z``."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def past(
    rows: Rows[T], convert: Callable[[T], Item | None], *, older: str, reached: datetime | None, **more: Any
) -> Past:
    """The page that these rows make; those that cannot be read are said and left out."""
    items: dict[str, Item] = {}
    error: SourceError | None = rows.error
    for row in rows.good:
        try:
            item = convert(row)
        except BadAnswer as exc:
            error = error or BadAnswer(f"a {rows.what} could not be read: {exc}")
        else:
            if item is not None:
                items.setdefault(item.key, item)
    return Past(items=tuple(items.values()), older=older, reached=reached, error=error, **more)


def back_to(page: Past, since: datetime) -> Past:
    """A page with back to when it reaches, of a list in the order in which things began.

    After the last page all is read back to ``since``, if that is what the list was asked for.
    """
    began = oldest([item.started_at for item in page.items])
    return msgspec.structs.replace(page, reached=began if page.older else min(began or since, since))


class _List(msgspec.Struct):
    """How far one of several lists has been read."""

    cursor: str = ""
    reached: datetime | None = None
    read: bool = False
    ended: bool = False


async def merged(cursor: str, lists: Mapping[str, ReadPage]) -> Past:
    """A page of a part that is made of several lists: that of the one which has been read back least so far."""
    try:
        known = msgspec.json.decode(cursor or "{}", type=dict[str, _List])
    except msgspec.MsgspecError:
        known = {}
    states = {name: known.get(name) or _List() for name in lists}
    going = {name: state for name, state in states.items() if not state.ended}
    if not going:
        return Past()
    unread = [name for name, state in going.items() if not state.read]
    newest = datetime.max.replace(tzinfo=UTC)
    name = unread[0] if unread else max(going, key=lambda name: going[name].reached or newest)
    state = states[name]
    page = await lists[name](state.cursor)
    reached = page.reached or state.reached
    states[name] = _List(cursor=page.older, reached=reached, read=True, ended=not page.older)
    left = [state for state in states.values() if not state.ended]
    far = [state.reached for state in left if state.reached is not None] if all(s.read for s in states.values()) else []
    if not left:
        far = [state.reached for state in states.values() if state.reached is not None]
        reached_by_all = min(far, default=None)
    else:
        reached_by_all = max(far) if far and len(far) == len(left) else None
    older = msgspec.json.encode(states).decode() if left else ""
    return msgspec.structs.replace(page, older=older, reached=reached_by_all)


def counted(cursor: str, otherwise: int = 1) -> int:
    """A cursor that is a number of a page, or of rows."""
    return int(cursor) if cursor.isdecimal() and len(cursor) < 12 else otherwise


def oldest(times: Sequence[datetime | None]) -> datetime | None:
    """The oldest of these times, as far as they are known."""
    return min((time for time in times if time is not None), default=None)
