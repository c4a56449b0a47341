"""``sources`` and ``schema``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from statusboard.cli.sources import listing, one
from statusboard.config import load_config
from statusboard.errors import ConfigError
from statusboard.guide import example
from statusboard.registry import BUILT_IN, Entry, Registry
from tests.cli.kit import Home
from tests.config.sources import REGISTRY

INSTALLED = Registry.installed()


def test_the_list_names_types_kinds_and_what_they_are(home: Home) -> None:
    result = home.run("sources")
    assert result.code == 0
    for name in BUILT_IN:
        assert f"\n  {name} " in f"\n{result.out}"
    assert "(incidents; real)" in result.out and "Alertmanager" in result.out


def test_a_plug_in_that_cannot_be_used_is_listed_with_its_error_and_harms_nothing() -> None:
    def load(entry: Entry) -> object:
        if entry.name == "broken":
            raise ImportError("No module named 'pager\x1b[31m'")
        return REGISTRY.load("ci")

    entries = {
        "broken": Entry(name="broken", target="x:Y", distribution="statusboard-pager"),
        "ci": Entry(name="ci", target="x:Z", built_in=True),
    }
    known = Registry(lambda: entries, load)
    text = listing(known, 100)
    assert "broken" in text and "cannot be used: ImportError" in text and "[statusboard-pager]" in text
    assert "\x1b" not in text and "builds" in text
    with pytest.raises(ConfigError, match="statusboard-pager"):
        one(known, "broken", 100)


def test_one_type_tells_its_options_defaults_and_least_privileges(home: Home) -> None:
    result = home.run("sources", "github")
    assert result.code == 0
    for told in (
        "repos",
        "required",
        "https://api.github.com",
        "1m",
        "read access to Actions",
        "Example:",
        "default 30",
    ):
        assert told in result.out, told
    assert "where the token is" in result.out


def test_a_type_that_there_is_not(home: Home) -> None:
    result = home.run("sources", "alertmanger")
    assert result.code == 2 and "did you mean `alertmanager`?" in result.err


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_example_of_each_type_is_a_valid_configuration(name: str, tmp_path: Path) -> None:
    lines = example(INSTALLED.load(name), INSTALLED.describe(name))
    file = tmp_path / "config.yaml"
    file.write_text("\n".join(lines) + "\n")
    (source,) = load_config(file, registry=INSTALLED).sources
    assert source.type == name and len(lines) <= 14


@pytest.mark.parametrize("width", [60, 100, 120])
@pytest.mark.parametrize("name", BUILT_IN)
def test_nothing_is_wider_than_the_terminal(name: str, width: int) -> None:
    lines = (one(INSTALLED, name, width) + listing(INSTALLED, width)).splitlines()
    # Code is never wrapped: it must be right when it is copied.
    begin, end = lines.index("Example:"), lines.index("Its own options:")
    lines = [line for line in lines[:begin] + lines[end:] if not re.match(r" {6}\S", line)]
    assert max(map(len, lines)) <= width


def test_the_schema_is_json_and_knows_every_type(home: Home) -> None:
    result = home.run("schema")
    assert result.code == 0
    schema = json.loads(result.out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {f"source-{name}" for name in BUILT_IN} <= schema["$defs"].keys()
    assert "path" in schema["$defs"]["source-deploy-log"]["required"]
    assert msgspec.json.decode(result.out) == schema
