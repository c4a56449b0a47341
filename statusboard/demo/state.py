"""The state of the pretend company, and the agenda of what happens next.

Nothing here looks at a clock: time is what `State.advance` is told.  Everything that happens is an entry of the agenda
and runs at its own time, so a world that is advanced once by an hour and one that is advanced every second end alike.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from random import Random
from typing import TypeVar, cast

from statusboard.demo.names import SUFFIXES, TEAM_OF
from statusboard.demo.records import Alert, Fault, Service, Silence, Ticket, Vendor

T = TypeVar("T")

BIGGEST = 90
"""The size at which the world holds about 10,000 items; larger ones are cut to it."""

MOST_OWN = 12
"""Of the first so many services, every fourth has not moved to GitHub."""

LONGEST_JUMP = 3600.0
"""Seconds.  After a longer pause (a laptop that slept) the story goes on where it was, instead of being caught up."""


FIRST_IDS: Mapping[str, int] = {
    "run": 17_604_210_000,
    "deployment": 2_894_117_000,
    "status": 8_120_554_000,
    "build": 31_400,
    "request": 34_200,
    "rollout": 2_600,
    "publication": 118_300,
    "issue": 6_400,
    "ticket": 4_100,
}
"""The ids that were given last before the world begins: there was a time before."""


class State:
    """Who and what there is, what happened, and what will.

    ``size`` multiplies the items, ``speed`` divides the durations of the story.  ``start`` is the Unix time at which
    the watcher arrives; the past lies before it.
    """

    def __init__(self, *, seed: int, size: int, speed: float, start: float, past: float) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, not {size}")
        if not speed > 0:
            raise ValueError(f"speed must be greater than 0, not {speed}")
        self.seed = seed
        self.rng = Random(seed)
        self.size = min(size, BIGGEST)
        self.speed = speed
        self.start = start
        self.now = start - past
        self.services = _services(self.rng, self.size)
        self.tracker: list[Ticket] = []
        """The issues of Roundup, oldest first."""
        self.alerts: list[Alert] = []
        self.silences: list[Silence] = []
        self.faults: dict[Vendor, Fault] = {}
        """Which vendors cannot be read at the moment, and how that looks."""
        self.deploy_lines: list[dict[str, str]] = []
        """What the deploy log has still to write."""
        self.revisions: Counter[str] = Counter()
        """How often each scope (`touch`) has changed."""
        self._ids: Counter[str] = Counter(FIRST_IDS)
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()
        self._decks: dict[str, list[object]] = {}

    # ------------------------------------------------------------------------------------------------------- time

    def at(self, when: float, do: Callable[[], object]) -> None:
        """Run ``do`` at the Unix time ``when``."""
        heapq.heappush(self._agenda, (max(when, self.now), next(self._order), do))

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        """Run ``do`` in ``seconds`` of the story, which are shorter on the clock when the speed is higher."""
        self.at(self.now + seconds / self.speed, do)

    def advance(self, to: float) -> None:
        """Let everything happen that is due by ``to`` (Unix seconds).  Time never runs backwards."""
        if to - self.now > LONGEST_JUMP:
            gap = to - self.now
            self._agenda = [
                (when + gap, order, do) for when, order, do in self._agenda
            ]  # still a heap: all moved alike
            for silence in self.silences:
                silence.ends += gap
            self.now = to
        else:
            self.run(to)

    def run(self, to: float) -> None:
        """As `advance`, however far it is."""
        while self._agenda and self._agenda[0][0] <= to:
            when, _, do = heapq.heappop(self._agenda)
            self.now = when
            do()
        self.now = max(self.now, to)

    # -------------------------------------------------------------------------------------------------- bookkeeping

    def touch(self, scope: str) -> None:
        """Note that ``scope`` (``alerts``, ``builds:checkout``) has changed: rendered answers of it are void."""
        self.revisions[scope] += 1

    def next_id(self, of: str) -> int:
        """The next id of a kind: vendors' global ids have gaps, the rest counts by one."""
        self._ids[of] += self.rng.randint(1, 9) if self._ids[of] > 1_000_000 else 1
        return self._ids[of]

    def deal(self, name: str, cards: Sequence[T]) -> T:
        """The next card of a shuffled deck: each comes once before any comes again."""
        deck = self._decks.get(name)
        if not deck:
            deck = self._decks[name] = list(cards)
            self.rng.shuffle(deck)
        return cast(T, deck.pop())  # a deck is only ever filled with the cards of its own name

    def sha(self) -> str:
        return f"{self.rng.getrandbits(160):040x}"

    # ------------------------------------------------------------------------------------------------------ look-ups

    def service(self, name: str) -> Service:
        """The service called ``name``.  `LookupError` where there is none."""
        for service in self.services:
            if service.name == name:
                return service
        raise LookupError(f"there is no service {name!r} in this world")

    @property
    def hosted(self) -> list[Service]:
        """The services that build and deploy with GitHub."""
        return [service for service in self.services if service.ci == "actions"]

    @property
    def own(self) -> list[Service]:
        """The services that build with Buildbot and deploy with a script that writes the deploy log."""
        return [service for service in self.services if service.ci == "buildbot"]

    def silenced_by(self, alert: Alert) -> list[str]:
        """The ids of the silences that cover ``alert`` now."""
        return [s.id for s in self.silences if s.ends > self.now and s.covers(alert.labels)]


def trim(items: list[T], keep: int, over: Callable[[T], bool]) -> None:
    """Drop the oldest of the items that are over while there are more than ``keep``: a demo may run for months."""
    while len(items) > keep:
        index = next((index for index, item in enumerate(items) if over(item)), None)
        if index is None:
            return
        del items[index]


def _services(rng: Random, size: int) -> list[Service]:
    """8 services at size 1; 76 at the biggest size, where each has more of everything."""
    wanted = round(8 * size**0.5)
    names = list(TEAM_OF)
    names += [f"{name}-{suffix}" for suffix in SUFFIXES for name in TEAM_OF]
    services = []
    for index, name in enumerate(names[:wanted]):
        version = f"v{rng.randint(1, 4)}.{rng.randint(0, 30)}.{rng.randint(0, 5)}"
        own = index % 4 == 3 and index < MOST_OWN
        pipelines = [f"{name}-unit", f"{name}-package"] if own else ["CI"]
        if not own and index % 3 == 2:
            pipelines.append("e2e")
        elif not own and index % 3 == 1:
            pipelines.append("nightly")
        services.append(
            Service(
                name=name,
                team=TEAM_OF[name.split("-")[0]],
                repo_id=64_000_000 + index * 1_217,
                ci="buildbot" if own else "actions",
                pipelines=tuple(pipelines),
                version=version,
                latest=version,
                numbers={"#": 300 + rng.randint(200, 900)}
                | {pipeline: 1_000 + rng.randint(500, 4_000) for pipeline in pipelines},
            )
        )
    return services
