"""What a view shows, as text, CSV, JSON and as the table of `show`."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from statusboard.board import Board
from statusboard.exporting import (
    FIELDS,
    Shown,
    aligned,
    as_csv,
    as_json,
    as_text,
    head_of,
    lines_of,
    picture_for_files,
    proposed_name,
    shown,
    table,
)
from statusboard.model import PartError
from statusboard.presenting import ASCII
from statusboard.query import parse
from statusboard.report import item_row
from statusboard.text import cell_len
from statusboard.view import OVERVIEW, ViewSpec
from tests.boards import NOW, ago, board_of, build, health, incident, note, release, ticket

EVIL = "=HYPERLINK(1)"


def made_of(board: Board, view: ViewSpec = OVERVIEW, query: str = "", *, faults_only: bool = False) -> Shown:
    return shown(board, view, parse(query or view.filter), NOW, faults_only=faults_only)


def table_of(board: Board, width: int, *, required: set[str] | None = None, **more: Any) -> str:
    return table(made_of(board, **more), board, {}, NOW, width, required=required)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


# -- what is shown


def test_it_is_what_the_lanes_show_in_their_order() -> None:
    board = board_of(
        build(1, "success", started_at=ago(60)),
        build(2, "failed", started_at=ago(50)),
        build(3, "running", started_at=ago(1)),
        build(4, "success", branch="dev"),
        incident(1, severity="low"),
        incident(2, severity="critical"),
    )
    made = made_of(board)
    assert [row.key for row in made.lanes["incident"]] == ["am:incident:2", "am:incident:1"]
    assert [row.key for row in made.lanes["build"]] == ["ci:build:2", "ci:build:3", "ci:build:4"]
    assert not made.narrowed and made.hidden == 0


def test_what_is_left_out_is_counted_whatever_leaves_it_out() -> None:
    board = board_of(build(1, "failed"), incident(1), incident(2, services=("pay",)), ticket(1))
    made = made_of(board, ViewSpec("Some", lanes=("incident",)), "service:pay")
    assert [row.key for row in made.rows] == ["am:incident:2"]
    assert (made.hidden, made.hidden_failing, made.narrowed) == (3, 2, True)
    faults = made_of(board, faults_only=True)
    assert (faults.hidden, faults.hidden_failing) == (1, 0)


# -- text


def test_text_is_aligned_and_says_when_and_what_is_left_out() -> None:
    board = board_of(
        health("am"),
        health("ci", "stale"),
        incident(1, title="漢字 down", services=("checkout",), team="payments"),
        build(1, "failed", title="Fix", actor="ann"),
        note(incident(1), "rolling back", what="note", author="bob", episode=ago(10)),
    )
    text = as_text(made_of(board, query="-kind:ticket"), NOW, title="Acme", glyphs=ASCII)
    lines = text.splitlines()
    assert lines[0] == "Acme: Overview, filter -kind:ticket" and lines[1] == "2026-01-02 12:00:00 UTC"
    assert "INCIDENTS 1" in lines and "RELEASES none" in lines
    head = next(line for line in lines if "Severity" in line)
    row = next(line for line in lines if "漢字 down" in line)
    assert cell_len(row[: row.index("checkout")]) == cell_len(head[: head.index("Service")])
    assert "payments" in row and "Assignee" not in head, "a column in which nothing stands is left out"
    assert "rolling back" in text and "? was failed" in text and "Not read in full: ci is stale" in text


def test_a_source_without_any_row_is_told_as_well_where_it_is_not_read() -> None:
    text = as_text(made_of(board_of(health("am", "down"), ticket(1))), NOW, title="x")
    assert "Not read in full: am is down, tr is starting" in text


def test_columns_and_times_are_those_of_the_view() -> None:
    view = ViewSpec("Mine", lanes=("build",), columns=("title", "repository"))
    text = as_text(made_of(board_of(build(1)), view), NOW, title="x", times="utc")
    assert "Build   Repository" in text and "Fix it  acme/shop" in text
    assert "11:50" in as_text(made_of(board_of(build(1))), NOW, title="x", times="utc")


def test_aligned() -> None:
    assert aligned([["Age", "A", "B"], ["1m", "", "long one"], ["10m", "", "x"]], {0}) == [
        "  Age  B",
        "   1m  long one",
        "  10m  x",
    ]


# -- CSV


def test_csv_has_a_line_an_item_and_every_field_of_one_value() -> None:
    board = board_of(
        health("ci"),
        build(1, "failed", title='Say "hi", ok', services=("a", "b"), run_number=7, labels={"x": "y"}),
        release(1, version="1.2"),
    )
    first, second = rows_of(as_csv(made_of(board)))
    assert first["title"] == 'Say "hi", ok' and first["services"] == "a, b" and first["run_number"] == "7"
    assert (first["failing"], second["failing"], first["severity"]) == ("true", "false", "")
    assert (first["source_state"], second["version"]) == ("fresh", "1.2")
    assert first["started_at"] == "2026-01-02T11:50:00Z"


def test_every_field_of_one_value_has_a_column() -> None:
    board = board_of(build(1), incident(1), release(1), ticket(1))
    single = {
        name
        for row in board.items()
        for name, value in item_row(row).items()
        if not isinstance(value, dict) and name not in FIELDS
    }
    rare = {"approximate", "cluster", "commits", "default_branch", "fingerprint", "fork", "prerelease", "slot"}
    assert single <= rare | {"committed_at", "queued_at", "type", "verdict"}, (
        "a new field of the model wants a column, or a place here"
    )


@pytest.mark.parametrize("text", [EVIL, "+1", "-1", "@SUM(A1)", " =1", "＝1"])
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    (row,) = rows_of(as_csv(made_of(board_of(ticket(1, title=text)))))
    assert row["title"] == f"'{text}"


def test_links_that_are_not_safe_are_left_out_everywhere() -> None:
    links = {"log": "https://me:s3cr3t@ci.example/log", "page": "https://ok.example"}
    board = board_of(ticket(1, url="https://me:s3cr3t@tracker.example/1", links=links))
    made = made_of(board)
    exported = as_json(made, head_of(made, board, {}, NOW))
    assert "s3cr3t" not in as_csv(made) + exported + as_text(made, NOW, title="x")
    assert "https://ok.example" in exported


# -- JSON


def test_json_is_the_contract_with_what_is_shown_as_its_items() -> None:
    board = board_of(health("ci"), build(1, "failed"), incident(1), ticket(1))
    made = made_of(board, query="kind:ticket")
    picture = json.loads(as_json(made, head_of(made, board, {}, NOW)))
    assert picture["schema"] == 1 and [item["key"] for item in picture["items"]] == ["tr:ticket:1"]
    assert picture["filter"] == {
        "view": "Overview",
        "query": "kind:ticket",
        "kinds": ["incident", "build", "release", "ticket"],
        "hidden": 2,
        "hidden_failing": 2,
    }
    assert picture["summary"]["failing"] == 0


# -- the table of show


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_table_is_never_wider_than_the_terminal(width: int) -> None:
    wide = build(1, "failed", title="漢字" * 100, services=("s" * 100,), team="t" * 100)
    board = board_of(health("ci"), wide, build(2, "unknown", branch="dev"), ticket(1))
    lines = table_of(board, width).splitlines()
    assert max(cell_len(line) for line in lines) <= width
    assert [line for line in lines if line.isupper() and " " not in line] == [
        "FAILING",
        "UNKNOWN",
        "TICKETS",
        "SOURCES",
    ]


def test_the_table_tells_pipeline_team_and_who() -> None:
    board = board_of(
        health("ci"),
        build(1, title="Fix the till", pipeline="CI", services=("checkout",), team="payments", actor="ann"),
        incident(1, title="Slow", assignee="bob", severity="high"),
    )
    told = table_of(board, 120)
    for words in ("checkout CI", "Fix the till", "payments", "ann", "bob", "open high"):
        assert words in told
    narrow = table_of(board, 60)
    assert "Fix the till" in narrow and "ann" not in narrow, "what is least needed gives way"


def test_the_table_shows_what_runs_and_ages_as_the_board_does() -> None:
    board = board_of(
        health("ci"),
        build(1, "success", title="Before", started_at=ago(60), ended_at=ago(55)),
        build(2, "running", title="Now", started_at=ago(3)),
        ticket(1, started_at=ago(999), updated_at=ago(7)),
    )
    lines = table_of(board, 100).splitlines()
    assert next(line for line in lines if "Now" in line).split()[:2] == ["3m", "running"]
    assert next(line for line in lines if "Before" in line).split()[:2] == ["1h", "success"]
    assert next(line for line in lines if "Broken" in line).split()[0] == "7m"


def test_the_table_tells_what_cannot_be_read() -> None:
    errors = (PartError(part="acme/x", error="404"),)
    told = table_of(board_of(health("ci", "partial", errors=errors), health("am", "down", error="503")), 100)
    assert told.startswith("BLIND: 0 of 2 sources fresh, 2 cannot be read in full")
    assert "acme/x: 404" in told and "503" in told
    assert table_of(board_of(health("ci")), 80).startswith("ALL OK: 1 of 1 sources fresh")


def test_a_source_that_nobody_has_heard_of_is_blind() -> None:
    told = table_of(board_of(health("ci")), 80, required={"ci", "am"})
    assert told.startswith("BLIND: 1 of 2 sources fresh") and "starting am" in told


def test_a_filter_that_hides_faults_says_so_and_never_that_all_is_well() -> None:
    board = board_of(health("ci"), build(1, "failed"), ticket(1))
    lines = table_of(board, 100, query="kind:ticket").splitlines()
    assert lines[0].startswith("OK HERE: ")
    assert lines[1] == "1 more item is not shown, 1 of them FAILING (Overview, filter kind:ticket)"


# -- files


def test_names_of_files() -> None:
    at = datetime(2026, 1, 2, 12, 4, 5, tzinfo=UTC)
    assert proposed_name("Payments & co", at, "csv") == "statusboard-payments-co-20260102-120405.csv"
    assert proposed_name("Übersicht", at, "svg") == "statusboard-übersicht-20260102-120405.svg"
    assert proposed_name("../..", at, "txt") == "statusboard-20260102-120405.txt"
    assert len(proposed_name("x" * 500, at, "svg")) < 80


def test_pictures_fetch_nothing() -> None:
    svg = '<style>@font-face { src: url("https://cdn.example/x.woff") } .a {}</style><text class="a">x</text>'
    assert picture_for_files(svg) == '<style>.a {}</style><text xml:space="preserve" class="a">x</text>'
    assert lines_of(["a  ", "", "  b ", "   "]) == "a\n\n  b\n"
