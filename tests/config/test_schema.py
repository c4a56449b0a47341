"""The JSON Schema for editors: made of the very types that configs are read into."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from statusboard._config.loader import ROOT_KEYS
from statusboard.config import schema
from statusboard.registry import Registry
from tests.config.sources import REGISTRY, Ci


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return schema(REGISTRY)


def test_it_is_json_and_knows_every_section(whole: dict[str, Any]):
    assert json.loads(json.dumps(whole)) == whole
    assert set(whole["properties"]) == set(ROOT_KEYS)
    assert whole["additionalProperties"] is False
    assert set(whole["properties"]["board"]["properties"]) == {"id", "title", "timezone", "keep", "store"}


def test_every_type_of_source_has_its_own_options(whole: dict[str, Any]):
    assert whole["properties"]["sources"]["items"]["oneOf"] == [
        {"$ref": f"#/$defs/source-{name}"} for name in ("alerts", "ci", "exec", "log")
    ]
    ci = whole["$defs"]["source-ci"]
    assert ci["properties"]["type"] == {"const": "ci", "description": Ci.summary}
    assert set(ci["required"]) == {"type", "name", "repos"}
    assert set(whole["$defs"]["source-alerts"]["required"]) == {"type", "name", "url"}
    assert ci["properties"]["repos"]["description"] == "repositories, as owner/name"
    assert ci["properties"]["limit"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 30,
        "description": "how many",
    }
    assert ci["properties"]["url"]["default"] == "https://ci.example"
    assert ci["properties"]["interval"]["default"] == "20s"
    assert ci["properties"]["hold"]["default"] == "5m"
    assert ci["properties"]["kinds"]["anyOf"][0]["items"] == {"enum": ["build", "release"]}
    mapping = ci["properties"]["mappings"]["anyOf"][0]["items"]
    assert mapping["required"] == ["field"]
    assert mapping["properties"]["grace"]["default"] == "5s"


def test_every_option_is_described(whole: dict[str, Any]):
    common = whole["$defs"]["source-alerts"]["properties"]
    assert [name for name, option in common.items() if not option.get("description")] == []


@pytest.mark.parametrize(
    "text, fine", [("15s", True), ("1h30m", True), ("500ms", True), ("2d", True), ("x", False), ("5 parsecs", False)]
)
def test_durations(whole: dict[str, Any], text: str, fine: bool):
    pattern = whole["$defs"]["source-ci"]["properties"]["interval"]["pattern"]
    assert bool(re.search(pattern, text)) == fine


def test_tokens_are_references(whole: dict[str, Any]):
    pattern = whole["$defs"]["source-ci"]["properties"]["token"]["pattern"]
    assert re.search(pattern, "keyring:x")
    assert not re.search(pattern, "hunter2")


def test_a_type_that_cannot_be_loaded_is_left_out():
    broken = Registry.of({"ci": Ci, "broken": object})  # type: ignore[dict-item]
    assert set(schema(broken)["$defs"]) == {"source-ci"}
