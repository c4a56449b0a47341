"""Within the quotas, past what fails, and beside whoever polls."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from statusboard.backfill import Backfill, SourceProgress, can_tell
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, RateLimited, ServerError, SourceError
from statusboard.ingest import Ingest
from statusboard.model import Part
from statusboard.source import HistoryUnsupported, Http, Past, Scope, Source, SourceOptions
from statusboard.store.base import Store
from statusboard.store.memory import MemoryStore
from tests.backfill.kit import DAY, NOW, Chronicle, Configured, Slow, build, fail, run, stored

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
    setup.before = lambda part, cursor: fail(ServerError("502")) if len(setup.source.asked) in (3, 4) else None
    assert (await run(memory, clock, setup))["ci"].state == "done"


async def test_one_part_that_fails_harms_no_other(memory: MemoryStore, clock: FakeClock):
    setup = Configured(type("Two", (Chronicle,), {"names": ("one", "two", "three")}))
    setup.before = lambda part, cursor: fail(AuthError("403 no")) if part == "two" and cursor else None
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
    setup.before = lambda part, cursor: fail(error)
    progress = (await run(memory, clock, setup))["ci"]
    assert progress.state == "failed" and len(setup.source.asked) == asked
    assert {part.state for part in progress.parts.values()} == {"failed"}
    whys = [part.why for part in progress.parts.values() if part.why.startswith("not asked any more")]
    assert len(whys) == {1: 5, 6: 0, 12: 3}[asked]


@pytest.mark.parametrize("fault", [KeyError("x"), SystemExit(1), RecursionError()])
async def test_whatever_a_source_raises_harms_no_other(memory: MemoryStore, clock: FakeClock, fault: BaseException):
    setup = Configured()
    setup.before = lambda part, cursor: fail(fault)
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
    setup.before = lambda part, cursor: fail(HistoryUnsupported("builds were turned off"))
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


def test_source_errors_are_what_a_source_may_raise():
    assert issubclass(RateLimited, SourceError)
