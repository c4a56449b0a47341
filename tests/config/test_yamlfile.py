"""YAML: positions, scalars, and everything that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from statusboard import yamlfile
from statusboard.errors import ConfigError, Problem
from statusboard.yamlfile import List, Map, Mark, Scalar, load, plain, read, scalars


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load(text, "f.yaml")
    return caught.value.problems


@pytest.fixture(params=["libyaml", "pure Python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers that PyYAML may have."""
    if request.param == "pure Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("PyYAML was built without libyaml")


def test_every_key_and_value_has_its_place(parser: None):
    root = load("a: 1\nb:\n  - x\n  - {c: 'd'}\n", "f.yaml")
    assert root.entries["b"].at == Mark("f.yaml", 2, 1)
    items = root.get("b")
    assert isinstance(items, List)
    assert [item.at for item in items.items] == [Mark("f.yaml", 3, 5), Mark("f.yaml", 4, 5)]
    inner = items.items[1]
    assert isinstance(inner, Map)
    assert inner.key_mark("c") == Mark("f.yaml", 4, 6)
    assert inner.mark("c") == Mark("f.yaml", 4, 9)
    assert inner.mark("missing") == inner.at


@pytest.mark.parametrize(
    "text, value",
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("On", "On"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("0o17", 15),
        ("010", 10),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        ("9" * 5000, "9" * 5000),
        ("~", None),
        ("", None),
        ("null", None),
        ("'null'", "null"),
        ('"5"', "5"),
        ("=", "="),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object, parser: None):
    node = load(f"a: {text}\n", "f").get("a")
    assert isinstance(node, Scalar)
    assert node.value == value
    assert type(node.value) is type(value)


def test_the_text_of_a_number_is_kept():
    node = load("a: 1.10\n", "f").get("a")
    assert isinstance(node, Scalar)
    assert node.text == "1.10"


@pytest.mark.parametrize(
    "text, line, column, part",
    [
        ("a: b: c", 1, 5, "second `:`"),
        ("a:\n\tb: 1", 2, 1, "tab"),
        ("a: 1\n\tb: 2", 2, 1, "tab"),
        ("a:\n  \t- b\n", 2, 3, "tab"),
        ("x: y\na: [1, 2\n", 2, 4, "`[`"),
        ("a: {b: 1\n", 1, 4, "`{`"),
        ("a: 'x\n", 1, 4, "never closed"),
        ('a: "\\q"', 1, None, "escape"),
        ("a: @x", 1, 4, "cannot begin"),
        ("a: {b: 1,, }", 1, 10, "missing"),
        ("a: |\n  x\n y", 3, 2, "indentation"),
        ("a: 1\nb: 2\nc\n", 3, None, "key: value"),
        ("{a: 1}}", 1, 7, "left over"),
        ("a: b\n--- \nc: d", 2, 1, "second document"),
        ("- a\n", 1, 1, "not a list"),
        ("just text", 1, 1, "not a single value"),
        ("a: !!python/object:os.system x", 1, 4, "!!python/object:os.system"),
        ("a: !foo x", 1, 4, "!foo"),
        ("a: !!str 5", 1, 4, "!!str"),
        ("a: ! 5", 1, 4, "tag"),
        ("a: 1\nb: 2\na: 3", 3, 1, "second time"),
        ("1: x", 1, 1, "a number"),
        ("true: x", 1, 1, "true"),
        ("? [a]\n: x", 1, 3, "a list"),
        ("a: &x [*x]", 1, 8, "inside"),
        ("a: *nope", 1, 4, "no anchor"),
        ('a: "\\e]52;c;x\\a"', 1, 4, "control"),
        ("a: b\nc: \x07", 2, 4, "U+0007"),
        ("a: \udc80", 1, 4, "U+DC80"),
        ("a: \x9b31m", 1, 4, "U+009B"),
        ("a: " + "[" * 60, 1, 53, "levels deep"),
        ("<<: x\na: b", 1, 5, "takes over a mapping"),
    ],
)
def test_what_is_refused_says_where_and_why(text: str, line: int, column: int | None, part: str, parser: None):
    (problem,) = problems_of(text)
    assert part in problem.message
    assert (problem.file, problem.line) == ("f.yaml", line)
    assert column is None or problem.column == column


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "---\n...\n", "~", "\ufeff"])
def test_an_empty_file(text: str, parser: None):
    (problem,) = problems_of(text)
    assert problem.message == "the file is empty"


def test_several_problems_are_found_at_once(parser: None):
    problems = problems_of("a: !x 1\na: 2\n3: b\nc: {d: 1, d: 2}\n")
    assert [p.line for p in problems] == [1, 2, 3, 4]


def test_an_alias_bomb_is_met_before_it_is_unpacked(parser: None):
    lines = ["k0: &k0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 10)}]" for i in range(1, 40)]
    (problem,) = problems_of("\n".join(lines))
    assert "100,000" in problem.message
    assert problem.line == 5


def test_too_many_values_without_any_alias(parser: None):
    (problem,) = problems_of("a: [" + "x," * yamlfile.MAX_NODES + "]")
    assert "100,000" in problem.message


def test_aliases_and_merges_are_fine_in_measure(parser: None):
    root = load("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: {<<: [*a, {z: 4}]}\nd: *a\n", "f")
    assert plain(root) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 3, "y": 2},
        "c": {"x": 1, "y": 2, "z": 4},
        "d": {"x": 1, "y": 2},
    }


def test_a_byte_order_mark_and_windows_lines(parser: None):
    assert plain(load("\ufeffa: b\r\nc: d\r\n", "f")) == {"a": "b", "c": "d"}


def test_key_paths():
    root = load("a: {b: [1, {c: 2}]}\nd: 3\n", "f")
    assert [path for path, _ in scalars(root)] == ["a.b[0]", "a.b[1].c", "d"]


def test_a_megabyte_is_refused(tmp_path: Path):
    path = tmp_path / "big.yaml"
    path.write_text("a: b\n" + "# x\n" * 250_000)
    with pytest.raises(ConfigError, match="larger than 1 MB"):
        read(path)
    (problem,) = problems_of("# " + "é" * 600_000)
    assert "larger" in problem.message


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such file"):
        read(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="a folder"):
        read(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(Path("a\0b"))
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: b\ntitle: caf\xe9\n")
    with pytest.raises(ConfigError, match="UTF-8") as caught:
        read(latin)
    assert caught.value.problems[0].line == 2


_PIECES = st.sampled_from(
    ["a: b\n", "- ", "  ", "\t", "{", "}", "[", "]", "'", '"', "&x ", "*x", "!", "%", "|", ">", "?", ":", "#", "---\n"]
)


def outcome(text: str) -> object:
    """The plain content, or the list of problems."""
    try:
        return plain(load(text, "f"))
    except ConfigError as error:
        return error.problems


def is_content_or_problems(result: object) -> bool:
    if isinstance(result, list):
        return bool(result) and all(isinstance(p, Problem) and p.file == "f" for p in result)
    return isinstance(result, dict)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(_PIECES, max_size=60).map("".join)))
def test_any_text_is_read_or_refused_with_a_place(text: str):
    assert is_content_or_problems(outcome(text))


@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES, max_size=60).map("".join))
def test_any_text_with_the_other_parser(text: str):
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader", raising=False)
        assert is_content_or_problems(outcome(text))
