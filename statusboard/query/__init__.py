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

from datetime import datetime

from statusboard.model import Fact
from statusboard.query.completion import complete, word_at
from statusboard.query.language import ALIASES, IS, KEYS, All, Node, members, moment_of, terms_of
from statusboard.query.matching import compile_node
from statusboard.query.reading import read

__all__ = ["ALIASES", "KEYS", "Query", "complete", "parse", "word_at"]


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
        terms = list(terms_of(root))
        self.needs_clock = any(
            term.key in ("since", "before") and moment_of(term.values[0].pattern.text) is None for term in terms
        )
        self.needs_health = any(
            term.key == "is" and "stale" in members(IS, value.pattern) for term in terms for value in term.values
        )
        self._test = compile_node(root)

    def matches(self, fact: Fact, *, current: bool, failing: bool, now: datetime, health: str = "") -> bool:
        """Whether this fact passes.  ``health`` is the state of its source, for ``is:stale``."""
        return self._test(fact, current, failing, now, health)

    def __and__(self, other: Query) -> Query:
        """What passes both.  Its text may be longer, or its brackets deeper, than `parse` takes."""
        if self.matches_all or other.matches_all:
            return other if self.matches_all else self
        nodes = [each.nodes if isinstance(each, All) else (each,) for each in (self.root, other.root)]
        return Query(f"({self.text}) ({other.text})", All((*nodes[0], *nodes[1])))

    def __str__(self) -> str:
        return str(self.root)

    def __repr__(self) -> str:
        return f"parse({self.text!r})"


def parse(text: str) -> Query:
    """The filter that ``text`` means; empty text matches everything.

    Raises `QueryError` with the span of characters that is wrong and what would be right.
    """
    return Query(text, read(text))
