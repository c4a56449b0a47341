"""The configuration with which the board reads the pretend company."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from statusboard.demo.roundup import USER
from statusboard.demo.state import State

BUSY = 10
"""From this size on GitHub is asked less often, since it has hundreds of lists."""


def config_yaml(state: State, *, urls: Mapping[str, str], token: Path, password: Path, log: Path) -> str:
    """A complete configuration (YAML) for servers at ``urls``, with the secrets in the files given."""
    lines = [
        "# The demo's own configuration. Nothing in it leaves this machine.",
        f"board: {{id: demo, title: {_text('acme (demo)')}}}",
        "",
        "environments:",
        "  production: {aliases: [prod, prd], tier: production}",
        "  staging: {aliases: [stg]}",
        "",
        "services:",
    ]
    for service in state.services:
        place = f"workflow: [{_several(service.pipelines)}]" if service.ci == "buildbot" else f"repo: [{service.repo}]"
        rules = f"{place}, name: [{_text(f'{service.name}:*')}]"  # as the titles in the tracker begin
        lines.append(f"  {service.name}: {{team: {service.team}, match: {{{rules}}}}}")
    interval = "5s" if state.size < BUSY else "20s"
    lines += [
        "",
        "sources:",
        _entry("type: github, name: github", url=urls["github"], token=f"file:{token}", interval=interval),
        f"    repos: [{_several(service.repo for service in state.hosted)}]",
        _entry("type: alertmanager, name: alerts", url=urls["alertmanager"], interval="2s"),
        "    expect: Watchdog",
        _entry("type: buildbot, name: buildbot", url=urls["buildbot"], interval="3s"),
        "    default_branch: main",
        _entry("type: roundup, name: tickets", url=urls["roundup"], username=USER, password=f"file:{password}"),
        "    interval: 4s",
        _entry("type: deploy-log, name: deploys", path=str(log), interval="2s"),
        "",
        "views:",
    ]
    for team in dict.fromkeys(service.team for service in state.services):
        lines.append(f"  - {{name: {team.capitalize()}, filter: {_text(f'team:{team}')}}}")
    return "\n".join(lines) + "\n"


def _entry(first: str, **options: str) -> str:
    lines = [f"  - {first.split(', ')[0]}", *(f"    {part}" for part in first.split(", ")[1:])]
    return "\n".join([*lines, *(f"    {name}: {_text(value)}" for name, value in options.items())])


def _text(value: str) -> str:
    """A string as YAML; JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)


def _several(names: Iterable[str]) -> str:
    return ", ".join(names)
