"""The rules by which an item is found to belong to a service.  Pure; `catalog` puts them to use.

An item matches a service by any of these, best first:

    name       the service's name as a source or a service label gives it, or the item's title; the service's own name
               in ``services:`` needs no rule
    label      all labels of one mapping have these values (several mappings: any of them will do)
    path       a folder in the repository (prefix)
    tag        a release's version (prefix)
    workflow   a build's pipeline
    repo       the repository
    source     the name of a source

Where a service names a ``repo``, its paths, tags and workflows are meant inside it: they do not match in another one.
Text is compared without regard to case; ``*`` and ``?`` stand for any text and any character.  The most specific match
wins: services are compared key by key in the order above (a name beats any repository; workflow and repository beat
the workflow alone), an exact text beats a pattern, and a longer pattern or prefix a shorter one.  Services that match
equally well are all found, in the order of the config.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import Struct


class Match(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of one service; see the module."""

    repo: tuple[str, ...] = ()
    workflow: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    label: tuple[dict[str, tuple[str, ...]], ...] = ()
    name: tuple[str, ...] = ()
    source: tuple[str, ...] = ()


class Service(Struct, frozen=True, kw_only=True):
    """One entry of ``services:``.  ``depends_on`` names those that it cannot do without."""

    name: str
    team: str = ""
    match: Match = Match()
    depends_on: tuple[str, ...] = ()


class Facts(Struct, frozen=True, kw_only=True):
    """What rules look at, all of it casefolded."""

    source: str = ""
    repository: str = ""
    names: tuple[str, ...] = ()
    title: str = ""
    workflow: str = ""
    version: str = ""
    path: str = ""
    labels: dict[str, str] = {}


#: How well one text matches: 0 for an exact text, else 1; then how much of it is literal.  Less is better.
_Fit: TypeAlias = tuple[int, int]
#: The matching keys of a service with their fits, best first, closed by `_END` so that more keys beat fewer.
_Score: TypeAlias = tuple[tuple[int, int, int], ...]

_NAME, _LABEL, _PATH, _TAG, _WORKFLOW, _REPO, _SOURCE, _LAST = range(8)
_END = (_LAST, 0, 0)
_EXACT: _Fit = (0, 0)


class _Pattern:
    """A text, or a pattern with ``*`` and ``?``."""

    __slots__ = ("fit", "is_exact", "matches", "text")

    def __init__(self, text: str) -> None:
        self.text = text.casefold()
        self.is_exact = "*" not in text and "?" not in text
        literal = len(self.text.replace("*", "").replace("?", ""))
        self.fit: _Fit = _EXACT if self.is_exact else (1, -literal)
        # fnmatch writes expressions that cannot backtrack without end; its [a-z] is not offered.
        expression = "" if self.is_exact else fnmatch.translate(self.text.replace("[", "[[]"))
        self.matches: Callable[[str], object] = (
            self.text.__eq__ if self.is_exact else re.compile(expression, re.DOTALL).match
        )


class _Rules:
    """The compiled rules of one service."""

    def __init__(self, service: Service) -> None:
        match = service.match
        self.service = service
        self.name = _patterns((service.name, *match.name))
        self.own_name = service.name.casefold()
        self.label = [[(key, _patterns(texts)) for key, texts in labels.items()] for labels in match.label if labels]
        self.path = [text.strip("/").casefold() for text in match.path]
        self.tag = [text.casefold() for text in match.tag]
        self.workflow = _patterns(match.workflow)
        self.repo = _patterns(match.repo)
        self.source = _patterns(match.source)

    def score(self, facts: Facts) -> _Score:
        """How well an item matches; empty where it does not."""
        found: list[tuple[int, int, int]] = []

        def add(rank: int, fits: Iterable[_Fit | None]) -> None:
            best = min((fit for fit in fits if fit is not None), default=None)
            if best is not None:
                found.append((rank, *best))

        add(_NAME, (_best(self.name, name) for name in facts.names))
        if not found and len(self.name) > 1:
            add(_NAME, [_best(self.name[1:], facts.title)])  # a title that is the service's own name says nothing
        add(_LABEL, (_labels(facts, labels) for labels in self.label))
        in_repo = _best(self.repo, facts.repository)
        if in_repo is not None or not (self.repo and facts.repository):
            add(_PATH, ((0, -len(folder)) for folder in self.path if _below(facts.path, folder)))
            add(_TAG, ((0, -len(prefix)) for prefix in self.tag if prefix and facts.version.startswith(prefix)))
            add(_WORKFLOW, [_best(self.workflow, facts.workflow)])
        add(_REPO, [in_repo])
        add(_SOURCE, [_best(self.source, facts.source)])
        return (*found, _END) if found else ()


class Matcher:
    """All services' rules, indexed so that an item is compared with the few services that it can belong to."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._rules = [_Rules(service) for service in services]
        self._exact: dict[tuple[int, str, str], list[int]] = {}
        self._wild: dict[tuple[int, str], list[tuple[_Pattern, int]]] = {}
        self._prefixed: list[int] = []
        for index, rules in enumerate(self._rules):
            self._index(_NAME, "", rules.name, index)
            self._index(_WORKFLOW, "", rules.workflow, index)
            self._index(_REPO, "", rules.repo, index)
            self._index(_SOURCE, "", rules.source, index)
            for labels in rules.label:
                self._index(_LABEL, labels[0][0], labels[0][1], index)
            if rules.path or rules.tag:
                self._prefixed.append(index)
        self.label_names = tuple(sorted({key for r in self._rules for labels in r.label for key, _ in labels}))
        self._by_name = {rules.own_name: rules.service for rules in reversed(self._rules)}
        self._tags = tuple(tag for rules in self._rules for tag in rules.tag if tag)
        self._titles = [pattern for rules in self._rules for pattern in rules.name[1:]]

    def best(self, facts: Facts) -> list[Service]:
        """The services that match best; empty where none does."""
        scored: list[tuple[_Score, Service]] = []
        for index in self._candidates(facts):
            rules = self._rules[index]
            if score := rules.score(facts):
                scored.append((score, rules.service))
        best = min((score for score, _ in scored), default=())
        return [service for score, service in scored if score == best]

    def named(self, name: str) -> Service | None:
        """The configured service of that very name."""
        return self._by_name.get(name.casefold())

    def minds_title(self, title: str) -> bool:
        """Whether any rule matches this (casefolded) title; other titles are all alike."""
        return any(pattern.matches(title) for pattern in self._titles)

    def minds_version(self, version: str) -> bool:
        """Whether any rule matches this (casefolded) version."""
        return version.startswith(self._tags)

    def _index(self, rank: int, key: str, patterns: list[_Pattern], index: int) -> None:
        for pattern in patterns:
            if pattern.is_exact:
                self._exact.setdefault((rank, key, pattern.text), []).append(index)
            else:
                self._wild.setdefault((rank, key), []).append((pattern, index))

    def _candidates(self, facts: Facts) -> list[int]:
        texts = [(_NAME, "", name) for name in (*facts.names, facts.title)]
        texts += [(_WORKFLOW, "", facts.workflow), (_REPO, "", facts.repository), (_SOURCE, "", facts.source)]
        texts += [(_LABEL, key, text) for key, text in facts.labels.items()]
        found = {index for text in texts for index in self._exact.get(text, ())}
        for rank, key, text in texts:
            found.update(index for pattern, index in self._wild.get((rank, key), ()) if text and pattern.matches(text))
        if facts.path or facts.version:
            found.update(self._prefixed)
        return sorted(found)


def _patterns(texts: Iterable[str]) -> list[_Pattern]:
    return [_Pattern(text) for text in texts]


def _best(patterns: list[_Pattern], text: str) -> _Fit | None:
    """The best fit of any of the patterns; what is not known (empty) matches nothing."""
    return min((p.fit for p in patterns if p.matches(text)), default=None) if text else None


def _labels(facts: Facts, labels: list[tuple[str, list[_Pattern]]]) -> _Fit | None:
    """The fit of one mapping: more labels are more specific, then the loosest of them decides."""
    fits = [fit for key, patterns in labels if (fit := _best(patterns, facts.labels.get(key, ""))) is not None]
    if len(fits) < len(labels):
        return None
    loosest = max(fits)
    return loosest[0] - 2 * len(labels), loosest[1]


def _below(path: str, folder: str) -> bool:
    return bool(folder) and (path == folder or path.startswith(folder + "/"))
