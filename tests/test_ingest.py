"""The one door into the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from statusboard.clock import FakeClock
from statusboard.errors import LeaseLost, NotFound, StoreUnusable
from statusboard.ingest import Ingest
from statusboard.model import Annotation, Build, Incident, Item, Part, Reach, SourceHealth, Status, decode, health_key
from statusboard.store.base import Batch, Lease
from statusboard.store.memory import MemoryStore
from tests.scripted import alert, build

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FailingStore(MemoryStore):
    """A store whose disk is full when told so."""

    full = False

    async def append(self, batch: Batch, lease: Lease | None = None):  # type: ignore[no-untyped-def]
        if self.full:
            raise StoreUnusable("the disk is full", reason="full")
        return await super().append(batch, lease)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
async def store(clock: FakeClock) -> AsyncIterator[FailingStore]:
    store = FailingStore(clock=clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def ingest(store: FailingStore, clock: FakeClock) -> Ingest:
    ingest = Ingest(store, clock)
    ingest.lease = await store.lease("poll", "test")
    await ingest.load()
    return ingest


def part(*items: Item, scope: str = "all", kind: str = "incident", reach: Reach = "complete", **kw: object) -> Part:
    return Part(scope=scope, kind=kind, reach=reach, started_at=T0, items=items, **kw)  # type: ignore[arg-type]


async def take(ingest: Ingest, p: Part, source: str = "am") -> tuple[list[str], list[str], str]:
    changes, orphans, counted = await ingest.part(source, p, mark=ingest.mark, gap=60)
    return [c.type for c in changes], orphans, str(counted.error or "")


async def restarted(before: Ingest, store: MemoryStore, clock: FakeClock) -> Ingest:
    ingest = Ingest(store, clock)
    ingest.lease = before.lease
    await ingest.load()
    return ingest


async def states(store: MemoryStore) -> dict[str, str]:
    return {row.key: decode(row.body).state for row in (await store.snapshot()).rows}


async def test_each_transition_is_stored_once(ingest: Ingest, store: MemoryStore) -> None:
    assert (await take(ingest, part(alert(1), alert(2))))[0] == ["incident.detected", "incident.detected"]
    assert (await take(ingest, part(alert(1), alert(2))))[0] == []
    assert (await take(ingest, part(alert(1, "suppressed"), alert(2))))[0] == ["incident.reported"]
    assert (await take(ingest, part(alert(1, "suppressed"))))[0] == ["incident.resolved"]
    assert (await take(ingest, part(alert(1, "suppressed"))))[0] == []
    assert await states(store) == {"am:incident:1": "suppressed", "am:incident:2": "resolved"}


async def test_after_a_restart_the_same_answer_is_no_change(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    await take(ingest, part(alert(1, labels={"a": "b"})))
    again = Ingest(store, clock)
    again.lease = ingest.lease
    await again.load()
    assert (await take(again, part(alert(1, labels={"a": "b"}))))[0] == []
    assert (await take(again, part()))[0] == ["incident.resolved"], "it knows which part the alert came in"


async def test_what_comes_back_after_it_vanished_is_open_again(ingest: Ingest, store: MemoryStore) -> None:
    await take(ingest, part(alert(1)))
    await take(ingest, part())
    assert (await take(ingest, part(alert(1))))[0] == ["incident.detected"]
    assert await states(store) == {"am:incident:1": "open"}


async def test_a_failed_part_changes_nothing(ingest: Ingest, store: MemoryStore) -> None:
    await take(ingest, part(alert(1)))
    assert await take(ingest, part(error=NotFound("404"))) == ([], [], "404")
    assert await states(store) == {"am:incident:1": "open"}
    await ingest.flush()
    (covered,) = await store.coverage("am")
    assert covered.last_success == T0


async def test_what_a_failed_part_could_give_is_taken_in(ingest: Ingest, store: MemoryStore) -> None:
    await take(ingest, part(alert(1), alert(2)))
    types, _, _ = await take(ingest, part(alert(2, "acknowledged"), alert(3), error=NotFound("one row of three")))
    assert types == ["incident.reported", "incident.detected"]
    assert (await states(store))["am:incident:1"] == "open", "absence in a failed part proves nothing"
    assert (await take(ingest, part(alert(2, "acknowledged"), alert(3))))[0] == ["incident.resolved"]


async def test_what_another_part_still_shows_is_not_gone(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    await take(ingest, part(alert(1), scope="a"))
    await take(ingest, part(alert(1), scope="b"))
    assert (await take(ingest, part(scope="a")))[0] == ["incident.updated"], "it belongs to the other part now"
    again = await restarted(ingest, store, clock)
    assert (await take(again, part(scope="a")))[0] == [], "even after a restart"
    assert await again.withdraw("am", {"b"}) == ([], ["a"])
    assert (await take(again, part(scope="b")))[0] == ["incident.resolved"]


async def test_two_parts_that_differ_do_not_take_turns(ingest: Ingest, store: MemoryStore) -> None:
    one, two = part(build(1, "failed"), kind="build", scope="a"), part(build(1), kind="build", scope="b")
    for _ in range(2):
        await take(ingest, one, "ci")
        await take(ingest, two, "ci")
    for parts in ((one, two), (two, one), (one, two)):
        assert [(await take(ingest, p, "ci"))[0] for p in parts] == [[], []]
    assert await states(store) == {"ci:build:1": "failed"}
    newer = part(build(1, updated_at=T0), kind="build", scope="b")
    assert (await take(ingest, newer, "ci"))[0] == ["pipelinerun.finished"], "the later word counts"
    assert (await take(ingest, one, "ci"))[0] == []


async def test_a_part_no_longer_asked_for_is_withdrawn_not_resolved(ingest: Ingest, store: MemoryStore) -> None:
    await take(ingest, part(alert(1), scope="a"))
    await take(ingest, part(alert(2), scope="b"))
    changes, parts = await ingest.withdraw("am", {"a"})
    assert parts == ["b"]
    assert [(c.key, c.type) for c in changes] == [("am:incident:2", "incident.withdrawn")]
    assert await ingest.withdraw("am", {"a"}) == ([], [])
    assert [c.key for c in await ingest.leave("am")] == ["am:incident:1"]


async def test_a_full_disk_loses_nothing(ingest: Ingest, store: FailingStore) -> None:
    await take(ingest, part(alert(1)))
    store.full = True
    with pytest.raises(StoreUnusable):
        await take(ingest, part())
    with pytest.raises(StoreUnusable):
        await ingest.flush()
    store.full = False
    assert (await take(ingest, part()))[0] == ["incident.resolved"]


async def test_without_the_lease_nothing_is_written(ingest: Ingest, store: MemoryStore) -> None:
    assert ingest.lease is not None
    ingest.lease = msgspec.structs.replace(ingest.lease, token=ingest.lease.token - 1)
    with pytest.raises(LeaseLost):
        await take(ingest, part(alert(1)))
    assert await states(store) == {}


async def test_foreign_text_is_cleaned_before_it_is_stored(ingest: Ingest, store: MemoryStore) -> None:
    evil = alert(
        1,
        labels={"x\x1b[31m": "a\x9bb\u202ec"},
        url="javascript:alert(1)",
        links={"runbook": "https://ok.example/", "bad": "file:///etc/passwd"},
        actor="\x1b]52;c;aGk=\x07me",
        started_at=datetime(2026, 1, 2, 4, 4, 5, tzinfo=UTC).astimezone(),
    )
    await take(ingest, part(evil))
    (row,) = (await store.snapshot()).rows
    text = row.body.decode()
    assert not set(text) & set("\x1b\x9b\u202e\x07") and "\\u" not in text
    fact = decode(row.body)
    assert isinstance(fact, Incident) and fact.url == "" and fact.links == {"runbook": "https://ok.example/"}


async def test_duplicates_keep_the_newest_word(ingest: Ingest, store: MemoryStore) -> None:
    old = build(1, "failed", updated_at=T0)
    new = build(1, "success", updated_at=T0 + timedelta(seconds=1))
    await take(ingest, part(old, new, old, kind="build", reach="window"), "ci")
    assert await states(store) == {"ci:build:1": "success"}


async def test_faulty_items_are_left_out_and_told(ingest: Ingest, store: MemoryStore) -> None:
    strange = [
        "a string",
        build(2),
        alert(3, "exploded"),
        alert("x" * 500),
        alert(4, title=7),
        alert(5, labels={"a": 1}),
    ]
    types, _, faults = await take(ingest, part(alert(1), *strange))  # type: ignore[arg-type]
    assert types == ["incident.detected"]
    assert faults.startswith(f"{len(strange)} of {len(strange) + 1} items were left out: an item is a str ")


async def test_lone_surrogates_are_replaced(ingest: Ingest, store: MemoryStore) -> None:
    await take(ingest, part(alert(1, actor="a\ud800b")))
    assert (await take(ingest, part(alert(1, actor="a\ud800b"))))[0] == []
    (row,) = (await store.snapshot()).rows
    assert "\ud800" not in row.body.decode()


async def test_an_unfinished_build_out_of_the_window_is_asked_for_again(ingest: Ingest, store: MemoryStore) -> None:
    await take(ingest, part(build(1, "running"), build(2), kind="build", reach="window"), "ci")
    window = part(build(2), kind="build", reach="window")
    assert (await take(ingest, window, "ci"))[1] == ["ci:build:1"]
    await ingest.unreadable("ci", ["ci:build:1"])
    assert (await states(store))["ci:build:1"] == "unknown"
    await ingest.found("ci", window, [build(1, "failed")])
    assert (await states(store))["ci:build:1"] == "failed"


async def test_what_is_long_over_does_not_come_in_again(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    ago = T0 - timedelta(days=30)
    runs = [
        build(
            n,
            "failed",
            pipeline="ci",
            started_at=ago + timedelta(hours=n),
            ended_at=ago + timedelta(hours=n, minutes=5),
        )
        for n in range(5)
    ]
    await take(ingest, part(*runs, kind="build", reach="window"), "ci")
    assert list(await states(store)) == ["ci:build:4"], "only the slot's newest verdict is still worth showing"
    await ingest.expire([("ci", "ci:build:4", ingest.mark - 1)])
    assert list(await states(store)) == ["ci:build:4"], "it has changed since"
    await ingest.expire([("ci", "ci:build:4", ingest.mark)])
    assert await states(store) == {}


async def test_resolving_happens_on_the_way_in_and_again_when_the_catalog_changes(
    ingest: Ingest, store: MemoryStore
) -> None:
    ingest.use_resolver("am", lambda item: msgspec.structs.replace(item, team="payments"))
    await take(ingest, part(alert(1)))
    assert (await take(ingest, part(alert(1))))[0] == []
    ingest.use_resolver("am", lambda item: msgspec.structs.replace(item, team="search"))
    assert (await take(ingest, part(alert(1))))[0] == ["incident.reported"]
    (row,) = (await store.snapshot()).rows
    assert decode(row.body).team == "search"  # type: ignore[union-attr]


async def test_health_is_a_change_only_when_it_changes(ingest: Ingest, store: MemoryStore) -> None:
    health = SourceHealth(key=health_key("am"), source="am", state="fresh")
    assert [c.type for c in await ingest.health(health)] == ["source.fresh"]
    assert await ingest.health(health) == []
    stale = msgspec.structs.replace(health, state="stale")
    assert [c.type for c in await ingest.health(stale)] == ["source.stale"]


async def test_a_person_needs_no_lease(store: MemoryStore, clock: FakeClock) -> None:
    (change,) = await Ingest(store, clock).annotate(
        Annotation(key="me:annotation:1", source="me", state="set", target="am:incident:1", text="look\x1b[2Jing")
    )
    assert change.origin == "person" and change.body is not None and b"\\u001b" not in change.body


async def test_statuses_wait_for_the_next_write(ingest: Ingest, store: MemoryStore) -> None:
    ingest.status(Status(source="am", last_attempt=T0))
    assert await store.statuses() == []
    await ingest.flush()
    assert [s.source for s in await store.statuses()] == ["am"]


async def test_ten_thousand_unchanged_items_write_nothing(ingest: Ingest, store: MemoryStore) -> None:
    items = [build(n, labels={"n": str(n)}) for n in range(10_000)]
    await take(ingest, part(*items, kind="build", reach="window"), "ci")
    before = (await store.health()).seq
    assert (await take(ingest, part(*items, kind="build", reach="window"), "ci"))[0] == []
    assert (await store.health()).seq == before
    assert isinstance(items[0], Build)
