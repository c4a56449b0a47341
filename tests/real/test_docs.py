"""What the documents tell a person to type, write and open is there."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import click
import pytest

from statusboard._config.loader import ROOT_KEYS
from statusboard.cli import COMMANDS, cli
from statusboard.config import load_config
from statusboard.keys import ACTIONS, THEMES
from statusboard.query import parse
from statusboard.registry import Registry

ROOT = Path(__file__).parents[2]
#: A walk-through of its own test (tests/test_plugins.py): its types are there only when it has been followed.
FOLLOWED = ROOT / "docs" / "plugins.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
QUERIES = ("--filter", "--fail-on")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
ROOT_KEY = re.compile(rf"({'|'.join(ROOT_KEYS)}):")


def blocks(text: str) -> Iterator[str]:
    """The blocks of code of a document, fenced or indented."""
    fence: list[str] | None = None
    indented: list[str] = []
    before = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("```"):
            if fence is not None:
                yield "\n".join(fence)
            fence = [] if fence is None else None
        elif fence is not None:
            fence.append(line)
        elif line.startswith("    ") and (indented or not before.strip()):
            indented.append(line)
        elif line.strip() and indented:
            yield dedent("\n".join(indented)).strip()
            indented = []
        before = line
    if indented:
        yield dedent("\n".join(indented)).strip()


def spans(text: str) -> list[str]:
    """The pieces of code in the prose, joined where they go over a line's end."""
    prose = re.sub(r"^```.*?^```|^ {4}.*?$", "", text, flags=re.MULTILINE | re.DOTALL)
    return SPAN.findall(re.sub(r"(?<=\S)\n(?=\S)", " ", prose))


def named(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.fixture(params=DOCUMENTS, ids=named)
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


# -- command lines


def command_lines(text: str) -> Iterator[tuple[list[str], bool]]:
    """The arguments of each call of ``statusboard``, and whether it stands there to be typed as it is."""
    for block in blocks(text):
        for line in block.splitlines():
            words = shlex.split(re.sub(r"^ExecStart=\S*/", "", line.strip().removeprefix("$ ")), comments=True)
            if words[:1] == ["statusboard"]:
                yield list(itertools.takewhile(lambda word: word not in ("|", ">"), words[1:])), True
    for span in spans(text):
        if span == "statusboard" or span.startswith("statusboard "):
            yield span.split()[1:], False


def wrong_with(arguments: list[str], whole: bool) -> str:
    """What the command line would say against it, ``""`` if nothing.  One that is not whole may lack arguments."""
    try:
        context = cli.make_context("statusboard", list(arguments), resilient_parsing=not whole)
        rest = [*context._protected_args, *context.args]
        if not rest:
            return ""
        if rest[0] not in COMMANDS:
            return f"there is no command {rest[0]}"
        command = cli.get_command(context, rest[0])
        assert command is not None
        if whole:
            command.make_context(rest[0], rest[1:], parent=context)
        else:
            command.make_parser(click.Context(command)).parse_args(rest[1:])
    except click.exceptions.Exit:
        return ""  # --help, --version
    except click.ClickException as error:
        return error.format_message()
    return ""


def test_every_command_line_is_one(document: Path) -> None:
    found = list(command_lines(document.read_text(encoding="utf-8")))
    assert [(line, why) for line, whole in found if (why := wrong_with(line, whole))] == []


def test_there_are_command_lines_and_wrong_ones_are_seen() -> None:
    whole = [arguments for arguments, whole in command_lines((ROOT / "README.md").read_text()) if whole]
    assert [] in whole and ["check"] in whole and ["login", "github"] in whole
    unit, *shown = [arguments for arguments, whole in command_lines((ROOT / "docs/headless.md").read_text()) if whole]
    assert unit == ["poll"] and all(arguments[0] == "show" for arguments in shown)
    queries = [text for arguments in shown for option, text in itertools.pairwise(arguments) if option in QUERIES]
    assert len([parse(query) for query in queries]) >= 3
    for wrong in (["shwo"], ["show", "--jsn"], ["--confg", "x"], ["login"], ["show", "--deadline", "soon"]):
        assert wrong_with(wrong, True), wrong
    assert wrong_with(["login"], False) == "" and wrong_with(["show", "--jsn"], False)


def test_every_make_target_is_one(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    pieces = [line.split("#")[0].strip() for block in blocks(text) for line in block.splitlines()] + spans(text)
    targets = {piece.split()[1] for piece in pieces if re.fullmatch(r"make [a-z-]+", piece)}
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets <= known


# -- configurations


SOME_SOURCE = "sources: [{type: deploy-log, name: deploys, path: /var/log/deploys.jsonl}]"


def configurations(text: str) -> Iterator[str]:
    """The YAML of a document: blocks, and pieces of prose that give a section a value.  A part gets a source."""
    found = [block for block in blocks(text) if ROOT_KEY.match(block)]
    found += [span for span in spans(text) if re.match(rf"{ROOT_KEY.pattern} *[{{\[]", span)]
    for block in found:
        whole = re.search(r"^sources:|\bstore:", block, re.MULTILINE)
        yield block if whole else f"{block}\n{SOME_SOURCE}\n"


def test_every_configuration_loads(document: Path, tmp_path: Path) -> None:
    found = configurations(document.read_text(encoding="utf-8")) if document != FOLLOWED else ()
    for number, text in enumerate(found):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        names = set(re.findall(r"\benv:(\w+)", text))
        env = dict.fromkeys(names, "x")
        config = load_config(
            path, registry=Registry.installed(), check_filter=parse, actions=ACTIONS, themes=THEMES, env=env
        )
        assert config.warnings == ()


def test_the_configurations_are_seen() -> None:
    least = {"README": 1, "docs/headless": 1, "docs/keys": 1, "docs/notices": 1, "docs/themes": 2, "docs/walls": 2}
    for name, count in least.items():
        assert len(list(configurations((ROOT / f"{name}.md").read_text()))) >= count, name


# -- links, and files by their names


def slug(heading: str) -> str:
    """The anchor that a forge makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_every_link_leads_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), target


def test_every_file_that_is_named_is_there(document: Path) -> None:
    own = re.compile(r"(?:statusboard|widgets|sources|tests|docs|\.ci)/[\w./-]*[\w-]/?")
    for span in spans(document.read_text(encoding="utf-8")):
        if own.fullmatch(span):
            assert (ROOT / span).exists(), span
