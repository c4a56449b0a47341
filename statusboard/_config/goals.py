"""``goals:`` of a config: what each team wants its delivery numbers to be."""

from __future__ import annotations

from collections.abc import Collection

from statusboard.binding import closest, shown
from statusboard.errors import Problem
from statusboard.metrics.goals import EXAMPLES, NAMES, GoalError, parse_goal
from statusboard.metrics.kinds import METRICS
from statusboard.yamlfile import Map, Node, Scalar, found, join, problem_at


def bind_goals(node: Node | None, taken: dict[str, dict[str, str]], problems: list[Problem]) -> None:
    """Read the section of one file into ``taken``: team -> metric -> what was written."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return
    hint = f'write `TEAM: {{change_fail_rate: "{EXAMPLES["change_fail_rate"]}"}}`'
    if not isinstance(node, Map):
        problems.append(
            problem_at(node.at, f"this is {found(node)}, where a mapping is wanted", path="goals", hint=hint)
        )
        return
    for team, entry in node.entries.items():
        path = join("goals", team)
        if not team.strip():
            problems.append(problem_at(entry.at, "the name of a team is empty", path="goals", hint=hint))
        elif team in taken:
            message = f"the goals of `{shown(team)}` are in another file already"
            problems.append(problem_at(entry.at, message, path=path, hint="keep them in one place"))
        elif team in NAMES:
            message = f"`{team}` is a number; goals belong to a team"
            problems.append(problem_at(entry.at, message, path=path, hint=hint))
        elif not isinstance(entry.value, Map):
            message = f"this is {found(entry.value)}, where a mapping is wanted"
            problems.append(problem_at(entry.value.at, message, path=path, hint=hint))
        else:
            taken[team] = _of_team(team, entry.value, path, problems)


def _of_team(team: str, node: Map, path: str, problems: list[Problem]) -> dict[str, str]:
    goals: dict[str, str] = {}
    meant: dict[str, str] = {}
    for name, entry in node.entries.items():
        metric = NAMES.get(name)
        if metric is None:
            hint = closest(name, list(NAMES), list_all=False) or f"known are: {', '.join(METRICS)}"
            problems.append(problem_at(entry.at, f"there is no number `{shown(name)}`", path=path, hint=hint))
            continue
        if metric in meant:
            message = f"`{name}` is the same number as `{meant[metric]}`"
            problems.append(problem_at(entry.at, message, path=join(path, name), hint="keep one"))
            continue
        meant[metric] = name
        value = entry.value
        if not isinstance(value, Scalar) or value.value is None:
            message = f"this is {found(value)}, where a goal is wanted"
            hint = f'such as "{EXAMPLES[metric]}"'
            problems.append(problem_at(value.at, message, path=join(path, name), hint=hint))
            continue
        try:
            parse_goal(team, metric, value.text)
        except GoalError as error:
            problems.append(problem_at(value.at, str(error), path=join(path, name), hint=error.hint))
        else:
            goals[name] = value.text
    return goals


def doubtful(node: Node | None, teams: Collection[str]) -> list[Problem]:
    """Teams with goals that nothing in the config names: their name may come with the items, or be a slip."""
    if not isinstance(node, Map) or not teams:
        return []
    return [
        problem_at(
            entry.at,
            f"no service and no source is of the team `{shown(team)}`",
            path=join("goals", team),
            hint=closest(team, teams, list_all=False) or "its goals are judged by what the items themselves say",
        )
        for team, entry in node.entries.items()
        if team not in teams
    ]
