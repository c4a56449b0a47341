"""What is known of one source: its live keys, which part each belongs to, and what is on its way.

Ingest compares answers with it.  It holds what the store has, and what only this process knows of the newest answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from statusboard.cleaning import scrub_any
from statusboard.diff import Known
from statusboard.model import (
    UNFINISHED,
    Build,
    Change,
    Fact,
    Incident,
    Item,
    Release,
    SourceHealth,
    Ticket,
    Validator,
    decode,
)
from statusboard.store.base import Live

Resolver: TypeAlias = Callable[[Item], Item]

ITEMS = (Build, Incident, Release, Ticket)


class Desk:
    """What is known of one source: its live keys, which part they came in, and what is on its way."""

    __slots__ = (
        "health",
        "health_lock",
        "known",
        "lock",
        "members",
        "names",
        "orphans",
        "resolver",
        "running",
        "stored_health",
        "told",
        "vouched",
    )

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        #: By part: the keys that belong to it, and those that its newest full answer in this process held.  Mostly they
        #: are the same, and then one set is both: it is copied before it is changed.
        self.members: dict[str, set[str]] = {}
        self.told: dict[str, set[str]] = {}
        #: By part: what is to be read again by id as long as the part does not change.
        self.orphans: dict[str, list[str]] = {}
        #: By part: the validators that the store has, as far as this process knows.
        self.vouched: dict[str, tuple[Validator, ...]] = {}
        #: The names of the source and its parts by themselves, so that what is known holds each of them once.
        self.names: dict[str, str] = {}
        self.running: set[str] = set()
        self.resolver: Resolver | None = None
        #: The health as the store has it, and the very object that was judged last: the same again costs nothing.
        self.stored_health: SourceHealth | None = None
        self.health: SourceHealth | None = None
        self.lock = asyncio.Lock()
        self.health_lock = asyncio.Lock()

    def clear(self) -> None:
        for content in (self.known, self.members, self.told, self.orphans, self.vouched, self.running):
            content.clear()
        self.health = self.stored_health = None

    def begin_anew(self) -> None:
        """Forget all but what is stored: what a source said in this process proves nothing of it any more."""
        for content in (self.members, self.told, self.orphans, self.vouched):
            content.clear()
        for known in self.known.values():
            if known.kind not in ("source", "annotation"):
                self.members.setdefault(known.part, set()).add(known.key)

    def know(self, row: Change | Live, body: bytes) -> None:
        fact = decode(body)
        self.known[row.key] = Known(
            key=row.key,
            kind=row.kind,
            source=self.names.setdefault(row.source, row.source),
            part=self.names.setdefault(row.part, row.part),
            seq=row.seq,
            unfinished=_unfinished(fact),
        )
        if isinstance(fact, SourceHealth):
            self.stored_health = fact
        if isinstance(fact, Build | Release) and fact.state in ("queued", "running"):
            self.running.add(row.key)
        else:
            self.running.discard(row.key)

    def forget(self, key: str) -> None:
        known = self.known.pop(key, None)
        if known is not None and known.kind == "source":
            self.health = self.stored_health = None
        self.running.discard(key)
        if known is not None and key in (members := self.members.get(known.part, set())):
            if members is self.told.get(known.part):
                members = self.members[known.part] = members.copy()
            members.discard(key)

    def missing(self, scope: str, told: set[str]) -> list[Known]:
        """What this part held before, and neither it nor any other part holds now."""
        keys = self.members.get(scope, set()) - told
        for other, members in self.members.items():
            if not keys:
                return []
            if other != scope:
                keys -= members
        return [self.known[key] for key in keys if key in self.known]

    def moved(self, scope: str, told: set[str]) -> dict[str, str]:
        """What this part held before and only another part tells of now, with that part.

        Its row names its part: after a restart nothing else says where it belongs.
        """
        found: dict[str, str] = {}
        for key in self.members.get(scope, set()) - told:
            known = self.known.get(key)
            new = next((other for other, keys in self.told.items() if other != scope and key in keys), None)
            if known is not None and known.part == scope and new is not None:
                found[key] = new
        return found

    def shared(self, scope: str, key: str) -> bool:
        """Whether another part tells of this known item as well."""
        return key in self.known and any(key in told for other, told in self.told.items() if other != scope)

    def outdone(self, scope: str, item: Item, body: bytes) -> bool:
        """Whether of two parts that tell of this item the word of the other one counts, which is stored as ``body``.

        The later word does, else that of the part that the item belongs to: two parts that differ must not take turns.
        """
        fact = decode(body)
        assert isinstance(fact, ITEMS)
        return not newer(item, fact) and (self.known[item.key].part != scope or newer(fact, item))

    def has_left(self, key: str) -> bool:
        """Whether the newest answer of this key's part, and of all others, is known not to hold it."""
        known = self.known[key]
        return known.part in self.told and not any(key in told for told in self.told.values())

    def drop(self, scope: str) -> None:
        """This part is no longer asked for."""
        for content in (self.members, self.told, self.orphans, self.vouched):
            content.pop(scope, None)

    def prepare(self, item: Item) -> Item:
        """Clean, and find service, team and environment."""
        item = scrub_any(item)
        return self.resolver(item) if self.resolver is not None else item


def _unfinished(fact: Fact) -> bool:
    return isinstance(fact, Build | Incident | Release | Ticket) and fact.state in UNFINISHED[fact.kind]


def newer(a: Item, b: Item) -> bool:
    """Whether ``a`` is the later word on the same thing."""
    at, before = _moment(a.updated_at), _moment(b.updated_at)
    return at is not None and (before is None or at > before)


def _moment(time: object) -> datetime | None:
    """A time as a source really gave it."""
    if not isinstance(time, datetime):
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
