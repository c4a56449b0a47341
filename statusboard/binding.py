"""From YAML nodes to typed structs, finding every wrong field with its own place.

msgspec's own conversion stops at the first error and knows no lines; here each field is converted by itself.  Some
liberties are taken with what a person writes: a single value stands for a list of one, nothing for an empty list or
mapping, and where text is wanted a number is the very text that stands in the file (``1.10`` stays ``1.10``).
"""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, structs

from statusboard.clock import Duration, duration_dec_hook
from statusboard.errors import Problem
from statusboard.log import redact
from statusboard.text import clean
from statusboard.yamlfile import List, Map, Node, Scalar, found, join, plain, problem_at

S = TypeVar("S", bound=Struct)


class _Bad:
    """What a value that could not be converted becomes; its problem is noted."""


BAD: Final = _Bad()
_NO_HINTS: Final[Mapping[str, str]] = {}


def bind(node: Node, cls: type[S], problems: list[Problem], path: str = "") -> S | None:
    """The mapping as an instance of ``cls``, or None when a problem was noted."""
    before = len(problems)
    values = bind_fields(node, cls, problems, path)
    return None if len(problems) > before else build(node, cls, values, problems, path)


def bind_fields(
    node: Node, cls: type[Struct], problems: list[Problem], path: str = "", *, hints: Mapping[str, str] = _NO_HINTS
) -> dict[str, Any]:
    """The fields of ``cls`` that could be read, by attribute name; all else became problems.

    ``hints`` says what a missing key wants, where the type does not.
    """
    if isinstance(node, Scalar) and node.value is None:
        node = Map({}, node.at)
    if not isinstance(node, Map):
        problems.append(problem_at(node.at, f"this is {found(node)}, where a mapping is wanted", path=path))
        return {}
    fields = fields_of(cls)
    values: dict[str, Any] = {}
    for key, entry in node.entries.items():
        if key not in fields:
            problems.append(unknown_key(node, key, fields, path))
            continue
        value = convert(entry.value, fields[key].type, problems, join(path, key))
        if value is not BAD:
            values[fields[key].name] = value
    for key, field in fields.items():
        if field.required and key not in node.entries:
            hint = hints.get(key) or wanted_hint(field.type)
            problems.append(problem_at(node.at, f"`{key}` is missing", path=path, hint=hint))
    return values


def build(node: Node, cls: type[S], values: Mapping[str, Any], problems: list[Problem], path: str = "") -> S | None:
    """``cls(**values)``, or None when a problem was noted.

    A ValueError from the struct's own ``__post_init__`` is a problem of the option that it names in backquotes first,
    else of the whole mapping.
    """
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        problems.append(_own_complaint(node, fields_of(cls), str(error), path))
        return None


def _own_complaint(node: Node, fields: Collection[str], message: str, path: str) -> Problem:
    named = message.partition("`")[2].partition("`")[0]
    message = told_whole(message)
    if named in fields:
        entry = node.entries.get(named) if isinstance(node, Map) else None
        return problem_at(entry.value.at if entry else node.at, message, path=join(path, named))
    return problem_at(node.at, message, path=path)


@functools.cache
def fields_of(cls: type[Struct]) -> Mapping[str, structs.FieldInfo]:
    """A struct's fields by their names in a config; msgspec evaluates all annotations anew each time it is asked."""
    return {field.encode_name: field for field in structs.fields(cls)}


def convert(node: Node, wanted: Any, problems: list[Problem], path: str) -> Any:
    """The node's value as ``wanted`` (any type that msgspec knows), or `BAD` when a problem was noted."""
    inner, metas = unwrap(wanted)
    if inner is Any:
        return plain(node)
    if isinstance(inner, type) and issubclass(inner, Struct):
        value = bind(node, inner, problems, path)
        return BAD if value is None else value
    origin = get_origin(inner) or inner
    if origin in UNIONS:
        return _convert_union(node, inner, wanted, problems, path)
    if origin in SEQUENCES:
        return _convert_sequence(node, inner, metas, problems, path)
    if origin in MAPPINGS:
        return _convert_mapping(node, inner, problems, path)
    return _convert_leaf(node, inner, wanted, problems, path)


def _convert_union(node: Node, inner: Any, wanted: Any, problems: list[Problem], path: str) -> Any:
    """The member that the node's shape asks for; the members of simple values are tried as one."""
    members = [m for m in get_args(inner) if m is not types.NoneType]
    if isinstance(node, Scalar) and node.value is None and len(members) < len(get_args(inner)):
        return None
    lists = [m for m in members if shape(m) == "list"]
    maps = [m for m in members if shape(m) == "map"]
    rest = [m for m in members if shape(m) == "scalar"]
    if isinstance(node, List) and lists:
        return convert(node, lists[0], problems, path)
    if isinstance(node, Map) and maps:
        return convert(node, maps[0], problems, path)
    if len(rest) > 1:
        return _convert_leaf(node, Union[tuple(rest)], wanted, problems, path)  # noqa: UP007 - made at run time
    return convert(node, (rest or lists or maps)[0], problems, path)


def _convert_sequence(node: Node, inner: Any, metas: tuple[Meta, ...], problems: list[Problem], path: str) -> Any:
    kind, item = sequence_of(inner)
    if isinstance(node, List):
        values = [convert(n, item, problems, f"{path}[{i}]") for i, n in enumerate(node.items)]
    elif isinstance(node, Scalar) and node.value is None:
        values = []
    elif isinstance(node, Map) and shape(item) != "map":
        problems.append(problem_at(node.at, "this is a mapping, where a list is wanted", path=path, hint=_EXAMPLE_LIST))
        return BAD
    else:
        values = [convert(node, item, problems, path)]
    if any(value is BAD for value in values):
        return BAD
    for meta in metas:
        if meta.min_length is not None and len(values) < meta.min_length:
            problems.append(problem_at(node.at, f"at least {meta.min_length} wanted", path=path))
            return BAD
        if meta.max_length is not None and len(values) > meta.max_length:
            problems.append(problem_at(node.at, f"at most {meta.max_length} allowed", path=path))
            return BAD
    return kind(values)


def _convert_mapping(node: Node, inner: Any, problems: list[Problem], path: str) -> Any:
    if isinstance(node, Scalar) and node.value is None:
        return {}
    if not isinstance(node, Map):
        hint = "write `key: value` lines below it"
        problems.append(problem_at(node.at, f"this is {found(node)}, where a mapping is wanted", path=path, hint=hint))
        return BAD
    _, value_type = get_args(inner) or (str, Any)
    values = {k: convert(e.value, value_type, problems, join(path, k)) for k, e in node.entries.items()}
    return BAD if any(value is BAD for value in values.values()) else values


def _convert_leaf(node: Node, inner: Any, wanted: Any, problems: list[Problem], path: str) -> Any:
    value = plain(node)
    if isinstance(node, Scalar) and type(value) in (int, float) and _is_textual(inner):
        value = node.text
    try:
        return msgspec.convert(value, wanted, dec_hook=duration_dec_hook)
    except msgspec.ValidationError as error:
        problems.append(_wrong(node, inner, str(error), path))
        return BAD


def _is_textual(inner: Any) -> bool:
    members = [unwrap(m)[0] for m in get_args(inner)] if get_origin(inner) in UNIONS else [inner]
    return str in members and not any(number in members for number in (int, float, Duration))


def _wrong(node: Node, inner: Any, said: str, path: str) -> Problem:
    """What was found, and what would be right.  Values are shown only where they are words to choose from."""
    want = in_words(inner)
    if isinstance(node, Scalar) and node.value is None:
        return problem_at(node.at, f"there is nothing here, where {want} is wanted", path=path)
    if get_origin(inner) is Literal and isinstance(node, Scalar):
        choices = [str(choice) for choice in get_args(inner)]
        hint = closest(node.text, choices, list_all=False)
        return problem_at(node.at, f"`{shown(node.text)}` is not {want}", path=path, hint=hint)
    if inner is Duration and isinstance(node, Scalar):
        why = f": {said}" if said.startswith("a duration cannot") else ""
        return problem_at(node.at, f"this is not {want}{why}", path=path, hint="write it like 15s, 2m, 1h30m or 2d")
    if inner is str and isinstance(node, Scalar):
        return problem_at(node.at, f"this is {found(node)}, where text is wanted", path=path, hint="put it in quotes")
    if inner is bool and isinstance(node, Scalar) and node.text.casefold() in _YES_NO:
        return problem_at(node.at, "this is text, where true or false is wanted", path=path, hint=_YES_NO_HINT)
    if isinstance(node, Scalar) and said.startswith("Expected") and ", got" not in said:
        limits = re.sub(r"`\w+` ?", "", said.removeprefix("Expected "))
        return problem_at(node.at, f"this must be {clean(limits, 120)}", path=path)
    return problem_at(node.at, f"this is {found(node)}, where {want} is wanted", path=path)


_YES_NO = frozenset(("yes", "no", "on", "off", "y", "n"))
_YES_NO_HINT = "write true or false, without quotes"
_EXAMPLE_LIST = "write [one, two], or a line `- one` for each"


def unknown_key(node: Map, key: str, known: Collection[str], path: str) -> Problem:
    """The problem of a key that nothing reads, with the most similar known one."""
    at = node.key_mark(key)
    return problem_at(at, f"unknown key `{shown(key)}`", path=path, hint=closest(key, known))


#: What other tools call what we call so.
ELSEWHERE: Mapping[str, frozenset[str]] = {
    "token": frozenset({"api_key", "apikey", "api-key", "api_token", "access_token", "key", "pat", "secret", "bearer"}),
    "username": frozenset({"user", "email", "e-mail", "mail", "login", "user_name"}),
    "password": frozenset({"pass", "passwd", "pwd", "app_key", "application_key"}),
    "url": frozenset(
        {"base_url", "baseurl", "host", "hostname", "server", "endpoint", "address", "api_url", "site_url"}
    ),
    "interval": frozenset({"every", "poll_interval", "refresh", "refreshinterval", "poll", "frequency"}),
    "repos": frozenset({"repositories", "repository", "projects", "project"}),
    "projects": frozenset({"repos", "repositories", "repository", "project_keys"}),
    "organization": frozenset({"org", "organisation"}),
    "org": frozenset({"organization", "organisation", "owner"}),
}


def closest(word: str, known: Collection[str], *, list_all: bool = True) -> str:
    """``did you mean …?``, or all known words (else ``""``) where none is similar."""
    import difflib

    by_fold = {k.casefold(): k for k in known}
    folded = word[:100].casefold()
    meant = next((name for name, words in ELSEWHERE.items() if name in by_fold and folded in words), None)
    if meant is not None and folded not in by_fold:
        return f"did you mean `{by_fold[meant]}`?"
    match = difflib.get_close_matches(folded, by_fold, n=1, cutoff=0.6)
    match = match or [k for k in by_fold if len(folded) > 2 and (k.startswith(folded) or folded.startswith(k))][:1]
    if match:
        return f"did you mean `{by_fold[match[0]]}`?"
    return f"known are: {', '.join(sorted(known))}" if known and list_all else ""


def shown(text: str) -> str:
    """What a person wrote, safe to repeat in a message: cleaned, short, and without what looks like a secret."""
    return clean(redact(text[:500]), 60)


_LONGEST_MESSAGE = 800


def told_whole(message: str) -> str:
    """A message that somebody else made, as `shown`; a long one ends behind a word, never inside a name."""
    text = clean(redact(message), 2 * _LONGEST_MESSAGE)
    if len(text) <= _LONGEST_MESSAGE:
        return text
    return f"{text[:_LONGEST_MESSAGE].rpartition(' ')[0].rstrip(',')} …"


# --- types in words -------------------------------------------------------------------------------------------------

UNIONS = (Union, types.UnionType)
SEQUENCES: Mapping[Any, type] = {list: list, tuple: tuple, set: set, frozenset: frozenset}
MAPPINGS = (dict, Mapping)
_WORDS: Mapping[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Duration: "a duration",
    types.NoneType: "nothing",
}


def unwrap(wanted: Any) -> tuple[Any, tuple[Meta, ...]]:
    """A type without its annotations, and the msgspec ones among them."""
    if get_origin(wanted) is Annotated:
        inner, *metas = get_args(wanted)
        return inner, tuple(meta for meta in metas if isinstance(meta, Meta))
    return wanted, ()


def shape(wanted: Any) -> Literal["scalar", "list", "map"]:
    """Which YAML shape a type is written in."""
    inner = unwrap(wanted)[0]
    origin = get_origin(inner) or inner
    if origin in SEQUENCES:
        return "list"
    return "map" if origin in MAPPINGS or (isinstance(inner, type) and issubclass(inner, Struct)) else "scalar"


def sequence_of(inner: Any) -> tuple[type, Any]:
    """The container and the item type of a (homogeneous) sequence type."""
    arguments = [a for a in get_args(inner) if a is not Ellipsis]
    return SEQUENCES[get_origin(inner) or inner], arguments[0] if arguments else Any


def in_words(wanted: Any) -> str:
    """A type as a person would say it: ``text``, ``a list of text``, ``one of build, ticket``."""
    inner = unwrap(wanted)[0]
    origin = get_origin(inner) or inner
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(inner))
    if origin in UNIONS:
        return " or ".join(in_words(m) for m in get_args(inner) if m is not types.NoneType)
    if origin in SEQUENCES:
        item = in_words(sequence_of(inner)[1])
        return f"a list of {item.removeprefix('a ')}" if item else "a list"
    if shape(inner) == "map":
        return "a mapping"
    return _WORDS.get(inner, "a value")


def wanted_hint(wanted: Any) -> str:
    """What a missing option wants, with its own description where it has one."""
    described = next((meta.description for meta in unwrap(wanted)[1] if meta.description), None)
    return f"{in_words(wanted)}: {described}" if described else f"{in_words(wanted)} is wanted"
