"""Which suspects were found, kept by day: what rests on the same facts need not be found again.  Pure.

A day's *stamp* stands for all that its finds rest on: the incidents and rollouts of that day and of as much time around
it as the weights reach, what is known of services, repositories and teams, the weights, and the rules themselves.  So
whoever keeps finds need not know what may change them: where the stamp differs, they are made anew.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from statusboard.model import Incident
from statusboard.rollouts import Rollout
from statusboard.weights import Weights

DAY: Final = 86_400
"""Seconds.  Days are those of UTC, counted from 1970."""
_MANY: Final = 1_000
"""Facts that are put in their days between two chances to stop."""
_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=float)  # as a `Duration` is
_WHICH: Final = itemgetter(0)


class Finds(Struct, frozen=True, array_like=True):
    """What was found for the incidents that began on a day: of each the episode (key and number), and the key of the
    release that is suspected most, ``""`` where none is."""

    stamp: bytes
    found: list[tuple[str, int, str]]


_Episode: TypeAlias = tuple[str, int]
_Words: TypeAlias = Mapping[str | _Episode, int]
_Broken: TypeAlias = tuple[float, _Episode, Incident]
"""When an incident began, which episode it is, and what it says."""


class Memory:
    """The finds that were kept, for one reading of all facts.

    ``rules`` stands for whatever decides on finds and is not told to `recall`; with none of it nothing is kept.
    """

    def __init__(self, kept: Mapping[int, Finds] | None = None, rules: bytes = b"") -> None:
        self._kept = kept or {}
        self._rules = rules
        self._words: dict[str | _Episode, int] = {}
        self._stamps: dict[int, bytes] = {}
        self._known: dict[_Episode, str] = {}
        self._anew: dict[int, list[tuple[str, int, str]]] = {}
        #: Whether `recall` is still to be called.
        self.asleep = bool(rules)

    def hear(self, who: str | _Episode, word: int) -> None:
        """Note the number of a fact's newest word: of a release by its key, of an incident by its episode.

        Another number is another word; what has none (0) is compared by all that it says.
        """
        self._words[who] = word

    def recall(
        self, basis: object, weights: Weights, rollouts: Iterable[Rollout], broken: Iterable[_Broken]
    ) -> Generator[None, None, None]:
        """Find out which finds still hold, in steps.

        ``basis``: what finds of all days rest on; its sets and mappings must have been put in order.
        """
        found = yield from stamps(_stamp((self._rules, weights, basis)), weights, rollouts, broken, self._words)
        for day, stamp in found.items():
            kept = self._kept.get(day)
            if kept is not None and kept.stamp == stamp:
                self._known.update(((key, number), release) for key, number, release in kept.found)
            else:
                self._stamps[day] = stamp
            yield
        self._kept, self._words = {}, {}
        self.asleep = False

    def find(self, episode: _Episode) -> str | None:
        """What was found for an episode: a release's key, ``""`` for none; None where it is to be found anew."""
        return self._known.get(episode)

    def note(self, began: float, episode: _Episode, release: str) -> None:
        """Something was found anew."""
        if self._stamps:
            day = int(began // DAY)
            if day in self._stamps:
                self._anew.setdefault(day, []).append((*episode, release))

    def forget(self) -> dict[int, Finds]:
        """All has been found: let go of it.  Returns what was found anew, by day."""
        anew = {day: Finds(self._stamps[day], found) for day, found in self._anew.items()}
        self._stamps, self._known, self._anew = {}, {}, {}
        return anew


def stamps(
    basis: bytes,
    weights: Weights,
    rollouts: Iterable[Rollout],
    broken: Iterable[_Broken],
    words: _Words,
) -> Generator[None, None, dict[int, bytes]]:
    """The stamp of each day on which incidents began, in steps; ``words`` as `Memory.hear` is told.

    ``basis`` is the stamp of what all days rest on.
    """
    out: dict[int, list[object]] = {}
    for count, each in enumerate(rollouts, 1):
        key = each.releases[0].key
        if len(each.starts) > 1 or each.undone or each.undoes:
            told = [words.get(release.key) or release for release in each.releases]
            entry: tuple[object, ...] = (key, told, each.undoes, each.undone, each.undone_at)
        else:
            entry = (key, words.get(key) or each.releases[0])
        out.setdefault(int(each.began // DAY), []).append(entry)
        if not count % _MANY:
            yield
    down: dict[int, list[object]] = {}
    for count, (began, episode, incident) in enumerate(broken, 1):
        down.setdefault(int(began // DAY), []).append((episode, words.get(episode) or incident))
        if not count % _MANY:
            yield
    rolled = yield from _stamped(out)
    broke = yield from _stamped(down)
    before, after, beside = _days(weights.window), _days(weights.tolerance), _days(weights.at_once)
    return {
        day: _stamp([
            basis,
            [rolled.get(day + n) for n in range(-before, after + 1)],
            [broke.get(day + n) for n in range(-beside, beside + 1)],
        ])
        for day in down
    }  # fmt: skip


def _stamped(days: Mapping[int, list[Any]]) -> Generator[None, None, dict[int, bytes]]:
    found = {}
    for day, entries in days.items():
        entries.sort(key=_WHICH)
        found[day] = _stamp(entries)
        yield
    return found


def _stamp(basis: object) -> bytes:
    return blake2b(_ENCODER.encode(basis), digest_size=16).digest()


def _days(seconds: float) -> int:
    return -int(-seconds // DAY)
