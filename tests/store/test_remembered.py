"""What is remembered of releases, builds and incidents, on every store: the last words, and their marks."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from statusboard.clock import to_us
from statusboard.diff import draft as draft_of
from statusboard.model import (
    Annotation,
    Build,
    Draft,
    Incident,
    IncidentState,
    Item,
    Kind,
    Origin,
    Release,
    Ticket,
    decode,
    encode,
)
from statusboard.store.base import BUNDLED, Batch, Mark, Remembered, Store, bundled
from tests.store.kit import T0, at, batch, draft

LONG_AGO = T0 - timedelta(days=4_000)
DAY = 86_400.0


def release(n: object = 1, state: str = "success", **more: object) -> Release:
    return Release(key=f"s:release:{n}", source="s", state=state, **more)  # type: ignore[arg-type]


def build(n: object = 1, state: str = "success", **more: object) -> Build:
    return Build(key=f"s:build:{n}", source="s", state=state, **more)  # type: ignore[arg-type]


def incident(start: float | None, state: IncidentState = "open", n: object = 1, **more: object) -> Incident:
    started = None if start is None else at(start)
    return Incident(key=f"s:incident:{n}", source="s", state=state, started_at=started, **more)  # type: ignore[arg-type]


def told(item: Item | Annotation, origin: Origin = "person") -> Draft:
    return draft_of(None, item, origin=origin)


def gone(item: Item | Annotation) -> Draft:
    return Draft(key=item.key, kind=item.kind, source="s", type="expired", origin="person", body=None)


async def put(store: Store, seconds: float, *items: Item | Annotation | Draft, origin: Origin = "person") -> int:
    drafts = tuple(item if isinstance(item, Draft) else told(item, origin) for item in items)
    return (await store.append(Batch(observed_at=at(seconds), drafts=drafts)))[-1].seq


async def remembered(store: Store, kind: Kind = "incident") -> list[Remembered]:
    return await store.remembered(kind, since=LONG_AGO)


def episode(start: float) -> int:
    return to_us(at(start))


# -- the last word -------------------------------------------------------------------------------------------------


async def test_the_last_word_on_a_release_outlives_its_place_on_the_board(store: Store):
    first = release(state="running", started_at=at(-60))
    last = release(state="success", started_at=at(-60), ended_at=at(100))
    await put(store, 0, first)
    seq = await put(store, 101, last)
    await put(store, 200_000, gone(last))
    assert await remembered(store, "release") == [
        Remembered(
            key=first.key,
            kind="release",
            source="s",
            episode=0,
            at=at(-60),
            first_seen=at(0),
            seq=seq,
            observed_at=at(101),
            origin="person",
            body=encode(last),
        )
    ]
    assert await remembered(store, "build") == await remembered(store) == []


async def test_each_attempt_of_a_build_has_its_own(store: Store):
    await put(store, 0, build(state="failed"))
    await put(store, 10, build(state="running", attempt=2, verdict="failed"))
    await put(store, 20, build(state="success", attempt=2))
    facts = await remembered(store, "build")
    assert [(fact.episode, fact.first_seen, fact.observed_at) for fact in facts] == [
        (1, at(0), at(0)),
        (2, at(10), at(20)),
    ]


async def test_each_episode_of_an_incident_has_its_own(store: Store):
    await put(store, 1, incident(0))
    await put(store, 50, incident(0, "resolved", ended_at=at(49)))
    await put(store, 99, gone(incident(0)))
    await put(store, 200, incident(150))
    facts = await remembered(store)
    assert [(fact.episode, fact.at, fact.first_seen) for fact in facts] == [
        (episode(0), at(0), at(1)),
        (episode(150), at(150), at(200)),
    ]
    assert facts[0].body == encode(incident(0, "resolved", ended_at=at(49)))


async def test_several_words_in_one_batch(store: Store):
    first, second = incident(0, "resolved", ended_at=at(5)), incident(6)
    seq = await put(store, 10, incident(0), first, second, gone(second), incident(6, "acknowledged"), release())
    assert [(fact.episode, fact.seq) for fact in await remembered(store)] == [(episode(0), 2), (episode(6), seq - 1)]


async def test_when_it_began_is_the_best_that_is_known(store: Store):
    await put(store, 0, release("never"), release("ended", ended_at=at(-5)), release("began", started_at=at(-9)))
    found = {fact.key[10:]: fact.at for fact in await remembered(store, "release")}
    assert found == {"never": at(0), "ended": at(-5), "began": at(-9)}
    await put(store, 10, release("never", "failed"), release("ended", "failed", ended_at=at(8)))
    found = {fact.key[10:]: fact.at for fact in await remembered(store, "release")}
    assert found == {"never": at(0), "ended": at(-5), "began": at(-9)}  # a second word does not begin it again
    await put(store, 20, release("never", "failed", started_at=at(-1)), release("began", "failed"))
    found = {fact.key[10:]: fact.at for fact in await remembered(store, "release")}
    assert found == {"never": at(-1), "ended": at(-5), "began": at(-9)}


async def test_tickets_and_health_are_not_remembered(store: Store):
    ticket = Ticket(key="s:ticket:1", source="s", state="open")
    await put(store, 0, ticket, draft(kind="source"))
    for kind in ("ticket", "source"):
        assert await store.remembered(kind, since=LONG_AGO) == []


async def test_what_people_said_is_remembered_when_it_has_left_the_board(store: Store):
    said = Annotation(key="people:annotation:1", source="people", state="set", target="s:incident:1", started_at=at(3))
    await put(store, 5, said)
    await put(store, 9, gone(said))
    (fact,) = await remembered(store, "annotation")
    assert (fact.at, decode(fact.body)) == (at(3), said)
    await put(store, 10, replace(said, state="withdrawn"))
    (fact,) = await remembered(store, "annotation")
    assert decode(fact.body) == replace(said, state="withdrawn")


@pytest.mark.parametrize("body", [b"", b"1", b"\xff", b'{"started_at":"soon"}', b'{"attempt":1e400}', b'{"state":7}'])
async def test_a_body_that_says_nothing_is_remembered_all_the_same(store: Store, body: bytes):
    for kind in ("release", "build", "incident"):
        await store.append(batch(draft(kind, body, kind=kind), seconds=1))
        (fact,) = await remembered(store, kind)
        assert (fact.body, fact.at) == (body, at(1))


@pytest.mark.parametrize("attempt", [-1, 1 << 40, 1 << 70])
async def test_an_attempt_beyond_all_reason_is_none(store: Store, attempt: int):
    body = b'{"attempt":%d,"started_at":"2026-01-01T00:00:00Z"}' % attempt
    await store.append(batch(draft(1, body)))
    (fact,) = await remembered(store, "build")
    assert fact.body == body
    assert fact.episode in (0, 1)


# -- what is asked for ---------------------------------------------------------------------------------------------


async def test_between_two_moments_oldest_first(store: Store):
    for n in (5, 3, 9, 1, 7):
        await put(store, 0, release(n, started_at=at(n)))
    found = await store.remembered("release", since=at(3), until=at(9))
    assert [fact.at for fact in found] == [at(3), at(5), at(7)]
    assert [fact.at for fact in await store.remembered("release", since=at(6))] == [at(7), at(9)]
    assert await store.remembered("release", since=at(10)) == []


async def test_what_is_new_since_a_number(store: Store):
    for n in range(4):
        await put(store, n, release(n, started_at=at(n)))
    assert [f.seq for f in await store.remembered("release", since=LONG_AGO, after=2)] == [3, 4]
    seq = await put(store, 9, release(0, "failed", started_at=at(0)), build())
    assert [f.seq for f in await store.remembered("release", since=LONG_AGO, after=4)] == [seq - 1]
    assert await store.remembered("release", since=at(1), after=4) == []
    assert await store.remembered("release", since=LONG_AGO, after=seq) == []


async def test_many_come_whole(store: Store):
    items = [release(n, started_at=at(-n), title="x" * n) for n in range(4_500)]
    await put(store, 0, *items)
    found = await remembered(store, "release")
    assert [fact.body for fact in found] == [encode(item) for item in reversed(items)]


# -- backfill ------------------------------------------------------------------------------------------------------


async def test_very_many_come_in_bundles_oldest_first(store: Store):
    count = 2 * BUNDLED + 7
    await put(store, 0, *(release(n, started_at=at(-n), version="v" * (n % 5)) for n in range(count)))
    bundles = await store.bundled("release", since=LONG_AGO)
    assert [len(bundle.heads) for bundle in bundles] == [BUNDLED, BUNDLED, 7]
    assert bundles == bundled(await remembered(store, "release"))
    assert [head.at for head in bundles[-1].heads] == [to_us(at(-n)) for n in reversed(range(7))]


async def test_what_was_backfilled_says_so(store: Store):
    old = incident(-9 * DAY, "resolved", ended_at=at(-8 * DAY))
    await put(store, 0, old, origin="backfill")
    (fact,) = await remembered(store)
    assert (fact.at, fact.first_seen, fact.origin) == (at(-9 * DAY), at(0), "backfill")


async def test_backfill_never_overrides_what_was_seen(store: Store):
    seq = await put(store, 0, release(state="failed", started_at=at(-1)), build(), incident(-5))
    await put(store, 9, release(started_at=at(-2)), build(state="failed"), incident(-5, "resolved"), origin="backfill")
    assert [(await remembered(store, kind))[0].seq for kind in ("release", "build", "incident")] == [
        seq - 2,
        seq - 1,
        seq,
    ]


async def test_what_is_seen_overrides_backfill(store: Store):
    await put(store, 0, release(started_at=at(-9)), origin="backfill")
    seq = await put(store, 9, release(state="failed", started_at=at(-8)))
    (fact,) = await remembered(store, "release")
    assert (fact.seq, fact.at, fact.first_seen, fact.origin) == (seq, at(-8), at(9), "person")


async def test_backfill_of_other_episodes_and_attempts_is_added(store: Store):
    await put(store, 0, incident(-5), build(attempt=2))
    await put(store, 1, incident(-900, "resolved", ended_at=at(-800)), build(state="failed"), origin="backfill")
    assert [fact.at for fact in await remembered(store)] == [at(-900), at(-5)]
    assert [fact.episode for fact in await remembered(store, "build")] == [2, 1]


async def test_a_page_further_back_does_not_reopen_what_a_newer_page_has_closed(store: Store):
    closed = incident(-900, "resolved", ended_at=at(-800))
    await put(store, 0, closed, origin="backfill")
    await put(store, 1, incident(-900), origin="backfill")
    (fact,) = await remembered(store)
    assert fact.body == encode(closed)


# -- a history that is told otherwise ------------------------------------------------------------------------------


async def test_a_start_that_a_vendor_corrects_leaves_one_episode(store: Store):
    await put(store, 100, incident(90))
    seq = await put(store, 200, incident(80))
    (fact,) = await remembered(store)
    assert (fact.episode, fact.at, fact.first_seen, fact.seq) == (episode(80), at(80), at(100), seq)
    await put(store, 300, incident(85, "resolved", ended_at=at(299)))
    await put(store, 400, incident(70, "resolved", ended_at=at(299)))
    (fact,) = await remembered(store)
    assert (fact.episode, fact.first_seen) == (episode(70), at(100))


async def test_a_start_after_the_end_is_another_episode(store: Store):
    await put(store, 100, incident(90, "resolved", ended_at=at(95)))
    await put(store, 101, incident(96))
    assert [fact.at for fact in await remembered(store)] == [at(90), at(96)]


async def test_a_start_after_it_was_last_seen_is_another_episode(store: Store):
    await put(store, 100, incident(90))
    await put(store, 200, incident(150))  # the end was missed
    assert [fact.at for fact in await remembered(store)] == [at(90), at(150)]


async def test_a_start_that_becomes_known_or_is_forgotten(store: Store):
    await put(store, 100, incident(None))
    await put(store, 200, incident(90))
    await put(store, 300, incident(None, "resolved", ended_at=at(299)))
    (fact,) = await remembered(store)
    assert (fact.episode, fact.at, fact.first_seen, fact.observed_at) == (episode(90), at(90), at(100), at(300))
    await put(store, 400, incident(None))
    assert len(await remembered(store)) == 2


async def test_after_it_was_out_of_sight_a_late_start_is_another_episode(store: Store):
    await put(store, 100, incident(90))
    await put(store, 300, incident(90, "unknown"))
    await put(store, 400, incident(200))
    assert [fact.at for fact in await remembered(store)] == [at(90), at(200)]


async def test_a_vendor_whose_clock_is_ahead(store: Store):
    await put(store, 100, incident(150))
    await put(store, 110, incident(149))
    assert [fact.at for fact in await remembered(store)] == [at(149)]


async def test_two_with_one_id_are_one_that_has_the_last_word(store: Store):
    for second in range(4):
        await put(store, 100 + second, incident(90 - second % 2), release(started_at=at(second % 2)))
    assert [fact.at for fact in await remembered(store)] == [at(89)]
    assert [fact.at for fact in await remembered(store, "release")] == [at(1)]


async def test_an_end_before_the_start(store: Store):
    await put(store, 100, incident(90, "resolved", ended_at=at(10)))
    await put(store, 200, incident(95, "resolved", ended_at=at(199)))
    assert [fact.at for fact in await remembered(store)] == [at(90), at(95)]


# -- retention -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind,days", [("build", 90), ("release", 400), ("incident", 400)])
async def test_facts_go_with_the_changes_that_hold_their_bodies(store: Store, kind: Kind, days: int):
    items: dict[str, list[Item]] = {
        "build": [build(attempt=1), build(attempt=2)],
        "release": [release(1), release(2)],
        "incident": [incident(-10, "resolved", ended_at=at(-9)), incident(-5)],
    }
    first, second = items[kind]
    await put(store, 0, first)
    await put(store, 1, gone(first))
    await put(store, 2, second)
    await store.retain(at(1) + timedelta(days=days))
    assert len(await remembered(store, kind)) == 2
    await store.retain(at(2) + timedelta(days=days))
    assert [fact.body for fact in await remembered(store, kind)] == [encode(second)]
    await store.retain(at(9) + timedelta(days=9_999))
    assert [fact.body for fact in await remembered(store, kind)] == [encode(second)]  # it is on the board


async def test_what_was_backfilled_goes_in_its_time(store: Store):
    await put(store, 0, incident(-300 * DAY, "resolved"), release(), origin="backfill")
    await store.retain(at(400 * DAY))
    assert len(await remembered(store)) == len(await remembered(store, "release")) == 1
    await store.retain(at(400 * DAY + 1))
    assert await remembered(store) == await remembered(store, "release") == []


# -- marks ---------------------------------------------------------------------------------------------------------


async def test_incidents_releases_and_failed_builds_leave_marks(store: Store):
    await put(
        store,
        100,
        incident(10, severity="high"),
        incident(20, "pending", n=2),
        release(started_at=at(30)),
        build(1, "failed", started_at=at(40)),
        build(2, started_at=at(50)),
        Ticket(key="s:ticket:1", source="s", state="open", started_at=at(60)),
        Annotation(key="people:annotation:1", source="people", state="set", target="t", started_at=at(70)),
    )
    await put(store, 101, incident(-5, "resolved", n=3), origin="backfill")
    assert await store.marks(at(-9), at(99)) == [
        Mark(at=at(-5), kind="incident", what="unknown"),
        Mark(at=at(10), kind="incident", what="high"),
        Mark(at=at(30), kind="release", what="success"),
        Mark(at=at(40), kind="build", what="failed"),
    ]
    assert [mark.at for mark in await store.marks(at(10), at(40))] == [at(10), at(30)]
    await put(store, 200, build(1, "running", attempt=2, started_at=at(150)), incident(20, n=2))
    assert [mark.at for mark in await store.marks(at(15), at(999))] == [at(20), at(30), at(40)]


async def test_marks_are_counted_by_steps(store: Store):
    await put(store, 100, *(incident(n * 10, n=n, severity="low") for n in range(10)), release(started_at=at(95)))
    marks = await store.marks(at(5), at(96), step=timedelta(seconds=30))
    assert [(mark.at, mark.kind, mark.count) for mark in marks] == [
        (at(5), "incident", 3),
        (at(35), "incident", 3),
        (at(65), "incident", 3),
        (at(95), "release", 1),
    ]


async def test_a_line_of_marks_may_begin_before_1970(store: Store):
    await put(store, 0, release(started_at=at(0)))
    marks = await store.marks(datetime(1969, 1, 1, tzinfo=T0.tzinfo), at(1), step=timedelta(days=365 * 60))
    assert [mark.count for mark in marks] == [1]
