"""docs/notices.md and docs/walls.md name what there is, with its numbers.  Their examples: tests/real/test_docs.py."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import get_args

from msgspec import structs

from statusboard._config.wall import LEAST_EVERY, NightOptions, WallOptions
from statusboard.chatter import EBB, FLIPS, FLIPS_WITHIN, FLOOD, FLOOD_WITHIN
from statusboard.clock import Duration
from statusboard.noticing.delivery import COMMAND_LIMIT
from statusboard.noticing.options import PLACEHOLDERS, Form, NoticesOptions, WayName, What
from statusboard.noticing.pacing import VISUAL_AT_MOST

DOCS = Path(__file__).parents[1] / "docs"
NOTICES = re.sub(r"[ \n]+", " ", (DOCS / "notices.md").read_text(encoding="utf-8"))
WALLS = (DOCS / "walls.md").read_text(encoding="utf-8")


def test_all_that_can_become_of_something_and_all_ways_are_told() -> None:
    for name in (*get_args(What), *get_args(WayName), *get_args(Form)):
        assert f"`{name}`" in NOTICES or f"`terminal: {name}`" in NOTICES, name
    assert set(re.findall(r"`\{(\w+)\}`", NOTICES)) == set(PLACEHOLDERS)
    for field in structs.fields(NoticesOptions):
        assert re.search(rf"`{field.encode_name}\b", NOTICES) or f" {field.encode_name}: " in NOTICES, field.name


def test_the_numbers_of_notices() -> None:
    told = f"at most {NoticesOptions().at_most} things a minute (`at_most`; on the screen {VISUAL_AT_MOST})"
    assert told in NOTICES
    assert f"{FLOOD} new incidents within {FLOOD_WITHIN // timedelta(minutes=1)} minutes are a flood" in NOTICES
    assert f"until fewer than {EBB} are new" in NOTICES
    assert f"between failing and not {FLIPS} times within half an hour" in NOTICES
    assert timedelta(minutes=30) == FLIPS_WITHIN
    assert f"no terminal, {COMMAND_LIMIT:.0f} seconds" in NOTICES


def test_the_options_of_walls() -> None:
    table = WALLS.partition("| key | what it is |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(WallOptions.__struct_fields__)
    assert f"at least {Duration(LEAST_EVERY)} | {WallOptions().every} |" in table
    night = NightOptions()
    assert f"(`{{}}` is {night.begin} to {night.end})" in table
