"""The filter language of views, the filter bar and ``--fail-on``.

    state:failed team:payments kind:build -label:flaky since:2h "free text"

Terms side by side must all hold; ``OR`` (in capitals) between them means either, ``( )`` group, ``-`` in front negates.
Everything is compared without regard to case.

``key:value``         the field is that value or fits a pattern with ``*``; ``key:a,b`` is either, ``key:""`` not known
``label:name``        has this label; ``label:name=value`` with this value
``severity:>=high``   by rank (critical high medium low info), also for ``<``, ``<=``, ``>``; unknown ranks with high,
                      so that nothing unknown is filtered out as harmless
``since:2h``          something happened (began, changed, ended) within that time, or since a date ``2026-01-31``
``before:1d``         nothing happened since; an item without any time matches neither
``is:failing``        also current, unowned, suppressed, running, unknown, stale (its source is not being read)
``has:url``           the field is known
``word``, ``"a b"``   occurs in the title, reason, key, service, team, environment, repository, pipeline, branch,
                      version, a person's name or a label's value; ``*`` in a word stands for anything

Quotes keep spaces, commas, colons, brackets and ``*`` as they are (``team:"site reliability"``); within them ``\\"`` is
a quote and ``\\\\`` a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Final, NamedTuple, NoReturn, TypeAlias

from msgspec import Struct

from statusboard.clock import parse_duration, parse_time
from statusboard.current import UNREAD, is_unknown, is_unowned
from statusboard.errors import QueryError
from statusboard.model import ITEM_KINDS, SEVERITIES, STATES, Build, Fact, Incident, Release, Ticket, remote_id

MAX_LENGTH: Final = 2_000
"""Longest filter, in characters."""
MAX_DEPTH: Final = 20
"""How deep brackets may stand within each other."""

Test: TypeAlias = Callable[[Fact, bool, bool, datetime, str], bool]
"""(fact, current, failing, now, health) -> whether it matches."""

_TYPES: Final[Mapping[str, type[Fact]]] = {"build": Build, "incident": Incident, "release": Release, "ticket": Ticket}
_STATES: Final = tuple(dict.fromkeys(state for kind in ITEM_KINDS for state in sorted(STATES[kind])))
_IS: Final = ("failing", "current", "unowned", "suppressed", "running", "stale", "unknown")
_RANK: Final = {"info": 0, "low": 1, "medium": 2, "high": 3, "unknown": 3, "critical": 4}

#: Key -> the fields it is compared with.
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "source": ("source",),
    "service": ("services",),
    "team": ("team",),
    "environment": ("environment",),
    "target": ("target",),
    "repository": ("repository",),
    "pipeline": ("pipeline",),
    "branch": ("branch",),
    "change": ("change",),
    "revision": ("revision",),
    "version": ("version",),
    "actor": ("actor",),
    "trigger": ("trigger",),
    "assignee": ("assignee",),
    "priority": ("priority",),
    "type": ("type",),
}
_HAS: Final[Mapping[str, str]] = {
    **{key: fields[0] for key, fields in _FIELDS.items() if key not in ("source", "type")},
    "url": "url",
    "links": "links",
    "labels": "labels",
    "reason": "reason",
    "description": "description",
    "title": "title",
    "started": "started_at",
    "ended": "ended_at",
}
_ENUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "state": _STATES,
    "kind": ITEM_KINDS,
    "severity": SEVERITIES,
    "is": _IS,
    "has": tuple(_HAS),
}
KEYS: Final[tuple[str, ...]] = (*_ENUMS, *_FIELDS, "label", "title", "id", "since", "before")
"""Every key, without its other names."""
ALIASES: Final[Mapping[str, str]] = {
    "env": "environment",
    "repo": "repository",
    "ticket": "id",
    "key": "id",
    "pr": "change",
    "workflow": "pipeline",
    "job": "pipeline",
    "status": "state",
    "author": "actor",
    "labels": "label",
    "services": "service",
}
_TEXT_FIELDS: Final = (
    *("reason", "team", "environment", "target", "repository", "pipeline", "branch", "change", "version", "revision"),
    *("ticket_id", "actor", "assignee"),
)


class Pattern(Struct, frozen=True):
    """Text to compare with, in lower case; between its ``parts`` anything may stand (where a ``*`` was)."""

    parts: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether it is one text, without ``*``."""
        return len(self.parts) == 1

    @property
    def text(self) -> str:
        """As it was meant, with ``*``."""
        return "*".join(self.parts)

    def __str__(self) -> str:
        return "*".join(part and _quoted(part) for part in self.parts) or '""'


class Value(Struct, frozen=True):
    """One of a term's values.  ``op`` is that of a severity; ``equals`` the value of ``label:name=value``."""

    pattern: Pattern
    op: str = ""
    equals: Pattern | None = None

    def __str__(self) -> str:
        return f"{self.op}{self.pattern}" + (f"={self.equals}" if self.equals is not None else "")


class Term(Struct, frozen=True):
    """``key:value,value``."""

    key: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.key}:{','.join(map(str, self.values))}"


class Words(Struct, frozen=True):
    """Free text, found anywhere in an item."""

    pattern: Pattern

    def __str__(self) -> str:
        return str(self.pattern)


class Not(Struct, frozen=True):
    """What must not hold."""

    node: Node

    def __str__(self) -> str:
        return f"-({self.node})" if isinstance(self.node, All | Either | Not) else f"-{self.node}"


class All(Struct, frozen=True):
    """What must all hold; empty: everything does."""

    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return " ".join(f"({node})" if isinstance(node, Either) else str(node) for node in self.nodes)


class Either(Struct, frozen=True):
    """Of which one must hold."""

    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return " OR ".join(map(str, self.nodes))


Node: TypeAlias = Term | Words | Not | All | Either


class Query:
    """A parsed filter.  ``text`` is what was typed, ``root`` what it means; ``str()`` writes the meaning down again.

    ``needs_clock``: time alone can change what matches.  ``needs_health``: `matches` must be told the state of the
    item's source.
    """

    __slots__ = ("_test", "matches_all", "needs_clock", "needs_health", "root", "text")

    def __init__(self, text: str, root: Node) -> None:
        self.text = text
        self.root = root
        self.matches_all = root == All(())
        terms = list(_terms(root))
        self.needs_clock = any(
            term.key in ("since", "before") and _moment(term.values[0].pattern.text) is None for term in terms
        )
        self.needs_health = any(
            term.key == "is" and "stale" in _members(_IS, value.pattern) for term in terms for value in term.values
        )
        self._test = _compile(root)

    def matches(self, fact: Fact, *, current: bool, failing: bool, now: datetime, health: str = "") -> bool:
        """Whether this fact passes.  ``health`` is the state of its source, for ``is:stale``."""
        return self._test(fact, current, failing, now, health)

    def __str__(self) -> str:
        return str(self.root)

    def __repr__(self) -> str:
        return f"parse({self.text!r})"


def parse(text: str) -> Query:
    """The filter that ``text`` means; empty text matches everything.

    Raises `QueryError` with the span of characters that is wrong and what would be right.
    """
    return Query(text, _Parser(text).parse())


# -- reading ---------------------------------------------------------------------------------------------------------


class _Char(NamedTuple):
    """A character of a word; an opening quote leaves one with ``char == ""``, so that ``""`` is not nothing."""

    char: str
    quoted: bool
    at: int


_Word: TypeAlias = list[_Char]

_EXAMPLES: Final[Mapping[str, str]] = {
    "state": "failed",
    "kind": "build",
    "severity": ">=high",
    "is": "failing",
    "has": "url",
    "label": "flaky",
    "since": "2h",
    "before": "1d",
    "id": "1234",
    "branch": "main",
}


class _Parser:
    """Recursive descent over the text, from left to right, once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def parse(self) -> Node:
        if len(self.text) > MAX_LENGTH:
            raise QueryError(f"a filter has at most {MAX_LENGTH} characters", MAX_LENGTH, len(self.text))
        node = self.either(0)
        if node is None:
            if self.at == len(self.text):
                return All(())
            self.fail("nothing is open that this ) could close; put quotes around text that has brackets", self.at)
        if self.at < len(self.text):
            self.fail("nothing is open that this ) could close; put quotes around text that has brackets", self.at)
        return node

    def fail(self, message: str, start: int, end: int | None = None) -> NoReturn:
        raise QueryError(message, start, start + 1 if end is None else end)

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def skip_space(self) -> None:
        while self.peek().isspace():
            self.at += 1

    def at_or(self) -> bool:
        text, at = self.text, self.at
        return text.startswith("OR", at) and (at + 2 == len(text) or text[at + 2].isspace() or text[at + 2] in "()")

    def either(self, depth: int) -> Node | None:
        nodes: list[Node] = []
        between: int | None = None
        while True:
            node = self.all(depth)
            if node is None and (between is not None or self.at_or()):
                start = self.at if between is None else between
                self.fail('OR needs something on either side; put quotes around the word: "OR"', start, start + 2)
            if node is None:
                return None
            nodes += node.nodes if isinstance(node, Either) else (node,)
            if not self.at_or():
                return nodes[0] if len(nodes) == 1 else Either(tuple(nodes))
            between = self.at
            self.at += 2

    def all(self, depth: int) -> Node | None:
        nodes: list[Node] = []
        while True:
            self.skip_space()
            if self.peek() in ("", ")") or self.at_or():
                break
            node = self.term(depth)
            nodes += node.nodes if isinstance(node, All) else (node,)
        if not nodes:
            return None
        return nodes[0] if len(nodes) == 1 else All(tuple(nodes))

    def term(self, depth: int) -> Node:
        start = self.at
        if self.peek() == "-":
            self.at += 1
            if self.peek() in ("", ")", "-") or self.peek().isspace():
                self.fail('something to leave out must follow the -; put a dash itself in quotes: "-"', start)
            return Not(self.term(depth))
        if self.peek() != "(":
            return self.read(self.word())
        if depth == MAX_DEPTH:
            self.fail(f"brackets stand at most {MAX_DEPTH} deep", start)
        self.at += 1
        node = self.either(depth + 1)
        if self.peek() != ")":
            self.fail("this ( is never closed; put quotes around text that has brackets", start)
        self.at += 1
        if node is None:
            self.fail("there is nothing between these brackets", start, self.at)
        return node

    def word(self) -> _Word:
        """The characters up to the next space or bracket that is not in quotes."""
        word: _Word = []
        while (char := self.peek()) and not char.isspace() and char not in "()":
            if char == '"':
                self.quoted(word)
            else:
                word.append(_Char(char, False, self.at))
                self.at += 1
        return word

    def quoted(self, word: _Word) -> None:
        start = self.at
        word.append(_Char("", True, start))
        self.at += 1
        while (char := self.peek()) != '"':
            if not char:
                self.fail("this quote is never closed", start, len(self.text))
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in ('"', "\\"):
                self.at += 1
                char = self.peek()
            word.append(_Char(char, True, self.at))
            self.at += 1
        self.at += 1

    def read(self, word: _Word) -> Node:
        end = self.at
        start = word[0].at
        colon = _find(word, ":")
        if colon is None:
            pattern = _pattern(word)
            if not pattern.text:
                self.fail("there is nothing between these quotes", start, end)
            return Words(pattern)
        name = "".join(c.char for c in word[:colon]).lower()
        at = word[colon].at
        if not name or any(c.quoted for c in word[:colon]):
            self.fail("a key must stand before this colon; put quotes around text that has a colon", start, at + 1)
        key = ALIASES.get(name, name)
        if key not in KEYS:
            near = _near(name, (*KEYS, *ALIASES))
            self.fail(
                f"unknown key `{name}`: did you mean `{near}`?"
                if near
                else f"unknown key `{name}`: use one of {', '.join(KEYS)}; put quotes around text that has a colon",
                start,
                at,
            )
        rest = word[colon + 1 :]
        if not rest:
            self.fail(f"`{name}:` needs a value, like `{name}:{_EXAMPLES.get(key, 'name')}`", start, end)
        return Term(key, tuple(self.values(name, key, rest, end)))

    def values(self, name: str, key: str, rest: _Word, end: int) -> Iterable[Value]:
        while True:
            comma = _find(rest, ",")
            chars = rest if comma is None else rest[:comma]
            stop = end if comma is None else rest[comma].at
            if not chars:
                # The comma is marked: the one before the gap or, where the value begins with it, the one after.
                self.fail("a value is missing beside this comma", stop if stop < end else stop - 1)
            if key in ("since", "before") and comma is not None:
                self.fail(f"`{name}:` takes one value", chars[0].at, end)
            yield self.value(name, key, chars, stop)
            if comma is None:
                return
            rest = rest[comma + 1 :]

    def value(self, name: str, key: str, chars: _Word, end: int) -> Value:
        start = chars[0].at
        if key == "label":
            equals = _find(chars, "=")
            if equals == 0:
                self.fail("a label's name must stand before the =, like `label:name=value`", start, end)
            if equals is not None:
                return Value(_pattern(chars[:equals]), equals=_pattern(chars[equals + 1 :]))
            return Value(_pattern(chars))
        if key in ("since", "before"):
            pattern = _pattern(chars)
            self.check_time(name, pattern.text, start, end)
            return Value(Pattern((pattern.text,)))
        op = ""
        if key == "severity":
            while chars and not chars[0].quoted and chars[0].char in "<>=":
                op += chars.pop(0).char
            if op not in ("", "=", "<", "<=", ">", ">="):
                self.fail(f"`{op}` is no comparison: use <, <=, > or >=", start, start + len(op))
            if not chars:
                self.fail(f"a severity must follow: {', '.join(SEVERITIES)}", start, end)
        pattern = _pattern(chars)
        if key not in _ENUMS:
            return Value(pattern)
        pattern = _normal(key, pattern)
        if not _members(_ENUMS[key], pattern):
            self.fail(_not_one_of(name, key, pattern.text), start + len(op), end)
        if op and op != "=" and not pattern.exact:
            self.fail("a comparison needs one severity, without *", start, end)
        return Value(pattern, op.replace("=", "") if op == "=" else op)

    def check_time(self, name: str, text: str, start: int, end: int) -> None:
        if _moment(text) is not None:
            return
        try:
            if not text.isdecimal():
                parse_duration(text)
                return
        except ValueError:
            pass  # told below, together with what would be right
        self.fail(f"`{text[:40]}` is no length of time: write `{name}:15m`, `2h`, `1d` or `2026-01-31`", start, end)


def _find(word: _Word, char: str) -> int | None:
    return next((i for i, c in enumerate(word) if c.char == char and not c.quoted), None)


def _pattern(word: _Word) -> Pattern:
    parts = [""]
    for char, quoted, _ in word:
        if char != "*" or quoted:
            parts[-1] += char
        elif len(parts) == 1 or parts[-1]:
            parts.append("")
    return Pattern(tuple(part.lower() for part in parts))


def _normal(key: str, pattern: Pattern) -> Pattern:
    """``in-progress`` is in_progress, ``builds`` are of kind build."""
    parts = tuple(part.replace("-", "_").replace(" ", "_") for part in pattern.parts)
    if key == "kind" and len(parts) == 1:
        parts = (parts[0].removesuffix("s"),)
    if key == "has" and len(parts) == 1:
        parts = (ALIASES.get(parts[0], parts[0]),)
        parts = ({"label": "labels", "link": "links"}.get(parts[0], parts[0]),)
    return Pattern(parts)


def _not_one_of(name: str, key: str, text: str) -> str:
    near = _near(text, _ENUMS[key])
    hint = f"did you mean `{name}:{near}`?" if near else f"use one of {', '.join(_ENUMS[key])}"
    return f"`{name}:` has no value `{text[:40]}`: {hint}"


def _near(word: str, words: Iterable[str]) -> str:
    return next(iter(get_close_matches(word[:40], list(words), 1, 0.6)), "")


_PLAIN = re.compile(r'[^\s"():,*=<>\\-][^\s"():,*=<>\\]*')


def _quoted(text: str) -> str:
    """Written so that it is read as this very text."""
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _members(words: Iterable[str], pattern: Pattern) -> frozenset[str]:
    """Those of ``words`` that the pattern means."""
    match = _matcher(pattern)
    return frozenset(word for word in words if match(word))


def _moment(text: str) -> datetime | None:
    """A date or time as ``since:`` takes it; None for a length of time."""
    return parse_time(text.upper()) if "-" in text else None


def _terms(node: Node) -> Iterable[Term]:
    if isinstance(node, Term):
        yield node
    elif isinstance(node, Not):
        yield from _terms(node.node)
    elif isinstance(node, All | Either):
        for inner in node.nodes:
            yield from _terms(inner)


# -- matching --------------------------------------------------------------------------------------------------------


def _matcher(pattern: Pattern) -> Callable[[str], bool]:
    """Whether a whole text, in lower case, is what the pattern says.  ``*`` alone means: known."""
    if pattern.exact:
        return pattern.text.__eq__
    found = re.compile(".*".join(map(re.escape, pattern.parts)), re.DOTALL).fullmatch
    return lambda text: text != "" and found(text) is not None


def _finder(pattern: Pattern) -> Callable[[str], bool]:
    """Whether the pattern occurs in a text, in lower case."""
    if pattern.exact:
        needle = pattern.text
        return lambda text: needle in text
    found = re.compile(".*".join(map(re.escape, pattern.parts)), re.DOTALL).search
    return lambda text: found(text) is not None


def _any_of(values: Iterable[Value]) -> Callable[[str], bool]:
    """Whether a text, in any case, is one of these."""
    exact = frozenset(value.pattern.text for value in values if value.pattern.exact)
    others = [_matcher(value.pattern) for value in values if not value.pattern.exact]
    if not others:
        return lambda text: text.lower() in exact
    return lambda text: (low := text.lower()) in exact or any(match(low) for match in others)


def _compile(node: Node) -> Test:
    match node:
        case Term():
            return _compile_term(node)
        case Words():
            return _compile_words(node.pattern)
        case Not():
            inner = _compile(node.node)
            return lambda fact, current, failing, now, health: not inner(fact, current, failing, now, health)
        case All() if not node.nodes:
            return lambda fact, current, failing, now, health: True
        case All():
            tests = [_compile(inner) for inner in node.nodes]

            def every(fact: Fact, current: bool, failing: bool, now: datetime, health: str) -> bool:
                for test in tests:  # noqa: SIM110 - a generator would cost more than the tests
                    if not test(fact, current, failing, now, health):
                        return False
                return True

            return every
        case Either():
            tests = [_compile(inner) for inner in node.nodes]

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
            types = frozenset(_TYPES[kind] for value in values for kind in _members(ITEM_KINDS, value.pattern))
            return lambda fact, current, failing, now, health: type(fact) in types
        case "state":
            states = frozenset(state for value in values for state in _members(_STATES, value.pattern))
            return lambda fact, current, failing, now, health: fact.state in states
        case "severity":
            severities = frozenset(severity for value in values for severity in _severities(value))
            return lambda fact, current, failing, now, health: type(fact) is Incident and fact.severity in severities
        case "is":
            return _one_of([_IS_TESTS[word] for word in _IS if any(word in _members(_IS, v.pattern) for v in values)])
        case "has":
            fields = tuple({_HAS[word] for value in values for word in _members(_HAS, value.pattern)})
            return lambda fact, current, failing, now, health: any(getattr(fact, name, None) for name in fields)
        case "since" | "before":
            return _compile_time(key, values[0].pattern.text)
        case "label":
            return _one_of([_compile_label(value) for value in values])
        case "title":
            finders = [_finder(value.pattern) for value in values]
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
        return _members(SEVERITIES, value.pattern)
    limit = _RANK[value.pattern.text]
    return frozenset(
        word
        for word, rank in _RANK.items()
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
    fixed = _moment(text)
    length = timedelta() if fixed is not None else timedelta(seconds=parse_duration(text))
    recent = key == "since"

    def test(fact: Fact, current: bool, failing: bool, now: datetime, health: str) -> bool:
        ended: datetime | None = getattr(fact, "ended_at", None)
        times = [moment for moment in (fact.started_at, fact.updated_at, ended) if moment is not None]
        return bool(times) and (max(times) >= (now - length if fixed is None else fixed)) is recent

    return test


def _compile_label(value: Value) -> Test:
    name = _matcher(value.pattern)
    content = None if value.equals is None else _matcher(value.equals)

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
    field = _FIELDS[key][0]
    return lambda fact, current, failing, now, health: fits(getattr(fact, field, ""))


def _text_fields(type_: type[Fact]) -> tuple[str, ...]:
    return tuple(name for name in _TEXT_FIELDS if name in type_.__struct_fields__)


_TEXT_OF: Final = {type_: _text_fields(type_) for type_ in _TYPES.values()}


def _compile_words(pattern: Pattern) -> Test:
    find = _finder(pattern)
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


# -- completion ------------------------------------------------------------------------------------------------------

_TIMES: Final = ("15m", "1h", "4h", "1d", "1w")


def word_at(text: str, cursor: int) -> tuple[int, int]:
    """The span of the word that ends at ``cursor``: what a suggestion of `complete` takes the place of."""
    cursor = max(0, min(cursor, len(text)))
    start = 0
    quoted = False
    for at, char in enumerate(text[:cursor]):
        if char == '"':
            quoted = not quoted
        elif not quoted and (char.isspace() or char in "()"):
            start = at + 1
    return start, cursor


def complete(text: str, cursor: int, values: Mapping[str, Iterable[str]] | None = None) -> list[str]:
    """What the word before the cursor may become: keys (``sta`` -> ``state:``), then their values.

    Each suggestion stands for the whole word at `word_at`.  ``values`` offers known teams, services and so on by key.
    """
    start, end = word_at(text, cursor)
    word = text[start:end]
    dash = "-" if word.startswith("-") else ""
    name, colon, rest = word.removeprefix("-").partition(":")
    name = name.lower()
    if not colon:
        if '"' in name:
            return []
        return [f"{dash}{key}:" for key in KEYS if key.startswith(name)]
    key = ALIASES.get(name, name)
    offered: Iterable[str] = _ENUMS.get(key) or (values or {}).get(key, ())
    if key in ("since", "before"):
        offered = _TIMES
    typed = rest.rpartition(",")[2]
    if key == "severity":
        typed = typed.lstrip("<>=")
    head = word[: len(word) - len(typed)]
    begun = typed.strip('"').lower()
    return [head + _quoted(v) for v in offered if v.lower().startswith(begun) and v.lower() != begun]
