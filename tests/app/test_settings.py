"""What the screen knows of a configuration."""

from __future__ import annotations

from pathlib import Path

from statusboard.config import load_config
from statusboard.registry import Registry
from statusboard.screens.settings import settings_of

CONFIG = """\
sources:
  - {type: http-json, name: api, url: "http://127.0.0.1:9", kind: incident, id: id}
  - {type: exec, name: check, command: [/bin/true], format: nagios}
  - {type: exec, name: lines, command: [/bin/true]}
  - {type: exec, name: some, command: [/bin/true], kinds: [build, ticket]}
"""


def test_a_source_is_named_only_where_its_options_let_it_say_something(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    reads = settings_of(load_config(path, registry=Registry.installed(), env={})).reads
    assert reads == {
        "api": ("incident",),
        "check": ("incident",),
        "lines": ("build", "incident", "release", "ticket"),
        "some": ("build", "ticket"),
    }
