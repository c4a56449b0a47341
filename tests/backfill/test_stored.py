"""What is stored of the past: each transition once, nothing of it live, and what was seen as it was seen."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard.clock import FakeClock
from statusboard.ingest import Ingest
from statusboard.model import UNFINISHED, Incident, Item, ItemKind, Part, Release, Ticket, decode
from statusboard.source import Http, Past, Scope
from statusboard.store.base import Store
from statusboard.store.memory import MemoryStore
from tests.backfill.kit import DAY, NOW, Chronicle, Configured, build, run, stored
from tests.boards import ITEMS


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
