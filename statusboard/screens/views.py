"""The views of a board: those that every board has, those of its config, and those that a person saved from the screen.

A saved view stands in a file of its own beside what else is remembered of a person; the config is never written.  One
that has the name of another view takes its place.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from statusboard.errors import ConfigError, Problem
from statusboard.sorting import sort_of
from statusboard.view import LANES, OVERVIEW, ViewSpec

if TYPE_CHECKING:
    from statusboard.config import ViewOptions

BUILT_IN: Final = (
    OVERVIEW,
    ViewSpec("Services", layout="services"),
    ViewSpec("Incidents", lanes=("incident",)),
    ViewSpec("Builds", lanes=("build",)),
    ViewSpec("Releases", lanes=("release",)),
    ViewSpec("Tickets", lanes=("ticket",)),
    ViewSpec("Timeline", layout="timeline"),
    ViewSpec("Sources", layout="sources"),
    ViewSpec("Unowned", "-has:team"),
    ViewSpec("Metrics", layout="metrics"),
)
"""Views that every board has, before those of its config."""


def arranged(*views: Iterable[ViewSpec]) -> tuple[ViewSpec, ...]:
    """All views in their order; a later one of a name that is taken stands in the place of the earlier one."""
    return tuple({view.name: view for each in views for view in each}.values())


def view_of(view: ViewOptions) -> ViewSpec:
    """A view as the screen has it."""
    from statusboard.config import KINDS

    return ViewSpec(
        view.name,
        view.filter,
        tuple(KINDS[lane] for lane in view.lanes) or LANES,
        view.layout,
        view.columns,
        sort_of(view.sort),
        view.group,
        view.wide,
    )


def options_of(view: ViewSpec) -> ViewOptions:
    """A view as it stands in a file."""
    from statusboard.config import KINDS, ViewOptions

    if view.layout != "lanes":
        return ViewOptions(name=view.name, filter=view.filter, layout=view.layout)
    names = {kind: name for name, kind in KINDS.items()}
    return ViewOptions(
        name=view.name,
        filter=view.filter,
        lanes=tuple(names[kind] for kind in view.lanes) if view.lanes != LANES else (),  # type: ignore[misc]
        columns=view.columns,
        sort=str(view.sort),
        group=view.group,  # type: ignore[arg-type]
        wide=view.wide,
    )


def saved_at(config: Path) -> Path:
    """The file of the views that were saved from the board of this config."""
    from statusboard.paths import state_dir

    name = hashlib.blake2b(os.fsencode(os.path.abspath(config)), digest_size=8).hexdigest()
    return state_dir() / "views" / f"{config.stem}-{name}.yaml"


def read_saved(path: Path) -> tuple[tuple[ViewSpec, ...], list[Problem]]:
    """The saved views, and what is wrong with the file."""
    from statusboard.config import read_views
    from statusboard.query import parse

    views, problems = read_views(path, parse)
    return tuple(view_of(view) for view in views), problems


def keep(path: Path, view: ViewSpec) -> tuple[ViewSpec, ...]:
    """Save this view in the place of one of its name; all that are saved then.  Raises what `forget` does."""
    return _rewrite(path, lambda saved: [*(each for each in saved if each.name != view.name), view])


def forget(path: Path, name: str) -> tuple[ViewSpec, ...]:
    """Take a saved view away; all that are saved then.

    What other boards of the config have saved meanwhile stays.  OSError where the file cannot be written, ConfigError
    where it has mistakes: whoever wrote in it has to mend them, since what they meant would be lost.
    """
    return _rewrite(path, lambda saved: [each for each in saved if each.name != name])


def _rewrite(path: Path, change: Callable[[Sequence[ViewSpec]], Sequence[ViewSpec]]) -> tuple[ViewSpec, ...]:
    saved, problems = read_saved(path)
    if problems:
        raise ConfigError(problems)
    views = tuple(change(saved))
    save(path, views)
    return views


def save(path: Path, views: Sequence[ViewSpec]) -> None:
    """Write these as all that are saved: at once or not at all (0600).  OSError where that fails."""
    from statusboard.config import written
    from statusboard.paths import replace_file

    replace_file(path, written([options_of(view) for view in views]).encode())
