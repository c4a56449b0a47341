"""What every source must bear of the data that it reads, over whatever road it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final, TypeVar
from zlib import crc32

import msgspec

from statusboard.clock import FakeClock
from statusboard.errors import SourceBug, SourceError
from statusboard.model import STATES, Fact, Item, Part, Snapshot, decode, encode
from statusboard.source import Source
from statusboard.testing._doubles import make_source
from statusboard.testing._mutations import (
    Mutate,
    Path,
    always,
    leaves,
    lists,
    named,
    paths,
    setting,
    unchanged,
    without,
)

T = TypeVar("T")

#: States that say that all is well, or over.  Nothing may come to them by accident.
GOOD: Final = frozenset({"success", "warning", "resolved", "done", "inactive"})
NEW_WORD: Final = "a-word-of-next-year"
MOMENT: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
#: Forms of one moment that vendors use, and whether the form names its zone.
TIME_FORMS: Final[tuple[object, ...]] = (
    "2026-01-02T03:04:05Z",
    "2026-01-02T11:04:05+08:00",
    "2026-01-02T11:04:05+0800",
    "2026-01-02T03:04:05.0000000Z",
    "2026-01-02T03:04:05.000000000Z",
    "20260102T040405+0100",
    "2026-01-02T03:04:05",
    "2026-01-02 03:04:05",
    1767323045,
    "1767323045",
    1767323045.0,
    1767323045000,
)
#: What stands for "no time", or makes none.
NO_TIMES: Final[tuple[object, ...]] = (
    None,
    "",
    0,
    "0",
    -1,
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "yesterday",
    1e300,
    True,
    "2026-13-45T99:99:99Z",
)
LONGEST_KEY: Final = 400
LONGEST_LINE: Final = 500
HOSTILE: Final = "[/x][@click=app.quit]boom\x1b]52;c;aGk=\x07\u202e\u200b\x9b31m\r\n\t\x00"
HOSTILE_URLS: Final = (
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https://a.example/\x1b[2J",
    "https://u:p@a.example/",
)
HUGE: Final = "x" * 10_000_000
NUMBERS: Final = (0, 7, -1.5, 10**30)
WRONG: Final[tuple[Any, ...]] = (12345, "text", True, [], {}, [None], {"a": {}}, -1, 1.5, 10**30)


class DataContract:
    """Tests of what a source makes of odd data.  Subclass it, set the class attributes, and write `poll`.

    ``source``         the class under test
    ``options``        its options; ``type`` and ``name`` may be left out
    ``state_fields``   names of the fields that an item's state is read from
    ``time_fields``    names of the fields that hold times
    ``id_fields``      names of the fields that items are told apart by
    """

    source: ClassVar[type[Source[Any]]]
    options: ClassVar[Mapping[str, object]] = {}
    state_fields: ClassVar[tuple[str, ...]] = ()
    time_fields: ClassVar[tuple[str, ...]] = ()
    id_fields: ClassVar[tuple[str, ...]] = ("id",)

    # -- what a subclass writes ----------------------------------------------------------------------------------

    async def poll(self, mutate: Mutate = unchanged, *, source: Source[Any] | None = None) -> Snapshot:
        """One poll, every document that is read passed through ``mutate``; of a new source where none is given."""
        raise NotImplementedError

    def documents(self) -> list[Any]:
        """The documents that a good poll reads, as plain Python."""
        raise NotImplementedError

    # -- what it may use -----------------------------------------------------------------------------------------

    def make(self, **more: object) -> Source[Any]:
        """A new source, with a clock that stands still."""
        return make_source(self.source, self.options, FakeClock(MOMENT + timedelta(minutes=10)), **more)

    def run(self, mutate: Mutate = unchanged, source: Source[Any] | None = None) -> Snapshot:
        """`poll`, with what holds of every poll checked."""
        snapshot = result_of(self.poll(mutate, source=source))
        for part in snapshot.parts:
            check_part(part, snapshot.source)
        return snapshot

    # -- the tests -----------------------------------------------------------------------------------------------

    def test_good_answers_are_read(self) -> None:
        snapshot = self.run()
        assert [part.error for part in snapshot.parts if part.error] == []
        assert any(part.items for part in snapshot.parts), "the good answers hold no item at all"

    def test_the_same_answer_is_the_same_items(self) -> None:
        """What moves by itself (an age, the time of the poll) would be stored as a change at every poll."""
        source = self.make()
        first = self.run(source=source)
        assert isinstance(source.clock, FakeClock)
        source.clock.advance(3_600)
        second = self.run(source=source)
        assert items_of(first) == items_of(second)

    def test_unknown_words_are_unknown(self) -> None:
        good = items_of(self.run())
        for field in self.state_fields:
            for word in (NEW_WORD, 99, "", None):
                snapshot = self.run(named((field,), always(word)))
                self._no_better(good, snapshot, f"{field}={word!r}")
        odd = self.run(named(self.state_fields, always(NEW_WORD)))
        states = {item.state for item in items_of(odd).values()}
        failed = any(part.error for part in odd.parts)
        assert not self.state_fields or failed or "unknown" in states, f"a new word became {sorted(states)}"

    def test_words_are_compared_in_any_case(self) -> None:
        good = {key: item.state for key, item in items_of(self.run()).items()}
        for change in (str.upper, str.title):
            snapshot = self.run(named(self.state_fields, _on_text(change)))
            assert {key: item.state for key, item in items_of(snapshot).items()} == good

    def test_nothing_there(self) -> None:
        snapshot = self.run(lists(always([])))
        assert all(part.error or not part.items for part in snapshot.parts)

    def test_missing_fields(self) -> None:
        good = self.run()
        for path in self._paths():
            self._compare_at(path, good, without(path), "left out")

    def test_null_fields(self) -> None:
        good = self.run()
        for path in self._paths():
            self._compare_at(path, good, setting(path, always(None)), "null")
        self.run(leaves(always(None)))

    def test_wrong_types(self) -> None:
        for path in self._paths():
            for value in WRONG:
                self.run(setting(path, always(value)))
        self.run(leaves(lambda v: str(v) if isinstance(v, int | float) else v))
        for value in WRONG:
            self.run(always(value))

    def test_numbers_as_text(self) -> None:
        self._compare(self.run(), leaves(lambda v: str(v) if type(v) in (int, float) else v), "numbers as text")

    def test_text_as_numbers(self) -> None:
        good = self.run()
        self._compare(good, leaves(_on_text(_number)), "digits as numbers")
        for path in self._paths():
            self._compare_at(path, good, setting(path, _on_text(_any_number)), "a number")
        for number in NUMBERS:
            self._no_better(items_of(good), self.run(leaves(_on_text(always(number)))), f"{number!r} for every text")

    def test_duplicates(self) -> None:
        good = items_of(self.run())
        snapshot = self.run(lists(lambda rows: rows + rows))
        keys = [item.key for part in snapshot.parts for item in part.items]
        assert len(keys) == len(set(keys)), "an item came twice"
        if not any(part.error for part in snapshot.parts):
            assert set(keys) == set(good)

    def test_times(self) -> None:
        for form in (*TIME_FORMS, *NO_TIMES):
            snapshot = self.run(named(self.time_fields, always(form)))
            for item in items_of(snapshot).values():
                for time in (item.started_at, item.updated_at, item.ended_at):
                    if form in NO_TIMES and type(form) is not int:
                        assert time is None or time.year >= 1990
                    elif time is not None:
                        assert abs(time - MOMENT) <= timedelta(seconds=1), f"{form!r} became {time}"

    def test_hostile_text(self) -> None:
        """Items are cleaned on their way in; keys, notes and errors are the source's own, and `check_part` looks."""
        self.run(leaves(_on_text(lambda v: f"{HOSTILE}{v}{HOSTILE}")))
        for text in ("x" * 100_000, "e\u0301" * 10_000, "\U0001f469\u200d" * 5_000, "\ufffe\ufdd0\U000e0001"):
            self.run(leaves(_on_text(partial(_and, text))))

    def test_huge_labels(self) -> None:
        """A text of 10 MB where an id, a state, a time or a label stands: read, or said to be too much."""
        good = self.run()
        fields = {*self.id_fields, *self.state_fields, *self.time_fields}
        for path in self._paths():
            if path[-1] in fields or _is_label(path):
                self._compare_at(path, good, setting(path, _once(HUGE)), "10 MB of text", noted=True)

    def test_hostile_urls(self) -> None:
        for url in HOSTILE_URLS:
            self.run(leaves(_on_text(partial(_in_place_of_links, url))))

    # -- inside --------------------------------------------------------------------------------------------------

    def _paths(self) -> list[Path]:
        found: dict[Path, None] = {}
        for document in self.documents():
            found.update(dict.fromkeys(paths(document)))
        return list(found)

    def _compare_at(self, path: Path, good: Snapshot, mutate: Mutate, what: str, *, noted: bool = False) -> None:
        """An item whose field is not as it was is still there, or the part says that it could not be read."""
        same = path[-1] not in self.id_fields
        self._compare(good, mutate, f"{'.'.join(path)} {what}", same=same, noted=noted)

    def _compare(self, good: Snapshot, mutate: Mutate, what: str, *, same: bool = True, noted: bool = False) -> None:
        """No item looks better than before; none is lost without an error, where they can be the ``same`` items.

        ``noted``: a note will do where what is absent is not over for it, as in a log with a line that is too long.
        """
        try:
            snapshot = self.run(mutate)
        except SourceError:  # of `Source.scopes`: then nothing was read, and that is said
            return
        self._no_better(items_of(good), snapshot, what)
        if not same:
            return
        whole = {part.scope: len(part.items) for part in good.parts}
        for part in snapshot.parts:
            told = noted and part.reach == "window" and part.notes != ()
            if part.error is None and part.scope in whole and not told:
                before = whole[part.scope]
                assert len(part.items) >= before, f"with {what}, items are lost without an error"

    def _no_better(self, good: Mapping[str, Item], snapshot: Snapshot, what: str) -> None:
        for key, item in items_of(snapshot).items():
            if key in good and good[key].state not in GOOD:
                assert item.state not in GOOD, f"with {what}, {key} went from {good[key].state} to {item.state}"


def result_of(work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns.  `asyncio.run` writes out the result of its task as it ends: seconds, for huge ones."""
    results: list[T] = []

    async def keep() -> None:
        results.append(await work)

    asyncio.run(keep())
    return results[0]


def _stored(item: Item) -> Fact:
    try:
        return decode(encode(item))
    except (msgspec.MsgspecError, UnicodeError, OverflowError, TypeError) as exc:
        raise AssertionError(f"{item!r} cannot be stored: {exc}") from exc


def _on_text(change: Callable[[str], Any]) -> Mutate:
    return lambda value: change(value) if isinstance(value, str) else value


def _and(more: str, text: str) -> str:
    return text + more


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else text


def _any_number(text: str) -> int:
    """The number that digits are, else one of its own for each text, so that what differs does so still."""
    number = _number(text)
    return number if isinstance(number, int) else crc32(text.encode("utf-8", "surrogatepass")) % 1_000_000


def _is_label(path: Path) -> bool:
    return any("label" in name.lower() or "tag" in name.lower() for name in path)


def _once(huge: str) -> Callable[[Any], Any]:
    """The huge text in place of the first text that comes, for an answer with two of them is over every cap."""
    given = False

    def change(value: Any) -> Any:
        nonlocal given
        if given or not isinstance(value, str):
            return value
        given = True
        return huge

    return change


def _in_place_of_links(url: str, text: str) -> str:
    return url if text.startswith("http") else text


def items_of(snapshot: Snapshot) -> dict[str, Item]:
    """All items by key."""
    return {item.key: item for part in snapshot.parts for item in part.items}


def check_part(part: Part, source: str) -> None:
    """What holds of every part, however odd the data was."""
    assert not isinstance(part.error, SourceBug), f"{part.scope}: {part.error} (the log has the traceback)"
    assert part.error is None or isinstance(part.error, SourceError)
    for text in (part.scope, str(part.error or ""), *part.notes):
        assert text.isprintable(), f"{text!r} is shown as it is, and not safe to show"
        assert len(text) <= LONGEST_LINE, f"{text!r} is too long to be shown"
    for item in part.items:
        assert item.source == source
        assert item.kind == part.kind
        assert item.key.startswith(f"{source}:{item.kind}:")
        assert item.key != f"{source}:{item.kind}:", "the key has no id in it"
        assert len(item.key) <= LONGEST_KEY, "the key is too long to be stored"
        assert item.key.isprintable(), f"{item.key!r} cannot be a key"
        assert item.state in STATES[item.kind], f"{item.state!r} is no state of a {item.kind}"
        assert _stored(item) == item, "an item must come back from the store as it was"
        for time in (item.started_at, item.updated_at, item.ended_at):
            assert time is None or time.utcoffset() == timedelta(0), "times are in UTC"
