"""How lanes look, as a person asks for it: order, groups, columns, times, and views that are saved."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from statusboard.model import Item
from statusboard.sorting import sort_of
from statusboard.view import ViewSpec
from tests.app.stage import Told, board, line_with, poll, screen_of, settled, show, text_of, until
from tests.boards import build, incident

BUILDS: list[Item] = [
    build(1, "failed", title="Broken", pipeline="a", team="payments", actor="zoe"),
    build(2, title="Apple", pipeline="b", team="payments", actor="bob"),
    build(3, title="Cherry", pipeline="c", team="web", actor="ann"),
]


def order(app: object, *words: str) -> list[str]:
    """These words as they follow each other from top to bottom."""
    text = text_of(app)
    return sorted((word for word in words if word in text), key=text.index)


async def test_sorting_by_a_column_and_back() -> None:
    async with board(Told("ci", "build", BUILDS), views=(ViewSpec("B", lanes=("build",)),)) as (app, pilot):
        await show(app, pilot, "B")
        assert order(app, "Broken", "Apple", "Cherry")[0] == "Broken"
        screen_of(app).sort_by(sort_of("title"))
        await settled(app, pilot)
        assert order(app, "Broken", "Apple", "Cherry") == ["Apple", "Broken", "Cherry"]
        assert "▴Build" in text_of(app)
        await pilot.press("i")
        await settled(app, pilot)
        assert order(app, "Broken", "Apple", "Cherry") == ["Cherry", "Broken", "Apple"]
        assert "▾Build" in text_of(app)
        # The other views have their own order still.
        await show(app, pilot, "Builds")
        assert order(app, "Broken", "Apple", "Cherry")[0] == "Broken"


async def test_a_click_on_a_title_sorts() -> None:
    async with board(Told("ci", "build", BUILDS)) as (app, pilot):
        lines = text_of(app).splitlines()
        y = next(number for number, line in enumerate(lines) if "Pipeline" in line)
        x = lines[y].index("Build")
        await pilot.click(offset=(x, y))
        await settled(app, pilot)
        assert order(app, "Apple", "Broken", "Cherry") == ["Apple", "Broken", "Cherry"]
        await pilot.click(offset=(x, y))
        await settled(app, pilot)
        await pilot.click(offset=(x, y))
        await settled(app, pilot)
        assert order(app, "Broken", "Apple", "Cherry")[0] == "Broken"


async def test_groups_are_folded_and_still_tell_their_worst_row() -> None:
    source = Told("ci", "build", BUILDS)
    async with board(source) as (app, pilot):
        await pilot.press("v")
        await settled(app, pilot)
        assert "1/2 healthy" in line_with(app, "payments")
        assert "1/1 healthy" in line_with(app, "web")
        await pilot.press("minus")
        await settled(app, pilot)
        text = text_of(app)
        assert "Apple" not in text and "Cherry" not in text
        assert "worst: ✗ failed  Broken" in line_with(app, "payments")
        # A folded group follows what happens in it.
        source.items = [BUILDS[0], BUILDS[1], build(4, "failed", title="Worse", pipeline="c", team="web")]
        await poll(app, pilot)
        assert "Worse" in line_with(app, "web")
        # The next fault opens the group that it is in.
        await pilot.press("n")
        await settled(app, pilot)
        assert "Apple" in text_of(app)
        await pilot.press("space")
        await settled(app, pilot)
        assert "Apple" not in text_of(app)
        await pilot.press("enter")
        await settled(app, pilot)
        assert "Apple" in text_of(app)
        await pilot.press("plus")
        await settled(app, pilot)
        assert "Worse" in text_of(app)


async def test_a_group_is_no_item() -> None:
    async with board(Told("ci", "build", BUILDS)) as (app, pilot):
        await pilot.press("v", "j")
        await settled(app, pilot)
        await pilot.press("o")
        await until(pilot, lambda: "no row is chosen" in text_of(app))


async def test_empty_columns_give_way() -> None:
    bare: list[Item] = [incident(1, title="Down"), incident(2, title="Slow", team="sre")]
    async with board(Told("am", "incident", bare), size=(160, 40)) as (app, _):
        header = line_with(app, "Severity")
        assert "Team" in header and "Env" not in header and "Assignee" not in header


async def test_wide_shows_more_columns_and_times_are_told_by_the_clock() -> None:
    async with board(Told("ci", "build", BUILDS), size=(200, 40)) as (app, pilot):
        await show(app, pilot, "Builds")
        assert "Repository" not in text_of(app)
        await pilot.press("ctrl+w")
        await settled(app, pilot)
        assert "Repository" in text_of(app) and "acme/shop" in text_of(app)
        await pilot.press("T")
        await settled(app, pilot)
        assert "Time" in line_with(app, "Pipeline")
        assert "2026-01-02" in text_of(app) or "01-02 " in text_of(app)
        await pilot.press("T")
        await settled(app, pilot)
        assert "Time UTC" in line_with(app, "Pipeline")


async def test_a_view_is_saved_and_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "views" / "mine.yaml"
    async with board(Told("ci", "build", BUILDS), views_file=file) as (app, pilot):
        await pilot.press("v", "slash", *"team:payments", "enter")
        await settled(app, pilot)
        await pilot.press("w")
        await until(pilot, lambda: "Save this view as" in text_of(app))
        await pilot.press(*"Ours", "enter")  # in the place of the name that is proposed
        await settled(app, pilot)
        assert "Ours" in text_of(app)
        assert "Cherry" not in text_of(app) and "1/2 healthy" in text_of(app)
        assert file.stat().st_mode & 0o777 == 0o600
    from statusboard.screens.views import read_saved

    views, problems = read_saved(file)
    assert not problems
    assert [(view.name, view.filter, view.group) for view in views] == [("Ours", "team:payments", "team")]
    async with board(Told("ci", "build", BUILDS), views=views, views_file=file) as (app, pilot):
        assert app.live is not None
        await show(app, pilot, "Ours")
        assert "Cherry" not in text_of(app)
        screen_of(app).forget_view("Ours")
        await settled(app, pilot)
        assert read_saved(file) == ((), [])


async def test_where_views_cannot_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "views").write_text("a file, not a folder")
    async with board(Told("ci", "build", BUILDS), views_file=tmp_path / "views" / "mine.yaml") as (app, pilot):
        await pilot.press("w", "enter")
        await until(pilot, lambda: "cannot save in" in text_of(app))


async def test_a_flood_of_incidents_is_told_in_groups_and_ebbs() -> None:
    flood: list[Item] = [
        incident(n, title=f"Down {n}", services=("cart" if n % 2 else "shop",), severity="high") for n in range(12)
    ]
    async with board(Told("am", "incident", flood)) as (app, pilot):
        assert app.live is not None
        await pilot.press("j", "j")
        held = screen_of(app).face.subject
        for n in range(12):
            app.live.chatter.opened(("incident", str(n)), app.live.now)
        app.live.chatter.age(app.live.now)
        screen_of(app).tick()
        await settled(app, pilot)
        assert "FLOOD: 12 new in 10 min, grouped by service" in line_with(app, "Incidents")
        assert "6 incidents" in line_with(app, "cart  ")
        # What somebody is looking at stays in sight, under the cursor.
        assert screen_of(app).face.subject == held
        await pilot.press("minus")
        await settled(app, pilot)
        assert sum(f"Down {n} " in text_of(app) for n in range(12)) == 2  # the worst of each group
        app.live.chatter.age(app.live.now + timedelta(hours=1))
        screen_of(app).tick()
        await settled(app, pilot)
        assert "FLOOD" not in text_of(app)
        assert all(f"Down {n} " in text_of(app) for n in range(12))


async def test_what_flips_is_marked() -> None:
    async with board(Told("ci", "build", BUILDS)) as (app, pilot):
        assert app.live is not None
        slot = app.live.cells.board.rows["ci:build:1"].slot
        assert slot is not None
        for minutes in (9, 6, 3, 1):
            app.live.chatter.flip(slot, app.live.now - timedelta(minutes=minutes))
        app.live.chatter.age(app.live.now)
        screen_of(app).age_rows()
        await settled(app, pilot)
        assert "(flips, 4 times) Broken" in text_of(app)
