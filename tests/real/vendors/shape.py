"""What a pretend vendor is: the options of a source that reads it, and its answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

ITEMS = 100
"""How many items each vendor tells of."""

PEOPLE = ("Ada Lovelace", "Grace Hopper", "Edsger Dijkstra", "Barbara Liskov", "Donald Knuth", "Margaret Hamilton")
DEEDS = (
    "Reserve the stock before the payment is taken",
    "Retry the carrier's API on 503, with a limit",
    "Bump the base image to the one without the libxml flaw",
    "Do not round the tax of each line, but of the sum",
    "Move the search index to its own volume",
)


class Place(NamedTuple):
    """What one source reads: of everything, the ``number``-th; ``began`` is when its newest thing happened."""

    number: int
    began: datetime

    @property
    def name(self) -> str:
        """The service, repository, project or team that all is of: another one for each source."""
        return f"service-{self.number:03}"

    def at(self, n: int, minutes: float = 0.0) -> datetime:
        """When the ``n``-th newest thing began, or so many ``minutes`` later.  They lie 20 minutes apart."""
        return self.began - timedelta(minutes=20 * (n + 1) - minutes)

    def iso(self, n: int, minutes: float = 0.0) -> str:
        """The same as nearly all vendors write it."""
        return self.at(n, minutes).strftime("%Y-%m-%dT%H:%M:%SZ")

    def unix(self, n: int, minutes: float = 0.0) -> int:
        """The same in seconds."""
        return int(self.at(n, minutes).timestamp())

    def id(self, n: int) -> int:
        """A number that the vendor counts by, the newest highest."""
        return 1_000_000 * (self.number + 1) + ITEMS - n

    def sha(self, n: int) -> str:
        """A commit."""
        return f"{self.id(n) * 2654435761:040x}"[-40:]


class Request(NamedTuple):
    """What is asked; ``path`` as it was written, with its escapes."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: bytes

    def one(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return self.query.get(name, [default])[0]

    def number(self, name: str, default: int) -> int:
        return int(self.one(name, str(default)))

    @property
    def parts(self) -> list[str]:
        """The path, part by part."""
        return [unquote(part) for part in self.path.strip("/").split("/")]

    def json(self) -> Any:
        return json.loads(self.body)


class Vendor(NamedTuple):
    """A type of source: its ``options`` beside ``url``, and what the vendor answers: JSON, or bytes as they are.

    None is a 404.
    """

    type: str
    options: Callable[[Place], dict[str, Any]]
    answer: Callable[[Place, Request], Any]


def person(n: int) -> str:
    return PEOPLE[n % len(PEOPLE)]


def login(n: int) -> str:
    return person(n).lower().replace(" ", "-")


def deed(n: int) -> str:
    """What a commit or a ticket is about."""
    return f"{DEEDS[n % len(DEEDS)]} ({n})"


def failed(n: int) -> bool:
    """Whether the ``n``-th newest thing went wrong: the newest did, and every ninth."""
    return n % 9 == 0
