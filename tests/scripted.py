"""A source that says what a test tells it to, and a client that asks nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from statusboard.clock import Clock
from statusboard.health import Tracker
from statusboard.model import Build, Incident, Item, Part, Validator
from statusboard.poller import Polled
from statusboard.source import Context, Http, HttpFactory, NotModified, Scope, Source, SourceOptions


class NoHttp:
    """An `Http` for sources that ask nobody."""

    validators: tuple[Validator, ...] = ()


class NoClient:
    """What the poller asks of a client, for sources that ask nobody."""

    def __init__(self) -> None:
        self.requests = 0
        self.clock_offset: float | None = None
        self.committed: list[Validator] = []
        self.retried = 0
        self.closed = 0

    @property
    def factory(self) -> HttpFactory:
        return lambda scope: NoHttp()  # type: ignore[return-value]

    def budget_view(self) -> tuple[int | None, int | None, float | None]:
        return None, None, None

    def pause_for(self, requests_per_poll: int) -> float:
        return 0.0

    def commit(self, validators: Iterable[Validator]) -> None:
        self.committed += validators

    def forget(self, part: str) -> None:
        self.committed = [validator for validator in self.committed if validator.part != part]

    def retry_credentials(self) -> None:
        self.retried += 1

    async def aclose(self) -> None:
        self.closed += 1


Answer = Callable[[], "Part | Iterable[Item]"] | Iterable[Item] | BaseException


class Scripted(Source[SourceOptions]):
    """``script`` maps a scope's name to what it answers: items, an exception to raise, or a function."""

    type = "scripted"
    kinds = frozenset({"build", "incident", "release", "ticket"})
    needs_url = False

    def __init__(self, name: str, scopes: Sequence[Scope], script: Mapping[str, Any], clock: Clock) -> None:
        options = SourceOptions(type="scripted", name=name, kinds=tuple(sorted({s.kind for s in scopes})))
        super().__init__(options, Context(name=name, clock=clock, log=logging.getLogger("test")))
        self._scopes = list(scopes)
        self.script = dict(script)
        self.lookups: dict[str, Item | BaseException | None] = {}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        if isinstance(error := self.script.get(""), BaseException):
            raise error
        return self._scopes

    async def read(self, scope: Scope, http: Http) -> Part:
        answer = self.script[scope.name]
        if callable(answer):
            answer = answer()
            if hasattr(answer, "__await__"):
                answer = await answer
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Part) else scope.part(answer)

    async def lookup(self, kind: str, remote_id: str, http: Http) -> Item | None:
        if remote_id not in self.lookups:
            return await super().lookup(kind, remote_id, http)  # type: ignore[arg-type]
        answer = self.lookups[remote_id]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def polled(source: Scripted, clock: Clock, interval: float = 15.0, **kw: Any) -> Polled:
    """The source at work, as the engine would set it up."""
    tracker = Tracker(source.name, source.type, interval, **kw)
    return Polled(source, NoClient(), tracker, interval=interval, clock=clock)


def build(n: object, state: str = "success", source: str = "ci", **kw: Any) -> Build:
    fields = {"key": f"{source}:build:{n}", "source": source, "state": state, "title": f"run {n}", **kw}
    return Build(**fields)


def alert(n: object, state: str = "open", source: str = "am", **kw: Any) -> Incident:
    fields = {"key": f"{source}:incident:{n}", "source": source, "state": state, "title": f"alert {n}", **kw}
    return Incident(**fields)


__all__ = ["NoClient", "NoHttp", "NotModified", "Scripted", "alert", "build", "polled"]
