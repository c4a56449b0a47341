"""How far a part has been read back, and whether its pages lead anywhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b

from msgspec import Struct, structs

from statusboard.clock import parse_time
from statusboard.errors import BadAnswer, TooLarge
from statusboard.source import Past
from statusboard.store.base import Backfilled

#: Pages of one part in one run, and how many of them in a row may lead no further back.
MOST_PAGES = 20_000
MOST_STALLS = 10
#: Horizons that differ by less are the same one: "90 days" is not the same moment a minute later.
SAME_HORIZON = timedelta(hours=1)


class Way(Struct, frozen=True, kw_only=True):
    """How far one part has been read back: all between ``reached`` and ``begun``, of what was asked for.

    ``asked`` is the horizon that it was asked for with: a vendor's list of 90 days is another one than that of 180, and
    a place in the one is none in the other.  ``cursor`` is where the next page begins; ``ended``: there is none.
    """

    begun: datetime
    asked: datetime
    reached: datetime
    cursor: str = ""
    ended: bool = False

    @classmethod
    def new(cls, begun: datetime, since: datetime) -> Way:
        """One that has not led anywhere yet."""
        return cls(begun=begun, asked=since, reached=begun)

    @classmethod
    def told(cls, stretch: Backfilled, identity: str) -> Way | None:
        """What the store has of it; None where other options led there: their cursors lead elsewhere."""
        mark, _, rest = stretch.cursor.partition(" ")
        word, _, cursor = rest.partition(" ")
        asked = parse_time(word)
        if mark != mark_of(identity) or asked is None:
            return None
        return cls(begun=stretch.until, asked=asked, reached=stretch.since, cursor=cursor, ended=not cursor)

    def stretch(self, source: str, identity: str, part: str) -> Backfilled:
        """The same for the store."""
        return Backfilled(
            source=source,
            part=part,
            until=self.begun,
            since=self.reached,
            cursor=f"{mark_of(identity)} {self.asked.isoformat()} {self.cursor}",
            done=self.covers(self.asked),
        )

    def after(self, past: Past) -> Way:
        """How far one more page leads."""
        reached = self.reached if past.reached is None else min(self.reached, past.reached)
        return structs.replace(self, reached=reached, cursor=past.older, ended=not past.older)

    def goes_before(self, other: Way) -> bool:
        """Whether this way is the one to go on with: the deeper one, else the one that began last."""
        deep, others = self.deepest, other.deepest
        return deep < others or (deep == others and self.begun > other.begun)

    @property
    def deepest(self) -> datetime:
        """Back to when it is known what there is."""
        return self.asked if self.ended else max(self.reached, self.asked)

    def leads_to(self, since: datetime) -> bool:
        """Whether it was asked for all that is wanted back to then."""
        return self.asked <= since + SAME_HORIZON

    def covers(self, since: datetime) -> bool:
        """Whether nothing is left to be read back to then."""
        return self.leads_to(since) and (self.ended or self.reached <= since)


def mark_of(identity: str) -> str:
    """What tells the options that a source was read with from others, in a word without spaces."""
    return blake2b(identity.partition("+")[0].encode(), digest_size=6).hexdigest()


class Stalls:
    """Notices pages that lead nowhere: in a circle, always the same ones, or ever on at one moment."""

    def __init__(self) -> None:
        self._cursors: set[str] = set()
        self._oldest: datetime | None = None
        self._last: frozenset[str] = frozenset()
        self._share = 0.0
        self._stalls = 0

    def look(self, past: Past) -> None:
        """Take note of a page.  `BadAnswer` or `TooLarge` where no further one should be asked for."""
        if not past.older:
            return
        if past.older in self._cursors:
            raise BadAnswer("the pages of its past run in a circle")
        self._cursors.add(past.older)
        if len(self._cursors) >= MOST_PAGES:
            raise TooLarge(f"more than {MOST_PAGES} pages of the past; run backfill again to go on")
        keys = frozenset(str(getattr(item, "key", "")) for item in past.items)
        further = past.reached is not None and (self._oldest is None or past.reached < self._oldest)
        if further:
            self._oldest = past.reached
        moves = further if past.reached is not None else bool(keys - self._last) or past.share > self._share
        self._share = max(self._share, past.share)
        self._last = keys
        self._stalls = 0 if moves else self._stalls + 1
        if self._stalls >= MOST_STALLS:
            raise BadAnswer(f"{MOST_STALLS} pages of its past in a row lead no further back")
