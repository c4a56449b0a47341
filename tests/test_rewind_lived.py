"""A board that lived: every moment of it, rewound, is what was shown at that moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from statusboard import report
from statusboard.clock import FakeClock
from statusboard.engine import Engine
from statusboard.errors import ServerError
from statusboard.rewind import Past, Watching
from statusboard.store.base import Coverage
from statusboard.store.sqlite import SQLiteStore
from tests.boards import NOW, ago, board_of, health
from tests.scripted import alert
from tests.test_engine import Boards, OneSource, boards, clock

__all__ = ["boards", "clock"]  # fixtures

ALERTS = ((1,), (1, 2), (2,), (), (3,), (3, 4, 5))


class Shown(NamedTuple):
    """What somebody who only followed was shown at a moment."""

    at: datetime
    seq: int
    picture: dict[str, Any]


def compared(board: Any, at: datetime) -> dict[str, Any]:
    """What a past board must have in common with the one that was shown."""
    told = report.picture(board, {}, at)
    for source in told["sources"]:
        del source["last_success"]
    return told


async def shown(path: Path, clock: FakeClock) -> Shown:
    """What ``show --read-only`` would print now."""
    follower = Engine((), store_path=path, read_only=True, clock=clock)
    try:
        await follower.start()
        at = clock.now()
        return Shown(at, follower.board.seq, compared(follower.board, at))
    finally:
        await follower.stop()


async def test_every_moment_is_what_was_shown_then(boards: Boards, clock: FakeClock, tmp_path: Path) -> None:
    path = tmp_path / "board.db"
    am, ci = {"alerts": [alert(1)]}, {"alerts": [], "more": []}  # type: dict[str, Any], dict[str, Any]
    sources = OneSource("am", am), OneSource("ci", ci, interval=20.0)
    engine = await boards.start(*sources, path=path)
    seen: list[Shown] = []

    async def lives(seconds: float) -> None:
        for _ in range(int(seconds / 3.5)):
            am["alerts"] = [alert(number) for number in ALERTS[len(seen) % len(ALERTS)]]
            await boards.run(3.5)
            seen.append(await shown(path, clock))

    await lives(50)
    am[""] = ServerError("500: no")
    ci["more"] = ServerError("404: no")
    await lives(90)
    del am[""]
    ci["more"] = []
    await lives(30)
    assert await engine.pause("ci", True)
    await lives(30)
    assert await engine.pause("ci", False)
    await lives(20)
    stopped = clock.now()
    await engine.stop()
    await clock.run_for(300)
    began = clock.now()
    await boards.start(*sources, path=path)
    await lives(30)

    store = SQLiteStore(path, read_only=True)
    await store.open()
    try:
        observed = {change.seq: change.observed_at for change in await store.past(limit=10_000)}
        past = await Past.open(store, clock.now(), clock=clock)
        states = set()
        for one in seen:
            if observed.get(one.seq + 1) == one.at:
                continue  # it was told in the middle of that moment
            await past.go(one.at)
            assert compared(past.board, one.at) == one.picture
            states |= {(source["name"], source["state"]) for source in one.picture["sources"]}
        assert states >= {("am", "fresh"), ("am", "aging"), ("am", "stale"), ("ci", "partial"), ("ci", "paused")}
        for seconds in range(60, 300, 20):  # the night
            await past.go(stopped + timedelta(seconds=seconds))
            assert past.unwatched == {"am", "ci"} and past.board.summary().verdict != "ok"
        await past.go(began + timedelta(seconds=20))
        assert not past.unwatched
    finally:
        await store.close()


# --- whatever was watched -------------------------------------------------------------------------------------------

MINUTES = st.integers(0, 100)
STRETCHES = st.lists(
    st.builds(
        lambda source, first, more: Coverage(
            source=source, part="all", since=ago(100 - first), last_success=ago(100 - first - more)
        ),
        st.sampled_from(("a", "b")),
        MINUTES,
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=8,
)
STATES = st.sampled_from(("fresh", "partial", "aging", "stale", "down", "paused", "starting"))


@given(STRETCHES, STATES, STATES, st.integers(-20, 150))
def test_what_nobody_watched_is_never_fine(stretches, of_a, of_b, minute):
    at = ago(100 - minute)
    made = board_of(*(health(n, s, interval=60.0, last_success=ago(200)) for n, s in (("a", of_a), ("b", of_b))))
    watching = Watching(stretches)
    made.overlay = watching.overlay(made.health, at)
    reach = timedelta(minutes=2)
    for name in ("a", "b"):
        mine = [s for s in stretches if s.source == name]
        watched = any(s.since <= at <= s.last_success + reach for s in mine)
        if any(s.since <= at <= s.last_success for s in mine):
            assert name not in made.overlay, "it was read just then"
        if mine and not watched and at >= min(s.since for s in mine):
            assert made.state_of(name) != "fresh" and (made.is_blind(name) or made.state_of(name) == "aging")
            assert any(begin < at < end for begin, end in watching.gaps(name, 60.0, NOW + timedelta(days=1)))
    if not any(s.since <= at <= s.last_success for s in stretches) and all(
        s.last_success + reach < at for s in stretches if s.since <= at
    ):
        assert made.summary().verdict != "ok"
        if made.overlay:
            assert set(made.overlay.values()) == {"unwatched"} and made.overlay.keys() == {"a", "b"}
