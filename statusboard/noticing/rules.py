"""Which transitions a config asks to be told of, and by which ways."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from statusboard.noticing.options import RuleOptions, WayName, What
from statusboard.noticing.watch import Transition
from statusboard.query import Query, parse


class Way(Struct, frozen=True):
    """A way to tell somebody: each command is one of its own."""

    name: WayName
    command: tuple[str, ...] = ()


class Rules:
    """Rules, read once."""

    def __init__(self, rules: Iterable[RuleOptions]) -> None:
        self._rules = [_Rule(parse(rule.when), frozenset(rule.on), _ways(rule)) for rule in rules]

    @property
    def every_way(self) -> frozenset[Way]:
        """All ways that they name."""
        return frozenset(way for rule in self._rules for way in rule.ways)

    def ways(self, transition: Transition, *, now: datetime, health: str) -> dict[Way, What]:
        """By which ways this is told, and as what: by each way once, as what the first rule says that names it."""
        found: dict[Way, What] = {}
        for rule in self._rules:
            what = next((what for what in transition.whats if what in rule.on), None)
            if what is not None and passes(rule.when, transition, now=now, health=health):
                for way in rule.ways:
                    found.setdefault(way, what)
        return found


class _Rule(Struct, frozen=True):
    when: Query
    on: frozenset[What]
    ways: tuple[Way, ...]


def _ways(rule: RuleOptions) -> tuple[Way, ...]:
    return tuple(Way(name, rule.command if name == "command" else ()) for name in dict.fromkeys(rule.by))


def passes(query: Query, transition: Transition, *, now: datetime, health: str) -> bool:
    """Whether the transition's item passes a filter, as it stands now."""
    return query.matches(
        transition.fact, current=transition.current, failing=transition.failing, now=now, health=health
    )
