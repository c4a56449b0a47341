"""The configuration: YAML files to typed data, with every mistake found at once and named by its place.

    config = load_config("config.yaml", registry=Registry.installed())
    config.sources[0].options.url

A `ConfigError` lists all problems with file, line, column, key path and what would be right.  Nothing in an error, a
struct's repr or an identity is a secret, since a config holds none: only references to secrets.

The main file may ``include:`` others, so that each team owns its own.  What an include may not do is what would turn a
team's file into somebody else's permissions: run commands, relax TLS, set the board itself, or send a secret that the
main file does not name to a place of its choosing.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from statusboard._config.files import Files, gather
from statusboard._config.loader import COMMAND_TYPES, Loader
from statusboard._config.schema import schema_of
from statusboard._config.types import BoardOptions, Config, ConfiguredSource
from statusboard._config.views import KINDS, FilterCheck, LaneName, ViewOptions, read_views, written
from statusboard._config.wall import WallOptions, time_of
from statusboard.errors import ConfigError
from statusboard.registry import Registry

__all__ = [
    "COMMAND_TYPES",
    "KINDS",
    "BoardOptions",
    "Config",
    "ConfiguredSource",
    "Files",
    "LaneName",
    "ViewOptions",
    "WallOptions",
    "gather",
    "load_config",
    "load_files",
    "read_views",
    "schema",
    "time_of",
    "written",
]


def load_config(
    path: str | Path,
    *,
    registry: Registry,
    env: Mapping[str, str] | None = None,
    check_filter: FilterCheck | None = None,
    actions: Collection[str] = (),
    themes: Collection[str] = (),
    digest: str = "",
) -> Config:
    """Read a config and its includes.  ConfigError lists all problems.

    ``env`` stands in for the environment (only asked whether variables are set).  ``check_filter`` raises QueryError
    for a filter that does not parse; ``actions`` and ``themes`` are the known ones (empty: anything goes).  With
    ``digest`` the files must still be those that were trusted.
    """
    files = gather(Path(path))
    if digest and files.digest != digest:
        hint = "look at what changed, then run `statusboard trust`"
        raise ConfigError("the config has changed since it was trusted", file=str(path), hint=hint)
    return load_files(files, registry=registry, env=env, check_filter=check_filter, actions=actions, themes=themes)


def load_files(
    files: Files,
    *,
    registry: Registry,
    env: Mapping[str, str] | None = None,
    check_filter: FilterCheck | None = None,
    actions: Collection[str] = (),
    themes: Collection[str] = (),
) -> Config:
    """As `load_config`, of files that were read already."""
    loader = Loader(files, registry, os.environ if env is None else env, check_filter)
    return loader.load(actions, themes)


def schema(registry: Registry) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a config, for editors, with the options of every source type that can be loaded."""
    return schema_of(registry)
