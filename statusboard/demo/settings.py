"""The configuration with which the board reads the pretend company."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from statusboard.demo.names import DEPENDS_ON
from statusboard.demo.state import State

BUSY = 10
"""From this size on the sources are told to read all of their long lists, and GitHub, with hundreds of them, seldom."""

KEEP = "8h"
"""As long as the past of the world, so that a demo of many hours stays as large as it began."""


GOALS: Mapping[str, Mapping[str, str]] = {
    "payments": {"deployment_frequency": ">= 1/day", "lead_time": "<= 1d"},
    "logistics": {"deployment_frequency": ">= 2/week", "lead_time": "<= 2d"},
}
"""What some teams want beside what all want."""


def config_yaml(state: State, *, urls: Mapping[str, str], files: Mapping[str, Path]) -> str:
    """A complete configuration (YAML) for servers at ``urls``.

    ``files``: where ``token``, ``username`` and ``password`` are written, each in its own file, and the ``log``.
    """
    lines = [
        "# The demo's own configuration. Nothing in it leaves this machine.",
        f"board: {{id: demo, title: {_value('acme (demo)')}, keep: {KEEP}}}",
        "",
        "environments:",
        "  production: {aliases: [prod, prd], tier: production}",
        "  staging: {aliases: [stg]}",
        "",
        "services:",
    ]
    names = {service.name for service in state.services}
    for service in state.services:
        place = f"workflow: [{', '.join(service.pipelines)}]" if service.ci == "buildbot" else f"repo: [{service.repo}]"
        rules = f"{place}, name: [{_value(f'{service.name}:*')}]"  # as the titles in the tracker begin
        needs = [name for name in DEPENDS_ON.get(service.name, ()) if name in names]
        needed = f", depends_on: [{', '.join(needs)}]" if needs else ""
        lines.append(f"  {service.name}: {{team: {service.team}, match: {{{rules}}}{needed}}}")
    busy = state.size >= BUSY
    lines += ["", "goals:"]
    for team in dict.fromkeys(service.team for service in state.services):
        goals = {"change_fail_rate": "<= 15%", "recovery_time": "<= 1h", **GOALS.get(team, {})}
        lines.append(f"  {team}: {{{', '.join(f'{name}: {_value(goal)}' for name, goal in goals.items())}}}")
    lines += [
        "",
        "sources:",
        *_source(
            "github",
            "github",
            url=urls["github"],
            token=f"file:{files['token']}",
            repos=[service.repo for service in state.hosted],
            interval="20s" if busy else "5s",
            **({"builds": 100, "deployments": 40} if busy else {}),
        ),
        *_source("alertmanager", "alerts", url=urls["alertmanager"], expect="Watchdog", interval="2s"),
        *_source(
            "buildbot",
            "buildbot",
            url=urls["buildbot"],
            default_branch="main",
            interval="3s",
            **({"limit": 200} if busy else {}),
        ),
        *_source(
            "roundup",
            "tickets",
            url=urls["roundup"],
            username=f"file:{files['username']}",
            password=f"file:{files['password']}",
            interval="4s",
            **({"limit": 1000} if busy else {}),
        ),
        *_source("deploy-log", "deploys", path=str(files["log"]), interval="2s"),
        "",
        "views:",
    ]
    for team in dict.fromkeys(service.team for service in state.services):
        lines.append(f"  - {{name: {team.capitalize()}, filter: {_value(f'team:{team}')}}}")
    return "\n".join(lines) + "\n"


def _source(type: str, name: str, **options: object) -> list[str]:
    """The lines of one entry of ``sources:``."""
    return [
        f"  - type: {type}",
        f"    name: {name}",
        *(f"    {key}: {_value(value)}" for key, value in options.items()),
    ]


def _value(value: object) -> str:
    """A value as YAML; JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)
