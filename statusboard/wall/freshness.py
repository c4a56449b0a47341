"""How fresh what a wall shows is, in words that nobody overlooks.  Pure.

A wall mostly follows a store that another process fills.  That process may have ended, or the file may be gone: what
was read last then stays on the screen, and only this says that it is old.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from statusboard.board import Board
from statusboard.clock import Duration, age
from statusboard.current import UNREAD
from statusboard.model import Status

OVERDUE: Final = timedelta(seconds=20)
"""How long after the time of every source's next poll we take it that nobody polls: a poll itself takes a while."""
_NAMES: Final = 3
_WORDS: Final[Mapping[str, str]] = {"starting": "not read yet"}
Level = Literal["fresh", "old", "unread", "dead"]


class Freshness(NamedTuple):
    """``headline`` is for the largest type, ``told`` says the rest in a line; ``read_at``: the newest successful read.

    fresh: every required source is read in time; old: one is late; unread: the silence of one proves nothing; dead:
    nobody reads any more.
    """

    level: Level
    headline: str
    told: str
    read_at: datetime | None = None


def freshness(board: Board, statuses: Mapping[str, Status], role: str, notice: str, now: datetime) -> Freshness:
    """Judge.  ``role`` and ``notice`` are those of the engine."""
    required = [name for name, health in board.health.items() if not health.optional]
    names = required or list(board.health)
    newest = max(filter(None, (_read_at(name, board, statuses) for name in board.health)), default=None)
    last = f"the last successful read was {age(now, newest)} ago" if newest is not None else "nothing was ever read"
    if role == "reading" and notice:
        return Freshness("dead", "STORE GONE", f"what is shown may be over: {last}; {notice}", newest)
    if not names:
        return Freshness("dead", "NOTHING READ", "no source has been read yet", newest)
    if role == "reading" and _overdue(board, statuses, now):
        return Freshness("dead", "NOBODY POLLS", f"what is shown may be over: {last}", newest)
    blind = [name for name in names if board.is_blind(name)]
    if blind:
        read_all_the_same = any(board.state_of(name) not in UNREAD for name in blind)
        what = f"{len(blind)} OF {len(names)} {'NOT READ IN FULL' if read_all_the_same else 'UNREAD'}"
        return Freshness("unread", what, _named(blind, board, statuses, now) + _notice(notice), newest)
    old = [name for name in names if board.state_of(name) != "fresh"]
    if old:
        what = f"{len(old)} OF {len(names)} OLD"
        return Freshness("old", what, _named(old, board, statuses, now) + _notice(notice), newest)
    if notice:
        return Freshness("old", "NOT STORED", notice, newest)
    oldest = min(filter(None, (_read_at(name, board, statuses) for name in names)), default=None)
    since = f", the oldest read {age(now, oldest)} ago" if oldest is not None else ""
    others = sum(board.is_blind(name) for name in board.health if name not in names)
    more = f"; {others} optional unread" if others else ""
    many = "1 source" if len(names) == 1 else f"all {len(names)} sources"
    return Freshness("fresh", "", f"{many} fresh{since}{more}", newest)


def _read_at(name: str, board: Board, statuses: Mapping[str, Status]) -> datetime | None:
    """When a source was last read; what moves at every poll is in its status."""
    status, health = statuses.get(name), board.health.get(name)
    return (status.last_success if status is not None else None) or (health.last_success if health else None)


def _overdue(board: Board, statuses: Mapping[str, Status], now: datetime) -> bool:
    """Whether every source should have been asked a while ago: whoever polled does so no more."""
    asked = [status for name, status in statuses.items() if name in board.health and board.state_of(name) != "paused"]
    due = [status.next_poll for status in asked if status.next_poll is not None]
    return bool(due) and max(due) + OVERDUE < now


def _named(names: Iterable[str], board: Board, statuses: Mapping[str, Status], now: datetime) -> str:
    """``ci stale, read 12m ago; am down, never read``; with how often it is due where that tells more than the age."""
    told = []
    for name in sorted(names):
        state, at, health = board.read_as(name), _read_at(name, board, statuses), board.health.get(name)
        read = f"read {age(now, at)} ago" if at is not None else "never read"
        if state != "fresh" and health is not None and at is not None and (now - at).total_seconds() < 60:
            read += f", due every {Duration(round(health.interval))}"
        told.append(f"{name} {_WORDS.get(state, state)}, {read}")
    more = f"; and {len(told) - _NAMES} more" if len(told) > _NAMES else ""
    return "; ".join(told[:_NAMES]) + more


def _notice(notice: str) -> str:
    return f"; {notice}" if notice else ""
