"""Which view is shown when views come, go and are saved: it is known by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from statusboard.engine import Engine
from statusboard.errors import QueryError
from statusboard.screens.live import Live
from statusboard.screens.settings import Settings, with_saved
from statusboard.screens.viewing import Viewing
from statusboard.screens.views import read_saved
from statusboard.sorting import sort_of
from statusboard.view import ViewSpec

GIVEN = (ViewSpec("All"), ViewSpec("Matrix", layout="services"), ViewSpec("Builds", lanes=("build",)))


def viewing_of(*saved: ViewSpec, file: Path | None = None) -> tuple[Viewing, Live]:
    settings = with_saved(Settings(given=GIVEN, views_file=file), saved)
    live = Live(Engine((), store_path=None), settings, ascii_only=True)
    return Viewing(live), live


def test_a_forgotten_view_leaves_the_one_that_is_shown(tmp_path: Path) -> None:
    viewing, _ = viewing_of(file=tmp_path / "views.yaml")
    viewing.keep("Mine")
    viewing.keep("Ours")
    assert viewing.view.name == "Ours"
    viewing.forget("Mine")
    assert viewing.view.name == "Ours"
    viewing.forget("Ours")
    assert viewing.view in GIVEN


def test_what_is_saved_under_a_name_is_what_is_shown_under_it(tmp_path: Path) -> None:
    file = tmp_path / "views.yaml"
    viewing, _ = viewing_of(file=file)
    viewing.alter(sort=sort_of("title"))
    viewing.place = 2
    viewing.alter(wide=True)
    viewing.typed = "team:payments"
    viewing.keep("All")
    kept = ViewSpec("All", "team:payments", ("build",), wide=True)
    assert (viewing.view, viewing.typed) == (kept, "")
    assert read_saved(file) == ((kept,), [])
    viewing.place = 2
    assert viewing.view == GIVEN[2], "what was changed was saved under the other name"
    viewing.forget("All")
    viewing.place = 0
    assert viewing.view == GIVEN[0]


def test_to_a_layout_and_back() -> None:
    viewing, _ = viewing_of()
    viewing.place = 2
    place = viewing.to_and_fro("services")
    assert place == 1
    viewing.place = place
    assert viewing.to_and_fro("services") == 2
    assert viewing.to_and_fro("timeline") is None


def test_items_behind_a_line_and_back() -> None:
    viewing, live = viewing_of()
    viewing.place, viewing.typed = 1, "team:a"
    viewing.place = viewing.leave_for("service:shop") or 0
    assert (viewing.view.name, viewing.typed) == ("All", "service:shop")
    before = live.settings
    live.use(with_saved(before, [ViewSpec("Ours")]))
    viewing.settings_changed(before)
    assert viewing.back() == 1 and viewing.typed == "team:a"
    assert viewing.back() is None
    viewing.leave_for("service:shop")
    viewing.typed = "another"
    assert viewing.back() is None, "what a person typed meanwhile is theirs"


def test_two_filters_that_are_as_long_as_filters_can_be(tmp_path: Path) -> None:
    viewing, _ = viewing_of(ViewSpec("Deep", "(" * 20 + "state:failed" + ")" * 20), file=tmp_path / "views.yaml")
    viewing.place = len(viewing.views) - 1
    viewing.typed = " ".join(["team:a"] * 280)
    assert not viewing.query.matches_all, "nobody is thrown out for it"
    with pytest.raises(QueryError):
        viewing.keep("Both")
    assert read_saved(tmp_path / "views.yaml") == ((), []), "what could not be read again is not written"
