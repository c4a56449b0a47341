"""``poll``: history without a board, and who polls when several could."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess

import pytest

from tests.cli.kit import Home, deploy


def told(process: subprocess.Popen[str], word: str) -> str:
    """The next line on standard error that holds a word; fails at its end."""
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return line
    raise AssertionError(f"it ended ({process.wait(10)}) without saying {word!r}")


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    code = process.wait(60)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    return code


def quick(home: Home) -> None:
    home.config.write_text(home.config.read_text().replace("60s", "1s"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_it_polls_until_a_signal_and_gives_the_store_back(number: signal.Signals, home: Home) -> None:
    home.deploys(deploy("1.0"))
    first = home.start("poll")
    assert "polling (1 source)" in told(first, "polling")
    assert end(first, number) == 0
    second = home.start("poll")
    assert "polling" in told(second, "statusboard"), "at once: nobody has to be waited for"
    assert end(second) == 0
    assert "Traceback" not in home.log.read_text()


def test_show_follows_what_it_stores(home: Home) -> None:
    file = home.deploys(deploy("1.0"))
    quick(home)
    process = home.start("poll")
    told(process, "polling")
    with file.open("a") as log:
        log.write(json.dumps(deploy("1.1", "failed")) + "\n")
    result = home.process("show", "--json", "--poll")
    assert result.code == 1 and not result.err
    assert {item["version"] for item in result.json["items"] if item["failing"]} == {"1.1"}
    assert process.poll() is None, "it goes on"
    assert end(process) == 0
    again = home.run("show", "--json").json
    assert again["store_id"] == result.json["store_id"] and again["items"] == result.json["items"]


def test_a_second_one_stands_by_and_takes_over(home: Home) -> None:
    home.deploys(deploy("1.0"))
    first = home.start("poll")
    told(first, "polling")
    second = home.start("poll")
    assert "standing by" in told(second, "statusboard")
    first.kill()
    assert end(first, 0) == -signal.SIGKILL
    assert "polling (1 source)" in told(second, "polling (")
    assert end(second) == 0


def test_other_options_on_the_same_store_are_refused(home: Home) -> None:
    home.deploys(deploy("1.0"))
    home.config.write_text("board: {id: shared}\n" + home.config.read_text())
    first = home.start("poll")
    told(first, "polling")
    other = home.folder / "other.yaml"
    other.write_text(home.config.read_text().replace("deploys.jsonl", "others.jsonl"))
    result = home.process("--config", str(other), "poll")
    assert result.code == 2 and "reads deploys with other options" in result.err and "board.id" in result.err
    assert end(first) == 0


def test_nothing_to_poll(home: Home) -> None:
    home.config.write_text("board: {store: other.sqlite}\n")
    result = home.run("poll")
    assert result.code == 2 and "nothing to poll" in result.err


def test_what_happens_to_the_store_is_told(home: Home) -> None:
    home.deploys(deploy("1.0"))
    (home.folder / "data").write_text("a file where the folder should be")
    process = home.start("poll")
    assert "runs from memory" in told(process, "statusboard: nothing is stored")
    assert "polling" in told(process, "polling")
    assert end(process) == 0


# --- a configuration that changes -----------------------------------------------------------------------------------


def test_a_changed_configuration_is_applied_and_told(home: Home) -> None:
    home.deploys(deploy("1.0"))
    quick(home)
    more = home.folder / "more.jsonl"
    more.write_text(json.dumps(deploy("7.0", service="search")) + "\n")
    before = home.config.read_text()
    process = home.start("poll")
    told(process, "polling")
    home.config.write_text(before + f"  - {{type: deploy-log, name: more, path: {more}, interval: 1s}}\n")
    assert "config has changed: source more added" in told(process, "config")
    services = {item["service"] for item in home.process("show", "--json", "--poll").json["items"]}
    assert services == {"checkout", "search"}
    home.config.write_text(before.replace("interval", "intervall"))
    line = told(process, "config")
    assert "not applied: config.yaml:2: sources[0]: unknown key `intervall`" in line
    home.config.write_text(before)
    assert "config has changed: source more removed" in told(process, "config")
    assert end(process) == 0
    assert {item["service"] for item in home.run("show", "--json").json["items"]} == {"checkout"}
    log = home.log.read_text()
    assert "config has changed: source more removed" in log and "Traceback" not in log


def test_a_hang_up_has_the_configuration_read_at_once(home: Home) -> None:
    home.deploys(deploy("1.0"))
    process = home.start("poll")
    told(process, "polling")
    process.send_signal(signal.SIGHUP)
    assert "config has not changed" in told(process, "config")
    home.config.write_text(home.config.read_text() + "services: {checkout: {team: payments}}\n")
    process.send_signal(signal.SIGHUP)
    assert "config has changed: services" in told(process, "config")
    assert end(process) == 0
    (item,) = home.process("show", "--json", "--poll").json["items"]
    assert item["team"] == "payments"


def test_another_store_waits_for_a_restart(home: Home) -> None:
    home.deploys(deploy("1.0"))
    process = home.start("poll")
    told(process, "polling")
    home.config.write_text("board: {id: another}\n" + home.config.read_text())
    assert "board.id has changed: restart to use another store" in told(process, "board.id")
    assert end(process) == 0
    assert [file.name for file in (home.folder / "data").glob("*.sqlite")] != ["another.sqlite"]


def test_a_terminal_that_closes_ends_it(home: Home) -> None:
    home.deploys(deploy("1.0"))
    controller, terminal = pty.openpty()
    process = home.start("poll", stdin=terminal, start_new_session=True)
    os.close(terminal)
    told(process, "polling")
    process.send_signal(signal.SIGHUP)
    told(process, "has not changed")
    os.close(controller)
    assert end(process, signal.SIGHUP) == 0


def test_a_changed_local_configuration_waits_to_be_trusted(home: Home) -> None:
    home.deploys(deploy("1.0"))
    del home.env["STATUSBOARD_CONFIG"]
    local = home.config.rename(home.folder / "statusboard.yaml")
    assert home.run("trust", "--yes").code == 0
    process = home.start("poll")
    told(process, "polling")
    local.write_text(local.read_text() + "  - {type: deploy-log, name: more, path: more.jsonl}\n")
    assert "changed since it was trusted (read it, then run `statusboard trust`)" in told(process, "config")
    assert home.run("trust", "--yes").code == 0
    assert "config has changed: source more added" in told(process, "config")
    assert end(process) == 0
