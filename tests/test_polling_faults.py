"""What a source may do wrong, and that it costs nobody but itself; what waits, and what is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import pytest

from statusboard.board import Board
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, BadAnswer, LeaseLost, NotFound, RateLimited, ServerError
from statusboard.ingest import Ingest
from statusboard.model import Item, Part, Validator, decode
from statusboard.poller import LOOKUPS_A_POLL, Polled, Poller
from statusboard.source import Http, HttpFactory, LookupUnsupported, NotModified, Scope
from statusboard.store.memory import MemoryStore
from tests.scripted import NoClient, NoHttp, Scripted, alert, build, polled

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALERTS = Scope(name="alerts", kind="incident", reach="complete")
BUILDS = Scope(name="builds", kind="build", reach="window")
TAG = Validator(source="am", part="alerts", request="r", etag='"1"')


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
async def store(clock: FakeClock) -> AsyncIterator[MemoryStore]:
    store = MemoryStore(clock=clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def ingest(store: MemoryStore, clock: FakeClock) -> Ingest:
    ingest = Ingest(store, clock)
    ingest.lease = await store.lease("poll", "test")
    await ingest.load()
    return ingest


async def board(store: MemoryStore) -> Board:
    picture = await store.snapshot()
    board = Board(picture.store_id)
    board.load(picture.rows)
    return board


async def states(store: MemoryStore, kind: str = "build") -> dict[str, str]:
    return {row.key: decode(row.body).state for row in (await store.snapshot()).rows if row.kind == kind}


def poller(ingest: Ingest, clock: FakeClock, *sources: Polled) -> Poller:
    return Poller(sources, ingest, clock, random=Random(1))


class Tagged(NoClient):
    """A client whose every answer has validators, and that keeps those it may use."""

    @property
    def factory(self) -> HttpFactory:
        def make(scope: str) -> NoHttp:
            http = NoHttp()
            http.validators = (msgspec.structs.replace(TAG, part=scope),)
            return http

        return make  # type: ignore[return-value]


# --- validators -----------------------------------------------------------------------------------------------------


async def test_a_part_that_failed_is_never_vouched_for_by_a_304(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    source = Scripted("am", [ALERTS], {}, clock)
    work = polled(source, clock)
    work.client = client = Tagged()
    p = poller(ingest, clock, work)
    source.script["alerts"] = [alert(1)]
    await p.poll(work)
    assert client.committed == [TAG] == await store.validators("am")
    error = BadAnswer("1 of 2 alerts could not be read")
    source.script["alerts"] = Part(
        scope="alerts", kind="incident", reach="complete", started_at=T0, items=(alert(2),), error=error
    )
    client.committed.clear()
    await p.poll(work)
    assert client.committed == [], "a 304 would make it fresh"
    assert (await board(store)).state_of("am") == "partial"


async def test_a_part_that_is_withdrawn_is_read_in_full_when_it_comes_back(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    source = Scripted("am", [ALERTS], {"alerts": [alert(1)], "builds": []}, clock)
    work = polled(source, clock)
    work.client = client = Tagged()
    p = poller(ingest, clock, work)
    await p.poll(work)
    source._scopes = [BUILDS]
    await p.poll(work)
    assert await states(store, "incident") == {}
    assert [v for v in client.committed if v.part == "alerts"] == []


# --- what a source may do wrong ---------------------------------------------------------------------------------------


class Odd(Scripted):
    """A source written by somebody who has read no contract: ``odd`` stands in for its methods' work."""

    def __init__(self, *scripted: Any) -> None:
        super().__init__(*scripted)
        self.odd: dict[str, Callable[[], Any]] = {}

    def scopes(self, http: Http) -> Awaitable[Sequence[Scope]]:  # type: ignore[override]
        if "scopes" in self.odd:
            return self.odd["scopes"]()
        return super().scopes(http)

    def read(self, scope: Scope, http: Http) -> Awaitable[Part]:  # type: ignore[override]
        if scope.name in self.odd:
            return self.odd[scope.name]()
        return super().read(scope, http)

    def lookup(self, kind: str, remote_id: str, http: Http) -> Awaitable[Item | None]:  # type: ignore[override]
        if "lookup" in self.odd:
            return self.odd["lookup"]()
        return super().lookup(kind, remote_id, http)


def raises(error: BaseException) -> Callable[[], Any]:
    def work() -> Any:
        raise error

    return work


def gives(answer: object) -> Callable[[], Any]:
    async def work() -> object:
        return answer

    return lambda: work()


async def hang() -> None:
    await asyncio.Event().wait()


ODD: dict[str, Callable[[], Any]] = {
    "raises at once": raises(ValueError("boom")),
    "is not awaitable": lambda: 7,
    "gives nothing": gives(None),
    "gives text": gives("text"),
    "gives things": gives([1, 2]),
    "times out": raises(TimeoutError()),
    "says 304": raises(NotModified()),
    "cannot look up": raises(LookupUnsupported()),
    "exits": raises(SystemExit(1)),
}


@pytest.mark.parametrize("what", [w for w in ODD if w != "says 304"])
@pytest.mark.parametrize("where", ["scopes", "builds"])
async def test_odd_sources_fail_and_say_so(
    ingest: Ingest, store: MemoryStore, clock: FakeClock, what: str, where: str
) -> None:
    source = Odd("ci", [ALERTS, BUILDS], {"alerts": [alert(1, source="ci")], "builds": []}, clock)
    source.odd = {where: ODD[what]}
    work = polled(source, clock)
    await poller(ingest, clock, work).poll(work)
    seen = await board(store)
    if where == "scopes":
        assert seen.state_of("ci") == "down" and seen.health["ci"].error
    else:
        assert [e.part for e in seen.health["ci"].errors] == ["builds"]
        assert [row.key for row in seen.failing()] == ["ci:incident:1"], "the other part is read"


@pytest.mark.parametrize("what", ODD)
async def test_odd_looks_by_id_harm_nothing(ingest: Ingest, store: MemoryStore, clock: FakeClock, what: str) -> None:
    source = Odd("ci", [BUILDS], {"builds": [build(1, "running"), build(2)]}, clock)
    work = polled(source, clock)
    p = poller(ingest, clock, work)
    await p.poll(work)
    source.script["builds"] = [build(2)]
    source.odd = {"lookup": ODD[what]}
    await p.poll(work)
    assert (await board(store)).state_of("ci") == "fresh"
    assert (await states(store))["ci:build:2"] == "success"


@pytest.mark.parametrize(
    "items",
    [7, None, [alert(1), None], [alert(1), alert(1, key=7)], [build(1)], [alert(1, labels={"a": object()})]],
    ids=["number", "nothing", "a hole", "no key", "other kind", "no JSON"],
)
async def test_odd_items_fail_their_part_and_take_nothing_off(
    ingest: Ingest, store: MemoryStore, clock: FakeClock, items: Any
) -> None:
    source = Scripted("am", [ALERTS, BUILDS], {"alerts": [alert(1), alert(2)], "builds": []}, clock)
    work = polled(source, clock)
    p = poller(ingest, clock, work)
    await p.poll(work)
    source.script["alerts"] = Part(scope="alerts", kind="incident", reach="complete", started_at=T0, items=items)
    clock.advance(15)
    await p.poll(work)
    seen = await board(store)
    assert seen.state_of("am") == "partial" and [e.part for e in seen.health["am"].errors] == ["alerts"]
    assert {row.key for row in seen.failing()} == {"am:incident:1", "am:incident:2"}


async def test_scopes_and_looks_by_id_that_hang_are_given_up(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    source = Odd("ci", [BUILDS], {"builds": [build(1, "running")]}, clock)
    work = polled(source, clock)
    p = Poller([work], ingest, clock, limit=0.02)
    await p.poll(work)
    source.script["builds"] = []
    source.odd = {"lookup": lambda: hang()}
    await asyncio.wait_for(p.poll(work), 5)
    assert await states(store) == {"ci:build:1": "running"}
    source.odd = {"scopes": lambda: hang()}
    await asyncio.wait_for(p.poll(work), 5)
    assert "not known within" in (await board(store)).health["ci"].error


async def test_two_scopes_of_one_name_are_refused_not_mixed_up(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    twin = Scope(name="alerts", kind="incident", reach="complete", data="another query")
    work = polled(Scripted("am", [ALERTS, twin], {"alerts": [alert(1)]}, clock), clock)
    await poller(ingest, clock, work).poll(work)
    assert "two scopes have the name alerts" in (await board(store)).health["am"].error


async def test_the_same_scope_twice_is_read_once(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    work = polled(Scripted("am", [ALERTS, ALERTS], {"alerts": [alert(1)]}, clock), clock)
    await poller(ingest, clock, work).poll(work)
    assert (await board(store)).state_of("am") == "fresh"


async def test_a_poll_that_loses_the_lease_ends_all_its_reading(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    ended: list[str] = []

    async def slow() -> list[Item]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("slow")
        return []

    source = Scripted("am", [ALERTS, BUILDS], {"alerts": [alert(1)], "builds": lambda: slow()}, clock)
    work = polled(source, clock)
    assert ingest.lease is not None
    await store.release(ingest.lease)
    with pytest.raises(LeaseLost):
        await poller(ingest, clock, work).poll(work)
    assert ended == ["slow"]


# --- items that fell out of their window ----------------------------------------------------------------------------


async def test_looks_by_id_are_few_in_each_poll_however_many_parts_there_are(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    scopes = [Scope(name=f"r{n}", kind="build", reach="window") for n in range(3)]
    script: dict[str, Any] = {scope.name: [build(f"{scope.name}/{n}", "running") for n in range(8)] for scope in scopes}
    source = Scripted("ci", scopes, script, clock)
    asked: list[str] = []

    class Counting(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            asked.append(str(key))
            return True

        def __getitem__(self, key: str) -> Any:
            return ServerError("502")

    source.lookups = Counting()
    work = polled(source, clock)
    p = poller(ingest, clock, work)
    await p.poll(work)
    source.script = {scope.name: [] for scope in scopes}
    counts = []
    for _ in range(4):
        asked.clear()
        await p.poll(work)
        counts.append(len(asked))
    assert counts == [LOOKUPS_A_POLL, LOOKUPS_A_POLL, 4, 0], "each in its turn, and none again so soon"
    for _ in range(16):
        await p.poll(work)
    assert set((await states(store)).values()) == {"unknown"}, "what cannot be read again is not running for ever"


async def test_a_look_by_id_is_tried_again_over_304s(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    source = Scripted("ci", [BUILDS], {"builds": [build(1, "running")]}, clock)
    source.lookups = {"1": ServerError("502")}
    work = polled(source, clock)
    p = poller(ingest, clock, work)
    await p.poll(work)
    source.script["builds"] = []
    await p.poll(work)
    source.script["builds"] = NotModified()
    source.lookups = {"1": build(1, "failed")}
    for _ in range(4):
        await p.poll(work)
    assert await states(store) == {"ci:build:1": "failed"}


# --- when a part fails alone ------------------------------------------------------------------------------------------


async def test_a_part_that_fails_alone_is_left_alone_for_longer_and_longer(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    asked: list[float] = []

    def refuse() -> list[Item]:
        asked.append(clock.monotonic())
        raise AuthError("403")

    source = Scripted("ci", [ALERTS, BUILDS], {"alerts": [], "builds": refuse}, clock)
    p = poller(ingest, clock, work := polled(source, clock))
    p.start()
    await clock.run_for(1_000)
    assert work.polls > 50 and len(asked) == 3, "at once, after 5 minutes, after 10 more"
    assert (await board(store)).state_of("ci") == "partial"
    p.refresh("ci")
    await clock.run_for(1)
    assert len(asked) == 4, "and when a person asks"
    source.script["builds"] = []
    p.refresh("ci")
    await clock.run_for(1)
    assert (await board(store)).state_of("ci") == "fresh"
    await p.stop()


class Counting(NoClient):
    """Keeps when it was told to read the secrets anew."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.anew: list[float] = []

    def retry_credentials(self) -> None:
        self.anew.append(self.clock.monotonic())


async def test_what_a_source_was_refused_is_asked_again_with_its_secrets_read_anew(
    ingest: Ingest, clock: FakeClock
) -> None:
    """Also where the refusal came in a 200, which the client takes for a good answer."""
    asked: list[float] = []

    def refuse() -> list[Item]:
        asked.append(clock.monotonic())
        raise AuthError("200, and an error inside")

    source = Scripted("ci", [ALERTS, BUILDS], {"alerts": refuse, "builds": refuse}, clock)
    work = polled(source, clock)
    work.client = client = Counting(clock)
    p = poller(ingest, clock, work)
    p.start()
    await clock.run_for(1_200)
    times = sorted(set(asked))
    assert len(times) == 3 and len(asked) == 6, "at once, after 5 minutes, after 10 more"
    assert client.anew == times, "once for both parts, and before they are asked again"
    await p.stop()


async def test_a_part_that_was_refused_alone_is_asked_again_with_the_secrets_read_anew(
    ingest: Ingest, clock: FakeClock
) -> None:
    asked: list[float] = []

    def refuse() -> list[Item]:
        asked.append(clock.monotonic())
        raise AuthError("403")

    source = Scripted("ci", [ALERTS, BUILDS], {"alerts": [], "builds": refuse}, clock)
    work = polled(source, clock)
    work.client = client = Counting(clock)
    p = poller(ingest, clock, work)
    p.start()
    await clock.run_for(1_000)
    assert work.polls > 50 and len(asked) == 3
    assert client.anew == asked[1:], "not at each of the polls in between"
    await p.stop()


async def test_other_errors_have_no_secret_read_anew(ingest: Ingest, clock: FakeClock) -> None:
    source = Scripted("ci", [ALERTS, BUILDS], {"alerts": [], "builds": ServerError("502")}, clock)
    work = polled(source, clock)
    work.client = client = Counting(clock)
    p = poller(ingest, clock, work)
    p.start()
    await clock.run_for(1_000)
    source.script["alerts"] = BadAnswer("no")
    await clock.run_for(1_000)
    assert client.anew == []
    await p.stop()


async def test_one_failure_of_a_part_delays_nothing(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    source = Scripted("ci", [ALERTS, BUILDS], {"alerts": [], "builds": ServerError("502")}, clock)
    p = poller(ingest, clock, work := polled(source, clock))
    clock.advance(await p.poll(work))
    source.script["builds"] = []
    clock.advance(1.5)
    await p.poll(work)
    assert (await board(store)).state_of("ci") == "fresh"


async def test_a_part_that_never_heals_does_not_make_the_whole_source_wait_when_it_fails_once(
    ingest: Ingest, clock: FakeClock
) -> None:
    source = Scripted("ci", [ALERTS, BUILDS], {"alerts": [], "builds": NotFound("404")}, clock)
    p = poller(ingest, clock, work := polled(source, clock))
    for _ in range(20):
        clock.advance(await p.poll(work))
    source.script["alerts"] = ServerError("502")
    assert await p.poll(work) <= 15, "the first failure, not the twenty-first"


async def test_a_rate_limit_of_a_part_is_obeyed(ingest: Ingest, clock: FakeClock) -> None:
    asked: list[float] = []

    def limited() -> list[Item]:
        asked.append(clock.monotonic())
        raise RateLimited("429", retry_after=90)

    source = Scripted("ci", [ALERTS, BUILDS], {"alerts": [], "builds": limited}, clock)
    p = poller(ingest, clock, polled(source, clock))
    p.start()
    await clock.run_for(120)
    await p.stop()
    assert len(asked) == 2 and asked[1] - asked[0] >= 90


async def test_a_wish_during_a_poll_is_another_poll(ingest: Ingest, clock: FakeClock) -> None:
    go_on = asyncio.Event()

    async def slow() -> list[Item]:
        await go_on.wait()
        return []

    source = Scripted("am", [ALERTS], {"alerts": lambda: slow()}, clock)
    p = poller(ingest, clock, work := polled(source, clock, interval=3600))
    p.start()
    await clock.run_for(1)
    p.refresh("am")
    go_on.set()
    await clock.run_for(1)
    assert work.polls == 2
    await p.stop()
