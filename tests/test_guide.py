"""The document on all sources is made from the sources, and tells a newcomer enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from statusboard.guide import VERIFIED, document, hourly
from statusboard.registry import BUILT_IN, Registry

ROOT = Path(__file__).parents[1]
INSTALLED = Registry.installed()


def test_the_document_says_what_the_sources_say_now() -> None:
    written = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    assert written == document(INSTALLED), "docs/sources.md is stale: run `make docs`"


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_type_says_how_to_set_it_up_what_it_costs_and_how_it_was_verified(name: str) -> None:
    cls = INSTALLED.load(name)
    assert cls.type == name
    assert cls.summary and not cls.summary.endswith(".") and len(cls.summary) <= 100
    assert cls.example.strip() and cls.setup.strip() and cls.scopes_needed
    assert cls.verified in VERIFIED and cls.verified
    assert not cls.needs_url or cls.requests[0] >= 1
    own = [option for option in INSTALLED.describe(name) if not option.common]
    assert all(option.description for option in own), "each option says what it is"


def test_requests_are_counted_at_the_default_interval() -> None:
    assert hourly(INSTALLED.load("alertmanager")) == "240 an hour for each source"
    assert hourly(INSTALLED.load("deploy-log")) == "none"
