"""``wall:`` of a config: what a wall walks through, how long each page stays, when it is dimmed."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import time
from typing import Annotated, Final

from msgspec import Struct, field

from statusboard._config.views import FilterCheck, check_filter_node
from statusboard.binding import bind, closest, shown
from statusboard.clock import Duration
from statusboard.errors import Problem
from statusboard.source import option
from statusboard.yamlfile import List, Map, Node, Scalar, problem_at

LEAST_EVERY: Final = 5.0
"""Seconds: what changes faster nobody can read from afar."""
_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class NightOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hours in which a wall is dimmed, in ``board.timezone``; they may go past midnight."""

    begin: Annotated[str, option("when it begins, in board.timezone")] = field(default="22:00", name="from")
    end: Annotated[str, option("when it ends")] = field(default="06:00", name="to")


class WallOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``wall:``.  Without ``views`` it walks through Overview and the config's own."""

    views: Annotated[tuple[str, ...], option("the names of the views that are shown in turn")] = ()
    every: Annotated[Duration, option("how long each page is shown")] = Duration(30)
    night: Annotated[NightOptions | None, option("when it is dimmed; never without this")] = None
    filter: Annotated[str, option("a query that all of its views are narrowed by; what it hides is told in red")] = ""


def bind_wall(
    node: Node | None, views: Collection[str], check: FilterCheck | None, problems: list[Problem]
) -> WallOptions:
    """The section; ``views`` are the names of those that have lanes."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return WallOptions()
    options = bind(node, WallOptions, problems, "wall")
    if options is None or not isinstance(node, Map):
        return WallOptions()
    listed = node.get("views")
    marks = [item.at for item in listed.items] if isinstance(listed, List) else [node.mark("views")]
    for index, (name, at) in enumerate(zip(options.views, marks, strict=False)):
        if name not in views:
            hint = closest(name, views)
            problems.append(
                problem_at(at, f"there is no view `{shown(name)}` for a wall", path=f"wall.views[{index}]", hint=hint)
            )
    if options.every < LEAST_EVERY:
        problems.append(
            problem_at(node.mark("every"), "nobody can read that fast", path="wall.every", hint="5s or more")
        )
    text = node.get("filter")
    if isinstance(text, Scalar) and check is not None:
        check_filter_node(text, "wall.filter", check, problems)
    night = node.get("night")
    if isinstance(night, Map) and options.night is not None:
        for key, value in (("from", options.night.begin), ("to", options.night.end)):
            if time_of(value) is None:
                message = f"`{shown(value)}` is no time of day"
                problems.append(problem_at(night.mark(key), message, path=f"wall.night.{key}", hint='such as "22:00"'))
    return options


def time_of(text: str) -> time | None:
    """A time of day such as ``22:00``; None for anything else."""
    found = _TIME.fullmatch(text.strip())
    return time(int(found[1]), int(found[2])) if found else None
