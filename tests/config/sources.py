"""Small sources for the tests of the configuration: what their options are is all that counts."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any

import msgspec
import pytest

from statusboard.api import Duration, Source, SourceOptions, option
from statusboard.config import Config, load_config
from statusboard.errors import ConfigError, Problem
from statusboard.registry import Registry


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options within options."""

    field: str
    depth: Annotated[int, msgspec.Meta(ge=1)] = 1
    grace: Duration = Duration(5)


class CiOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many types of options."""

    repos: Annotated[tuple[str, ...], option("repositories, as owner/name")]
    limit: Annotated[int, msgspec.Meta(ge=1, le=100), option("how many")] = 30
    filter: str | tuple[str, ...] = ()
    words: dict[str, str] = msgspec.field(default_factory=dict)
    mappings: tuple[Mapping, ...] = ()
    hold: Annotated[Duration, option("how long")] = Duration(300)

    def __post_init__(self) -> None:
        if "bad" in self.repos:
            raise ValueError("`repos` holds what is bad")
        if self.limit == 13:
            raise ValueError("not on a Friday")


class Ci(Source[CiOptions]):
    """Builds and releases, with a URL of its own."""

    type = "ci"
    kinds = frozenset({"build", "release"})
    Options = CiOptions
    summary = "Builds of a pretend vendor"
    default_url = "https://ci.example"
    default_interval = 20.0


class Alerts(Source[SourceOptions]):
    """Incidents; needs a URL."""

    type = "alerts"
    kinds = frozenset({"incident"})


class LogOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A path, marked as one."""

    path: Annotated[str, msgspec.Meta(extra={"path": True}), option("the file")]


class Log(Source[LogOptions]):
    """Releases from a file; needs no URL."""

    type = "log"
    kinds = frozenset({"release"})
    Options = LogOptions
    needs_url = False


class Exec(Source[SourceOptions]):
    """Stands for a source that runs commands."""

    type = "exec"
    kinds = frozenset({"ticket"})
    needs_url = False


REGISTRY = Registry.of({"ci": Ci, "alerts": Alerts, "log": Log, "exec": Exec})


class Home:
    """A folder with config files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.main = folder / "config.yaml"

    def write(self, text: str, name: str = "config.yaml") -> Path:
        """Write a file (dedented)."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    def load(self, text: str | None = None, **options: Any) -> Config:
        """Write the main file, if given, and load it."""
        if text is not None:
            self.write(text)
        return load_config(self.main, **{"registry": REGISTRY, "env": {}, **options})

    def problems(self, text: str | None = None, **options: Any) -> list[Problem]:
        """What is wrong with it."""
        with pytest.raises(ConfigError) as caught:
            self.load(text, **options)
        assert str(caught.value)
        return caught.value.problems

    def problem(self, text: str | None = None, **options: Any) -> Problem:
        """The only thing that is wrong with it."""
        problems = self.problems(text, **options)
        assert len(problems) == 1, "\n".join(map(str, problems))
        return problems[0]
