"""config.example.yaml: valid, complete, and read by the sources of this installation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from statusboard._config.loader import ROOT_KEYS
from statusboard.config import Config, load_config
from statusboard.keys import ACTIONS, THEMES
from statusboard.query import parse
from statusboard.registry import BUILT_IN, COMMON_OPTIONS, Registry

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def load(path: Path, env: dict[str, str]) -> Config:
    """As the program reads it: filters, actions and themes are looked at."""
    return load_config(path, registry=Registry.installed(), check_filter=parse, actions=ACTIONS, themes=THEMES, env=env)


@pytest.fixture(scope="module")
def config() -> Config:
    return load(EXAMPLE, env={"ALERTMANAGER_USER": "x", "ALERTMANAGER_PASSWORD": "x"})


def test_it_is_valid_and_says_where_every_type_of_source_is_described(config: Config):
    types = {source.type for source in config.sources}
    assert len(types) >= 6 and types <= set(BUILT_IN)
    assert "docs/sources.md" in EXAMPLE.read_text(encoding="utf-8")
    assert config.warnings == ()
    assert config.services
    assert config.environments
    assert config.views


def test_it_shows_every_section_and_every_common_option(config: Config):
    text = EXAMPLE.read_text(encoding="utf-8")
    for key in ROOT_KEYS:
        assert re.search(rf"^(# )?{key}:", text, re.MULTILINE), key
    for key in COMMON_OPTIONS:
        assert re.search(rf"\b{key}\b", text), key


def test_what_is_commented_out_is_valid_too(tmp_path: Path):
    text = EXAMPLE.read_text(encoding="utf-8")
    for line in ("keys:", "theme:", "themes:", "glyphs:", "secrets:", "include:"):
        text, count = re.subn(rf"^# (?={line})", "", text, flags=re.MULTILINE)
        assert count == 1
    for line in ("store:", "cert:", "key:", "verify:"):
        text, count = re.subn(rf"^( +)# (?={line})", r"\1", text, flags=re.MULTILINE)
        assert count == 1
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "web.yaml").write_text("services: {blog: {team: web}}\n")
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    config = load(path, env={})
    assert "blog" in {service.name for service in config.services}
    assert config.keys
    assert config.theme == config.themes[0].name
