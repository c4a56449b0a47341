"""The sequences that show a notification, and which terminal takes which."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusboard.noticing.options import Form
from statusboard.noticing.terminal import BODY_CELLS, TITLE_CELLS, Chosen, choose, sequence

FORMS: tuple[Form, ...] = ("osc9", "osc777", "osc99")


@pytest.mark.parametrize(
    "env, form",
    [
        ({"TERM": "xterm-kitty"}, "osc99"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "osc99"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "osc9"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "osc9"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "osc9"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "osc9"),
        ({"TERM": "rxvt-unicode-256color"}, "osc777"),
        ({"TERM": "foot-extra"}, "osc777"),
        ({"TERM": "foot", "KITTY_WINDOW_ID": "1"}, "osc777"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "screen.xterm-256color", "STY": "1.pts", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "screen-256color", "LC_TERMINAL": "iTerm2"}, None),
        ({"TERM": "linux"}, None),
        ({}, None),
    ],
)
def test_auto_takes_what_a_terminal_is_known_to_show(env: dict[str, str], form: str | None):
    chosen = choose("auto", tmux=False, env=env)
    assert chosen.form == form and not chosen.passthrough
    assert bool(chosen.problem) is (form is None)


def test_who_configures_it_knows():
    assert choose("osc9", tmux=False, env={"TERM": "linux"}) == Chosen("osc9")


@pytest.mark.parametrize("inside", [{"TMUX": "/tmp/x,1,0"}, {"TERM_PROGRAM": "tmux"}, {"TERM": "tmux-256color"}])
def test_tmux_is_passed_through_only_when_asked(inside: dict[str, str]):
    env = {"TERM": "screen-256color", "KITTY_WINDOW_ID": "1", **inside}
    assert choose("osc9", tmux=False, env=env).form is None
    assert choose("osc9", tmux=True, env=env) == Chosen("osc9", True)
    assert choose("auto", tmux=True, env=env) == Chosen("osc99", True)
    assert choose("osc9", tmux=True, env={"TERM": "xterm"}) == Chosen("osc9"), "asked, and not inside"


@pytest.mark.parametrize(
    "chosen, grave, written",
    [
        (Chosen("osc9"), True, "\x1b]9;build failed: a, b\x1b\\"),
        (Chosen("osc777"), True, "\x1b]777;notify;build failed;a, b\x1b\\"),
        (
            Chosen("osc99"),
            True,
            "\x1b]99;i=statusboard-7:u=2:d=0;build failed\x1b\\\x1b]99;i=statusboard-7:u=2:p=body;a; b\x1b\\",
        ),
        (Chosen("osc9", True), False, "\x1bPtmux;\x1b\x1b]9;build failed: a, b\x1b\x1b\\\x1b\\"),
        (Chosen(None, problem="no"), False, ""),
    ],
)
def test_the_bytes(chosen: Chosen, grave: bool, written: str):
    assert sequence(chosen, "build failed", "a; b", number=7, grave=grave) == written


def test_a_title_alone():
    assert sequence(Chosen("osc9"), "3 more", "") == "\x1b]9;3 more\x1b\\"
    assert sequence(Chosen("osc777"), "3 more", "") == "\x1b]777;notify;3 more;\x1b\\"
    assert sequence(Chosen("osc99"), "3 more", "") == "\x1b]99;i=statusboard-1:u=1;3 more\x1b\\"


HOSTILE = st.text(st.sampled_from("\x1b\x9b\x9c\x07\x00\n;:]\\=%a🙂e\u0301\u202e"), max_size=40)


@given(st.sampled_from(FORMS), st.booleans(), HOSTILE | st.text(max_size=2_000), HOSTILE | st.text(max_size=2_000))
def test_whatever_a_vendor_writes_it_is_this_sequence_and_no_more(form: Form, tmux: bool, title: str, body: str):
    written = sequence(Chosen(form, tmux), title, body)
    if tmux:
        parts = re.findall(r"\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\", written)
        assert "".join(f"\x1bPtmux;{part}\x1b\\" for part in parts) == written
        written = "".join(part.replace("\x1b\x1b", "\x1b") for part in parts)
    pattern = {
        "osc9": r"\x1b]9;[^;]*\x1b\\",
        "osc777": r"\x1b]777;notify;[^;]*;[^;]*\x1b\\",
        "osc99": r"\x1b]99;i=statusboard-1:u=1(:d=0;.*\x1b\\\x1b]99;i=statusboard-1:u=1:p=body)?;.*\x1b\\",
    }[form]
    assert re.fullmatch(pattern, written)
    sequences = 2 if form == "osc99" and written.count("]99;") == 2 else 1
    assert written.count("\x1b") == 2 * sequences
    assert not re.search(r"[\x00-\x1a\x1c-\x1f\x7f-\x9f]", written)
    assert len(written) <= 7 * (TITLE_CELLS + BODY_CELLS) + 100
