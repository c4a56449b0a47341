"""What the readers of AWS' services have in common: requests, pages, and what is listed by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import ClassVar, Final, Protocol, TypeVar

from sources._aws import Place
from statusboard.api import (
    Clock,
    Item,
    NotFound,
    Part,
    RateLimited,
    Scope,
    ServerError,
    SourceError,
    Timeout,
    TooLarge,
    TransportError,
    clean,
)

T = TypeVar("T")

PAGES: Final = 10
#: How many projects or pipelines of a region are read: each takes a request.
MOST: Final = 50
#: How long the names of projects and pipelines are kept, and that there are alarms at all (seconds).
KNOWN: Final = 300.0


class Ask(Protocol):
    """Sends one request to the service and region of a reader, and decodes its answer."""

    async def __call__(self, operation: str, body: Mapping[str, object], type: type[T], /) -> T: ...


class Reader(ABC):
    """Reads one service in one region.  ``wanted`` are the patterns or prefixes of names that the options give."""

    token: ClassVar[str] = "nextToken"  # noqa: S105 - that of a page, no secret

    def __init__(self, place: Place, wanted: Sequence[str], most: int, clock: Clock) -> None:
        self.place = place
        self.wanted = wanted
        self.most = most
        self.clock = clock

    @abstractmethod
    async def read(self, scope: Scope, ask: Ask) -> Part:
        """The part of this service and region."""

    async def lookup(self, name: str, ask: Ask) -> Item | None:
        """One item by what stands in its key behind region and service."""
        return None

    def is_wanted(self, name: str) -> bool:
        """Whether the options ask for a project, pipeline or application of this name."""
        return not self.wanted or any(fnmatchcase(name, pattern) for pattern in self.wanted)

    async def pages(self, ask: Ask, operation: str, body: Mapping[str, object], type: type[T]) -> AsyncIterator[T]:
        """The pages of an answer, ten at most; `TooLarge` behind them."""
        token: str | None = None
        for _ in range(PAGES):
            page = await ask(operation, {**body, self.token: token} if token else body, type)
            yield page
            token = getattr(page, "next_token", None)
            if not token:
                return
        raise TooLarge(f"{operation}: more than {PAGES} pages")


class NamedReader(Reader):
    """A service whose builds are listed by the name of what they are of; ``what`` says what that is."""

    what: ClassVar[str]

    def __init__(self, place: Place, wanted: Sequence[str], most: int, clock: Clock) -> None:
        super().__init__(place, wanted, most, clock)
        self._names: list[str] = []
        self._names_at = float("-inf")

    @abstractmethod
    async def names(self, ask: Ask) -> list[str]:
        """The names of all in the region."""

    async def chosen(self, ask: Ask) -> list[str]:
        """The names of those that are wanted; `NotFound` where none of those asked for is there."""
        now = self.clock.monotonic()
        if now - self._names_at >= KNOWN:
            self._names, self._names_at = await self.names(ask), now
        chosen = [name for name in self._names if self.is_wanted(name)]
        if not chosen and self.wanted:
            raise NotFound(f"no {self.what} in {self.place.region} has one of the names that are asked for")
        return chosen

    async def each(self, ask: Ask, read: Callable[[str], Awaitable[None]]) -> SourceError | None:
        """Read each of those that are wanted; the error of the first that could not be, if others could."""
        chosen = await self.chosen(ask)
        error: SourceError | None = None
        if len(chosen) > MOST:
            found = f"{len(chosen)} {self.what}s in {self.place.region}"
            error = TooLarge(f"{found}, {MOST} are read: name those that matter")
        good = False
        for name in chosen[:MOST]:
            try:
                await read(name)
                good = True
            except SourceError as exc:
                error = error or named(exc, clean(name, 80))
                if isinstance(exc, RateLimited | Timeout | TransportError | ServerError):
                    break  # the others would fare no better
        if error is not None and not good:
            raise error
        return error


def named(error: SourceError, what: str) -> SourceError:
    """The same error, with what it is about before it."""
    return type(error)(f"{what}: {error}", status=error.status, retry_after=error.retry_after)
