"""From the text of a filter to what it means, or to an error that says where and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final, NamedTuple, NoReturn, TypeAlias

from statusboard.clock import parse_duration
from statusboard.errors import QueryError
from statusboard.model import SEVERITIES
from statusboard.query.language import (
    ALIASES,
    ENUMS,
    KEYS,
    MAX_DEPTH,
    MAX_LENGTH,
    All,
    Either,
    Node,
    Not,
    Pattern,
    Term,
    Value,
    Words,
    members,
    moment_of,
)


def read(text: str) -> Node:
    """What ``text`` means; `QueryError` where it means nothing."""
    return _Parser(text).parse()


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
        if key not in ENUMS:
            return Value(pattern)
        pattern = _normal(key, pattern)
        if not members(ENUMS[key], pattern):
            self.fail(_not_one_of(name, key, pattern.text), start + len(op), end)
        if op and op != "=" and not pattern.exact:
            self.fail("a comparison needs one severity, without *", start, end)
        return Value(pattern, op.replace("=", "") if op == "=" else op)

    def check_time(self, name: str, text: str, start: int, end: int) -> None:
        if moment_of(text) is not None:
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
    near = _near(text, ENUMS[key])
    hint = f"did you mean `{name}:{near}`?" if near else f"use one of {', '.join(ENUMS[key])}"
    return f"`{name}:` has no value `{text[:40]}`: {hint}"


def _near(word: str, words: Iterable[str]) -> str:
    return next(iter(get_close_matches(word[:40], list(words), 1, 0.6)), "")
