"""``poll``: history without a board, and who polls when several could."""

from __future__ import annotations

import json
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
