"""``keys``: the list of what a configuration can rebind."""

from __future__ import annotations

from pathlib import Path

from statusboard.cli.keys import PLACES, document, rows
from statusboard.keys import DEFAULTS, key_named
from tests.cli.kit import Home

DOCUMENT = Path(__file__).parents[2] / "docs" / "keys.md"


def spread(text: str) -> list[str]:
    """``view_1 to view_9`` as what it stands for."""
    first, to, last = text.partition(" to ")
    stem = first.rstrip("0123456789")
    return [f"{stem}{n}" for n in range(int(first[len(stem) :]), int(last[len(stem) :]) + 1)] if to else [text]


def test_every_action_is_listed_with_its_keys() -> None:
    assert PLACES.keys() == DEFAULTS.keys()
    for place, actions in DEFAULTS.items():
        found: dict[str, str] = {}
        for row in rows(place):
            keys = [",".join(key_named(key) for key in row.keys)]
            if len(names := spread(row.action)) > 1:
                keys = spread(keys[0])
            found |= dict(zip(names, keys, strict=True))
            assert row.what
        assert found == actions, place


def test_it_is_printed_without_a_configuration(home: Home) -> None:
    result = home.run("keys")
    assert result.code == 0 and not result.err
    assert "\n  refresh_all " in result.out and "Read all sources now" in result.out
    assert max(map(len, result.out.splitlines())) <= 120


def test_the_document_is_what_the_screens_say_now(home: Home) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "docs/keys.md is stale: run `make docs`"
    assert home.run("keys", "--markdown").out == document()
