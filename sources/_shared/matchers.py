"""Matchers of labels, as Alertmanager and amtool write them: ``team=payments``, ``severity=~"page|critical"``.

For servers that cannot be asked for the alerts that match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

_MATCHER: Final = re.compile(r"\s*(?P<name>[a-zA-Z_][a-zA-Z0-9_.]*)\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>.*?)\s*")


class Matchers:
    """All of several matchers.  ValueError says which of them is none."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._matchers = [_Matcher(text) for text in texts]

    def match(self, labels: Mapping[str, str | None]) -> bool:
        """Whether these are the labels of something that is asked for.  A label that is not there is empty."""
        return all(matcher.takes(labels.get(matcher.name) or "") for matcher in self._matchers)

    def may_match(self, fixed: Mapping[str, str | None]) -> bool:
        """Whether labels of which only these are known yet may be asked for."""
        return all(matcher.takes(fixed[matcher.name] or "") for matcher in self._matchers if matcher.name in fixed)


class _Matcher:
    def __init__(self, text: str) -> None:
        parts = _MATCHER.fullmatch(text)
        if parts is None:
            raise ValueError(f"{text[:80]!r} is no matcher; write them as team=payments, or severity=~page|critical")
        self.name = parts["name"]
        self._negative = parts["operator"].startswith("!")
        value = _unquoted(parts["value"])
        try:
            self._pattern = re.compile(value if parts["operator"].endswith("~") else re.escape(value), re.DOTALL)
        except re.error as exc:
            raise ValueError(f"{text[:80]!r}: {exc.msg} in the regular expression") from None

    def takes(self, value: str) -> bool:
        return (self._pattern.fullmatch(value) is not None) != self._negative


def _unquoted(value: str) -> str:
    """A quoted value without its quotes; JSON's escapes are those that Alertmanager knows."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            text: Any = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value[1:-1]
        return str(text)
    return value
