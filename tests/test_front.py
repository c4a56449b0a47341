"""The first-paint cache: what was saved comes back as it was, and anything else is nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard import front
from statusboard.board import Board
from statusboard.front import ROWS_PER_LANE, VERSION, Front, load, make, save
from statusboard.model import ItemKind
from statusboard.view import LANES, Lane
from tests.boards import NOW, STEPS, board_of, build, fold, health, incident, ticket


def lanes_of(board: Board) -> dict[ItemKind, list[str]]:
    lanes: dict[ItemKind, list[str]] = {}
    for kind in LANES:
        lane = Lane(kind)
        lane.rebuild(board, NOW)
        lanes[kind] = lane.keys
    return lanes


def front_of(board: Board) -> Front:
    return make(board, lanes_of(board), NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "front.json"


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_what_is_saved_comes_back(steps, tmp_path_factory: pytest.TempPathFactory):
    board = Board("s")
    for batch in steps:
        fold(board, *batch)
    path = tmp_path_factory.mktemp("front") / "front.json"
    assert save(path, front_of(board))
    loaded = load(path)
    assert loaded == front_of(board)
    assert loaded is not None
    for kind, keys in lanes_of(board).items():
        rows = loaded.rows()[kind]
        assert [row.key for row in rows] == keys
        for row in rows:
            known = board.rows[row.key]
            assert row.fact == known.fact
            assert (row.current, row.failing, row.newest) == (known.current, known.failing, known.newest)
            assert (row.seq, row.observed_at, row.slot) == (known.seq, known.observed_at, known.slot)


def test_it_carries_when_and_of_what_it_was_taken(path):
    board = board_of(build(1, "failed"), health("ci"))
    save(path, front_of(board))
    loaded = load(path)
    assert loaded is not None
    assert (loaded.saved_at, loaded.store_id, loaded.seq) == (NOW, "store", 2)
    assert loaded.summary == board.summary()
    narrowed = board.summary(keys=())
    assert make(board, {}, NOW, narrowed).summary == narrowed


def test_a_lane_keeps_its_first_rows_only_and_none_that_left():
    board = board_of(*(ticket(n) for n in range(ROWS_PER_LANE + 20)))
    kept = front_of(board).lanes["ticket"]
    assert [row.fact.key for row in kept] == lanes_of(board)["ticket"][:ROWS_PER_LANE]
    assert make(board, {"ticket": ["tr:ticket:gone", "tr:ticket:1"]}, NOW).rows()["ticket"][0].key == "tr:ticket:1"


def test_the_file_is_private_and_replaced_at_once(path):
    save(path, front_of(board_of(build(1))))
    first = path.stat().st_ino
    save(path, front_of(board_of(build(2))))
    assert path.stat().st_ino != first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["front.json"]


def test_what_cannot_be_written_is_told_and_leaves_nothing_behind(tmp_path: Path):
    (tmp_path / "file").touch()
    assert not save(tmp_path / "file" / "front.json", front_of(board_of()))
    (tmp_path / "front.json").mkdir()
    assert not save(tmp_path / "front.json", front_of(board_of()))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "front.json"]


def test_nothing_is_there_the_first_time(path):
    assert load(path) is None


def spoilt(**changes):
    """The JSON of a good front with these changes at its root."""
    return json.dumps({**good(), **changes}).encode()


def good():
    return json.loads(front._ENCODER.encode(front_of(board_of(build(1), incident(1), health("ci")))))


def with_fact(**changes):
    document = good()
    document["lanes"]["build"][0]["fact"].update(changes)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * (front.MAX_SIZE + 1),
        spoilt(version=VERSION + 1),
        spoilt(version="1"),
        spoilt(saved_at="yesterday"),
        spoilt(saved_at="2026-01-02T03:04:05"),
        spoilt(summary=None),
        spoilt(lanes={"cake": []}),
        spoilt(lanes={"build": [{}]}),
        spoilt(lanes={"ticket": good()["lanes"]["build"]}),
        with_fact(state="purple"),
        with_fact(kind="cake"),
        with_fact(key="x"),
        with_fact(key="other:build:1"),
        with_fact(started_at="2026-01-02T03:04:05"),
    ],
    ids=range(20),
)
def test_anything_wrong_is_nothing(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    assert load(path) is None


def test_the_good_one_is_not_nothing(path):
    path.parent.mkdir()
    path.write_bytes(spoilt())
    assert load(path) is not None


def test_what_cannot_be_read_is_nothing(path):
    path.mkdir(parents=True)
    assert load(path) is None


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 2_000), byte=st.integers(0, 255))
def test_a_damaged_file_never_raises(cut, byte, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    data = bytearray(spoilt())
    data[cut % len(data)] = byte
    path.write_bytes(bytes(data))
    loaded = load(path)
    if loaded is not None:
        assert [row.key for rows in loaded.rows().values() for row in rows]
