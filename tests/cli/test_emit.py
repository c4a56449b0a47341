"""``emit``: from a command line to the board."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

from tests.cli.kit import Home


def test_a_release_that_was_emitted_is_on_the_board(home: Home) -> None:
    log = home.folder / "deploys.jsonl"
    home.config.write_text(
        f"sources:\n  - {{type: deploy-log, name: deploys, path: {log}, kinds: [release, incident]}}\n"
    )
    common = ["--service", "checkout", "--version", "1.4.2", "--environment", "production", "--to", str(log)]
    assert home.run("emit", "release", *common, "--state", "running").code == 0
    assert home.run("emit", "release", *common, "--state", "failed", "--label", "squad=payments").code == 0
    assert home.run("emit", "incident", "--id", "db-1", "--title", "Disk full", "--to", str(log)).code == 0
    shown = home.run("show", "--json")
    (release,) = [item for item in shown.json["items"] if item["kind"] == "release"]
    assert (release["state"], release["version"], release["failing"]) == ("failed", "1.4.2", True)
    assert release["labels"] == {"squad": "payments"}
    (incident,) = [item for item in shown.json["items"] if item["kind"] == "incident"]
    assert incident["title"] == "Disk full" and shown.code == 1

    assert home.run("emit", "incident", "--id", "db-1", "--state", "resolved", "--to", str(log)).code == 0
    assert not [
        i for i in home.run("show", "--poll", "--json").json["items"] if i["kind"] == "incident" and i["failing"]
    ]


def test_what_is_wrong_is_refused_and_nothing_is_written(home: Home) -> None:
    log = home.folder / "deploys.jsonl"
    result = home.run("emit", "release", "--service", "x", "--state", "fine", "--to", str(log))
    assert result.code == 2 and "`fine` is no state of a release" in result.err
    assert home.run("emit", "release", "--service", "x", "--state", "success").code == 2
    assert "STATUSBOARD_DEPLOY_LOG" in home.run("emit", "release", "--service", "x", "--state", "success").err
    assert home.run("emit", "release", "--label", "x", "--to", str(log)).code == 2
    assert home.run("emit", "-", "--service", "x", "--to", str(log)).code == 2
    assert not log.exists()


def test_lines_on_standard_input_are_written_all_or_none(home: Home) -> None:
    log = home.folder / "deploys.jsonl"
    command = [sys.executable, "-m", "statusboard", "emit", "-", "--to", str(log)]

    def emit(data: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, input=data, capture_output=True, env=home.env, check=False)

    good = b'{"service": "till", "version": "1", "state": "success"}\n'
    refused = emit(good + b'{"service": "till", "state": "fine"}\n')
    assert refused.returncode == 2 and b"line 2: `fine` is no state" in refused.stderr and not log.exists()
    assert emit(good + good).returncode == 0
    assert [json.loads(row)["service"] for row in log.read_text().splitlines()] == ["till", "till"]


def test_a_line_can_be_printed_instead(home: Home) -> None:
    result = home.run("emit", "ticket", "--title", "Renew", "--to", "-")
    assert json.loads(result.out) == {**json.loads(result.out), "kind": "ticket", "title": "Renew", "state": "open"}
    assert result.out.endswith("\n")


def test_a_time_without_a_zone_is_one_of_this_machine(home: Home) -> None:
    home.env["TZ"] = "Asia/Tokyo"
    log = home.folder / "deploys.jsonl"
    command = [sys.executable, "-m", "statusboard", "emit", *("incident", "--title", "x", "--id", "x")]
    said = ["--started", "2026-11-22T21:40:00", "--to", str(log)]
    assert subprocess.run([*command, *said], capture_output=True, env=home.env, check=False).stderr == b""
    assert json.loads(log.read_text())["started"] == "2026-11-22T21:40:00+09:00"

    lines = b'{"service": "till", "version": "1", "state": "success", "time": "2026-11-22 21:40"}'
    command = [sys.executable, "-m", "statusboard", "emit", "-", "--to", "-"]
    done = subprocess.run(command, input=lines, capture_output=True, env=home.env, check=False)
    assert json.loads(done.stdout)["time"] == "2026-11-22T21:40:00+09:00"
    assert done.stderr == b"statusboard: 1 time has no zone: taken as this machine's, JST\n"
    assert "without a zone it is this machine's" in " ".join(home.run("emit", "--help").out.split())


def test_an_incident_without_an_id_says_how_it_is_ended_and_that_ends_it(home: Home) -> None:
    log = home.folder / "deploys.jsonl"
    home.config.write_text(f"sources:\n  - {{type: deploy-log, name: d, path: {log}, kinds: [incident]}}\n")
    told = home.run("emit", "incident", "--title", "Disk full", "--service", "ledger", "--to", str(log))
    assert told.code == 0
    ends = f"statusboard emit incident --to {log} --title 'Disk full' --service ledger --state resolved"
    assert told.err == f"statusboard: it has no --id, so what says the same goes on with it; it is over with: {ends}\n"

    wrong = home.run("emit", "incident", "--id", "noid", "--state", "resolved", "--to", str(log))
    assert wrong.code == 0 and "has the id noid: what was told without one is ended by its --title" in wrong.err

    assert home.run(*shlex.split(ends)[1:]).err == ""
    states = {item["title"]: item["state"] for item in home.run("show", "--json").json["items"]}
    assert states["Disk full"] == "resolved"

    home.env["STATUSBOARD_DEPLOY_LOG"] = str(log)
    assert "--to" not in home.run("emit", "incident", "--title", "Slow").err
    known = ["emit", "incident", "--id", "db-1", "--to", str(log)]
    assert home.run(*known, "--title", "Slow").err == "" and home.run(*known, "--state", "resolved").err == ""
