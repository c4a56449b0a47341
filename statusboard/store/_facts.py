"""What is remembered of releases, builds and incidents: which change holds the last word on which of them.

Pure, the same for every store.  A `Word` is one change as far as this depends on it, a `Kept` what stands in the table
of facts.  Times are microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from statusboard.clock import to_us
from statusboard.model import UNFINISHED, Kind, Origin

#: The kinds of which the last word is remembered.
KINDS: Final[frozenset[Kind]] = frozenset({"release", "incident", "build", "annotation"})
#: What a database can hold; a vendor's attempt beyond it is none.
_MOST_ATTEMPTS = 1 << 31
_LONGEST_WORD = 20

#: How a store names a key: by its text, or by the text's number.
K = TypeVar("K", str, int)


class _Told(Struct, frozen=True, gc=False):
    """What of a body is looked at here."""

    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempt: int = 1
    state: str = ""
    severity: str = "unknown"


_TOLD = msgspec.json.Decoder(_Told)
_UNREADABLE = _Told()


class Word(NamedTuple, Generic[K]):
    """One change that says something of a release, a build or an incident.

    ``episode`` as in `Remembered`; ``held`` as in `Kept`; ``prev_seq`` is 0 where there is none, or nobody asks.
    """

    seq: int
    key: K
    kind: Kind
    episode: int
    observed_at: int
    live: bool
    time: int | None
    prev_seq: int
    started: int | None
    held: int | None
    over: bool
    lost: bool
    what: str


class Kept(NamedTuple, Generic[K]):
    """One fact: the last word on it is change ``seq``.

    ``held``: until when an episode is known to have lasted, or ``None``.  ``over``: it has said how it went.  ``live``:
    it was seen live, so that no backfill may override it.  ``what``: the word for its mark (an incident's severity,
    else the state); empty for an incident that is only pending.
    """

    seq: int
    key: K
    episode: int
    kind: Kind
    at: int
    first_seen: int
    held: int | None
    over: bool
    live: bool
    what: str


def word_of(
    seq: int,
    key: K,
    kind: Kind,
    observed_at: int,
    origin: Origin,
    time: int | None,
    prev_seq: int | None,
    body: bytes,
) -> Word[K]:
    """A change of one of `KINDS` that has a body.  One that cannot be read is one without a start."""
    try:
        told = _TOLD.decode(body)
    except msgspec.MsgspecError:
        told = _UNREADABLE
    started = None if told.started_at is None else to_us(told.started_at)
    episode, held, what = 0, None, told.state
    if kind == "build":
        episode = told.attempt if 0 <= told.attempt < _MOST_ATTEMPTS else 0
    elif kind == "incident":
        episode = started or 0
        what = "" if told.state == "pending" else told.severity
        if told.state != "resolved":
            held = max(observed_at, episode)  # the vendor's clock may be ahead of ours
        elif told.ended_at is not None:
            held = to_us(told.ended_at)
    return Word(
        seq=seq,
        key=key,
        kind=kind,
        episode=episode,
        observed_at=observed_at,
        live=origin != "backfill",
        time=time,
        prev_seq=prev_seq or 0,
        started=started,
        held=held,
        over=told.state != "" and told.state not in UNFINISHED.get(kind, ()),
        lost=told.state == "unknown",
        what=what[:_LONGEST_WORD],
    )


class Facts(Generic[K]):
    """Facts by what they are about and by the change that holds their body: all, or those that some words concern."""

    def __init__(self, kept: Iterable[Kept[K]] = ()) -> None:
        self.by_seq: dict[int, Kept[K]] = {}
        self._by_id: dict[tuple[K, int], Kept[K]] = {}
        for fact in kept:
            self._put(fact)

    def _put(self, fact: Kept[K]) -> None:
        self.by_seq[fact.seq] = fact
        self._by_id[fact.key, fact.episode] = fact

    def forget(self, fact: Kept[K]) -> None:
        """The change that held the body of this fact is gone."""
        del self.by_seq[fact.seq]
        del self._by_id[fact.key, fact.episode]

    def hear(self, word: Word[K]) -> None:
        """Take the next change in.

        Needed here: the fact that the word is about, and that of the change before it.
        """
        last = self.by_seq.get(word.prev_seq) if word.live and word.kind == "incident" else None
        episode = word.episode
        if last is not None and word.started is None and (word.over or not last.over):
            episode = last.episode  # the same one, of which the vendor does not tell the start any more
        elif last is not None and (word.started is None or last.held is None or word.started >= last.held):
            last = None  # another episode, and the one before keeps its last word
        old = self._by_id.get((word.key, episode))
        if old is not None and not word.live and (old.live or (old.over and not word.over)):
            return
        replaced = {fact.seq: fact for fact in (old, last) if fact is not None}.values()
        same = [fact for fact in replaced if fact.live == word.live]
        first_seen = min((fact.first_seen for fact in same), default=word.observed_at)
        at = word.started
        if at is None:
            at = min((fact.at for fact in same), default=word.observed_at if word.time is None else word.time)
        held = word.held
        if word.lost:  # it may have ended long ago
            held = max((fact.held for fact in same if fact.held is not None), default=None)
        for fact in replaced:
            self.forget(fact)
        self._put(
            Kept(
                seq=word.seq,
                key=word.key,
                episode=episode,
                kind=word.kind,
                at=at,
                first_seen=first_seen,
                held=held,
                over=word.over,
                live=word.live,
                what=word.what,
            )
        )
