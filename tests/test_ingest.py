"""The one door into the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from statusboard.clock import FakeClock
from statusboard.desk import Desk
from statusboard.diff import draft
from statusboard.errors import LeaseLost, NotFound, StoreUnusable
from statusboard.ingest import Ingest
from statusboard.model import (
    Annotation,
    Build,
    Change,
    Incident,
    Item,
    Part,
    Reach,
    SourceHealth,
    Status,
    Validator,
    decode,
    health_key,
)
from statusboard.store.base import Batch, Lease
from statusboard.store.memory import MemoryStore
from tests.scripted import alert, build

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FailingStore(MemoryStore):
    """A store whose disk is full when told so, or slow."""

    full = False
    slow = False
    asked = 0

    async def append(self, batch: Batch, lease: Lease | None = None) -> list[Change]:
        self.asked += 1
        if self.slow:
            for _ in range(20):
                await asyncio.sleep(0)
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


async def test_what_another_part_still_shows_is_not_gone(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
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


TAG = Validator(source="ci", part="all", request="r", etag='"1"')


async def test_validators_come_with_the_changes_they_vouch_for(ingest: Ingest, store: MemoryStore) -> None:
    runs = part(build(1), kind="build", reach="window", validators=(TAG,))
    taken = await ingest.part("ci", runs, mark=ingest.mark, gap=60)
    assert taken.part.validators == (TAG,) and await store.validators("ci") == [TAG]
    other = msgspec.structs.replace(TAG, request="other")
    await take(ingest, msgspec.structs.replace(runs, validators=(other,)), "ci")
    assert await store.validators("ci") == [other], "not beside those of an older answer"
    await take(ingest, msgspec.structs.replace(runs, validators=()), "ci")
    assert await store.validators("ci") == [], "an answer without any leaves none behind"


@pytest.mark.parametrize("fault", [{"error": NotFound("one row of two")}, {"items": (build(1), build("x" * 500))}])
async def test_what_was_not_taken_in_whole_is_not_vouched_for(
    ingest: Ingest, store: MemoryStore, fault: dict[str, object]
) -> None:
    runs = part(build(1), kind="build", reach="window", validators=(TAG,))
    taken = await ingest.part("ci", msgspec.structs.replace(runs, **fault), mark=ingest.mark, gap=60)
    assert taken.changes and taken.part.error is not None and taken.part.validators == ()
    assert await store.validators("ci") == []
    await ingest.flush()
    assert await store.coverage("ci") == [], "nor was it watched"


async def test_an_item_that_cannot_be_read_any_more_has_not_vanished(ingest: Ingest, store: MemoryStore) -> None:
    await take(ingest, part(alert(1), alert(2)))
    types, _, error = await take(ingest, part(alert(1, "exploded")))
    assert types == [] and "exploded" in error
    assert set((await states(store)).values()) == {"open"}
    assert (await take(ingest, part(alert(1))))[0] == ["incident.resolved"]


async def test_what_changed_while_an_answer_was_read_is_asked_for_again(ingest: Ingest, store: MemoryStore) -> None:
    mark = ingest.mark
    await take(ingest, part(build(1), kind="build", reach="window"), "ci")
    late = part(build(1, "failed"), kind="build", reach="window", validators=(TAG,))
    taken = await ingest.part("ci", late, mark=mark, gap=60)
    assert taken.changes == [] and taken.part.validators == (), "a 304 would keep it from us for ever"


async def test_an_unfinished_item_out_of_the_window_is_not_forgotten_over_304s(
    ingest: Ingest, store: MemoryStore, clock: FakeClock
) -> None:
    window = part(build(2), kind="build", reach="window", validators=(TAG,))
    await take(ingest, part(build(1, "running"), build(2), kind="build", reach="window"), "ci")
    assert (await take(ingest, window, "ci"))[1] == ["ci:build:1"]
    same = part(kind="build", reach="window", unchanged=True)
    assert (await take(ingest, same, "ci"))[1] == ["ci:build:1"]
    assert await store.validators("ci") == [], "after a restart the part is read in full"
    await ingest.gone("ci", ["ci:build:1"])
    assert (await take(ingest, same, "ci"))[1] == []


async def test_a_part_that_comes_back_is_read_in_full(ingest: Ingest, store: MemoryStore) -> None:
    await take(ingest, part(build(1), kind="build", reach="window", validators=(TAG,)), "ci")
    assert (await ingest.withdraw("ci", {"other"}))[1] == ["all"]
    assert await store.validators("ci") == []


async def test_what_people_said_outlives_the_source(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    await take(ingest, part(alert(1)))
    await ingest.annotate(
        Annotation(key="am:annotation:1", source="am", state="set", target="am:incident:1", text="on it")
    )
    again = await restarted(ingest, store, clock)
    assert [c.type for c in await again.leave("am")] == ["incident.withdrawn"]
    assert list(await states(store)) == ["am:annotation:1"]


async def test_rows_of_no_part_find_theirs_or_go(ingest: Ingest, store: MemoryStore, clock: FakeClock) -> None:
    """Their store was damaged, and what could be saved does not say where they belong."""
    drafts = tuple(draft(None, alert(n)) for n in (1, 2))
    await store.append(Batch(observed_at=T0, drafts=drafts), ingest.lease)
    again = await restarted(ingest, store, clock)
    await take(again, part(alert(1)))
    changes, _ = await again.withdraw("am", {"all"})
    assert [(c.key, c.type) for c in changes] == [
        ("am:incident:1", "incident.updated"),
        ("am:incident:2", "incident.withdrawn"),
    ]
    assert (await take(await restarted(again, store, clock), part()))[0] == ["incident.resolved"]


async def test_a_run_that_began_again_is_not_taken_off_the_board(ingest: Ingest, store: MemoryStore) -> None:
    await take(ingest, part(build(1), kind="build"), "ci")
    over = ingest.mark
    await take(ingest, part(build(1, "running", attempt=2), kind="build"), "ci")
    assert await ingest.expire([("ci", "ci:build:1", over)]) == []


async def test_two_who_judge_at_once_tell_once(store: FailingStore, ingest: Ingest) -> None:
    store.slow = True
    health = SourceHealth(key=health_key("am"), source="am", state="fresh")
    told = await asyncio.gather(ingest.health(health), ingest.health(health))
    assert [len(changes) for changes in told] == [1, 0]


async def test_a_poll_that_is_given_up_while_it_stores_is_not_stored_again(store: FailingStore, ingest: Ingest) -> None:
    store.slow = True
    polling = asyncio.create_task(take(ingest, part(alert(1))))
    while not store.asked:
        await asyncio.sleep(0)
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await polling
    assert await states(store) == {"am:incident:1": "open"}
    assert (await take(ingest, part(alert(1))))[0] == []


async def test_times_without_a_zone_do_not_stop_a_part(ingest: Ingest, store: MemoryStore) -> None:
    naive = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - as a careless plug-in gives it
    runs = part(
        build(1, started_at=naive, ended_at=naive, updated_at=naive),
        build(1, updated_at=T0),
        build(2, labels={"a": object()}),
        kind="build",
    )
    types, _, error = await take(ingest, runs, "ci")
    assert types == ["pipelinerun.finished"] and error.startswith("1 of 3 items")


async def test_what_left_the_board_was_told_all_the_same(ingest: Ingest, store: MemoryStore) -> None:
    await take(ingest, part(alert("1"), alert("2")))
    desk = Desk()
    for row in await store.get(["am:incident:1", "am:incident:2"]):
        desk.know(row, row.body)
    desk.told["all"] = desk.members["all"] = set(desk.known)
    desk.forget("am:incident:1")
    assert desk.members["all"] == {"am:incident:2"}
    assert desk.told["all"] == {"am:incident:1", "am:incident:2"}
    told = desk.members["all"]
    desk.forget("am:incident:2")
    assert desk.members["all"] is told, "copied once"
