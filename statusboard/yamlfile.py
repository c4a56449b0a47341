"""YAML in which every key and value knows where it stands, and from which everything surprising is refused.

The scalars are those of YAML 1.2: only ``true`` and ``false`` are booleans (``no``, ``on`` and ``1:30`` stay text), and
dates stay text.  Refused, each with its place and what to do: duplicate keys, tags, keys that are not text, an alias
inside its own anchor, aliases that expand without end, tabs as indentation, control characters, several documents, a
root that is not a mapping, and files that are too large, too deep or not UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from msgspec import Struct

from statusboard.errors import ConfigError, Problem
from statusboard.text import clean

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 1_000_000
"""Largest file that is read."""
MAX_NODES = 100_000
"""Most keys and values in one file, aliases counted as often as they are used."""
MAX_DEPTH = 50


class Mark(Struct, frozen=True):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int


class Scalar(Struct, frozen=True):
    """One value.  ``text`` is what stands in the file, ``value`` what it means; ``quoted`` values are always text."""

    value: str | int | float | bool | None
    text: str
    at: Mark
    quoted: bool = False


class List(Struct, frozen=True):
    """A sequence."""

    items: tuple[Node, ...]
    at: Mark


class Entry(Struct, frozen=True):
    """One key of a mapping, with the place of the key itself."""

    key: str
    at: Mark
    value: Node


class Map(Struct, frozen=True):
    """A mapping, in the order of the file."""

    entries: dict[str, Entry]
    at: Mark

    def get(self, key: str) -> Node | None:
        """The value of ``key``, or None where it is not given."""
        entry = self.entries.get(key)
        return None if entry is None else entry.value

    def mark(self, key: str) -> Mark:
        """Where the value of ``key`` stands, else where the mapping begins."""
        entry = self.entries.get(key)
        return self.at if entry is None else entry.value.at

    def key_mark(self, key: str) -> Mark:
        """Where ``key`` itself stands, else where the mapping begins."""
        entry = self.entries.get(key)
        return self.at if entry is None else entry.at


Node: TypeAlias = Scalar | List | Map


def load(text: str, file: str) -> Map:
    """The root mapping of ``text``.  ConfigError lists every problem; ``file`` is only named in them."""
    problems: list[Problem] = []
    root = parse(text, file, problems)
    if root is None or problems:
        raise ConfigError(problems)
    return root


def parse(text: str, file: str, problems: list[Problem]) -> Map | None:
    """Like `load`, but adds what is wrong to ``problems`` and returns what could be read, or None for nothing."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        problems.append(_too_large(file))
        return None
    text = text.removeprefix("\ufeff")
    bad = _NOT_TEXT.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - (text.rfind("\n", 0, bad.start()) + 1) + 1
        message = f"the character U+{ord(bad[0]):04X} has no place in a text file"
        problems.append(Problem(message, file=file, line=line, column=column, hint="remove it"))
        return None
    try:
        root = _Builder(text, file, problems).document()
    except _Stop:
        return None
    if root is not None and not isinstance(root, Map):
        found = "a list" if isinstance(root, List) else "a single value"
        hint = "begin with keys such as `sources:`"
        problems.append(problem_at(root.at, f"the file must hold a mapping, not {found}", hint=hint))
        return None
    return root


def read(path: Path) -> str:
    """The text of a file.  ConfigError where it is missing, unreadable, too large or not UTF-8."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError("there is no such file", file=str(path)) from None
    except IsADirectoryError:
        raise ConfigError("this is a folder, not a file", file=str(path)) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise ConfigError(f"cannot be read: {why.lower()}", file=str(path)) from None
    if len(data) > MAX_BYTES:
        raise ConfigError([_too_large(str(path))])
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = "save it as UTF-8"
        raise ConfigError("the file is not UTF-8 text", file=str(path), line=line, hint=hint) from None


def plain(node: Node) -> Any:
    """The node as plain Python: dict, list, str, int, float, bool, None."""
    if isinstance(node, Map):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, List):
        return [plain(item) for item in node.items]
    return node.value


def scalars(node: Node, path: str = "") -> Iterator[tuple[str, Scalar]]:
    """Every single value below ``node`` with its key path (``sources[0].tls.ca``)."""
    if isinstance(node, Map):
        for key, entry in node.entries.items():
            yield from scalars(entry.value, join(path, key))
    elif isinstance(node, List):
        for index, item in enumerate(node.items):
            yield from scalars(item, f"{path}[{index}]")
    else:
        yield path, node


def join(path: str, key: str) -> str:
    """The key path one level down, cleaned for display."""
    key = clean(key, 60)
    return f"{path}.{key}" if path else key


def found(node: Node) -> str:
    """What a value is, in words, without the value: it may be a secret."""
    if isinstance(node, Map):
        return "a mapping"
    if isinstance(node, List):
        return "a list"
    match node.value:
        case None:
            return "nothing"
        case bool():
            return "true" if node.value else "false"
        case int() | float():
            return "a number"
    return "text"


def problem_at(at: Mark, message: str, *, path: str = "", hint: str = "") -> Problem:
    """A problem at a place."""
    return Problem(message, file=at.file, line=at.line, column=at.column, path=path, hint=hint)


# --- scalars --------------------------------------------------------------------------------------------------------

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INT = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,30}|[0-9]{1,30}(?:\.[0-9]{0,30})?)(?:[eE][-+]?[0-9]{1,2})?")


def _meaning(text: str) -> str | int | float | bool | None:
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


# --- from events to nodes -------------------------------------------------------------------------------------------

# What YAML cannot hold unescaped (C0, DEL, C1 but NEL, surrogates, noncharacters), and a BOM within the text.
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class _Stop(Exception):
    """The rest of the file cannot be read; the problem is noted."""


class _Builder:
    """Builds nodes from the parser's events, one at a time, so that a bomb is met before it is unpacked."""

    def __init__(self, text: str, file: str, problems: list[Problem]) -> None:
        import yaml  # here for start-up time: only whoever reads a config needs it

        # The C parser is 20 times faster; where PyYAML was built without it, the other reads the same files.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._yaml = yaml
        self._text = text
        self._file = file
        self._problems = problems
        self._events: Iterator[yaml.Event] = yaml.parse(text, loader)
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._open: set[str] = set()
        self._total = 0

    def document(self) -> Node | None:
        root: Node | None = None
        while True:
            event = self._next()
            match event:
                case self._yaml.StreamEndEvent():
                    break
                case self._yaml.DocumentStartEvent() if root is not None:
                    self._note(event, "a second document begins here", "remove the `---`, or use `include:`")
                    break
                case self._yaml.NodeEvent():
                    root = self._node(event, 1)[0]
        if root is None or (isinstance(root, Scalar) and root.value is None and not root.quoted):
            message = "the file is empty"
            self._problems.append(Problem(message, file=self._file, hint="`statusboard init` writes one to begin with"))
            return None
        return root

    def _next(self) -> yaml.Event:
        try:
            return next(self._events)
        except (self._yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: escapes beyond Unicode
            self._problems.append(_explain(error, self._text, self._file))
            raise _Stop from None

    def _node(self, event: yaml.Event, depth: int) -> tuple[Node, int]:
        """The node that begins with ``event``, and its size with all aliases expanded."""
        if depth > MAX_DEPTH:
            self._stop(event, f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, self._yaml.AliasEvent):
            return self._alias(event)
        tag = getattr(event, "tag", None)
        if tag is not None:
            shown = clean(str(tag).replace("tag:yaml.org,2002:", "!!"), 60)
            self._note(event, f"the tag `{shown}` is not allowed", "remove it; quote what must stay text")
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._open.add(anchor)
        node: Node
        if isinstance(event, self._yaml.MappingStartEvent):
            node, size = self._map(event, depth)
        elif isinstance(event, self._yaml.SequenceStartEvent):
            node, size = self._list(event, depth)
        else:
            assert isinstance(event, self._yaml.ScalarEvent)
            node, size = self._scalar(event), 1
            self._count(1, event)
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = (node, size)
        return node, size

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        text = event.value
        if _CONTROL.search(text):
            self._note(event, "the text holds a control character", "remove the escape sequence")
            text = _CONTROL.sub("", text)
        quoted = event.style is not None and event.style != ""
        return Scalar(text if quoted else _meaning(text), text, self._mark(event), quoted)

    def _list(self, start: yaml.Event, depth: int) -> tuple[List, int]:
        self._count(1, start)
        items: list[Node] = []
        size = 1
        while not isinstance(event := self._next(), self._yaml.SequenceEndEvent):
            item, item_size = self._node(event, depth + 1)
            items.append(item)
            size += item_size
        return List(tuple(items), self._mark(start)), size

    def _map(self, start: yaml.Event, depth: int) -> tuple[Map, int]:
        self._count(1, start)
        entries: dict[str, Entry] = {}
        merged: list[Map] = []
        size = 1
        while not isinstance(event := self._next(), self._yaml.MappingEndEvent):
            key, key_size = self._node(event, depth + 1)
            value, value_size = self._node(self._next(), depth + 1)
            size += key_size + value_size
            if not isinstance(key, Scalar) or not isinstance(key.value, str):
                what = f"{found(key)}, not text"
                hint = f'write it in quotes: "{clean(key.text, 40)}"' if isinstance(key, Scalar) else ""
                self._problems.append(problem_at(key.at, f"this key is {what}", hint=hint))
            elif key.value == "<<" and not key.quoted:
                merged += self._merged(value)
            elif key.value in entries:
                first = entries[key.value].at.line
                message = f"the key `{clean(key.value, 60)}` is here a second time"
                self._problems.append(problem_at(key.at, message, hint=f"the first is in line {first}; keep one"))
            else:
                entries[key.value] = Entry(key.value, key.at, value)
        for other in merged:
            for name, entry in other.entries.items():
                entries.setdefault(name, entry)
        return Map(entries, self._mark(start)), size

    def _merged(self, value: Node) -> list[Map]:
        """The mappings that ``<<:`` takes over; the size of what they hold is counted where they are aliased."""
        maps = [m for m in (value.items if isinstance(value, List) else (value,)) if isinstance(m, Map)]
        if not maps:
            message = f"`<<:` takes over a mapping, not {found(value)}"
            self._problems.append(problem_at(value.at, message, hint="write `<<: *name`"))
        return maps

    def _alias(self, event: yaml.AliasEvent) -> tuple[Node, int]:
        name = clean(event.anchor, 60)
        if event.anchor in self._open:
            self._stop(event, f"the alias `*{name}` stands inside what it refers to")
        if event.anchor not in self._anchors:
            hint = f"define `&{name}` above this line, or quote text that begins with `*`"
            self._stop(event, f"there is no anchor for the alias `*{name}`", hint)
        node, size = self._anchors[event.anchor]
        self._count(size, event)
        return node, size

    def _count(self, size: int, event: yaml.Event) -> None:
        self._total += size
        if self._total > MAX_NODES:
            self._stop(event, f"the file holds more than {MAX_NODES:,} values, aliases expanded")

    def _mark(self, event: yaml.Event) -> Mark:
        mark = event.start_mark
        return Mark(self._file, mark.line + 1, mark.column + 1) if mark is not None else Mark(self._file, 0, 0)

    def _note(self, event: yaml.Event, message: str, hint: str = "") -> None:
        self._problems.append(problem_at(self._mark(event), message, hint=hint))

    def _stop(self, event: yaml.Event, message: str, hint: str = "") -> NoReturn:
        self._note(event, message, hint)
        raise _Stop


# --- the parser's words, for people ---------------------------------------------------------------------------------

# (part of the parser's problem or context, what it means, what to do, whether the place where it began helps more).
# Both parsers are covered; what is not listed is shown in the parser's own words.
_EXPLAINED = (
    ("mapping values are not allowed", "there is a second `:` here, or the line is indented too far",
     "quote text that holds `: `; align keys", False),
    ("scanning a quoted scalar", "a quote is opened here and never closed", "close it", True),
    ("scanning a double-quoted scalar", "an escape in double quotes is not known", "use single quotes", False),
    ("unknown escape", "an escape in double quotes is not known", "use single quotes", False),
    ("flow sequence", "a list opened with `[` is not closed, or lacks a comma", "check commas and `]`", True),
    ("flow mapping", "a mapping opened with `{` is not closed, or lacks a comma", "check commas and `}`", True),
    ("parsing a flow node", "a value is missing here", "check commas and brackets", False),
    ("cannot start any token", "a value cannot begin with this character", "put the value in quotes", False),
    ("could not find expected ':'", "this line is no `key: value`", "add the `:`, or indent it as text", True),
    ("scanning a block scalar", "a text that begins with `>` or `|` must be in quotes", 'such as ">= 1/day"', True),
    ("parsing a block", "the indentation of this line fits no line above", "align keys with spaces", False),
    ("expected '<document start>'", "there is something left over after the end", "check brackets", False),
    ("expected <document start>", "there is something left over after the end", "check brackets", False),
)  # fmt: skip


def _explain(error: Exception, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    lines = text.splitlines()
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())]:
        column = here.index("\t") + 1
        return Problem("a tab is used as indentation", file=file, line=line, column=column, hint="use spaces")
    problem = str(getattr(error, "problem", None) or "it cannot be parsed")
    said = f"{getattr(error, 'context', None) or ''} {problem}"
    for part, message, hint, where_it_began in _EXPLAINED:
        if part in said:
            began = getattr(error, "context_mark", None)
            if where_it_began and began is not None:
                line, column = began.line + 1, began.column + 1
            return Problem(message, file=file, line=line, column=column, hint=hint)
    return Problem(f"not valid YAML: {clean(problem, 120)}", file=file, line=line, column=column)


def _too_large(file: str) -> Problem:
    return Problem(f"the file is larger than {MAX_BYTES // 1_000_000} MB", file=file, hint="split it with `include:`")
