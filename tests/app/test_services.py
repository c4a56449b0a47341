"""The matrix of services on the screen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from statusboard.errors import ServerError
from statusboard.model import Item, Release
from statusboard.text import cell_len
from statusboard.view import ViewSpec
from tests.app.stage import Told, board, line_with, poll, screen_of, settled, show, text_of, until
from tests.scripted import alert, build

NOW = datetime.now(UTC)


def deployed(n: int, service: str, environment: str, version: str, **more: Any) -> Release:
    fields: dict[str, Any] = {"state": "success", "started_at": NOW - timedelta(hours=3), **more}
    return Release(
        key=f"cd:release:{n}",
        source="cd",
        version=version,
        environment=environment,
        services=(service,),
        title=f"deploy {version}",
        **fields,
    )


def company() -> list[Told]:
    """Three services, one of them burning."""
    releases: list[Item] = [
        deployed(1, "cart", "production", "1.4.2"),
        deployed(2, "cart", "staging", "1.5.0"),
        deployed(3, "web", "production", "8.0"),
    ]
    builds: list[Item] = [
        build(1, pipeline="ci", services=("cart",), team="payments"),
        build(2, "failed", pipeline="nightly", services=("ledger",), title="Round up"),
        build(3, pipeline="e2e", services=("web",), team="web"),
    ]
    burning = alert(1, services=("web",), severity="critical", environment="production", title="Errors above 5 %")
    return [Told("am", "incident", [burning]), Told("ci", "build", builds), Told("cd", "release", releases)]


async def test_how_we_are_in_one_look() -> None:
    async with board(*company()) as (app, pilot):
        await pilot.press("2")
        await settled(app, pilot)
        assert "Services  3  ✗ 2 failing  ✓ 1 ok  1 unowned" in line_with(app, "Services  3")
        assert line_with(app, " web ").split()[:6] == ["✗", "failing", "web", "1", "critical", "✓"]
        assert "1.4.2" in line_with(app, " cart ") and "1.5.0" in line_with(app, " cart ")
        lines = text_of(app).splitlines()
        places = [next(n for n, text in enumerate(lines) if f" {name} " in text) for name in ("web", "ledger", "cart")]
        assert places == sorted(places), "the worst first"
        assert "hidden by" not in text_of(app)


async def test_what_changes_is_followed_and_the_cursor_stays_on_its_service() -> None:
    sources = company()
    async with board(*sources) as (app, pilot):
        await pilot.press("2")
        await settled(app, pilot)
        await pilot.press("G")
        assert "▌" in line_with(app, " cart ")
        sources[0].items = [alert(7, services=("cart",), severity="high")]
        await poll(app, pilot)
        assert "1 high" in line_with(app, " cart ") and "▌" in line_with(app, " cart ")
        assert "✓ ok" in line_with(app, " web ")


async def test_another_view_hears_of_it_too() -> None:
    sources = company()
    async with board(*sources) as (app, pilot):
        await pilot.press("2")
        await settled(app, pilot)
        await pilot.press("1")
        await settled(app, pilot)
        sources[0].items = []
        await poll(app, pilot)
        await pilot.press("2")
        await settled(app, pilot)
        assert "✓ ok" in line_with(app, " web ")


async def test_views_of_several_filters_follow_side_by_side() -> None:
    sources = company()
    views = tuple(ViewSpec(f"V{n}", f"service:{name}", layout="services") for n, name in enumerate(("web", "cart")))
    async with board(*sources, views=views) as (app, pilot):
        for name in ("Services", "V0", "V1"):
            await show(app, pilot, name)
        assert "Services  1" in text_of(app) and " cart " in text_of(app) and " web " not in text_of(app)
        sources[0].items = []
        await poll(app, pilot)
        for name in ("V0", "Services"):
            await show(app, pilot, name)
            assert "✓ ok" in line_with(app, " web ")


async def test_nothing_to_show_is_said() -> None:
    async with board(Told("am", "incident", [])) as (app, pilot):
        await pilot.press("2")
        await settled(app, pilot)
        assert "no service is known" in text_of(app)
        await pilot.press("slash", *"team:x", "enter")
        await settled(app, pilot)
        assert "no service is known" in text_of(app)
    async with board(*company()) as (app, pilot):
        await pilot.press("2", "slash", *"team:nobody", "enter")
        await settled(app, pilot)
        assert "no service passes the filter" in text_of(app)


async def test_a_source_that_fails_takes_the_green_away() -> None:
    sources = company()
    async with board(*sources) as (app, pilot):
        await pilot.press("2")
        await settled(app, pilot)
        sources[0].items = ServerError("500")
        await poll(app, pilot)
        shown = text_of(app)
        assert "✓ ok" not in shown and "? unread" in line_with(app, " cart ")
        assert "am is " in line_with(app, "Services  3")


async def test_enter_tells_of_the_service_and_of_what_is_worst() -> None:
    async with board(*company()) as (app, pilot):
        await pilot.press("2")
        await settled(app, pilot)
        await pilot.press("j", "enter")
        await until(pilot, lambda: "Errors above 5 %" in text_of(app))
        screen = screen_of(app)
        assert screen.face.subject == "am:incident:1"
        await pilot.press("j")
        await settled(app, pilot)
        assert screen.face.subject == "ci:build:2"
        assert "Round up" in text_of(app)


async def test_space_shows_the_items_of_a_service_and_escape_leads_back() -> None:
    async with board(*company()) as (app, pilot):
        await pilot.press("2", "slash", *"-service:ledger", "enter")
        await settled(app, pilot)
        await pilot.press("j", "space")
        await settled(app, pilot)
        assert screen_of(app).view.name == "Overview"
        assert "service:web" in text_of(app) and "Errors above 5 %" in text_of(app)
        assert "Round up" not in text_of(app)
        await pilot.press("escape")
        await settled(app, pilot)
        assert screen_of(app).view.name == "Services"
        assert "-service:ledger" in text_of(app) and "1 failing hidden" in line_with(app, "Services  2")


async def test_a_filter_and_faults_only() -> None:
    async with board(*company()) as (app, pilot):
        await pilot.press("2", "slash", *"team:payments", "enter")
        await settled(app, pilot)
        assert "Services  1" in text_of(app) and "2 faults hidden by the filter" in text_of(app)
        await pilot.press("escape", "z")
        await settled(app, pilot)
        assert " cart " not in text_of(app) and " web " in text_of(app)
        await pilot.press("n")
        await pilot.pause()
        assert "▌" in line_with(app, " web ")


async def test_times_by_the_clock() -> None:
    async with board(*company()) as (app, pilot):
        await pilot.press("2", "T")
        await settled(app, pilot)
        assert f"{NOW - timedelta(hours=3):%H:%M}" in line_with(app, " cart ")


async def test_what_no_team_claims_has_a_view() -> None:
    async with board(*company()) as (app, pilot):
        await show(app, pilot, "Unowned")
        shown = text_of(app)
        assert "Round up" in shown and "Errors above 5 %" in shown and "1 hidden" not in line_with(app, "Incidents ")
        assert "2 hidden" in line_with(app, "Builds ")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60), (300, 100)])
async def test_columns_stand_in_line_whatever_names_hold(size: tuple[int, int]) -> None:
    names = ["x" * 500, "商品" * 250, "e\u0301" * 250, "שירות" * 100, "[/b] $boom", "ok"]
    builds: list[Item] = [build(n, services=(name,), pipeline=f"p{n}") for n, name in enumerate(names)]
    releases: list[Item] = [deployed(n, name, "production", name[:50]) for n, name in enumerate(names) if name != "ok"]
    releases.append(deployed(99, "ok", "production", "1.0"))
    async with board(Told("ci", "build", builds), Told("cd", "release", releases), size=size) as (app, pilot):
        await pilot.press("2")
        await settled(app, pilot)
        lines = [strip for strip in app.screen._compositor.render_strips() if "✓ ok" in strip.text]
        ends = {cell_len(strip.text[: strip.text.rindex("3h") + 2]) for strip in lines}
        assert len(lines) == len(names) and len(ends) == 1


async def test_five_thousand_services() -> None:
    builds: list[Item] = [build(n, services=(f"service-{n:04}",), pipeline=f"p{n}") for n in range(5_000)]
    async with board(Told("ci", "build", builds)) as (app, pilot):
        await pilot.press("2")
        await settled(app, pilot)
        assert "Services  5000" in text_of(app)
        await pilot.press("G")
        await pilot.pause()
        assert "▌" in line_with(app, "service-4999")
