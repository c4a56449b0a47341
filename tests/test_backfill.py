"""Reading back: pages to the horizon and no further, within the quotas, going on where it was, and storing once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.backfill import Backfill, SourceProgress, can_tell
from statusboard.board import Board
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, RateLimited, ServerError, SourceError
from statusboard.ingest import Ingest
from statusboard.model import UNFINISHED, Build, Change, Incident, Item, ItemKind, Part, Release, Ticket, decode
from statusboard.source import Context, HistoryUnsupported, Http, HttpFactory, Past, Scope, Source, SourceOptions
from statusboard.store.base import Store
from statusboard.store.memory import MemoryStore
from statusboard.store.sqlite import SQLiteStore
from statusboard.testing import FakeHttp
from tests.boards import ITEMS

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def build(number: int, at: datetime, **more: Any) -> Build:
    fields: dict[str, Any] = {"state": "success", "pipeline": "ci", "run_number": number, "started_at": at}
    fields["ended_at"] = at + timedelta(minutes=5)
    return Build(key=f"ci:build:{number}", source="ci", **{**fields, **more})


class Chronicle(Source[SourceOptions]):
    """A vendor with a build every six hours, ten on a page, that goes back 200 days."""

    type = "chronicle"
    kinds: ClassVar[frozenset[ItemKind]] = frozenset({"build", "incident"})
    history_kinds: ClassVar[frozenset[ItemKind]] = frozenset({"build"})
    no_history = "it forgets incidents"
    names: Sequence[str] = ("builds",)
    days = 200
    page = 10

    def __init__(self, options: SourceOptions, context: Context) -> None:
        super().__init__(options, context)
        self.asked: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda part, cursor: None

    async def scopes(self, http: Http) -> list[Scope]:
        return [Scope(name=name, kind="build", reach="window") for name in self.names]

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        self.asked.append((scope.name, cursor))
        self.before(scope.name, cursor)
        newest = int((self.clock.now() - NOW + DAY * self.days) / timedelta(hours=6))
        number = int(cursor) if cursor else newest
        some = range(number, max(number - self.page, 0), -1)
        items = [self.build(scope.name, n) for n in some]
        oldest = items[-1].started_at if items else None
        return Past(items=tuple(items), older=str(some[-1] - 1) if some and some[-1] > 1 else "", reached=oldest)

    def build(self, part: str, number: int) -> Build:
        at = NOW - DAY * self.days + timedelta(hours=6) * number
        made = build(number, at)
        return msgspec.structs.replace(made, key=self.key("build", f"{part}/{number}"), source=self.name)


class Client:
    """A client that asks nobody; ``room`` are the waits that it asks for, one before each page."""

    def __init__(self) -> None:
        self.requests = 0
        self.room: list[float] = []

    @property
    def factory(self) -> HttpFactory:
        def make(scope: str) -> Http:
            self.requests += 1
            return FakeHttp(lambda call: None)  # type: ignore[arg-type, return-value]

        return make

    def wait_for_room(self, share: float) -> float:
        assert 0 < share < 1
        return self.room.pop(0) if self.room else 0.0


class Configured:
    """A configured source, with what it was made into last."""

    def __init__(self, cls: type[Source[Any]] = Chronicle, name: str = "ci", identity: str = "a+b") -> None:
        self.type = "chronicle"
        self.cls = cls
        self.name = name
        self.identity = identity
        self.client = Client()
        self.before: Callable[[str, str], None] = lambda part, cursor: None
        self.source: Any = None

    @staticmethod
    def resolver(item: Item) -> Item:
        return msgspec.structs.replace(item, services=("shop",))

    def make(self, clock: Any) -> tuple[Source[SourceOptions], Client]:
        context = Context(name=self.name, clock=clock, log=logging.getLogger("statusboard.source"))
        self.source = self.cls(SourceOptions(type=self.type, name=self.name), context)
        self.source.before = self.before
        return self.source, self.client


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: Any, clock: FakeClock, tmp_path: Any) -> AsyncIterator[Store]:
    store: Store = (
        MemoryStore(clock=clock) if request.param == "memory" else SQLiteStore(tmp_path / "b.db", clock=clock)
    )
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def memory(clock: FakeClock) -> AsyncIterator[MemoryStore]:
    store = MemoryStore(clock=clock)
    await store.open()
    yield store
    await store.close()


async def run(
    store: Store, clock: FakeClock, *setups: Configured, days: int = 30, anew: bool = False
) -> dict[str, SourceProgress]:
    backfill = Backfill(setups or [Configured()], store, clock, since=clock.now() - DAY * days, anew=anew)
    task = asyncio.ensure_future(backfill.run())
    while not task.done():
        await clock.run_for(60)
        await asyncio.sleep(0.001)
    await task
    assert backfill.fraction == 1.0 and backfill.seconds_left() == 0.0
    return dict(backfill.progress)


async def stored(store: Store) -> list[Change]:
    return await store.past(limit=100_000)


# -- how far ---------------------------------------------------------------------------------------------------------


async def test_it_pages_to_the_horizon_and_no_further(store: Store, clock: FakeClock):
    setup = Configured()
    progress = (await run(store, clock, setup))["ci"]
    changes = await stored(store)
    assert progress.state == "done" and progress.changes == len(changes)
    assert len(setup.source.asked) == 13  # 30 days of 4 builds, and the one that ended just before them
    assert min(c.time for c in changes if c.time) >= NOW - DAY * 33  # a page that was read is stored in full
    assert {c.origin for c in changes} == {"backfill"} and min(c.observed_at for c in changes) >= NOW
    assert all(c.type == "pipelinerun.finished" for c in changes)
    assert decode(changes[0].body or b"").services == ("shop",)  # type: ignore[union-attr]


async def test_nothing_of_it_is_live_or_was_seen_then(store: Store, clock: FakeClock):
    await run(store, clock)
    assert (await store.snapshot()).rows == ()
    assert (await store.snapshot(clock.now())).rows == ()
    board = Board()
    board.fold(list(reversed(await stored(store))))
    assert not board.rows
    remembered = await store.remembered("build", since=NOW - DAY * 30)
    assert len(remembered) >= 119 and {fact.origin for fact in remembered} == {"backfill"}
    assert all(fact.first_seen >= NOW for fact in remembered)


async def test_all_that_is_there_is_less_than_was_asked_for(memory: MemoryStore, clock: FakeClock):
    progress = (await run(memory, clock, days=365))["ci"]
    (part,) = progress.parts.values()
    assert part.ended and progress.changes == 800
    again = Configured()
    await run(memory, clock, again, days=365)
    assert again.source.asked == []
    (stretch,) = await memory.backfilled("ci")
    assert stretch.done and stretch.since == NOW - DAY * 200 + timedelta(hours=6)  # and not 365 days ago
    deeper = Configured()
    assert (await run(memory, clock, deeper, days=400))["ci"].changes == 0
    assert len(deeper.source.asked) == 80  # the list that ended was that of 365 days


async def test_twice_stores_nothing_twice(store: Store, clock: FakeClock):
    await run(store, clock)
    before = len(await stored(store))
    again = Configured()
    await run(store, clock, again)
    assert again.source.asked == []  # all of it was read a moment ago
    anew = Configured()
    progress = await run(store, clock, anew, anew=True)
    assert len(anew.source.asked) > 10 and progress["ci"].changes == 0
    assert len(await stored(store)) == before


async def test_further_back_is_another_list_and_stores_nothing_twice(store: Store, clock: FakeClock):
    """Where a page begins in the list of ten days, none need begin in that of thirty."""
    await run(store, clock, days=10)
    further = Configured()
    await run(store, clock, further, days=30)
    assert further.source.asked[0][1] == ""
    keys = [change.key for change in await stored(store)]
    assert len(keys) == len(set(keys)) >= 119
    less = Configured()
    await run(store, clock, less, days=20)
    assert less.source.asked == []


async def test_what_is_newer_than_the_last_run_is_read_and_not_all_the_rest(store: Store, clock: FakeClock):
    await run(store, clock)
    clock.advance(5 * 86_400)
    later = Configured()
    await run(store, clock, later)
    assert len(later.source.asked) == 3 and later.source.asked[0][1] == ""  # 5 days and the one that overlaps
    keys = [change.key for change in await stored(store)]
    assert len(keys) == len(set(keys)) >= 139
    last = Configured()
    await run(store, clock, last)
    assert last.source.asked == []


async def test_a_killed_run_goes_on_where_it_was(store: Store, clock: FakeClock):
    setup = Configured()
    reached = asyncio.Event()

    def stop(part: str, cursor: str) -> None:
        if len(setup.source.asked) == 6:
            reached.set()
            raise asyncio.CancelledError  # of the source's own doing: stands for a server that hangs

    setup.before = stop
    backfill = Backfill([setup], store, clock, since=NOW - DAY * 30)
    task = asyncio.ensure_future(backfill.run())
    await reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    before = len(await stored(store))
    assert before == 50
    again = Configured()
    progress = (await run(store, clock, again))["ci"]
    assert again.source.asked[0] == setup.source.asked[-1]
    assert progress.parts["builds"].resumed and len(await stored(store)) >= 119


async def test_other_options_begin_anew(memory: MemoryStore, clock: FakeClock):
    await run(memory, clock)
    refiled = Configured(identity="a+c")
    await run(memory, clock, refiled)
    assert refiled.source.asked == []
    other = Configured(identity="x+b")
    await run(memory, clock, other)
    assert len(other.source.asked) > 10


# -- what is stored --------------------------------------------------------------------------------------------------


class Told(Chronicle):
    """One page of these items."""

    items: tuple[Item, ...] = ()
    history_kinds = frozenset({"build", "incident", "release", "ticket"})
    kind: ItemKind = "incident"

    async def scopes(self, http: Http) -> list[Scope]:
        return [Scope(name="all", kind=self.kind, reach="window")]

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        return Past(items=self.items)


def telling(*told: Any, kind: ItemKind = "incident") -> Configured:
    return Configured(type("Some", (Told,), {"items": told, "kind": kind}))


def incident(**more: Any) -> Incident:
    fields: dict[str, Any] = {
        "title": "Till is slow",
        "state": "resolved",
        "severity": "high",
        "started_at": NOW - DAY,
        "acknowledged_at": NOW - DAY + timedelta(minutes=3),
        "acknowledged_by": "Ann",
        "assignee": "Ann",
        "ended_at": NOW - DAY + timedelta(minutes=30),
    }
    return Incident(key="ci:incident:1", source="ci", **{**fields, **more})


async def test_an_incident_is_stored_as_it_went(memory: MemoryStore, clock: FakeClock):
    await run(memory, clock, telling(incident()))
    opened, acknowledged, resolved = reversed(await stored(memory))
    assert [c.type for c in (opened, acknowledged, resolved)] == [
        "incident.detected", "incident.reported", "incident.resolved"
    ]  # fmt: skip
    assert [c.time for c in (opened, acknowledged, resolved)] == [
        NOW - DAY, NOW - DAY + timedelta(minutes=3), NOW - DAY + timedelta(minutes=30)
    ]  # fmt: skip
    first, last = decode(opened.body or b""), decode(resolved.body or b"")
    assert isinstance(first, Incident) and (first.state, first.assignee, first.ended_at) == ("open", "", None)
    assert isinstance(last, Incident) and last.assignee == "Ann" and last.severity == "high"


async def test_a_ticket_was_made_and_closed_and_a_release_ended(memory: MemoryStore, clock: FakeClock):
    ticket = Ticket(key="ci:ticket:1", source="ci", state="done", started_at=NOW - DAY * 2, ended_at=NOW - DAY)
    await run(memory, clock, telling(ticket, kind="ticket"))
    assert [c.type for c in reversed(await stored(memory))] == ["ticket.created", "ticket.closed"]
    release = Release(key="ci:release:1", source="ci", state="failed", started_at=NOW - DAY * 2, ended_at=NOW - DAY)
    await run(memory, clock, telling(release, kind="release"), anew=True)
    assert (await stored(memory))[0].type == "release.failed"


async def test_what_goes_on_is_left_to_the_polls_and_what_has_no_time_has_no_place(
    memory: MemoryStore, clock: FakeClock
):
    running = build(1, NOW - DAY, state="running")
    timeless = msgspec.structs.replace(build(2, NOW), started_at=None, ended_at=None)
    old = build(3, NOW - DAY * 40)
    long = build(4, NOW - DAY * 40, ended_at=NOW - DAY)
    await run(memory, clock, telling(running, timeless, old, long, kind="build"))
    assert sorted(c.key for c in await stored(memory)) == ["ci:build:3", "ci:build:4"]


async def test_what_was_seen_is_not_told_again(store: Store, clock: FakeClock):
    ingest = Ingest(store, clock)
    ingest.lease = await store.lease("poll", "me")
    seen = incident(title="As it was seen")
    part = Part(scope="all", kind="incident", reach="complete", started_at=NOW, items=(seen,))
    await ingest.part("ci", part, mark=ingest.mark, gap=60)
    await run(store, clock, telling(incident()))
    told = [(c.type, c.origin) for c in reversed(await stored(store))]
    assert told[1:] == [("incident.detected", "backfill"), ("incident.reported", "backfill")]
    (row,) = (await store.snapshot()).rows
    assert row.origin == "poll"
    (fact,) = await store.remembered("incident", since=NOW - DAY * 2)
    assert fact.origin == "poll" and decode(fact.body).title == "As it was seen"


async def test_another_episode_of_the_same_alert_is_another_story(memory: MemoryStore, clock: FakeClock):
    earlier = incident(started_at=NOW - DAY * 3, ended_at=NOW - DAY * 2, acknowledged_at=None)
    await run(memory, clock, telling(incident(), earlier))
    assert len(await stored(memory)) == 5
    assert len(await memory.remembered("incident", since=NOW - DAY * 9)) == 2


async def test_a_vendor_that_rewrites_history_is_believed_where_nobody_saw_it(memory: MemoryStore, clock: FakeClock):
    await run(memory, clock, telling(build(1, NOW - DAY), kind="build"))
    await run(memory, clock, telling(build(1, NOW - DAY, title="Other words"), kind="build"), anew=True)
    assert len(await stored(memory)) == 1  # a mended text is no other history
    await run(memory, clock, telling(build(1, NOW - DAY, branch="main"), kind="build"), anew=True)
    await run(memory, clock, telling(build(1, NOW - DAY, branch="main"), kind="build"), anew=True)
    assert len(await stored(memory)) == 2
    (fact,) = await memory.remembered("build", since=NOW - DAY * 2)
    assert decode(fact.body).branch == "main"  # type: ignore[union-attr]


async def test_when_commits_were_made_is_added_and_never_taken_away(memory: MemoryStore, clock: FakeClock):
    plain = Release(key="ci:release:1", source="ci", state="success", started_at=NOW - DAY, ended_at=NOW - DAY)
    told = msgspec.structs.replace(plain, committed_at=NOW - DAY * 2, commits=3)
    for release, count in ((plain, 1), (told, 2), (plain, 2), (told, 2)):
        await run(memory, clock, telling(release, kind="release"), anew=True)
        assert len(await stored(memory)) == count
    (fact,) = await memory.remembered("release", since=NOW - DAY * 2)
    assert decode(fact.body).committed_at == NOW - DAY * 2  # type: ignore[union-attr]


async def test_odd_items_cost_only_themselves(memory: MemoryStore, clock: FakeClock):
    foreign = msgspec.structs.replace(build(2, NOW - DAY), key="other:build:2")
    progress = await run(memory, clock, telling("no item", foreign, build(1, NOW - DAY), kind="build"))
    assert progress["ci"].state == "partial" and progress["ci"].parts["all"].left_out == 2
    assert [c.key for c in await stored(memory)] == ["ci:build:1"]


async def test_text_from_outside_is_cleaned(memory: MemoryStore, clock: FakeClock):
    await run(memory, clock, telling(build(1, NOW - DAY, title="a\x1b[2Jb\u202e"), kind="build"))
    assert decode((await stored(memory))[0].body or b"").title == "a[2Jb"


@settings(max_examples=60)
@given(st.lists(ITEMS, max_size=12), st.lists(ITEMS, max_size=6), st.booleans())
def test_laws_of_what_is_taken_in(bygone: list[Any], seen: list[Any], seen_first: bool):
    """Whatever is told: the live rows are those of the polls, nothing unfinished comes in, twice is once."""

    async def check() -> None:
        store = MemoryStore(clock=FakeClock(NOW))
        ingest = Ingest(store, FakeClock(NOW))
        ingest.lease = await store.lease("poll", "me")

        async def poll() -> None:
            for part in parts(seen):
                await ingest.part(part.items[0].source, part, mark=ingest.mark, gap=60)

        async def fetch() -> int:
            return sum([len((await ingest.bygone(p.items[0].source, p)).changes) for p in parts(bygone)])

        if seen_first:
            await poll()
        rows = (await store.snapshot()).rows
        await fetch()
        assert (await store.snapshot()).rows == rows
        for change in await store.past(limit=1_000):
            fact = decode(change.body or b"") if change.origin == "backfill" else None
            if fact is not None and change.time == getattr(fact, "ended_at", None):
                assert fact.state not in UNFINISHED[change.kind] or fact.state == "unknown"
        if not seen_first:
            await poll()
        if len({item.key for item in bygone}) == len(bygone):  # one that is told in two ways at once is told anew
            assert await fetch() == 0

    def parts(items: list[Any]) -> list[Part]:
        places = dict.fromkeys((item.source, item.kind) for item in items)
        return [
            Part(scope=kind, kind=kind, reach="delta", started_at=NOW, items=tuple(
                item for item in items if (item.source, item.kind) == (source, kind)
            ))
            for source, kind in places
        ]  # fmt: skip

    asyncio.run(check())


# -- quotas and faults -----------------------------------------------------------------------------------------------


async def test_it_waits_for_room_in_the_quota_and_for_what_the_server_asks(memory: MemoryStore, clock: FakeClock):
    setup = Configured()
    setup.client.room = [0.0, 0.0, 3_600.0]
    limited = iter([RateLimited("slow down", retry_after=120.0), RateLimited("again", retry_after=60.0)])
    waits: list[tuple[datetime, str]] = []

    def refuse(part: str, cursor: str) -> None:
        if len(setup.source.asked) in (5, 6) and (error := next(limited, None)) is not None:
            raise error

    def tell(progress: SourceProgress) -> None:
        if progress.until is not None:
            waits.append((progress.until, progress.waits))

    setup.before = refuse
    backfill = Backfill([setup], memory, clock, since=NOW - DAY * 30, tell=tell)
    task = asyncio.ensure_future(backfill.run())
    while not task.done():
        await clock.run_for(30)
    await task
    assert [why for _, why in waits] == [
        "so that half of its quota is left to others", "as the server asks", "as the server asks"
    ]  # fmt: skip
    assert waits[0][0] == NOW + timedelta(hours=1)
    assert clock.now() >= NOW + timedelta(hours=1, minutes=3) and backfill.progress["ci"].state == "done"


async def test_what_passes_is_tried_again(memory: MemoryStore, clock: FakeClock):
    setup = Configured()
    setup.before = lambda part, cursor: _fail(ServerError("502")) if len(setup.source.asked) in (3, 4) else None
    assert (await run(memory, clock, setup))["ci"].state == "done"


async def test_one_part_that_fails_harms_no_other(memory: MemoryStore, clock: FakeClock):
    setup = Configured(type("Two", (Chronicle,), {"names": ("one", "two", "three")}))
    setup.before = lambda part, cursor: _fail(AuthError("403 no")) if part == "two" and cursor else None
    other = Configured(name="other")
    progress = await run(memory, clock, setup, other)
    assert progress["ci"].state == "partial" and progress["ci"].why == "403 no"
    assert [part.state for part in progress["ci"].parts.values()] == ["done", "failed", "done"]
    assert progress["other"].state == "done"
    keys = {change.key.partition("/")[0] for change in await stored(memory)}
    assert keys == {"ci:build:one", "ci:build:two", "ci:build:three", "other:build:builds"}


@pytest.mark.parametrize(
    ("error", "asked"),
    [(AuthError("401 bad token", status=401), 1), (AuthError("403", status=403), 6), (ServerError("502"), 12)],
)
async def test_who_refuses_us_or_is_down_is_left_alone(
    memory: MemoryStore, clock: FakeClock, error: SourceError, asked: int
):
    setup = Configured(type("Many", (Chronicle,), {"names": tuple("abcdef")}))
    setup.before = lambda part, cursor: _fail(error)
    progress = (await run(memory, clock, setup))["ci"]
    assert progress.state == "failed" and len(setup.source.asked) == asked
    assert {part.state for part in progress.parts.values()} == {"failed"}
    whys = [part.why for part in progress.parts.values() if part.why.startswith("not asked any more")]
    assert len(whys) == {1: 5, 6: 0, 12: 3}[asked]


@pytest.mark.parametrize("fault", [KeyError("x"), SystemExit(1), RecursionError()])
async def test_whatever_a_source_raises_harms_no_other(memory: MemoryStore, clock: FakeClock, fault: BaseException):
    setup = Configured()
    setup.before = lambda part, cursor: _fail(fault)
    progress = await run(memory, clock, setup, Configured(name="other"))
    assert progress["ci"].state == "failed" and "chronicle source failed" in progress["ci"].why
    assert progress["other"].state == "done"


async def test_a_source_without_a_past_says_why(memory: MemoryStore, clock: FakeClock):
    class Now(Source[SourceOptions]):
        type = "now"
        kinds = frozenset({"incident"})
        no_history = "it keeps nothing"

        before: Any = None

    class Half(Chronicle):
        async def scopes(self, http: Http) -> list[Scope]:
            return [*await super().scopes(http), Scope(name="incidents", kind="incident", reach="complete")]

    progress = await run(memory, clock, Configured(Now, name="now"), Configured(Half))
    assert (progress["now"].state, progress["now"].why) == ("unsupported", "it keeps nothing")
    assert progress["ci"].state == "done" and progress["ci"].parts["incidents"].why == "it forgets incidents"
    assert can_tell(Chronicle) and not can_tell(Now)


async def test_a_scope_without_a_past_says_why(memory: MemoryStore, clock: FakeClock):
    setup = Configured()
    setup.before = lambda part, cursor: _fail(HistoryUnsupported("builds were turned off"))
    progress = (await run(memory, clock, setup))["ci"]
    assert (progress.state, progress.why) == ("unsupported", "builds were turned off")


class Endless(Chronicle):
    """A vendor that always has more."""

    turn = 0

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        self.asked.append((scope.name, cursor))
        item = self.build(scope.name, 700)
        match self.turn:
            case 0:
                return Past(items=(item,), older="1", reached=item.started_at)
            case 1:
                return Past(items=(item,), older=str(len(self.asked)), reached=item.started_at)
            case _:
                return Past(items=(item,), older=str(len(self.asked)))


@pytest.mark.parametrize("turn", [0, 1, 2])
async def test_pages_without_end_are_given_up(memory: MemoryStore, clock: FakeClock, turn: int):
    setup = Configured(type("Turning", (Endless,), {"turn": turn}))
    progress = (await run(memory, clock, setup))["ci"]
    assert progress.state == "failed" and len(setup.source.asked) <= 12
    assert len(await stored(memory)) == 1


class Slow(Chronicle):
    """A server that takes its time."""

    takes = 2.0

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        await self.clock.sleep(self.takes)
        return await super().history(scope, http, since=since, cursor=cursor)


async def test_pages_without_anything_are_none_of_those_while_more_of_the_whole_is_read(
    memory: MemoryStore, clock: FakeClock
):
    class Empty(Endless):
        async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
            self.asked.append((scope.name, cursor))
            count = len(self.asked)
            return Past(older=str(count) if count < 40 else "", share=count / 40, reached=None if count < 40 else since)

    setup = Configured(Empty)
    assert (await run(memory, clock, setup))["ci"].state == "done" and len(setup.source.asked) == 40


async def test_it_rests_as_long_as_the_server_took(memory: MemoryStore, clock: FakeClock):
    setup = Configured(Slow)
    backfill = Backfill([setup], memory, clock, since=NOW - DAY * 30)
    task = asyncio.ensure_future(backfill.run())
    await clock.run_for(20)
    assert len(setup.source.asked) == 5 and 0 < backfill.fraction < 1
    left = backfill.seconds_left()
    assert left is not None and 20 < left < 60
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert backfill.progress["ci"].state == "stopped"


# -- beside a board --------------------------------------------------------------------------------------------------


async def test_it_runs_beside_who_polls(store: Store, clock: FakeClock):
    """Polls go on under their lease, their marks hold, and the picture is what the polls make it."""
    ingest = Ingest(store, clock)
    ingest.lease = await store.lease("poll", "board")
    await ingest.load()

    async def poll(number: int) -> None:
        items = (build(900 + number, clock.now()),)
        part = Part(scope="builds", kind="build", reach="delta", started_at=clock.now(), items=items)
        await ingest.part("ci", part, mark=ingest.mark, gap=60)

    setup = Configured(type("Slow", (Slow,), {"takes": 0.2}))
    polled = 0
    backfill = Backfill([setup], store, clock, since=NOW - DAY * 30)
    task = asyncio.ensure_future(backfill.run())
    while not task.done():
        await poll(polled)
        polled += 1
        await clock.run_for(1)
        await asyncio.sleep(0.001)
    await task
    rows = (await store.snapshot()).rows
    assert polled > 1 and {row.key for row in rows} == {f"ci:build:{900 + n}" for n in range(polled)}
    seqs = [change.seq for change in await stored(store)]
    assert seqs == list(range(len(seqs), 0, -1))


def _fail(error: BaseException) -> None:
    raise error


def test_source_errors_are_what_a_source_may_raise():
    assert issubclass(RateLimited, SourceError)
