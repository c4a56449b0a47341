"""The deploy log: what a line means, and following the file through all that befalls log files."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from sources._tail import Limits, Tail
from sources.deploy_log import DeployLog
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, BadAnswer, NotFound, Refused, SourceError, TooLarge
from statusboard.model import Part, Release, Snapshot
from statusboard.source import Source
from statusboard.testing import Answer, DataContract, FakeHttp, make_source, read_all, read_one
from statusboard.testing._mutations import Mutate, unchanged

HTTP = FakeHttp(lambda call: Answer(status=500))
ROWS: list[dict[str, Any]] = [
    {"id": "1", "ts": "2026-01-02T03:04:05Z", "service": "till", "version": "1.1", "env": "production", "status": "ok"},
    {"id": "2", "ts": "2026-01-02T03:04:05Z", "app": "cart", "tag": "2.0", "environment": "staging", "result": "FAILED",
     "author": "ann", "url": "https://ci.example/2"},
    {"id": "3", "time": 1767323045, "service": "till", "sha": "abc", "env": "production", "status": "started"},
]  # fmt: skip


class TestContract(DataContract):
    source = DeployLog
    folder: ClassVar = Path(tempfile.gettempdir(), f"statusboard-contract-{os.getpid()}")
    options: ClassVar = {"path": str(folder / "deploys.jsonl")}
    state_fields = ("status", "result")
    time_fields = ("ts", "time")
    # A line that names no service and version says nothing; one without an id is told by its time.
    id_fields = ("id", "service", "app")

    @classmethod
    def teardown_class(cls) -> None:
        shutil.rmtree(cls.folder, ignore_errors=True)

    def documents(self) -> list[Any]:
        return [ROWS]

    async def poll(self, mutate: Mutate = unchanged, *, source: Source[Any] | None = None) -> Snapshot:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "deploys.jsonl")
            source = source or self.make(path=str(path))
            rows = mutate(ROWS)
            path = Path(source.options.path)
            path.parent.mkdir(exist_ok=True)
            lines = rows if isinstance(rows, list) else [rows]
            path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in lines))
            snapshot = await source.poll(lambda scope: HTTP)
            # The folder's name differs at every poll, and the part is named after it.
            parts = [msgspec.structs.replace(part, scope="log") for part in snapshot.parts]
            return Snapshot(source=snapshot.source, parts=tuple(parts))


def make(path: Path | str, **options: Any) -> Source[Any]:
    return make_source(DeployLog, {"path": str(path), **options})


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def deploy(version: object, status: str = "success", **more: Any) -> dict[str, Any]:
    return {
        "service": "till",
        "version": version,
        "env": "prod",
        "status": status,
        "ts": "2026-01-02T03:04:05Z",
        **more,
    }


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def versions(source: Source[Any]) -> list[str]:
    return [item.version for item in (await read_one(source, HTTP)).items]  # type: ignore[union-attr]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "deploys.jsonl"


# -- lines -------------------------------------------------------------------------------------------------------------


async def test_a_line_is_a_release(log: Path) -> None:
    row = {"ID": "d-1", "Timestamp": "2026-01-02T03:04:05+01:00", "project": "till", "release": 42}
    row |= {"environment": "prod", "outcome": "Succeeded", "user": "ann", "region": "eu-1", "commit": "abc"}
    row |= {"previous_version": "41", "repo": "acme/till", "url": "https://ci.example/1", "msg": "By hand."}
    row |= {"squad": "payments"}
    log.write_bytes(lines(row))
    (item,) = (await read_one(make(log), HTTP)).items
    at = datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert item == Release(
        key="deploy-log:release:d-1",
        source="deploy-log",
        title="till 42 to prod",
        description="By hand.",
        state="success",
        raw_state="Succeeded",
        services=("till",),
        environment="prod",
        target="eu-1",
        version="42",
        revision="abc",
        previous_version="41",
        repository="acme/till",
        url="https://ci.example/1",
        actor="ann",
        labels={"squad": "payments"},
        started_at=at,
        updated_at=at,
        ended_at=at,
    )


async def test_a_line_with_a_setting_is_a_change_of_configuration(log: Path) -> None:
    flag = {"ts": "2026-01-02T03:04:05Z", "service": "till", "setting": "new-basket", "env": "prod", "status": "ok"}
    log.write_bytes(lines(flag | {"version": "on", "previous": "off"}, flag | {"setting": "timeout", "status": None}))
    on, timeout = (await read_one(make(log), HTTP)).items
    assert isinstance(on, Release) and isinstance(timeout, Release) and on.key != timeout.key
    assert (on.type, on.setting, on.version, on.previous_version) == ("configuration", "new-basket", "on", "off")
    assert (on.title, timeout.title) == ("till new-basket = on", "till timeout")
    assert (on.state, timeout.state) == ("success", "success"), "it is told when it is done"


async def test_what_has_no_setting_has_the_key_that_it_always_had(log: Path) -> None:
    log.write_bytes(lines({"ts": "2026-01-02T03:04:05Z", "service": "till", "version": "1", "status": "ok"}))
    (item,) = (await read_one(make(log), HTTP)).items
    assert item.key == "deploy-log:release:fef118dc4113bbc170e84a89"


@pytest.mark.parametrize(
    "word,state",
    [
        ("queued", "queued"),
        ("Waiting", "blocked"),
        ("started", "running"),
        ("IN_PROGRESS", "running"),
        ("success", "success"),
        ("OK", "success"),
        (True, "success"),
        (False, "failed"),
        ("failure", "failed"),
        ("timeout", "failed"),
        ("rollback", "rolled_back"),
        ("aborted", "cancelled"),
        ("superseded", "inactive"),
        ("partial", "warning"),
        ("finished", "unknown"),
        (0, "unknown"),
    ],
)
async def test_words_for_states(log: Path, word: Any, state: str) -> None:
    log.write_bytes(lines(deploy(1, word)))
    assert (await read_one(make(log), HTTP)).items[0].state == state


async def test_a_missing_state_is_unknown_unless_the_config_says_otherwise(log: Path) -> None:
    log.write_bytes(lines({"service": "till", "version": "1"}, {"service": "till", "version": "2", "status": "shrug"}))
    states = [[item.state for item in (await read_one(make(log, **options), HTTP)).items]
              for options in ({}, {"default_state": "success"}, {"states": {"Shrug": "failed"}})]  # fmt: skip
    assert states == [["unknown", "unknown"], ["success", "unknown"], ["unknown", "failed"]]


async def test_lines_of_one_release_by_id(log: Path) -> None:
    log.write_bytes(lines(deploy(1, "queued", id=7), deploy(2), deploy(1, "ok", id=7, ts="2026-01-02T03:09:00Z")))
    items = (await read_one(make(log), HTTP)).items
    assert [(item.version, item.state) for item in items] == [("2", "success"), ("1", "success")]  # type: ignore[union-attr]
    assert items[1].started_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert items[1].ended_at == datetime(2026, 1, 2, 3, 9, tzinfo=UTC)


async def test_lines_of_one_release_without_an_id(log: Path) -> None:
    log.write_bytes(lines(deploy(1, "started"), deploy(1, "failed", ts=1767323200), deploy(1, "ok", ts=1767323300)))
    items = (await read_one(make(log), HTTP)).items
    assert [item.state for item in items] == ["failed", "success"]  # the third line is another attempt
    assert items[0].started_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_lines_of_one_release_by_their_start(log: Path) -> None:
    log.write_bytes(lines(deploy(1, "started", started_at=1767323000), deploy(1, "started", started_at=1767323900),
                          deploy(1, "ok", started_at=1767323000)))  # fmt: skip
    assert [item.state for item in (await read_one(make(log), HTTP)).items] == ["running", "success"]


async def test_the_same_release_has_the_same_key_for_ever(log: Path) -> None:
    log.write_bytes(lines(deploy(1), deploy(2)))
    first = [item.key for item in (await read_one(make(log), HTTP)).items]
    assert [item.key for item in (await read_one(make(log), HTTP)).items] == first
    assert len(set(first)) == 2


async def fault(source: Source[Any]) -> tuple[list[str], list[str]]:
    """One poll: the versions on the board, and what is wrong with lines (nothing: no part has failed)."""
    parts = (await read_all(source, HTTP)).parts
    failed = [str(part.error) for part in parts if part.error is not None]
    assert len(parts) == 1 + len(failed) and not any(part.items for part in parts if part.error is not None)
    return [item.version for part in parts for item in part.items], failed  # type: ignore[union-attr]


async def test_bad_lines_are_skipped_and_make_the_source_partial(log: Path) -> None:
    log.write_bytes(lines(deploy(1)) + b"rubbish\n[1]\n\n" + lines({"level": "info"}, deploy(2)) + b'{"a":\n')
    read, bad = sorted((await read_all(make(log), HTTP)).parts, key=lambda part: part.error is not None)
    assert len(read.items) == 2 and read.error is None and read.notes == ()
    assert bad.scope == "bad lines" and not bad.items and isinstance(bad.error, BadAnswer)
    assert str(bad.error) == "4 lines could not be read, the last is line 7 of deploys.jsonl: not JSON"


async def test_a_day_after_it_was_written_a_bad_line_is_only_counted(log: Path) -> None:
    before, after = "2026-01-01T02:00:00Z", "2026-01-01T03:30:00Z"  # it was written in between
    log.write_bytes(lines(deploy(1, ts=before)) + b"bad\n" + lines(deploy(2, ts=after)))
    clock = FakeClock()
    source = make_source(DeployLog, {"path": str(log)}, clock=clock)
    assert len((await fault(source))[1]) == 1
    clock.advance(3_600)
    assert await fault(source) == (["1", "2"], [])
    note = "1 bad line skipped, the last is line 2 of deploys.jsonl: not JSON"
    assert (await read_one(source, HTTP)).notes == (note,)
    assert (await read_one(make_source(DeployLog, {"path": str(log)}, clock=clock), HTTP)).notes == (note,)

    append(log, b"worse\n")  # nothing follows: it is as old as the file
    assert (await fault(source))[1] == ["2 lines could not be read, the last is line 4 of deploys.jsonl: not JSON"]
    os.utime(log, (0, (clock.now() - timedelta(days=1, seconds=1)).timestamp()))
    assert (await fault(make_source(DeployLog, {"path": str(log)}, clock=clock)))[1] == []


@pytest.mark.parametrize("mended", [lines(deploy(2)), b""], ids=["mended", "deleted"])
async def test_a_bad_line_that_is_mended_is_none(log: Path, mended: bytes) -> None:
    first, last = lines(*(deploy(n) for n in range(10, 20))), lines(*(deploy(n) for n in range(20, 30)))
    log.write_bytes(first + b"bad\n" + last)
    source = make(log)
    assert len((await fault(source))[1]) == 1
    log.write_bytes(first + mended + last)
    versions, bad = await fault(source)
    assert bad == [] and ("2" in versions) == bool(mended)
    assert (await read_one(source, HTTP)).notes == ()


async def test_a_bad_line_that_is_rotated_away_is_over(log: Path) -> None:
    log.write_bytes(lines(deploy(1)) + b"bad\n")
    source = make(log)
    assert len((await fault(source))[1]) == 1
    append(log, b"worse\n")
    log.rename(log.with_name("deploys.jsonl.1"))
    log.write_bytes(lines(deploy(2)))
    assert await fault(source) == (["1", "2"], [])
    assert (await fault(make(log)))[1] == []


async def test_an_unfinished_last_line_is_no_bad_line(log: Path) -> None:
    log.write_bytes(lines(deploy(1)) + b'{"service": "ti')
    assert await fault(make(log)) == (["1"], [])


async def test_times_without_a_zone_are_counted(log: Path) -> None:
    log.write_bytes(lines(deploy(1), deploy(2, ts="2026-01-02T03:04:05"), deploy(3, committed="2026-01-02 01:00")))
    source = make(log)
    assert (await read_one(source, HTTP)).notes == ("2 lines have times without a zone: taken as UTC",)
    log.write_bytes(lines(deploy(2, ts="2026-01-02T03:04")))
    assert (await read_one(source, HTTP)).notes == ("1 line has times without a zone: taken as UTC",)


async def test_a_file_that_is_no_deploy_log_is_a_fault(log: Path) -> None:
    log.write_text("<html>\n<body>\n")
    with pytest.raises(BadAnswer, match="none of 2 lines tells of a deploy"):
        await read_one(make(log), HTTP)


async def test_a_byte_order_mark_windows_line_ends_and_odd_bytes(log: Path) -> None:
    log.write_bytes(b'\xef\xbb\xbf{"service":"a","version":"1"}\r\n{"service":"caf\xe9","version":"2"}\r\n')
    assert [item.services for item in (await read_one(make(log), HTTP)).items] == [("a",), ("caf\ufffd",)]


async def test_only_the_newest_are_kept(log: Path) -> None:
    log.write_bytes(lines(*(deploy(n) for n in range(20))))
    source = make(log, limit=3)
    assert await versions(source) == ["17", "18", "19"]
    append(log, lines(deploy(20)))
    assert await versions(source) == ["18", "19", "20"]


# -- the file ----------------------------------------------------------------------------------------------------------


async def test_new_lines_are_read_from_where_the_last_poll_ended(log: Path) -> None:
    log.write_bytes(lines(deploy(1)))
    source = make(log)
    assert await versions(source) == ["1"]
    append(log, lines(deploy(2)))
    assert await versions(source) == ["1", "2"]
    assert await versions(source) == ["1", "2"]


async def test_an_unfinished_last_line_waits(log: Path) -> None:
    whole = lines(deploy(1), deploy(2))
    log.write_bytes(whole[:-20])
    source = make(log)
    assert await versions(source) == ["1"]
    append(log, whole[-20:])
    assert await versions(source) == ["1", "2"]


async def test_a_whole_last_line_needs_no_line_end(log: Path) -> None:
    log.write_bytes(lines(deploy(1)).rstrip())
    source = make(log)
    assert await versions(source) == ["1"]
    append(log, b"\nbad\n")
    assert (await fault(source))[1] == ["1 line could not be read, the last is line 2 of deploys.jsonl: not JSON"]


def rename(log: Path) -> None:
    log.rename(log.with_name(log.name + ".1"))


def rename_and_date(log: Path) -> None:
    log.rename(log.with_name(log.name + "-20260102"))


def copy_and_truncate(log: Path) -> None:
    log.with_name(log.name + ".1").write_bytes(log.read_bytes())
    log.write_bytes(b"")


def compress(log: Path) -> None:
    log.with_name(log.name + ".1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()


@pytest.mark.parametrize("rotate", [rename, rename_and_date, copy_and_truncate, compress])
@pytest.mark.parametrize("again", [False, True])
async def test_rotation_loses_no_line(log: Path, rotate: Any, again: bool) -> None:
    log.write_bytes(lines(deploy(1)))
    source = make(log)
    assert await versions(source) == ["1"]
    append(log, lines(deploy(2)))  # nobody looked before it was rotated away
    rotate(log)
    if again:  # the new file may be there, or not yet
        append(log, lines(deploy(3)))
    assert await versions(source) == ["1", "2", "3"][: 3 if again else 2]
    append(log, lines(deploy(4)))
    assert (await versions(source))[-1] == "4"


async def test_a_release_goes_on_through_a_rotation(log: Path) -> None:
    log.write_bytes(lines(deploy(1, "started")))
    source = make(log)
    await read_one(source, HTTP)
    rename(log)
    log.write_bytes(lines(deploy(1, "success")))
    assert [item.state for item in (await read_one(source, HTTP)).items] == ["success"]


async def test_at_first_the_rotated_files_are_read_as_well(log: Path) -> None:
    log.write_bytes(lines(deploy(3)))
    log.with_name(log.name + ".1").write_bytes(lines(deploy(2)))
    log.with_name(log.name + ".2.gz").write_bytes(gzip.compress(lines(deploy(1))))
    os.utime(log.with_name(log.name + ".2.gz"), (1, 1))
    log.with_name("other.jsonl.1").write_bytes(lines(deploy(9)))
    assert await versions(make(log)) == ["1", "2", "3"]


async def test_a_truncated_file_is_read_from_its_start(log: Path) -> None:
    log.write_bytes(lines(deploy(1), deploy(2)))
    source = make(log)
    await read_one(source, HTTP)
    log.write_bytes(lines(deploy(3)))
    assert await versions(source) == ["1", "2", "3"]


async def test_a_file_that_was_replaced_by_a_longer_one(log: Path) -> None:
    log.write_bytes(lines(deploy(1)))
    source = make(log)
    await read_one(source, HTTP)
    log.write_bytes(lines(deploy(5), deploy(6), deploy(7)))
    assert await versions(source) == ["1", "5", "6", "7"]


async def test_an_archive_itself(tmp_path: Path) -> None:
    path = tmp_path / "deploys.jsonl.gz"
    path.write_bytes(gzip.compress(lines(deploy(1))))
    source = make(path)
    assert await versions(source) == ["1"]
    assert await versions(source) == ["1"]
    path.write_bytes(gzip.compress(lines(deploy(1), deploy(2))))
    assert await versions(source) == ["1", "2"]
    path.write_bytes(b"this is no archive")
    with pytest.raises(BadAnswer, match="not gzip"):
        await read_one(source, HTTP)


async def test_an_archive_that_is_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "deploys.jsonl.gz"
    path.write_bytes(gzip.compress(lines(*(deploy(os.urandom(20).hex()) for _ in range(200))))[:-200])
    assert len(await versions(make(path))) > 10


def test_an_archive_that_is_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "deploys.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * (4 << 20)))
    with pytest.raises(BadAnswer, match="unpacks to more than 1 MB"):
        Tail(path, Limits(archive=1 << 20)).read(10)


def test_archives_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "deploys.jsonl.gz"
    path.write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    assert [line.data for line in Tail(path).read(10)] == [b"a", b"b"]


def test_of_a_huge_file_the_end_is_read(log: Path) -> None:
    log.write_bytes(b"".join(b"line %d\n" % n for n in range(1000)))
    tail = Tail(log, Limits(file=100))
    first = [line.data for line in tail.read(10)]
    assert first[-1] == b"line 999"
    assert first == [b"line %d" % n for n in range(1000 - len(first), 1000)]  # and it begins with a whole line
    assert tail.skipped == log.stat().st_size - 100
    append(log, b"next\n")
    assert [line.data for line in tail.read(10)] == [b"next"]


async def test_what_was_left_out_is_noted(log: Path) -> None:
    log.write_bytes(b" " * (9 << 20) + b"\n" + lines(deploy(1)))
    part = await read_one(make(log), HTTP)
    assert len(part.items) == 1
    assert part.notes == ("deploys.jsonl: only its end is read, 1 MB were left out",)


async def test_a_line_that_is_too_long_is_skipped_whole(log: Path) -> None:
    long = lines(deploy(1, msg="x" * 100_000))
    log.write_bytes(lines(deploy(0)) + long[:80_000])
    source = make(log)
    assert (await fault(source))[0] == ["0"]
    append(log, long[80_000:] + lines(deploy(2)))
    why = "1 line could not be read, the last is line 2 of deploys.jsonl: too long"
    assert await fault(source) == (["0", "2"], [why])
    append(log, long + lines(deploy(3)))
    assert (await fault(source))[1][0].startswith("2 lines could not be read, the last is line 4")


async def error_of(source: Source[Any]) -> Exception:
    with pytest.raises(SourceError) as caught:
        await read_one(source, HTTP)
    return caught.value


async def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert isinstance(await error_of(make(tmp_path / "none")), NotFound)
    assert isinstance(await error_of(make(tmp_path)), Refused)
    os.mkfifo(tmp_path / "pipe")
    assert isinstance(await error_of(make(tmp_path / "pipe")), Refused)  # and does not wait for a writer
    assert isinstance(await error_of(make("/dev/zero")), Refused)


async def test_a_file_of_somebody_else(log: Path) -> None:
    log.write_bytes(lines(deploy(1)))
    log.chmod(0)
    root = os.geteuid() == 0
    if root:  # who may read anything
        os.seteuid(65534)
    try:
        assert isinstance(await error_of(make(log)), AuthError)
    finally:
        if root:
            os.seteuid(0)


async def test_a_file_that_comes_back(log: Path) -> None:
    log.write_bytes(lines(deploy(1)))
    source = make(log)
    await read_one(source, HTTP)
    log.unlink()
    assert isinstance(await error_of(source), NotFound)
    log.write_bytes(lines(deploy(2)))
    assert await versions(source) == ["1", "2"]


# -- patterns ----------------------------------------------------------------------------------------------------------


async def test_a_pattern_is_one_part_a_file(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl", "a.jsonl.1", "b.txt"):
        (tmp_path / name).write_bytes(lines(deploy(name)))
    (tmp_path / "c.jsonl").mkdir()
    parts = (await read_all(make(tmp_path / "*.jsonl*"), HTTP)).parts
    assert [Path(part.scope).name for part in parts] == ["a.jsonl", "b.jsonl"]
    assert [item.version for item in parts[0].items] == ["a.jsonl.1", "a.jsonl"]  # type: ignore[union-attr]


async def test_patterns_that_match_nothing_or_too_much(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file matches"):
        await read_all(make(tmp_path / "*.jsonl"), HTTP)
    for n in range(51):
        (tmp_path / f"{n}.jsonl").touch()
    with pytest.raises(TooLarge, match="51 files"):
        await read_all(make(tmp_path / "*.jsonl"), HTTP)


async def test_a_poll_that_was_given_up_loses_no_line(log: Path) -> None:
    log.write_bytes(lines(deploy(1)))
    source = make(log)
    (scope,) = await source.scopes(HTTP)
    scope = msgspec.structs.replace(scope, started_at=source.clock.now())
    reading = asyncio.ensure_future(source.read(scope, HTTP))
    await asyncio.sleep(0)  # the thread is started, and whoever waits for it gives up
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    part: Part = await source.read(scope, HTTP)
    assert len(part.items) == 1


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="`path`"):
        make("")


# -- other kinds -------------------------------------------------------------------------------------------------------


async def test_other_kinds_are_read_on_request_each_as_a_part_of_its_own(log: Path) -> None:
    incident = {"kind": "incident", "title": "Till is slow", "state": "open", "time": "2026-01-02T03:04:05Z"}
    log.write_bytes(lines(deploy("1"), incident))
    plain = await read_one(make(log), HTTP)
    assert [item.kind for item in plain.items] == ["release"]
    assert plain.notes == (f"{log.name} tells of incidents too; see `kinds`",)

    source = make(log, kinds=("release", "incident"))
    both = await read_all(source, HTTP)
    assert {part.scope: [item.kind for item in part.items] for part in both.parts} == {
        str(log): ["release"],
        f"{log} incidents": ["incident"],
    }
    append(log, lines({**incident, "state": "resolved"}))
    again = await read_all(source, HTTP)
    assert [[item.state for item in part.items] for part in again.parts] == [["success"], ["resolved"]]
