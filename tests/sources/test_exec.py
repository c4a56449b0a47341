"""Commands: what they print, how they end, and what is done with those that do neither well."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from sources.exec import MAX_OUTPUT, Exec
from statusboard.config import load_config
from statusboard.errors import BadAnswer, ConfigError, NotFound, Refused, SourceError, Timeout, TooLarge
from statusboard.model import Incident, Snapshot
from statusboard.registry import Registry
from statusboard.source import Source
from statusboard.testing import Answer, DataContract, FakeHttp, make_source, read_all
from statusboard.testing._mutations import Mutate, unchanged

HTTP = FakeHttp(lambda call: Answer(status=500))
ROWS: list[dict[str, Any]] = [
    {"kind": "incident", "id": "1", "title": "Slow", "state": "open", "severity": "high", "time": 1767323045},
    {"kind": "build", "id": "2", "pipeline": "unit", "state": "FAILED", "time": "2026-01-02T03:04:05Z"},
    {"kind": "ticket", "id": "3", "title": "Renew", "state": "doing", "time": "2026-01-02T03:04:05Z"},
]


class TestContract(DataContract):
    source = Exec
    options: ClassVar = {"command": ("cat", "/dev/null")}
    state_fields = ("state",)
    time_fields = ("time",)
    id_fields = ("id", "title", "pipeline", "kind")

    def documents(self) -> list[Any]:
        return [ROWS]

    async def poll(self, mutate: Mutate = unchanged, *, source: Source[Any] | None = None) -> Snapshot:
        with tempfile.NamedTemporaryFile() as file:
            rows = mutate(ROWS)
            for row in rows if isinstance(rows, list) else [rows]:
                file.write(msgspec.json.encode(row) + b"\n")
            file.flush()
            if source is None:
                return await self.make(command=("cat", file.name)).poll(lambda scope: HTTP)
            Path(source.options.command[1]).write_bytes(Path(file.name).read_bytes())
            return await source.poll(lambda scope: HTTP)


@pytest.fixture
def script(tmp_path: Path) -> Any:
    """Makes a shell script, and returns its path."""

    def make(text: str) -> str:
        path = tmp_path / "check"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return make


def made(*command: str, **options: Any) -> Source[Any]:
    return make_source(Exec, {"command": command, **options})


async def error_of(source: Source[Any]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await read_all(source, HTTP)
    return caught.value


async def test_times_without_a_zone_are_counted(script: Any) -> None:
    path = script('echo \'{"kind": "incident", "title": "x", "state": "open", "started": "2026-01-02 03:04"}\'')
    (part,) = (await read_all(made(path, kinds=("incident",)), HTTP)).parts
    assert part.notes == ("1 line has times without a zone: taken as UTC",)


# -- lines -------------------------------------------------------------------------------------------------------------


async def test_each_kind_is_a_part_of_its_own(script: Any) -> None:
    path = script("\n".join(f"echo '{json.dumps(row)}'" for row in ROWS) + "\necho")
    snapshot = await read_all(made(path), HTTP)
    assert {part.scope: [item.key for item in part.items] for part in snapshot.parts} == {
        "builds": ["exec:build:2"],
        "incidents": ["exec:incident:1"],
        "releases": [],
        "tickets": ["exec:ticket:3"],
    }
    assert {part.reach for part in snapshot.parts} == {"window"}


async def test_complete_means_that_what_is_left_out_is_over(script: Any) -> None:
    (part,) = (await read_all(made(script("true"), kinds=("incident",), complete=True), HTTP)).parts
    assert (part.reach, part.items, part.error) == ("complete", (), None)


async def test_a_line_that_cannot_be_read_makes_the_parts_partial_and_the_others_are_read(script: Any) -> None:
    path = script('echo \'{"kind": "incident", "title": "x", "state": "open"}\'; echo oops')
    (part,) = (await read_all(made(path, kinds=("incident",), complete=True), HTTP)).parts
    assert [item.title for item in part.items] == ["x"]
    assert isinstance(part.error, BadAnswer) and "1 of 2 lines could not be read: line 2: not JSON" in str(part.error)


async def test_lines_of_a_kind_that_is_not_asked_for_are_counted(script: Any) -> None:
    path = script('echo \'{"kind": "ticket", "title": "x", "state": "open"}\'')
    (part,) = (await read_all(made(path, kinds=("incident",)), HTTP)).parts
    assert part.notes == ("1 of 1 lines tell of what `kinds` does not ask for",) and part.error is None


async def test_an_exit_code_is_a_fault_and_the_end_of_its_words_is_told(script: Any) -> None:
    error = await error_of(made(script("echo '[]'; echo no such host >&2; exit 3")))
    assert isinstance(error, BadAnswer)
    assert str(error) == "check: exit code 3: no such host"
    assert "ended by signal 9" in str(await error_of(made(script("kill -9 $$"))))


async def test_arguments_are_no_shell_s(tmp_path: Path) -> None:
    line = '{"service": "$(touch x); `id`", "version": "1", "state": "ok"}'
    snapshot = await read_all(made("echo", line, kinds=("release",), directory=str(tmp_path)), HTTP)
    assert [item.services for part in snapshot.parts for item in part.items] == [("$(touch x); `id`",)]
    assert list(tmp_path.iterdir()) == []


async def incident_said(script: Any, source: Source[Any], **row: Any) -> Incident:
    script(f"echo '{json.dumps({'kind': 'incident', 'title': 'Disk full', 'state': 'open', **row})}'")
    (part,) = (await read_all(source, HTTP)).parts
    (item,) = part.items
    assert isinstance(item, Incident)
    return item


@pytest.mark.parametrize("id", [{}, {"id": "db-1"}])
async def test_the_time_of_a_run_is_no_news(script: Any, id: dict[str, str]) -> None:
    source = made(script("true"), kinds=("incident",), complete=True)
    first = await incident_said(script, source, ts="2026-01-02T03:00:00Z", **id)
    assert await incident_said(script, source, ts="2026-01-02T03:01:00Z", **id) == first
    worse = await incident_said(script, source, ts="2026-01-02T03:02:00Z", severity="critical", **id)
    assert (worse.key, worse.severity, worse.started_at) == (first.key, "critical", first.started_at)
    over = await incident_said(script, source, ts="2026-01-02T03:03:00Z", state="resolved", **id)
    assert (over.key, over.started_at, over.state) == (first.key, first.started_at, "resolved")
    assert await incident_said(script, source, ts="2026-01-02T03:04:00Z", state="resolved", **id) == over
    again = await incident_said(script, source, ts="2026-01-02T03:05:00Z", **id)
    assert again.started_at != first.started_at


async def test_a_start_that_is_told_tells_episodes_apart(script: Any) -> None:
    source = made(script("true"), kinds=("incident",), complete=True)
    row = {"id": "db-1", "ts": "2026-01-02T03:04:00Z"}
    first = await incident_said(script, source, started="2026-01-02T01:00:00Z", **row)
    assert (await incident_said(script, source, started="2026-01-02T02:00:00Z", **row)).started_at != first.started_at


# -- checks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "state", "severity", "word"),
    [(1, "open", "medium", "WARNING"), (2, "open", "critical", "CRITICAL"), (3, "unknown", "unknown", "UNKNOWN")],
)
async def test_a_check_that_is_not_ok(script: Any, code: int, state: Any, severity: Any, word: str) -> None:
    path = script(f"echo 'DISK - 3% free | /=97%'; echo '/ is full|x=1'; exit {code}")
    (part,) = (await read_all(made(path, format="nagios", title="Root disk"), HTTP)).parts
    assert part.items == (
        Incident(
            key="exec:incident:check",
            source="exec",
            title="Root disk",
            description="/ is full",
            reason="DISK - 3% free",
            state=state,
            severity=severity,
            raw_state=word,
        ),
    )
    assert part.reach == "complete"


async def test_what_a_check_measured_is_no_news_for_some_minutes(script: Any) -> None:
    source = made(script("echo 'DISK CRITICAL - 3% free'; exit 2"), format="nagios")
    before = (await read_all(source, HTTP)).parts[0].items
    script("echo 'DISK CRITICAL - 2.9% free'; exit 2")
    assert (await read_all(source, HTTP)).parts[0].items == before
    source.clock.advance(301)  # type: ignore[attr-defined]
    assert (await read_all(source, HTTP)).parts[0].items[0].reason == "DISK CRITICAL - 2.9% free"
    script("echo 'DISK WARNING - 9% free'; exit 1")
    assert (await read_all(source, HTTP)).parts[0].items[0].reason == "DISK WARNING - 9% free"


async def test_a_check_that_is_ok_is_no_incident(script: Any) -> None:
    (part,) = (await read_all(made(script("echo OK"), format="nagios"), HTTP)).parts
    assert (part.scope, part.items, part.reach, part.error) == ("check", (), "complete", None)


async def test_a_check_that_cannot_be_run_is_not_taken_for_well(script: Any) -> None:
    (part,) = (await read_all(made(script("exit 127"), format="nagios"), HTTP)).parts
    assert isinstance(part.error, BadAnswer) and "no check ends so: exit code 127" in str(part.error)


# -- commands that do not behave -------------------------------------------------------------------------------------


async def test_one_that_hangs_is_ended_with_all_that_it_started(script: Any, tmp_path: Path) -> None:
    error = await error_of(made(script(f"sleep 600 & echo $! > {tmp_path}/child; wait"), timeout=0.5))
    assert isinstance(error, Timeout) and "did not end within 0.5 s" in str(error)
    child = int((tmp_path / "child").read_text())
    for _ in range(200):
        if not _alive(child):
            break
        await asyncio.sleep(0.02)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_being_given_up_ends_it_too(script: Any, tmp_path: Path) -> None:
    source = made(script(f"echo $$ > {tmp_path}/pid; exec sleep 600"), timeout=60)
    task = asyncio.create_task(read_all(source, HTTP))
    while not ((pid := tmp_path / "pid").exists() and pid.read_text().strip()):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _alive(int(pid.read_text()))


async def test_one_that_prints_without_end_is_ended() -> None:
    error = await error_of(made("yes", timeout=30))
    assert isinstance(error, TooLarge) and f"more than {MAX_OUTPUT // 1_000_000} MB" in str(error)


async def test_what_cannot_be_run(tmp_path: Path) -> None:
    assert isinstance(await error_of(made(str(tmp_path / "nothing"))), NotFound)
    plain = tmp_path / "plain"
    plain.write_text("x")
    plain.chmod(stat.S_IRUSR)
    assert isinstance(await error_of(made(str(plain))), Refused)
    error = await error_of(made("true", directory=str(tmp_path / "gone")))
    assert isinstance(error, NotFound) and "the folder" in str(error)


async def test_its_input_is_empty() -> None:
    snapshot = await read_all(made("cat"), HTTP)
    assert all(part.items == () and part.error is None for part in snapshot.parts)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("command: []", "`command` is empty"),
        ("command: [x], format: nagios, kinds: [build]", "a check tells of incidents only"),
        ("command: check_disk -w 20%", r"write it as a list: \[check_disk, -w, 20%\]"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: str, why: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"sources:\n  - {{type: exec, name: x, {options}}}\n")
    with pytest.raises(ConfigError, match=why):
        load_config(file, registry=Registry.of({"exec": Exec}))


def test_it_inherits_the_environment(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "here")
    path = script('echo "{\\"service\\": \\"$WHERE\\", \\"state\\": \\"ok\\"}"')
    snapshot = asyncio.run(read_all(made(path, kinds=("release",)), HTTP))
    assert [item.services for part in snapshot.parts for item in part.items] == [("here",)]
    assert os.environ["WHERE"] == "here"
