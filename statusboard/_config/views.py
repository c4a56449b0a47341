"""``views:`` of a config, and the file of views that a person saved from the screen: both have the same form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Struct, structs

from statusboard.binding import bind, closest, shown, told_whole
from statusboard.columns import COLUMN_IDS
from statusboard.errors import ConfigError, Problem, QueryError
from statusboard.model import ItemKind
from statusboard.source import option
from statusboard.yamlfile import List, Map, Mark, Node, Scalar, join, parse, problem_at, read

LaneName: TypeAlias = Literal["incidents", "releases", "builds", "tickets"]
FilterCheck: TypeAlias = Callable[[str], object]
"""Raises QueryError for a filter that does not parse."""

KINDS: Final[dict[str, ItemKind]] = {
    "incidents": "incident",
    "builds": "build",
    "releases": "release",
    "tickets": "ticket",
}
_OF_LANES: Final = ("lanes", "columns", "sort", "group", "wide")


class ViewOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``views:``; no ``lanes`` means all of them, no ``columns`` those that each lane has."""

    name: Annotated[str, option("shown in the list of views")]
    filter: Annotated[str, option('a query, such as "team:payments -state:success"')] = ""
    layout: Annotated[
        Literal["lanes", "services", "timeline", "sources", "metrics"],
        option("items in lanes, services by environments, what changed, the sources, or delivery metrics"),
    ] = "lanes"
    lanes: Annotated[tuple[LaneName, ...], option("which lanes to show, from top to bottom")] = ()
    columns: Annotated[tuple[str, ...], option("which columns the lanes show, from left to right")] = ()
    sort: Annotated[str, option("a column, with `-` before it the other way round; else by urgency")] = ""
    group: Annotated[Literal["", "team", "service", "environment", "source"], option("what rows are gathered by")] = ""
    wide: Annotated[bool, option("whether all columns are shown that there is room for")] = False


def bind_view(node: Node, path: str, problems: list[Problem], check_filter: FilterCheck | None) -> ViewOptions | None:
    """One entry; what is wrong with it is in ``problems``, and the entry comes all the same where it has a name."""
    options = bind(node, ViewOptions, problems, path)
    filter_node = node.get("filter") if isinstance(node, Map) else None
    if isinstance(filter_node, Scalar) and check_filter is not None:
        check_filter_node(filter_node, join(path, "filter"), check_filter, problems)
    if options is None or not isinstance(node, Map):
        return None
    if len(set(options.lanes)) < len(options.lanes):
        problems.append(problem_at(node.mark("lanes"), "a lane is listed twice", path=join(path, "lanes")))
    if options.layout != "lanes":
        for key in _OF_LANES:
            if key in node.entries:
                message = f"a view with `layout: {options.layout}` has no `{key}`"
                problems.append(problem_at(node.key_mark(key), message, path=join(path, key), hint="leave it out"))
        return options
    known = [name for lane in options.lanes or KINDS for name in COLUMN_IDS[KINDS[lane]]]
    columns = node.get("columns")
    marks = [item.at for item in columns.items] if isinstance(columns, List) else []
    for index, name in enumerate(options.columns):
        at = marks[index] if index < len(marks) else node.mark("columns")
        _check_column(name, known, at, f"{join(path, 'columns')}[{index}]", problems)
    if len(set(options.columns)) < len(options.columns):
        problems.append(problem_at(node.mark("columns"), "a column is listed twice", path=join(path, "columns")))
    if options.sort:
        _check_column(options.sort.removeprefix("-"), known, node.mark("sort"), join(path, "sort"), problems)
    return options


def _check_column(name: str, known: Sequence[str], at: Mark, path: str, problems: list[Problem]) -> None:
    if name not in known:
        hint = closest(name, sorted(set(known)))
        problems.append(problem_at(at, f"these lanes have no column `{shown(name)}`", path=path, hint=hint))


def check_filter_node(node: Scalar, path: str, check: FilterCheck, problems: list[Problem]) -> None:
    """Note where a filter does not parse, with its place in the file."""
    try:
        check(node.text)
    except QueryError as error:
        # Within one line the place in the query is the place in the file, apart from escapes in quotes.
        column = node.at.column + error.start + (1 if node.quoted else 0) if "\n" not in node.text else 0
        at = Mark(node.at.file, node.at.line, column or node.at.column)
        near = shown(node.text[error.start : error.end])
        message = f"the filter does not parse: {told_whole(str(error))}"
        problems.append(problem_at(at, message, path=path, hint=f"at `{near}`" if near else ""))


# -- what a person saved ---------------------------------------------------------------------------------------------


def read_views(path: Path, check_filter: FilterCheck) -> tuple[list[ViewOptions], list[Problem]]:
    """The saved views, and what is wrong with them; a view that has a mistake is left out, the others are not."""
    problems: list[Problem] = []
    try:
        if not path.exists():
            return [], []
        root = parse(read(path), str(path), problems)
    except ConfigError as error:
        return [], list(error.problems)
    if root is None:
        return [], problems
    problems += [
        problem_at(root.key_mark(key), f"there is no key `{shown(key)}`", hint="only `views:`")
        for key in root.entries
        if key != "views"
    ]
    node = root.get("views")
    if node is not None and not isinstance(node, List) and not (isinstance(node, Scalar) and node.value is None):
        problems.append(problem_at(node.at, "must be a list", path="views"))
    views: list[ViewOptions] = []
    for index, item in enumerate(node.items if isinstance(node, List) else ()):
        before = len(problems)
        path_of = f"views[{index}]"
        view = bind_view(item, path_of, problems, check_filter)
        if view is None or len(problems) > before:
            continue
        if view.name in {each.name for each in views}:
            problems.append(problem_at(item.at, f"there are two views `{shown(view.name)}`", path=path_of))
        else:
            views.append(view)
    return views, problems


def written(views: Sequence[ViewOptions]) -> str:
    """These views as the text of a file, each as it could stand in a config."""
    import yaml

    entries: list[dict[str, Any]] = []
    for view in views:
        fields = {field.name: field.default for field in structs.fields(view)}
        said = {name: getattr(view, name) for name, default in fields.items() if getattr(view, name) != default}
        entries.append({name: list(value) if isinstance(value, tuple) else value for name, value in said.items()})
    head = "# Views that were saved from the screen.  To share one with your team, move it into the board's config.\n"
    return head + yaml.safe_dump({"views": entries}, allow_unicode=True, sort_keys=False, width=1_000)
