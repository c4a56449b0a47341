"""The pictures of the documentation show the board as it is: held to their text, not to their pixels."""

from __future__ import annotations

import pytest

from tests.pictures.taking import FOLDER, SHOTS, Shot, Studio, read


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(tmp_path_factory.mktemp("studio"))


def kept(name: str) -> list[str]:
    return read((FOLDER / f"{name}.svg").read_text(encoding="utf-8"))


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
async def test_a_picture_is_not_stale(shot: Shot, studio: Studio) -> None:
    assert kept(shot.name) == read(await studio.take(shot)), "the screen has changed: look at it, then `make pictures`"


def test_every_picture_is_shown_somewhere_and_every_picture_shown_is_there() -> None:
    documents = [FOLDER.parents[1] / "README.md", *FOLDER.parent.glob("*.md")]
    shown = "".join(path.read_text(encoding="utf-8") for path in documents)
    files = {path.name for path in FOLDER.iterdir()}
    assert files == {f"{shot.name}.svg" for shot in SHOTS}
    assert [name for name in files if f"pictures/{name})" not in shown] == []


def test_a_picture_fetches_nothing_and_its_text_is_read_line_by_line() -> None:
    svg = (FOLDER / "board.svg").read_text(encoding="utf-8")
    assert "url(" not in svg.replace("url(#", "") and "@font-face" not in svg
    lines = kept("board")
    assert len(lines) == 34 and all(len(line) <= 120 for line in lines)
    assert lines[0].startswith("  ✗ FAILING 4   acme") and lines[0].endswith("09:41:07")
    assert lines[1].startswith(" BLIND: 1 of 5 sources unread  4 of 5 fresh")
    assert lines[-1].startswith("  1 Overview  2 Services  3 Incidents")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("details", "6m before"),
        ("wall", "JUST BEFORE v3.32.0"),
        ("build", "first bad"),
        ("services", "jenkins not read"),
        ("away", "since your last visit (30m): 2 incidents opened"),
        ("sources", "no answer within 10 s"),
        ("filter", "1 fault hidden by the filter"),
        ("groups", "4/5 healthy"),
    ],
)
def test_a_picture_shows_what_the_guide_says_of_it(name: str, words: str) -> None:
    assert any(words in line for line in kept(name))


def test_colours_say_nothing_that_the_text_does_not() -> None:
    assert kept("light") == kept("no-color")
