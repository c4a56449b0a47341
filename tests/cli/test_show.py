"""``show``: the JSON contract, exit codes, and what it does when things go wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.cli.kit import Home, deploy

TOP = {"schema", "store_id", "revision", "digest", "at", "summary", "sources", "items"}
SUMMARY = {"verdict", "failing", "blind", "suppressed"}
SOURCE = {"name", "type", "state", "error", "errors", "items", "last_success", "budget_left", "next_poll"}
ITEM = {
    "key", "source", "kind", "state", "raw_state", "current", "failing", "title", "service", "services", "team",
    "environment", "url", "started_at", "updated_at", "ended_at",
}  # fmt: skip
RELEASE = {"type", "version", "revision", "previous_version", "prerelease", "commits"}


@pytest.fixture
def second(home: Home) -> str:
    """A second source that cannot be read, as a line for the configuration."""
    return "  - {type: deploy-log, name: gone, path: /nonexistent.jsonl}\n"


# --- the contract ---------------------------------------------------------------------------------------------------


def test_the_json_contract(home: Home) -> None:
    home.deploys(deploy("1.1", "failed"), deploy("1.0"), deploy("2.0", service="web"))
    result = home.run("show", "--json")
    assert result.code == 1 and not result.err
    picture = result.json
    assert picture.keys() >= TOP and picture["schema"] == 1
    assert picture["at"].endswith("Z") and len(picture["digest"]) == 32 and picture["revision"] > 0
    assert picture["summary"].keys() >= SUMMARY
    assert (picture["summary"]["verdict"], picture["summary"]["failing"], picture["summary"]["blind"]) == (
        "failing",
        1,
        0,
    )
    (source,) = picture["sources"]
    assert source.keys() >= SOURCE
    assert (source["name"], source["type"], source["state"], source["items"]) == ("deploys", "deploy-log", "fresh", 3)
    assert source["error"] is None and source["errors"] == [] and source["last_success"].endswith("Z")
    keys = [item["key"] for item in picture["items"]]
    assert keys == sorted(keys) and len(keys) == 3
    for item in picture["items"]:
        assert item.keys() >= ITEM | RELEASE
        assert item["source"] == "deploys" and item["kind"] == "release"
        assert item["service"] == item["services"][0] and item["environment"] == "production"
    (failing,) = [item for item in picture["items"] if item["failing"]]
    assert failing["state"] == "failed" and failing["current"] and failing["version"] == "1.1"
    assert failing["raw_state"] == "failed" and isinstance(failing["labels"], dict)


def test_a_second_look_is_the_same_picture_without_reading_again(home: Home) -> None:
    file = home.deploys(deploy("1.0"))
    first = home.run("show", "--json").json
    file.unlink()
    again = home.run("show", "--json")
    assert again.code == 0, "younger than one interval"
    for name in ("store_id", "revision", "digest", "items"):
        assert again.json[name] == first[name]
    forced = home.run("show", "--json", "--poll")
    assert forced.code == 3 and forced.json["revision"] > first["revision"]
    assert forced.json["items"] == first["items"], "what is known stays"
    (source,) = forced.json["sources"]
    assert source["state"] == "partial" and source["errors"][0]["error"]


def test_changed_options_are_read_at_once(home: Home) -> None:
    home.deploys(deploy("1.0"))
    home.run("show")
    other = home.deploys(deploy("9.0", "failed"), name="other")
    home.config.write_text(f"sources:\n  - {{type: deploy-log, name: deploys, path: {other}, interval: 60s}}\n")
    assert home.run("show").code == 1


def test_the_table_says_what_is_wrong_first(home: Home) -> None:
    home.deploys(deploy("1.1", "failed"), deploy("2.0", service="web"))
    result = home.run("show")
    assert result.code == 1
    lines = result.out.splitlines()
    assert lines[0].startswith("FAILING 1: 1 of 1 sources fresh")
    assert lines.index("FAILING") < lines.index("RELEASES") < lines.index("SOURCES")
    assert "checkout" in lines[lines.index("FAILING") + 1]


# --- views and filters ----------------------------------------------------------------------------------------------


def test_a_filter_narrows_items_counts_and_the_exit_code_and_says_so(home: Home) -> None:
    home.deploys(deploy("1.1", "failed"), deploy("2.0", service="web"))
    result = home.run("show", "--json", "--filter", "service:web")
    assert result.code == 0
    assert [item["service"] for item in result.json["items"]] == ["web"]
    assert result.json["summary"]["failing"] == 0
    assert result.json["filter"] == {
        "view": "Overview",
        "query": "service:web",
        "kinds": ["incident", "build", "release", "ticket"],
        "hidden": 1,
        "hidden_failing": 1,
    }
    assert home.run("show", "--json").json["filter"] is None
    told = home.run("show", "--filter", "service:web")
    lines = told.out.splitlines()
    assert told.code == 0 and lines[0].startswith("OK HERE")
    assert lines[1] == "1 more item is not shown, 1 of them FAILING (Overview, filter service:web)"
    assert "checkout" not in told.out


def test_a_view_narrows_as_on_the_board_and_a_filter_narrows_it_further(home: Home) -> None:
    home.deploys(deploy("1.1", "failed"), deploy("2.0", service="web"), deploy("3.0", "failed", service="shop"))
    home.config.write_text(
        home.config.read_text()
        + "views: [{name: Bad ones, filter: 'state:failed OR state:blocked', lanes: [releases]}]\n"
    )
    both = home.run("show", "--json", "--view", "bad ONES", "--filter", "service:shop")
    assert both.code == 1 and [item["service"] for item in both.json["items"]] == ["shop"]
    assert both.json["filter"]["view"] == "Bad ones"
    assert both.json["filter"]["query"] == "(state:failed OR state:blocked) (service:shop)"
    tickets = home.run("show", "--json", "--view", "Tickets")
    assert tickets.code == 0 and tickets.json["items"] == [] and tickets.json["filter"]["hidden_failing"] == 2
    wrong = home.run("show", "--view", "Bad one")
    assert wrong.code == 2 and "there is no view `Bad one`" in wrong.err and "Bad ones" in wrong.err


def test_what_the_documents_say_of_the_filter_is_what_is_printed(home: Home) -> None:
    document = (Path(__file__).parents[2] / "docs" / "headless.md").read_text()
    example = json.loads(document[document.index('{"view"') :].partition("}")[0] + "}")
    home.deploys(deploy("1.0"))
    printed = home.run("show", "--json", "--filter", "service:x").json["filter"]
    assert {name: type(value) for name, value in printed.items()} == {n: type(value) for n, value in example.items()}


def test_fail_on_counts_within_what_is_asked_for(home: Home) -> None:
    home.deploys(deploy("1.1", "failed"), deploy("2.0", "failed", service="web"))
    assert home.run("show", "--filter", "service:web", "--fail-on", "service:web").code == 1
    assert home.run("show", "--filter", "service:web", "--fail-on", "service:checkout").code == 0


@pytest.mark.parametrize("option", ["--filter", "--fail-on"])
def test_a_query_that_does_not_parse_is_told_with_its_place(home: Home, option: str) -> None:
    home.deploys(deploy("1.0"))
    result = home.run("show", option, "state:success colour:red")
    assert result.code == 2 and f"{option}, at character 15" in result.err


def test_what_cannot_be_read_counts_under_any_filter(home: Home, second: str) -> None:
    home.deploys(deploy("1.0"))
    home.config.write_text(home.config.read_text() + second)
    result = home.run("show", "--filter", "service:nothing")
    assert result.code == 3 and result.out.startswith("BLIND")


def test_watch_takes_no_filter(home: Home) -> None:
    home.deploys(deploy("1.0"))
    result = home.run("show", "--watch", "--filter", "service:web")
    assert result.code == 2 and "--watch" in result.err


# --- exit codes -----------------------------------------------------------------------------------------------------


def test_all_is_well(home: Home) -> None:
    home.deploys(deploy("1.0"))
    result = home.run("show")
    assert result.code == 0 and result.out.startswith("ALL OK")


def test_blind_in_part_and_red_wins(home: Home, second: str) -> None:
    file = home.deploys(deploy("1.0"))
    home.config.write_text(home.config.read_text() + second)
    blind = home.run("show", "--json")
    assert blind.code == 3 and blind.json["summary"]["verdict"] == "blind" and blind.json["summary"]["blind"] == 1
    assert {s["name"]: s["state"] for s in blind.json["sources"]} == {"deploys": "fresh", "gone": "down"}
    file.write_text(json.dumps(deploy("1.1", "failed")) + "\n")
    red = home.run("show", "--json", "--poll")
    assert red.code == 1 and red.json["summary"]["verdict"] == "failing"


def test_an_optional_source_may_be_missing(home: Home, second: str) -> None:
    home.deploys(deploy("1.0"))
    home.config.write_text(home.config.read_text() + second.replace("}", ", optional: true}"))
    assert home.run("show").code == 0


def test_an_unknown_state_is_not_green(home: Home) -> None:
    home.deploys(deploy("1.0", "frobnicated"))
    result = home.run("show", "--json")
    assert result.code == 3 and result.json["summary"]["unknown"] == 1
    assert "UNKNOWN" in home.run("show").out


def test_fail_on_narrows_what_counts_as_failing(home: Home) -> None:
    home.deploys(deploy("1.1", "failed"), deploy("2.0", service="web"))
    assert home.run("show", "--fail-on", "service:web").code == 0
    assert home.run("show", "--fail-on", "service:checkout").code == 1
    narrowed = home.run("show", "--json", "--fail-on", "service:web").json
    assert narrowed["summary"]["failing"] == 0 and len(narrowed["items"]) == 2, "all is shown all the same"
    broken = home.run("show", "--fail-on", "state:")
    assert broken.code == 2 and "--fail-on" in broken.err and not broken.out
    unclosed = home.run("show", "--fail-on", 'service:"x')
    assert unclosed.code == 2 and "character" in unclosed.err


def test_require_narrows_what_counts_as_blind(home: Home, second: str) -> None:
    home.deploys(deploy("1.0"))
    home.config.write_text(home.config.read_text() + second)
    assert home.run("show", "--require", "deploys").code == 0
    assert home.run("show", "--require", "gone").code == 3
    assert home.run("show", "--require", "deploys", "--require", "gone").code == 3
    unknown = home.run("show", "--require", "deplois")
    assert unknown.code == 2 and "did you mean `deploys`?" in unknown.err


async def test_a_source_that_hangs_is_told_at_the_deadline_and_never_green(home: Home) -> None:
    """The first look of all: nothing is known of the one that hangs, and that is said."""
    held: list[asyncio.StreamWriter] = []

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    home.deploys(deploy("1.0"))
    line = f"  - {{type: alertmanager, name: am, url: 'http://127.0.0.1:{port}', timeout: 60s}}\n"
    home.config.write_text(home.config.read_text() + line)
    result = await asyncio.to_thread(home.process, "show", "--json", "--deadline", "1s")
    server.close()
    for writer in held:
        writer.close()
    assert result.code == 3 and "not read in time: am" in result.err
    states = {s["name"]: (s["state"], s["error"]) for s in result.json["sources"]}
    assert states["deploys"] == ("fresh", None)
    assert states["am"][0] == "down" and states["am"][1] == "not read within 1 s"
    assert result.json["summary"]["verdict"] == "blind" and len(result.json["items"]) == 1


# --- configuration and store ----------------------------------------------------------------------------------------


def test_a_broken_configuration_tells_all_its_problems(home: Home) -> None:
    home.config.write_text("sources:\n  - {type: nope, name: a}\n  - {type: roundup, name: a, frob: 1}\n")
    result = home.run("show", "--json")
    assert result.code == 2 and not result.out
    assert result.err.count("config: ") >= 4 and f"{home.config}:3" in result.err


def test_a_configuration_that_is_not_there(home: Home) -> None:
    result = home.run("show")
    assert result.code == 2 and str(home.config) in result.err


def test_a_damaged_database_is_kept_aside_and_said(home: Home) -> None:
    home.deploys(deploy("1.0"))
    before = home.run("show", "--json").json
    home.database.write_bytes(b"rubbish" * 1000)
    result = home.run("show", "--json")
    assert result.code == 0 and "damaged" in result.err
    assert result.json["store_id"] != before["store_id"] and len(result.json["items"]) == 1
    (aside,) = home.database.parent.glob("*.damaged-*")
    assert aside.read_bytes() == b"rubbish" * 1000 and aside.name in result.err
    assert "damaged" not in home.run("show").err


def test_a_newer_database_is_refused_untouched(home: Home) -> None:
    home.deploys(deploy("1.0"))
    home.run("show")
    with sqlite3.connect(home.database) as database:
        database.execute("PRAGMA user_version = 4000")
    database.close()
    content = home.database.read_bytes()
    result = home.run("show")
    assert result.code == 2 and "newer" in result.err and not result.out
    assert home.database.read_bytes() == content


def test_a_folder_that_may_not_be_written(home: Home) -> None:
    home.deploys(deploy("1.0"))
    (home.folder / "data").write_text("a file where the folder should be")
    result = home.run("show", "--json")
    assert result.code == 0 and "nothing is stored, this board runs from memory" in result.err
    assert len(result.json["items"]) == 1


def test_read_only_follows_and_writes_nothing(home: Home) -> None:
    file = home.deploys(deploy("1.0"))
    nothing = home.run("--read-only", "show")
    assert nothing.code == 2 and not home.database.exists()
    home.run("show")
    file.write_text(json.dumps(deploy("1.1", "failed")) + "\n")
    content = home.database.read_bytes()
    result = home.run("--read-only", "show", "--json", "--poll")
    assert result.code == 0 and len(result.json["items"]) == 1
    assert home.database.read_bytes() == content


# --- as a process ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state, code", [("success", 0), ("failed", 1)])
@pytest.mark.parametrize("args", [["show", "--json"], ["show"]], ids=" ".join)
def test_a_closed_pipe_is_no_fault_and_the_exit_code_stands(args: list[str], state: str, code: int, home: Home) -> None:
    home.deploys(*(deploy(f"1.{n}", state, f"service-{n}", message="x" * 500) for n in range(1000)))
    size = len(home.run(*args).out)
    process = home.start(*args, pipesize=4096)
    assert process.stdout is not None and process.stderr is not None
    assert size > 20_000, "more than the pipe and its reader hold"
    process.stdout.read(1)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == code and err == ""
    assert "Traceback" not in home.log.read_text()


@pytest.mark.parametrize("args", [["schema"], ["completion", "zsh"], ["--help"]], ids=" ".join)
def test_other_commands_end_quietly_too(args: list[str], home: Home) -> None:
    process = home.start(*args, pipesize=4096)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) in (0, 1) and err == ""


def test_a_closed_pipe_ends_watching(home: Home) -> None:
    file = home.deploys(deploy("1.0"))
    home.config.write_text(home.config.read_text().replace("60s", "1s"))
    process = home.start("show", "--watch", "--json")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    with file.open("a") as log:
        log.write(json.dumps(deploy("1.1", "failed")) + "\n")
    assert process.wait(60) == 1 and process.stderr.read() == "", "what it saw last is failing"
    process.stderr.close()
    assert "Traceback" not in home.log.read_text()


def test_watch_prints_a_line_a_change_and_goes_on_polling(home: Home) -> None:
    file = home.deploys(deploy("1.0"))
    home.config.write_text(home.config.read_text().replace("60s", "1s"))
    process = home.start("show", "--watch", "--json")
    assert process.stdout is not None and process.stderr is not None
    first = json.loads(process.stdout.readline())
    assert first["schema"] == 1
    with file.open("a") as log:
        log.write(json.dumps(deploy("1.1", "failed")) + "\n")
    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["key"] != "deploys:release:checkout-1.1":
        seen.append(json.loads(process.stdout.readline()))
    line = seen[-1]
    assert line.keys() >= {"seq", "type", "key", "before", "after"}
    assert line["before"] is None and line["after"]["state"] == "failed" and line["seq"] > first["revision"]
    with file.open("a") as log:
        log.write(json.dumps(deploy("1.1", "success")) + "\n")
    while line["after"]["state"] != "success":
        line = json.loads(process.stdout.readline())
    assert line["before"]["state"] == "failed"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, "how things are at the end"
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()


def test_an_output_that_cannot_show_every_sign(home: Home) -> None:
    home.deploys(deploy("1.0", service="books-漢字"))
    result = home.process("show", env={"PYTHONIOENCODING": "latin-1"})
    assert result.code == 0 and "books-??" in result.out and not result.err


def test_a_fault_of_ours_shows_no_traceback(home: Home, tmp_path: Path) -> None:
    """A plug-in's module that takes the program apart while it is loaded stands for a fault of ours."""
    (tmp_path / "sitecustomize.py").write_text(
        "import statusboard.exporting\n"
        "def broken(*args, **options):\n"
        "    t0ken = 's3cr3t'\n"
        "    raise RuntimeError('boom')\n"
        "statusboard.exporting.table = broken\n"
    )
    home.deploys(deploy("1.0"))
    result = home.process("show", env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{home.env['PYTHONPATH']}"})
    assert result.code == 70 and "Traceback" not in result.err and str(home.log) in result.err
    log = home.log.read_text()
    assert "RuntimeError" in log and "s3cr3t" not in log


def test_a_fault_where_no_log_was_opened_yet(home: Home, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import statusboard.config\n"
        "def broken(*args, **options):\n"
        "    raise RuntimeError('boom')\n"
        "statusboard.config.schema = broken\n"
    )
    result = home.process("schema", env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{home.env['PYTHONPATH']}"})
    assert result.code == 70 and "Traceback" not in result.err and "RuntimeError" in home.log.read_text()


def test_two_at_once_on_a_fresh_folder(home: Home) -> None:
    home.deploys(deploy("1.0"))
    both = [home.start("show", "--json") for _ in range(2)]
    pictures = []
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0 and not err, err
        pictures.append(json.loads(out))
    assert pictures[0]["store_id"] == pictures[1]["store_id"]
    assert [i["key"] for i in pictures[0]["items"]] == [i["key"] for i in pictures[1]["items"]]
