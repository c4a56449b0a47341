"""When to speak: each way is told a few things a minute, of the rest only how many there were.

Pure: it is told transitions and times, and returns what is to be delivered.  In this order:

1. An item that flips is said to, once; then its notices are held back until it rests.  If it then fails and was last
   said not to, or the other way round, that is told.
2. During quiet hours things are counted, but for what the config excepts, and told in one line when they end.
3. In a flood of incidents these are counted as well, and told once a minute.
4. Everything else is told at once, at most so many a minute; the rest in one line at the minute's end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

from msgspec import Struct, field

from statusboard.chatter import Chatter
from statusboard.current import Slot
from statusboard.model import Incident
from statusboard.noticing import words
from statusboard.noticing.options import QuietOptions, What
from statusboard.noticing.rules import Way, passes
from statusboard.noticing.watch import RANK, Transition
from statusboard.noticing.words import Message
from statusboard.query import parse

WINDOW: Final = 60.0
"""Seconds."""
VISUAL_AT_MOST: Final = 3
"""More of them at once would cover the rows they speak of."""


class Delivery(NamedTuple):
    """What to tell, and how."""

    way: Way
    message: Message


class Offer(NamedTuple):
    """A transition, and as what each way is to be told of it.  ``health`` is the state of its source."""

    transition: Transition
    ways: Mapping[Way, What]
    health: str


class Quiet:
    """Quiet hours, by the clock on the wall of one time zone."""

    def __init__(self, options: QuietOptions, zone: tzinfo) -> None:
        self._from, self._to = options.from_, options.to
        self._zone = zone
        self._except = parse(options.except_) if options.except_.strip() else None

    def holds(self, now: datetime) -> bool:
        """Whether it is quiet at this moment."""
        time = f"{now.astimezone(self._zone):%H:%M}"
        if self._from < self._to:
            return self._from <= time < self._to
        return time >= self._from or time < self._to

    def excepts(self, offer: Offer, now: datetime) -> bool:
        """Whether this is told all the same."""
        return self._except is not None and passes(self._except, offer.transition, now=now, health=offer.health)


class _Held(Struct):
    """An item that flips: whether it was failing when that was said, and what became of it since."""

    failing: bool
    last: Delivery | None = None
    last_failing: bool = False


class _State(Struct):
    """Where one way stands.  ``since`` is when its minute began."""

    since: float = 0.0
    sent: int = 0
    rest: Counter[tuple[str, str]] = field(default_factory=Counter)
    quiet: Counter[tuple[str, str]] = field(default_factory=Counter)
    held: dict[Slot, _Held] = field(default_factory=dict)
    flooded: bool = False


class Pace:
    """The paces of all ways.  Times are given twice: ``now`` is the wall's, ``at`` in seconds that never go back."""

    def __init__(self, chatter: Chatter) -> None:
        self._chatter = chatter
        self._states: dict[Way, _State] = {}
        self._at_most = 1
        self._quiet: Quiet | None = None

    def use(self, ways: Collection[Way], *, at_most: int, quiet: Quiet | None = None) -> None:
        """Go by these from now on.  What is counted stays counted, but by ways that nobody is told by any more."""
        self._at_most = at_most
        self._quiet = quiet
        self._states = {way: state for way, state in self._states.items() if way in ways}

    def offer(self, offers: Iterable[Offer], now: datetime, at: float) -> list[Delivery]:
        """What is to be told at once of what has just happened; the gravest first."""
        told: list[Delivery] = []
        is_quiet = self._is_quiet(now)
        for offer in sorted(offers, key=_gravity):
            hushed = is_quiet and self._quiet is not None and not self._quiet.excepts(offer, now)
            for way, what in offer.ways.items():
                told += self._one(way, what, offer.transition, hushed, at)
        return told

    def _one(self, way: Way, what: What, transition: Transition, hushed: bool, at: float) -> Iterable[Delivery]:
        state = self._states.setdefault(way, _State())
        kind: tuple[str, str] = (transition.fact.kind, what)
        message = words.of(transition, what)
        if times := self._chatter.flips(transition.slot):
            held = state.held.get(transition.slot)
            if held is not None:
                held.last, held.last_failing = Delivery(way, message), transition.failing
                return
            state.held[transition.slot] = _Held(transition.failing)
            kind, message = ("any", "flips"), words.flips(transition, times)
        if hushed:
            state.quiet[kind] += 1
        elif (flood := self._chatter.flood) is not None and isinstance(transition.fact, Incident):
            if state.flooded:
                state.rest[kind] += 1
            else:
                state.flooded = True
                yield self._send(state, Delivery(way, words.flood(flood.count)), at)
        elif self._has_room(way, state, at):
            yield self._send(state, Delivery(way, message), at)
        else:
            state.rest[kind] += 1

    def tick(
        self,
        now: datetime,
        at: float,
        *,
        rested: Collection[Slot] = (),
        fails: Callable[[Slot], bool] = lambda _: False,
    ) -> list[Delivery]:
        """What is to be told since time has passed.  ``rested`` are the slots that flip no more, ``fails`` how they
        stand now.  To be called every second or so."""
        is_quiet = self._is_quiet(now)
        told: list[Delivery] = []
        for way, state in self._states.items():
            for slot in rested:
                held = state.held.pop(slot, None)
                if held is None or held.last is None or held.last_failing == held.failing:
                    continue
                if held.last_failing == fails(slot):
                    told += self._late(way, state, held.last, is_quiet, at)
            if is_quiet:
                state.quiet += state.rest
                state.rest.clear()
                continue
            if state.quiet:
                told.append(self._send(state, Delivery(way, words.quiet(state.quiet)), at))
                state.quiet.clear()
            if state.flooded and self._chatter.flood is None:
                state.flooded = False
                told.append(self._send(state, Delivery(way, words.ebbed()), at))
            if state.rest and at - state.since >= WINDOW:
                state.since, state.sent = at, 0
                told.append(self._send(state, Delivery(way, words.more(state.rest)), at))
                state.rest.clear()
        return told

    def look(self) -> Message | None:
        """Somebody looks at the board: what quiet hours held back from those who look at it, told once."""
        counts: Counter[tuple[str, str]] = Counter()
        for way, state in self._states.items():
            if way.name != "command":
                counts |= state.quiet  # the same things, by several ways
                state.quiet.clear()
        return words.quiet(counts) if counts else None

    def _late(self, way: Way, state: _State, delivery: Delivery, is_quiet: bool, at: float) -> Iterable[Delivery]:
        kind = (delivery.message.fields["kind"], delivery.message.fields["what"])
        if is_quiet:
            state.quiet[kind] += 1
        elif self._has_room(way, state, at):
            yield self._send(state, delivery, at)
        else:
            state.rest[kind] += 1

    def _is_quiet(self, now: datetime) -> bool:
        return self._quiet is not None and self._quiet.holds(now)

    def _has_room(self, way: Way, state: _State, at: float) -> bool:
        if at - state.since >= WINDOW and not state.rest:
            state.since, state.sent = at, 0
        return state.sent < (min(self._at_most, VISUAL_AT_MOST) if way.name == "visual" else self._at_most)

    def _send(self, state: _State, delivery: Delivery, at: float) -> Delivery:
        if not state.sent:
            state.since = at
        state.sent += 1
        return delivery


def _gravity(offer: Offer) -> tuple[bool, int, str]:
    fact = offer.transition.fact
    rank = RANK[fact.severity if isinstance(fact, Incident) else "high"]
    return (not offer.transition.failing, -rank, fact.key)
