"""The words of the filter language, and what a parsed filter consists of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct

from statusboard.clock import parse_time
from statusboard.model import ITEM_KINDS, SEVERITIES, STATES

MAX_LENGTH: Final = 2_000
"""Longest filter, in characters."""
MAX_DEPTH: Final = 20
"""How deep brackets may stand within each other."""

ALL_STATES: Final = tuple(dict.fromkeys(state for kind in ITEM_KINDS for state in sorted(STATES[kind])))
IS: Final = ("failing", "current", "unowned", "suppressed", "running", "stale", "unknown")
RANK: Final = {"info": 0, "low": 1, "medium": 2, "high": 3, "unknown": 3, "critical": 4}

#: Key -> the fields it is compared with.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
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
HAS: Final[Mapping[str, str]] = {
    **{key: fields[0] for key, fields in FIELDS.items() if key not in ("source", "type")},
    "url": "url",
    "links": "links",
    "labels": "labels",
    "reason": "reason",
    "description": "description",
    "title": "title",
    "started": "started_at",
    "ended": "ended_at",
}
ENUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "state": ALL_STATES,
    "kind": ITEM_KINDS,
    "severity": SEVERITIES,
    "is": IS,
    "has": tuple(HAS),
}
KEYS: Final[tuple[str, ...]] = (*ENUMS, *FIELDS, "label", "title", "id", "since", "before")
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
        return "*".join(part and quote(part) for part in self.parts) or '""'


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


def terms_of(node: Node) -> Iterable[Term]:
    if isinstance(node, Term):
        yield node
    elif isinstance(node, Not):
        yield from terms_of(node.node)
    elif isinstance(node, All | Either):
        for inner in node.nodes:
            yield from terms_of(inner)


_PLAIN = re.compile(r'[^\s"():,*=<>\\-][^\s"():,*=<>\\]*')


def quote(text: str) -> str:
    """Written so that it is read as this very text."""
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def matcher(pattern: Pattern) -> Callable[[str], bool]:
    """Whether a whole text, in lower case, is what the pattern says.  ``*`` alone means: known."""
    if pattern.exact:
        return pattern.text.__eq__
    head, *inner, tail = pattern.parts

    def match(text: str) -> bool:
        end = len(text) - len(tail)
        # Not an expression: those take time without end over some patterns with many stars.
        if not text or end < len(head) or not text.startswith(head) or not text.endswith(tail):
            return False
        return in_order(inner, text, len(head), end)

    return match


def in_order(parts: Iterable[str], text: str, start: int, end: int) -> bool:
    """Whether these parts occur in ``text[start:end]`` one after the other."""
    for part in parts:
        at = text.find(part, start, end)
        if at < 0:
            return False
        start = at + len(part)
    return True


def members(words: Iterable[str], pattern: Pattern) -> frozenset[str]:
    """Those of ``words`` that the pattern means."""
    match = matcher(pattern)
    return frozenset(word for word in words if match(word))


def moment_of(text: str) -> datetime | None:
    """A date or time as ``since:`` takes it; None for a length of time."""
    return parse_time(text.upper()) if "-" in text else None
