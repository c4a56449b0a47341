"""Notices as a terminal takes them: the bell, and the sequences by which a terminal shows a notification.

    OSC 9     ESC ] 9 ; text ST                          iTerm2, WezTerm, Ghostty
    OSC 777   ESC ] 777 ; notify ; title ; body ST       urxvt, foot
    OSC 99    ESC ] 99 ; key=value:… ; text ST           kitty: sw.kovidgoyal.net/kitty/desktop-notifications

A terminal that does not know one is to ignore it, but some print it: which to write is known or configured, never
tried.  tmux swallows them all unless it is told to pass them on (`set -g allow-passthrough on`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from statusboard.noticing.options import Form
from statusboard.text import clean

BELL: Final = "\a"
TITLE_CELLS: Final = 80
BODY_CELLS: Final = 200
_ST: Final = "\x1b\\"
_BY_PROGRAM: Final[Mapping[str, Form]] = {"iTerm.app": "osc9", "WezTerm": "osc9", "ghostty": "osc9"}
_BY_TERM: Final[tuple[tuple[str, Form], ...]] = (
    ("xterm-kitty", "osc99"),
    ("xterm-ghostty", "osc9"),
    ("wezterm", "osc9"),
    ("rxvt-unicode", "osc777"),
    ("foot", "osc777"),
)
#: Variables that a terminal sets for all that runs in it; they get through tmux.
_BY_VARIABLE: Final[Mapping[str, Form]] = {
    "KITTY_WINDOW_ID": "osc99",
    "GHOSTTY_RESOURCES_DIR": "osc9",
    "WEZTERM_PANE": "osc9",
    "ITERM_SESSION_ID": "osc9",
}


class Chosen(NamedTuple):
    """How to write a notification; without a ``form`` none can be shown, and ``problem`` says why."""

    form: Form | None
    passthrough: bool = False
    problem: str = ""


def choose(setting: Literal["auto"] | Form, *, tmux: bool, env: Mapping[str, str]) -> Chosen:
    """What this terminal takes.  ``tmux``: the config says that tmux passes sequences on."""
    term, program = env.get("TERM", ""), env.get("TERM_PROGRAM", "")
    inside = bool(env.get("TMUX")) or program == "tmux" or term.startswith("tmux")
    if inside and not tmux:
        return Chosen(None, problem="inside tmux they need `tmux: true` under `notices:`, and `allow-passthrough on`")
    # What a terminal left in the environment says nothing of a GNU screen within it, or of a tmux on the way here.
    hidden = not inside and (bool(env.get("STY")) or term.startswith("screen"))
    form = setting if setting != "auto" else None if hidden else _known(term, program, env)
    if form is None:
        return Chosen(None, problem="this terminal is not known to show any; choose with `terminal:` under `notices:`")
    return Chosen(form, passthrough=inside)


def _known(term: str, program: str, env: Mapping[str, str]) -> Form | None:
    for start, form in _BY_TERM:
        if term.startswith(start):
            return form
    if program in _BY_PROGRAM:
        return _BY_PROGRAM[program]
    if env.get("LC_TERMINAL") == "iTerm2":  # which iTerm2 sends over SSH
        return "osc9"
    return next((form for name, form in _BY_VARIABLE.items() if env.get(name)), None)


def sequence(chosen: Chosen, title: str, body: str, *, number: int = 1, grave: bool = False) -> str:
    """What to write for a notification, ``""`` where none can be shown.  ``number`` tells it from others.

    Titles and texts are cleaned again here: whatever they hold, what is written is one sequence and no more.
    """
    title, body = clean(title, TITLE_CELLS), clean(body, BODY_CELLS)
    match chosen.form:
        case "osc9":
            # A `;` would end the text, and make a progress bar of one that begins with 4.
            text = f"{title}: {body}" if body else title
            return _wrapped(f"\x1b]9;{_joined(text)}{_ST}", chosen)
        case "osc777":
            return _wrapped(f"\x1b]777;notify;{_joined(title)};{_joined(body)}{_ST}", chosen)
        case "osc99":
            about = f"i=statusboard-{number}:u={2 if grave else 1}"
            if not body:
                return _wrapped(f"\x1b]99;{about};{title}{_ST}", chosen)
            first = _wrapped(f"\x1b]99;{about}:d=0;{title}{_ST}", chosen)
            return first + _wrapped(f"\x1b]99;{about}:p=body;{body}{_ST}", chosen)
        case _:
            return ""


def _joined(text: str) -> str:
    return text.replace(";", ",")


def _wrapped(text: str, chosen: Chosen) -> str:
    """Through tmux: as one device control string, with every escape doubled."""
    return f"\x1bPtmux;{text.replace(chr(27), chr(27) * 2)}{_ST}" if chosen.passthrough else text
