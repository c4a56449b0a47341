"""Facts, rows and changes for tests of the board and of what is shown of it, and strategies that make them up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st

from statusboard.board import Board, Delta
from statusboard.model import (
    SEVERITIES,
    STATES,
    Annotation,
    Build,
    Change,
    Fact,
    Incident,
    Origin,
    Release,
    SourceHealth,
    Ticket,
    encode,
    health_key,
    key_of,
)
from statusboard.store.base import Live, digest_of

T = TypeVar("T")

NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def build(number: object = 1, state: str = "success", *, source: str = "ci", **more: Any) -> Build:
    known = {
        "pipeline": "test",
        "branch": "main",
        "default_branch": "main",
        "repository": "acme/shop",
        "title": "Fix it",
    }
    return _make(Build, "build", number, state, source, {**known, "started_at": ago(10), **more})


def incident(number: object = 1, state: str = "open", *, source: str = "am", **more: Any) -> Incident:
    return _make(Incident, "incident", number, state, source, {"title": "Down", "started_at": ago(10), **more})


def release(number: object = 1, state: str = "success", *, source: str = "cd", **more: Any) -> Release:
    known = {"title": "v1", "version": "1.0", "environment": "production", "services": ("shop",)}
    return _make(Release, "release", number, state, source, {**known, "started_at": ago(10), **more})


def ticket(number: object = 1, state: str = "open", *, source: str = "tr", **more: Any) -> Ticket:
    known = {"title": "Broken", "ticket_id": f"T-{number}"}
    return _make(Ticket, "ticket", number, state, source, {**known, "updated_at": ago(10), **more})


def health(source: str, state: str = "fresh", **more: Any) -> SourceHealth:
    made: dict[str, Any] = {"key": health_key(source), "source": source, "state": state, "interval": 30.0, **more}
    return msgspec.convert(made, SourceHealth)


def note(target: Fact, text: str, *, number: int = 1, state: str = "set", **more: Any) -> Annotation:
    made: dict[str, Any] = {
        "key": key_of("people", "annotation", number),
        "source": "people",
        "state": state,
        "target": target.key,
        "text": text,
        **more,
    }
    return msgspec.convert(made, Annotation)


def _make(type_: type[T], kind: Any, number: object, state: str, source: str, more: dict[str, Any]) -> T:
    # Through convert, so that a state or severity that does not exist fails here.
    return msgspec.convert({"key": key_of(source, kind, number), "source": source, "state": state, **more}, type_)


def live(fact: Fact, seq: int = 1) -> Live:
    body = encode(fact)
    return Live(
        key=fact.key,
        kind=fact.kind,
        source=fact.source,
        part="all",
        seq=seq,
        observed_at=NOW,
        body=body,
        body_hash=digest_of(fact.key, body),
    )


def change(seq: int, fact: Fact | str, *, origin: Origin = "poll") -> Change:
    """The change that stores a fact, or that takes a key off the board."""
    key = fact if isinstance(fact, str) else fact.key
    body = None if isinstance(fact, str) else encode(fact)
    source, kind, _ = key.split(":", 2)
    return Change(
        seq=seq,
        observed_at=NOW,
        key=key,
        kind=kind,  # type: ignore[arg-type]
        source=source,
        type="test",
        origin=origin,
        body=body,
        body_hash=b"" if body is None else digest_of(key, body),
    )


def board_of(*facts: Fact) -> Board:
    """A board that shows these."""
    board = Board("store", len(facts))
    board.load(live(fact, seq) for seq, fact in enumerate(facts, 1))
    return board


def fold(board: Board, *facts: Fact | str) -> Delta:
    """Store these facts, or take these keys off, as the board's next changes."""
    return board.fold([change(seq, fact) for seq, fact in enumerate(facts, board.seq + 1)])


# -- strategies: few names, so that items meet in slots ---------------------------------------------------------------

SOURCES = ("a", "b")
TIMES = st.none() | st.integers(0, 8).map(lambda hours: ago(60 * hours))
_NUMBERS = st.integers(0, 5)


def states(kind: str) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(STATES[kind]))


def _maybe(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(("", *values))


BUILDS = st.builds(
    build,
    _NUMBERS,
    states("build"),
    source=st.sampled_from(SOURCES),
    verdict=_maybe("failed", "success", "unknown"),
    branch=_maybe("main", "dev"),
    default_branch=_maybe("main"),
    fork=_maybe("them"),
    change=_maybe("7"),
    title=st.sampled_from(("Fix login", "Add cart")),
    services=st.sampled_from(((), ("shop",))),
    run_number=st.none() | st.integers(1, 3),
    attempt=st.integers(1, 2),
    started_at=TIMES,
    ended_at=TIMES,
)
INCIDENTS = st.builds(
    incident,
    _NUMBERS,
    states("incident"),
    source=st.sampled_from(SOURCES),
    severity=st.sampled_from(SEVERITIES),
    cluster=_maybe("eu"),
    fingerprint=_maybe("f1", "f2"),
    started_at=TIMES,
    updated_at=TIMES,
)
RELEASES = st.builds(
    release,
    _NUMBERS,
    states("release"),
    source=st.sampled_from(SOURCES),
    verdict=_maybe("failed", "success"),
    type=st.sampled_from(("deployment", "publication")),
    environment=_maybe("production", "staging"),
    started_at=TIMES,
)
TICKETS = st.builds(ticket, _NUMBERS, states("ticket"), source=st.sampled_from(SOURCES), updated_at=TIMES)
HEALTHS = st.builds(health, st.sampled_from(SOURCES), states("source"), optional=st.booleans())
ITEMS: st.SearchStrategy[Fact] = BUILDS | INCIDENTS | RELEASES | TICKETS
FACTS: st.SearchStrategy[Fact] = ITEMS | HEALTHS


def removals(facts: st.SearchStrategy[Fact]) -> st.SearchStrategy[str]:
    return facts.map(lambda fact: fact.key)


STEPS: st.SearchStrategy[list[list[Fact | str]]] = st.lists(
    st.lists(FACTS | removals(FACTS), min_size=1, max_size=6), max_size=8
)
"""Batches of changes: a fact is stored, a key leaves."""


def unique(facts: Iterable[Fact]) -> list[Fact]:
    """The last one of each key."""
    return list({fact.key: fact for fact in facts}.values())
