"""The suspects of incidents on the screen, and a person's last word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from textual.pilot import Pilot

from statusboard.app import BoardApp
from statusboard.model import Incident, Release
from tests.app.stage import Told, board, line_with, screen_of, settled, show, text_of, until

BEGAN = datetime.now(UTC) - timedelta(minutes=12)


def incident(**more: Any) -> Incident:
    return Incident(
        key="am:incident:1",
        source="am",
        state="open",
        severity="critical",
        title="Errors above 5%",
        services=("checkout",),
        environment="production",
        started_at=BEGAN,
        **more,
    )


def release(number: int, minutes: float, service: str = "checkout") -> Release:
    began = BEGAN - timedelta(minutes=minutes)
    return Release(
        key=f"cd:release:{number}",
        source="cd",
        state="success",
        version=f"1.4.{10 - number}",
        services=(service,),
        environment="production",
        actor="ann",
        started_at=began,
        ended_at=began + timedelta(minutes=1),
    )


def told() -> tuple[Told, Told]:
    return (
        Told("am", "incident", [incident()]),
        Told("cd", "release", [release(1, 5), release(2, 50), release(3, 600, "search")]),
    )


async def opened(app: BoardApp, pilot: Pilot[None]) -> None:
    """The incident's details are open."""
    await until(pilot, lambda: "1.4.9, 4 min" in text_of(app))
    await pilot.press("enter")
    await until(pilot, lambda: "Suspects" in text_of(app))


async def test_the_row_says_what_stood_before_it_and_the_details_why() -> None:
    async with board(*told(), size=(160, 50)) as (app, pilot):
        await opened(app, pilot)
        assert "After" in line_with(app, "Severity")
        text = text_of(app)
        assert "checkout 1.4.9 to production by ann" in text
        assert "same service +40" in text
        assert "finished 4 min before" in text
        assert "c: it was the first; x: it was not" in text
        assert "search 1.4.7" not in text, "it is of another service"


async def test_a_person_has_the_last_word_and_takes_it_back() -> None:
    async with board(*told(), size=(160, 50)) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("c")
        await until(pilot, lambda: "1.4.9 confirmed" in text_of(app))
        assert "confirmed by" in text_of(app)
        await pilot.press("x")  # of the next one, since the first is sure
        await until(pilot, lambda: "not checkout 1.4.8, says" in text_of(app))
        await pilot.press("X")
        await until(pilot, lambda: "not checkout 1.4.8, says" not in text_of(app))
        await pilot.press("X")
        await until(pilot, lambda: "1.4.9, 4 min" in text_of(app))
        await pilot.press("X")
        await until(pilot, lambda: "nobody has said anything of its suspects" in text_of(app))


async def test_dismissed_suspects_make_room_for_others_until_there_is_none() -> None:
    async with board(*told(), size=(160, 50)) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("x")
        await until(pilot, lambda: "1.4.8, 49 min" in text_of(app))
        await pilot.press("x")
        await until(pilot, lambda: "no suspect: no release of the 24 h before" in text_of(app))
        assert "1.4.8, 49 min" not in text_of(app)
        await pilot.press("x")
        await until(pilot, lambda: "there is no suspect of whom nobody has said" in text_of(app))


async def test_a_release_says_what_it_is_suspected_of() -> None:
    async with board(*told(), size=(160, 50)) as (app, pilot):
        await show(app, pilot, "Releases")
        await until(pilot, lambda: screen_of(app).face.subject is not None)
        await pilot.press("enter")
        for _ in range(3):
            if screen_of(app).face.subject == "cd:release:1":
                break
            await pilot.press("tab", "j")
            await settled(app, pilot)
        screen_of(app).face.focus_something()
        while screen_of(app).face.subject != "cd:release:1":
            await pilot.press("j")
            await settled(app, pilot)
        await until(pilot, lambda: "Suspected of" in text_of(app))
        assert "4 min later" in line_with(app, "Errors above 5%")


async def test_only_incidents_have_suspects() -> None:
    async with board(*told(), size=(160, 50)) as (app, pilot):
        await show(app, pilot, "Releases")
        await pilot.press("c")
        await until(pilot, lambda: "only incidents have suspects" in text_of(app))


async def test_where_releases_are_not_read_there_may_be_others() -> None:
    sources = (told()[0], Told("cd", "release", OSError("gone")))
    async with board(*sources, size=(160, 50)) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: "Suspects" in text_of(app))
        await until(pilot, lambda: "not read: cd; there may be others" in text_of(app))
