"""What people say: one acknowledgement an item, one note a person, for one episode of an incident."""

from __future__ import annotations

import msgspec
import pytest

from statusboard.notes import (
    MOST_TEXT,
    acknowledge,
    acknowledgement,
    author_of,
    note_by,
    standing,
    withdraw,
    write,
)
from statusboard.text import cell_len
from tests.boards import NOW, ago, build, incident


def test_who_says_it():
    assert author_of({"STATUSBOARD_USER": "ann"}) == "ann"
    assert author_of({"STATUSBOARD_USER": " ann\x1b]0;x\x07\n"}) == "ann]0;x", "no controls"
    assert author_of({"STATUSBOARD_USER": "x" * 500}).endswith("…")
    assert author_of({"STATUSBOARD_USER": "\x07"}) == author_of({}) != ""


def test_an_acknowledgement_holds_for_one_episode():
    down = incident(1, started_at=ago(10))
    said = [acknowledge(down, "ann", NOW)]
    assert acknowledgement(said, down) == said[0]
    assert acknowledgement(said, incident(1, "acknowledged", started_at=ago(10))) == said[0]
    assert acknowledgement(said, incident(1, started_at=ago(1))) is None, "nobody has seen this one yet"
    assert acknowledgement([withdraw(said[0], "bob", NOW)], down) is None


def test_of_anything_else_it_holds_for_the_item():
    run = build(1, "failed", started_at=ago(10))
    said = [acknowledge(run, "ann", NOW)]
    assert acknowledgement(said, build(1, "failed", attempt=2, started_at=ago(1))) == said[0]


def test_saying_it_again_replaces_it():
    down = incident(1)
    assert acknowledge(down, "ann", NOW).key == acknowledge(down, "bob", NOW).key, "one acknowledgement an item"
    assert write(down, "ann", "x", NOW).key == write(down, "ann", "y", NOW).key
    keys = {
        write(down, "ann", "x", NOW).key,
        write(down, "bob", "x", NOW).key,
        write(incident(2), "ann", "x", NOW).key,
        acknowledge(down, "ann", NOW).key,
    }
    assert len(keys) == 4
    assert len(acknowledge(incident("x" * 380), "ann", NOW).key) < 60


def test_withdrawing_says_who_did():
    gone = withdraw(acknowledge(incident(1), "ann", ago(5)), "bob", NOW)
    assert (gone.state, gone.author, gone.updated_at) == ("withdrawn", "bob", NOW)


def test_each_has_a_note_of_their_own():
    down = incident(1)
    said = [acknowledge(down, "ann", NOW), write(down, "ann", "mine", NOW), write(down, "bob", "his", NOW)]
    found = note_by("bob", said, down)
    assert found is not None and found.text == "his"
    assert note_by("eve", said, down) is None
    assert standing(said, down) == said
    assert standing([msgspec.structs.replace(said[1], state="withdrawn")], down) == []


@pytest.mark.parametrize("text", ["a\nb\x1b[31mc\u202e", "漢" * 300, "x" * 10_000])
def test_notes_are_one_clean_short_line(text):
    made = write(incident(1), "ann", text, NOW).text
    assert cell_len(made) <= MOST_TEXT and made.isprintable()
