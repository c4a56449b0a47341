"""Which version came before which, by their numbers: dates do not tell, since old lines get releases too."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PARTS = re.compile(r"(?P<prefix>.*?)[vV]?(?P<numbers>\d+(?:\.\d+)*)(?P<rest>.*)", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]+")
_NUMBER = re.compile(r"\d{1,18}")
_PRERELEASE = re.compile(r"[-._]?(?:alpha|beta|rc|preview|pre|dev|snapshot|nightly|canary|[abm](?=\d))", re.IGNORECASE)
_LONGEST = 200


def is_prerelease(version: str) -> bool:
    """Whether a version calls itself one, as ``1.2.0-rc.1`` does.  ``1.2.0+build`` and ``1.2.0-final`` do not."""
    match = _PARTS.fullmatch(version[:_LONGEST])
    return match is not None and bool(_PRERELEASE.match(match["rest"]))


def before(version: str, others: Iterable[str]) -> str:
    """The greatest of ``others`` that is less than ``version``; ``""`` where none is known to be.

    Only versions of the same prefix are compared (``ledger-v1.2`` and ``ledger-v1.3``), and what is no prerelease
    follows only what is none either.
    """
    mine = _order(version)
    if mine is None:
        return ""
    stable = not is_prerelease(version)
    best, found = None, ""
    for other in others:
        theirs = _order(other)
        if theirs is None or theirs[0] != mine[0] or not theirs[1:] < mine[1:] or (stable and is_prerelease(other)):
            continue
        if best is None or theirs[1:] > best:
            best, found = theirs[1:], other
    return found


def _order(version: str) -> tuple[str, tuple[int, ...], bool, str, tuple[int, ...]] | None:
    """The prefix, and what decides among versions that share it: numbers, then a prerelease before its release.

    Prereleases follow each other by their first word (alpha, beta, rc: the alphabet knows), then by their numbers.
    """
    match = _PARTS.fullmatch(version) if len(version) <= _LONGEST else None
    if match is None:
        return None
    numbers = tuple(int(part[-18:]) for part in match["numbers"].split("."))
    while numbers and numbers[-1] == 0:  # 1.2 and 1.2.0 are the same
        numbers = numbers[:-1]
    rest = match["rest"].partition("+")[0]
    word = _WORD.search(rest)
    more = tuple(int(part) for part in _NUMBER.findall(rest))
    return match["prefix"], numbers, not is_prerelease(version), word[0].lower() if word else "", more
