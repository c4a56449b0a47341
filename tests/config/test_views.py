"""The file of views that a person saved: it has the form of a config's `views:`, and one bad view costs no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from statusboard.config import ViewOptions, read_views, written
from statusboard.errors import ConfigError
from statusboard.query import parse
from statusboard.screens.views import BUILT_IN, arranged, forget, keep, options_of, read_saved, save, view_of
from statusboard.sorting import sort_of
from statusboard.view import ViewSpec


def test_what_is_written_is_read_as_it_was(tmp_path: Path) -> None:
    views = (
        ViewSpec('Ours: "the" [b]team\'s', "team:payments -label:flaky", ("build", "incident"), sort=sort_of("-age")),
        ViewSpec("Wide", columns=("age", "title"), group="service", wide=True),
        ViewSpec("Matrix", "service:a*", layout="services"),
        *BUILT_IN,
    )
    file = tmp_path / "a" / "views.yaml"
    save(file, views)
    assert read_saved(file) == (views, [])
    assert file.stat().st_mode & 0o777 == 0o600
    save(file, views[:1])
    assert read_saved(file) == (views[:1], [])
    assert list(file.parent.iterdir()) == [file]


def test_a_view_of_every_kind_survives_its_options() -> None:
    for view in BUILT_IN:
        assert view_of(options_of(view)) == view


def test_a_mistake_costs_its_own_view_alone(tmp_path: Path) -> None:
    file = tmp_path / "views.yaml"
    file.write_text(
        "views:\n- {name: good}\n- {name: bad, filter: 'state:('}\n- {name: worse, lanes: [x]}\n- {name: fine}\n"
    )
    views, problems = read_views(file, parse)
    assert [view.name for view in views] == ["good", "fine"]
    assert [(problem.line, problem.path) for problem in problems] == [(3, "views[1].filter"), (4, "views[2].lanes[0]")]


def test_what_another_board_saved_meanwhile_stays(tmp_path: Path) -> None:
    file = tmp_path / "views.yaml"
    assert keep(file, ViewSpec("Mine")) == (ViewSpec("Mine"),)
    assert keep(file, ViewSpec("Theirs")) == (ViewSpec("Mine"), ViewSpec("Theirs"))
    assert keep(file, ViewSpec("Mine", wide=True)) == (ViewSpec("Theirs"), ViewSpec("Mine", wide=True))
    assert forget(file, "Mine") == (ViewSpec("Theirs"),) == read_saved(file)[0]


def test_what_somebody_wrote_with_a_mistake_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "views.yaml"
    for text in (
        "views:\n- {name: good}\n- {name: bad, filter: 'state:('}\n",
        "views:\n- {name: good}\n- {name: good, wide: true}\n",
        "views: {name: good}\n",
        "vews:\n- {name: good}\n",
        "[",
    ):
        file.write_text(text)
        with pytest.raises(ConfigError):
            keep(file, ViewSpec("Mine"))
        assert file.read_text() == text


def test_a_file_that_is_none(tmp_path: Path) -> None:
    assert read_views(tmp_path / "missing.yaml", parse) == ([], [])
    for text in ("", "views:", "views: {a: b}", "[", "x: \x00", "a: &a [*a]"):
        (tmp_path / "views.yaml").write_text(text)
        views, _ = read_views(tmp_path / "views.yaml", parse)
        assert views == []
    (tmp_path / "views.yaml").write_bytes(b"\xff\xfe")
    assert read_views(tmp_path / "views.yaml", parse)[1]


def test_what_is_written_can_stand_in_a_config() -> None:
    text = written([ViewOptions(name="a", lanes=("builds",), sort="-age")])
    assert text.startswith("# ") and text.endswith("views:\n- name: a\n  lanes:\n  - builds\n  sort: -age\n")


def test_a_view_of_the_same_name_stands_in_the_place_of_the_other() -> None:
    mine = ViewSpec("Builds", "team:payments", ("build",))
    views = arranged(BUILT_IN, [ViewSpec("Ours")], [mine])
    assert [view.name for view in views] == [*(view.name for view in BUILT_IN), "Ours"]
    assert mine in views
