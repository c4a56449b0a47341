"""How a source gives its past, as docs/plugins.md has it, put into the walk-through's own source; docs/backfill.md."""

from __future__ import annotations

import re
import sys
import types
from datetime import UTC, datetime
from textwrap import indent
from typing import Any

import pytest

from statusboard.cli.backfill import command
from statusboard.registry import Registry
from statusboard.source import history_of, scopes_of
from statusboard.testing import Answer, Call, FakeHttp, make_source
from tests.test_plugins import ROOT, TEXT, block, files

GUIDE = (ROOT / "docs" / "backfill.md").read_text(encoding="utf-8")


@pytest.fixture
def pager(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of the walk-through with the method of its fourth part."""
    head = "from datetime import datetime\nfrom statusboard.api import Past\n"
    module = types.ModuleType("statusboard_pager")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where annotations are looked up
    method = indent(block("python", "async def history"), "    ")
    exec(head + files()["statusboard_pager.py"] + "\n" + method, module.__dict__)
    return module.__dict__["Pager"]


def vendor(call: Call) -> Answer:
    """Ten alarms, four on a page, the newest first."""
    before = int(call.param("before", "11") or 11)
    rows = [
        {"id": n, "text": "Till", "state": "over", "level": "work", "since": f"2026-01-{n:02}T03:04:05Z"}
        for n in range(before - 1, max(before - 5, 0), -1)
    ]
    return Answer.of({"alarms": rows})


async def test_the_walk_through_tells_its_past(pager: Any) -> None:
    source = make_source(pager, {"url": "https://pager.example", "teams": ("payments",)})
    http, since = FakeHttp(vendor), datetime(2026, 1, 4, tzinfo=UTC)
    (scope,) = await scopes_of(source, http)
    keys, cursor = [], ""
    while True:
        page = await history_of(source, scope, http, since=since, cursor=cursor)
        keys += [item.key for item in page.items]
        if not page.older or (page.reached is not None and page.reached <= since):
            break
        cursor = page.older
    assert keys == [f"pager:incident:{n}" for n in range(10, 2, -1)]


def test_the_guide_names_every_type_that_has_a_past_and_every_option() -> None:
    known = Registry.installed()
    table = GUIDE[GUIDE.index("| type |") :]
    told = set(re.findall(r"`([\w-]+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line)))
    assert told == {name for name in known.names() if known.load(name).history_kinds}
    for option in command.params:
        if option.param_type_name == "option":
            assert option.opts[0] in GUIDE, option.opts[0]
    assert "docs/plugins.md" not in TEXT and "(backfill.md)" in TEXT
