"""From what a filter means to a function that tests one item.  Everything that can be worked out beforehand is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from statusboard.clock import parse_duration
from statusboard.current import UNREAD, is_unknown, is_unowned
from statusboard.model import ITEM_KINDS, SEVERITIES, Build, Fact, Incident, Release, Ticket, remote_id
from statusboard.query.language import (
    ALL_STATES,
    FIELDS,
    HAS,
    IS,
    RANK,
    All,
    Either,
    Node,
    Not,
    Pattern,
    Term,
    Value,
    Words,
    in_order,
    matcher,
    members,
    moment_of,
)

Test: TypeAlias = Callable[[Fact, bool, bool, datetime, str], bool]
"""(fact, current, failing, now, health) -> whether it matches."""

TYPES: Final[Mapping[str, type[Fact]]] = {"build": Build, "incident": Incident, "release": Release, "ticket": Ticket}
_TEXT_FIELDS: Final = (
    *("reason", "team", "environment", "target", "repository", "pipeline", "branch", "change", "version", "revision"),
    *("ticket_id", "actor", "assignee"),
)


def compile_node(node: Node) -> Test:
    """The test of a whole filter."""
    match node:
        case Term():
            return _compile_term(node)
        case Words():
            return _compile_words(node.pattern)
        case Not():
            inner = compile_node(node.node)
            return lambda fact, current, failing, now, health: not inner(fact, current, failing, now, health)
        case All() if not node.nodes:
            return lambda fact, current, failing, now, health: True
        case All():
            tests = [compile_node(inner) for inner in node.nodes]

            def every(fact: Fact, current: bool, failing: bool, now: datetime, health: str) -> bool:
                for test in tests:  # noqa: SIM110 - a generator would cost more than the tests
                    if not test(fact, current, failing, now, health):
                        return False
                return True

            return every
        case Either():
            tests = [compile_node(inner) for inner in node.nodes]

            def some(fact: Fact, current: bool, failing: bool, now: datetime, health: str) -> bool:
                for test in tests:  # noqa: SIM110 - as above
                    if test(fact, current, failing, now, health):
                        return True
                return False

            return some


def _compile_term(term: Term) -> Test:
    key, values = term.key, term.values
    match key:
        case "kind":
            types = frozenset(TYPES[kind] for value in values for kind in members(ITEM_KINDS, value.pattern))
            return lambda fact, current, failing, now, health: type(fact) in types
        case "state":
            states = frozenset(state for value in values for state in members(ALL_STATES, value.pattern))
            return lambda fact, current, failing, now, health: fact.state in states
        case "severity":
            severities = frozenset(severity for value in values for severity in _severities(value))
            return lambda fact, current, failing, now, health: type(fact) is Incident and fact.severity in severities
        case "is":
            return _one_of([_IS_TESTS[word] for word in IS if any(word in members(IS, v.pattern) for v in values)])
        case "has":
            fields = tuple({HAS[word] for value in values for word in members(HAS, value.pattern)})
            return lambda fact, current, failing, now, health: any(getattr(fact, name, None) for name in fields)
        case "since" | "before":
            return _compile_time(key, values[0].pattern.text)
        case "label":
            return _one_of([_compile_label(value) for value in values])
        case "title":
            finders = [finder(value.pattern) for value in values]
            return lambda fact, current, failing, now, health: any(find(fact.title.lower()) for find in finders)
        case "id":
            return _compile_id(values)
        case _:
            return _compile_field(key, values)


def _one_of(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda fact, current, failing, now, health: any(t(fact, current, failing, now, health) for t in tests)


def _severities(value: Value) -> frozenset[str]:
    if not value.op:
        return members(SEVERITIES, value.pattern)
    limit = RANK[value.pattern.text]
    return frozenset(
        word
        for word, rank in RANK.items()
        if (rank == limit and "=" in value.op)
        or (rank > limit and ">" in value.op)
        or (rank < limit and "<" in value.op)
    )


_IS_TESTS: Final[Mapping[str, Test]] = {
    "failing": lambda fact, current, failing, now, health: failing,
    "current": lambda fact, current, failing, now, health: current,
    "unowned": lambda fact, current, failing, now, health: is_unowned(fact),
    "suppressed": lambda fact, current, failing, now, health: fact.state == "suppressed",
    "running": lambda fact, current, failing, now, health: fact.state == "running",
    "stale": lambda fact, current, failing, now, health: health in UNREAD,
    "unknown": lambda fact, current, failing, now, health: is_unknown(fact),
}


def _compile_time(key: str, text: str) -> Test:
    fixed = moment_of(text)
    length = timedelta() if fixed is not None else timedelta(seconds=parse_duration(text))
    recent = key == "since"

    def test(fact: Fact, current: bool, failing: bool, now: datetime, health: str) -> bool:
        ended: datetime | None = getattr(fact, "ended_at", None)
        times = [moment for moment in (fact.started_at, fact.updated_at, ended) if moment is not None]
        return bool(times) and (max(times) >= (now - length if fixed is None else fixed)) is recent

    return test


def _compile_label(value: Value) -> Test:
    name = matcher(value.pattern)
    content = None if value.equals is None else matcher(value.equals)

    def test(fact: Fact, current: bool, failing: bool, now: datetime, health: str) -> bool:
        labels: Mapping[str, str] = getattr(fact, "labels", {})
        return any(name(key.lower()) and (content is None or content(text.lower())) for key, text in labels.items())

    return test


def _compile_id(values: tuple[Value, ...]) -> Test:
    fits = _any_of([Value(Pattern((v.pattern.parts[0].removeprefix("#"), *v.pattern.parts[1:]))) for v in values])

    def test(fact: Fact, current: bool, failing: bool, now: datetime, health: str) -> bool:
        if fits(remote_id(fact.key)) or fits(fact.key):
            return True
        if isinstance(fact, Ticket):
            return fits(fact.ticket_id.removeprefix("#"))
        return isinstance(fact, Build) and fact.run_number is not None and fits(str(fact.run_number))

    return test


def _compile_field(key: str, values: tuple[Value, ...]) -> Test:
    fits = _any_of(values)
    if key == "service":
        return lambda fact, current, failing, now, health: any(map(fits, getattr(fact, "services", ()) or ("",)))
    if key == "repository":
        # `repo:checkout` is what people type for acme/checkout.
        return lambda fact, current, failing, now, health: (
            fits(name := getattr(fact, key, "")) or ("/" in name and fits(name.rpartition("/")[2]))
        )
    if key == "revision":
        starts = tuple(value.pattern.text for value in values if value.pattern.exact and value.pattern.text)
        return lambda fact, current, failing, now, health: (
            fits(text := getattr(fact, key, "")) or (bool(starts) and text.lower().startswith(starts))
        )
    if key == "change":
        return lambda fact, current, failing, now, health: (
            fits(text := getattr(fact, key, "")) or fits("#" + text if text else "")
        )
    field = FIELDS[key][0]
    return lambda fact, current, failing, now, health: fits(getattr(fact, field, ""))


def _text_fields(type_: type[Fact]) -> tuple[str, ...]:
    return tuple(name for name in _TEXT_FIELDS if name in type_.__struct_fields__)


_TEXT_OF: Final = {type_: _text_fields(type_) for type_ in TYPES.values()}


def _compile_words(pattern: Pattern) -> Test:
    find = finder(pattern)
    whole_key = ":" in pattern.text

    def test(fact: Fact, current: bool, failing: bool, now: datetime, health: str) -> bool:
        if find(fact.title.lower()):
            return True
        # A key begins with its source and kind: `build` must not find every build, a key that was pasted must.
        if find((fact.key if whole_key else remote_id(fact.key)).lower()):
            return True
        if not isinstance(fact, Build | Incident | Release | Ticket):
            return False
        for name in _TEXT_OF[type(fact)]:
            text: str = getattr(fact, name)
            if text and find(text.lower()):
                return True
        return any(find(text.lower()) for text in (*fact.services, *fact.labels.values()))

    return test


def finder(pattern: Pattern) -> Callable[[str], bool]:
    """Whether the pattern occurs in a text, in lower case."""
    if pattern.exact:
        needle = pattern.text
        return lambda text: needle in text
    return lambda text: in_order(pattern.parts, text, 0, len(text))


def _any_of(values: Iterable[Value]) -> Callable[[str], bool]:
    """Whether a text, in any case, is one of these."""
    exact = frozenset(value.pattern.text for value in values if value.pattern.exact)
    others = [matcher(value.pattern) for value in values if not value.pattern.exact]
    if not others:
        return lambda text: text.lower() in exact
    return lambda text: (low := text.lower()) in exact or any(match(low) for match in others)
