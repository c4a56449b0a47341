"""Thirty sources of all types, and the network is cut: the board starts all the same, says what it cannot read and
since when, shows the last known rows as such, and recovers by itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from statusboard.palettes import DARK
from tests.real.board import Bench, bench
from tests.real.process import wait_until
from tests.real.screens import Style, ended, open_board, rgb, style_of
from tests.real.tmux import Tmux
from tests.real.vendors import ITEMS, Vendors

SOURCES = 30
FAULTS = re.compile(r"Traceback| ERROR ")
ROW = re.compile(r"^ *(?:<1m|\d+[mhdwy]) +(\S+ (?:was )?\w+) ", re.MULTILINE)
"""A row of a lane: its age, and its state with the glyph."""


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors(SOURCES) as made:
        yield made


@pytest.fixture
def board(vendors: Vendors, tmp_path: Path) -> Iterator[Bench]:
    sources = vendors.sources(interval="2s", timeout="3s")
    with bench(tmp_path / "board", f"board: {{id: cut, title: Cut}}\nsources: {sources}\n") as made:
        yield made


def states(screen: str) -> set[str]:
    """The states that the rows on the screen have, each with its glyph."""
    return set(ROW.findall(screen))


def lost(screen: str) -> set[str]:
    """Those of them that are only the last ones known."""
    return {state for state in states(screen) if "was" in state}


def failed_build(terminal: Tmux, state: str) -> Style:
    """How the state of the uppermost failed build looks."""
    line = next(line for line in terminal.capture().splitlines() if state in line)
    return style_of(terminal, line.partition(state)[2].strip(), state.split()[-1])


@pytest.mark.parametrize(
    "how,why", [("cut", "no connection"), ("hang", "no answer within 3 s")], ids=["refused", "hanging"]
)
def test_the_network_is_cut(how: str, why: str, vendors: Vendors, board: Bench, terminal: Tmux, tmp_path: Path) -> None:
    _, picture = board.show("--poll")
    assert len(set(vendors.types)) >= 15
    assert Counter(item["source"] for item in picture["items"]) == dict.fromkeys(vendors.names, ITEMS)
    assert {source["state"] for source in picture["sources"]} == {"fresh"}
    with Tmux() as before:  # a board that ends leaves its last screen for the next one
        open_board(before, board)
        before.wait_for("30 of 30 fresh")
        before.send("q")
        assert ended(before)[0] == 0

    if how == "cut":
        vendors.cut()
    else:
        vendors.hang()
    vendors.asked()
    record = tmp_path / "bytes"
    open_board(terminal, board, record=record)
    terminal.wait_for(lambda screen: len(ROW.findall(screen)) > 20)
    wait_until("the first picture is recorded", lambda: "LAST KNOWN, <1m ago" in record.read_text("utf-8", "replace"))

    screen = terminal.wait_for(re.compile(r"BLIND: 30 of 30 sources unread  0 of 30 fresh"))
    assert re.search(r"FAILING \d+", screen), "what was red is not forgotten"
    screen = terminal.wait_for(re.compile(r"30 stale: \S+, \S+, \S+ \+27"))
    wait_until("all rows are those of unread sources", lambda: all("? was" in s for s in states(terminal.capture())))
    assert {"? was open", "? was failed"} <= states(terminal.capture())
    blind = failed_build(terminal, "? was failed")
    assert blind.attributes == {"italic"}, "dimmed, not as loud as a fault that is known"
    assert blind.foreground != rgb(DARK.colors["failed"])

    terminal.resize(240, 2 * SOURCES + 10)
    terminal.send("S")
    terminal.wait_for("Sources  0 of 30 fresh")
    for name, type in zip(vendors.names, vendors.types, strict=True):
        terminal.wait_for(re.compile(rf"^\W*(<1m|\d+m) .*\? stale +{name} +{type} +{ITEMS} .*{why}", re.MULTILINE))
    terminal.send("Enter")
    terminal.wait_for(re.compile(r"\bsince +(<1m|\d+m) ago\W*\n.*\blast read +(<1m|\d+m) ago", re.MULTILINE))
    terminal.send("1")
    terminal.wait_for(re.compile(r"^ *Incidents +\d+", re.MULTILINE))
    terminal.send("p")
    terminal.resize(120, 40)
    assert vendors.asked() == [], "nobody answered meanwhile"

    vendors.answer()
    healed = terminal.wait_for(re.compile(r"30 of 30 fresh"), timeout=120)
    assert not re.search("stale|BLIND", healed)
    terminal.wait_for(lambda screen: {"◉ open", "✗ failed"} <= states(screen) and not lost(screen))
    known = failed_build(terminal, "✗ failed")
    assert "bold" in known.attributes and known.foreground == rgb(DARK.colors["failed"])
    terminal.send("q")
    assert ended(terminal)[0] == 0
    assert not FAULTS.search(board.log)
    assert "ALL OK" not in record.read_text("utf-8", "replace")
