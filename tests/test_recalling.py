"""Suspects that a store keeps: the next process need not find them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from statusboard import recalling
from statusboard.catalog import Catalog, Service
from statusboard.errors import StoreError
from statusboard.measuring import Measure
from statusboard.metrics import Report, Scope
from statusboard.model import Incident, Release
from statusboard.suspects import Candidates
from tests.metrics.kit import DAYS, NOW, incident, release
from tests.test_hindsight import known
from tests.test_measuring import Board, board, watched  # noqa: F401 - a fixture


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the incidents for which suspects were looked for."""
    found: list[str] = []
    first = Candidates.first

    def noting(candidates: Candidates, incident: Incident, said: Iterable[Any] = ()) -> Release | None:
        found.append(incident.key)
        return first(candidates, incident, said)

    monkeypatch.setattr(Candidates, "first", noting)
    return found


async def fill(board: Board) -> None:  # noqa: F811
    """An incident a day from the first to the last, each after a release."""
    await watched(board)
    for day in range(DAYS):
        await board.put(24 * day + 12, release(day, f"1.{day}", 24 * day + 9), incident(day, 24 * day + 10))


async def told(measure: Measure) -> Report:
    return await measure.report(Scope(), DAYS + 1, NOW)


async def test_the_next_one_looks_only_for_those_of_the_last_days(board: Board, asked: list[str]):  # noqa: F811
    await fill(board)
    first = await told(board.anew())
    assert len(asked) == DAYS and first["change_fail_rate"].value == 1.0
    asked.clear()
    assert await told(board.anew()) == first
    assert asked == [f"am:incident:{DAYS - 1}"]  # NOW is the midnight after


async def test_what_is_told_otherwise_is_looked_for_again(board: Board, asked: list[str]):  # noqa: F811
    await fill(board)
    await told(board.anew())
    await board.put(24 * DAYS, release("late", "1.9.1", 24 * 9 + 9.9))
    asked.clear()
    first = await told(board.anew())
    assert [key for key in asked if key != f"am:incident:{DAYS - 1}"] == [f"am:incident:{n}" for n in (8, 9, 10)]
    assert first == await told(board.measure)
    (late,) = (found for found in first["change_fail_rate"].counted if found.version == "1.9.1")
    assert [link.episode.incident.key for link in late.links] == ["am:incident:9"]


async def test_another_catalog_or_other_rules_find_all_anew(
    board: Board,  # noqa: F811
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
):
    await fill(board)
    await told(board.anew())
    asked.clear()
    await told(Measure(board.store, Catalog(services=(Service(name="checkout", depends_on=("web",)),))))
    assert len(asked) == DAYS
    asked.clear()
    monkeypatch.setattr(recalling, "rules", lambda: b"others")
    await told(board.anew())
    assert len(asked) == DAYS


async def test_what_cannot_be_read_is_found_anew(
    board: Board,  # noqa: F811
    asked: list[str],
    caplog: pytest.LogCaptureFixture,
):
    await fill(board)
    first = await told(board.anew())
    kept = await board.store.kept(recalling.WHAT)
    day = sorted(kept)[5]
    await board.store.keep(recalling.WHAT, {day: kept[day][:-1]})
    asked.clear()
    assert await told(board.anew()) == first
    assert asked == ["am:incident:5", f"am:incident:{DAYS - 1}"]
    assert f"for day {day} cannot be read" in caplog.text
    assert await board.store.kept(recalling.WHAT) == kept


async def test_a_store_that_cannot_keep_harms_no_number(board: Board, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    async def full(what: str, parts: Mapping[str, bytes | None]) -> None:
        raise StoreError("the disk is full")

    await fill(board)
    monkeypatch.setattr(board.store, "keep", full)
    assert (await told(board.anew()))["change_fail_rate"].value == 1.0
    assert await board.store.kept(recalling.WHAT) == {}


async def test_of_a_past_moment_it_is_used_and_not_kept(board: Board, asked: list[str]):  # noqa: F811
    await fill(board)
    past = Measure(await known(board, NOW), Catalog())
    first = await told(past)
    assert await board.store.kept(recalling.WHAT) == {}
    await told(board.anew())
    asked.clear()
    assert await told(Measure(await known(board, NOW), Catalog())) == first
    assert asked == [f"am:incident:{DAYS - 1}"]


async def test_the_oldest_days_are_let_go_of(board: Board):  # noqa: F811
    await fill(board)
    today = int(NOW.timestamp() // 86_400)
    await board.store.keep(recalling.WHAT, {str(today - 451): b"", str(today - 449): b""})
    await told(board.anew())
    kept = await board.store.kept(recalling.WHAT)
    assert sorted(map(int, kept)) == [today - 449, *range(today - DAYS, today - 1)]


def test_rules_are_the_code_as_it_is(monkeypatch: pytest.MonkeyPatch):
    recalling.rules.cache_clear()
    first = recalling.rules()
    assert len(first) == 16
    recalling.rules.cache_clear()
    monkeypatch.setattr(recalling, "_source", lambda module: "other" if "broken" in module.__name__ else "same")
    assert recalling.rules() not in (b"", first)
    recalling.rules.cache_clear()
    monkeypatch.setattr(recalling, "_source", lambda module: None)
    assert recalling.rules() == b""
    recalling.rules.cache_clear()
