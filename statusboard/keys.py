"""What `keys:` and `theme:` of a config may name, known without the screen.  A test holds it to the screen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

THEMES = (
    *("dark", "light", "high-contrast", "high-contrast-light", "color-blind", "color-blind-light"),
    *("ansi", "ansi-light"),
)
"""The themes: our own, and the terminal's own colours on a dark and on a light ground."""

VIEWS = ("Overview", "Incidents", "Builds", "Releases", "Tickets", "Unowned")
"""The views of lanes that every board has: those that a wall can show."""

DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "app": {
        "palette": "colon,ctrl+p",
        "help": "question_mark",
        "mouse": "M",
        "suspend": "ctrl+z",
        "quit": "q",
        "quit_always": "ctrl+c,ctrl+q",
    },
    "board": {
        "next_lane": "tab",
        "previous_lane": "shift+tab",
        "next_view": "l,right",
        "previous_view": "h,left",
        **{f"view_{number}": str(number) for number in range(1, 10)},
        "back": "escape",
        "filter": "slash",
        "next_match": "n",
        "previous_match": "P",
        "next_unseen": "u",
        "all_seen": "U",
        "faults_only": "z",
        "sort": "s",
        "turn": "i",
        "group": "v",
        "fold": "space",
        "fold_all": "minus",
        "open_all": "plus",
        "save_view": "w",
        "wide": "ctrl+w",
        "times": "T",
        "export": "ctrl+s",
        "details": "p",
        "acknowledge": "a",
        "note": "N",
        "confirm": "c",
        "dismiss": "x",
        "last_word": "X",
        "open": "o",
        "copy_url": "y",
        "copy_key": "Y",
        "refresh": "r",
        "refresh_all": "R",
        "sources": "S",
        "metrics": "m",
        "stretch": "D",
        "handover": "H",
        "wall": "f",
        "earlier": "left_square_bracket",
        "later": "right_square_bracket",
        "earlier_incident": "left_curly_bracket",
        "later_incident": "right_curly_bracket",
        "moment": "at",
        "present": "0",
        "time_line": "t",
        "zoom": "Z",
    },
    "sources": {
        "pause": "space",
        "copy_url": "y",
    },
    "asking": {"ask.close": "escape"},
    "wall": {"leave_wall": "f,escape", "quit": "q"},
    "help": {"close_help": "escape,q,question_mark,enter"},
    "table": {
        "table.down": "j,down",
        "table.up": "k,up",
        "table.first": "g,home",
        "table.last": "G,end",
        "table.page_down": "pagedown",
        "table.page_up": "pageup",
        "table.half_page_down": "ctrl+d",
        "table.half_page_up": "ctrl+u",
        "table.select": "enter",
    },
    "details": {
        "details.down": "j,down",
        "details.up": "k,up",
        "details.first": "g,home",
        "details.last": "G,end",
        "details.page_down": "pagedown,ctrl+d",
        "details.page_up": "pageup,ctrl+u",
    },
}
"""Place (the app, a screen, a widget) -> action (the id of its binding) -> its keys, separated by commas."""

TOGETHER: Sequence[tuple[str, ...]] = (
    ("app", "board", "table"),
    ("app", "board", "details"),
    ("app", "board", "sources", "table"),
    ("app", "help"),
    ("wall",),
    ("app", "asking"),
)
"""The places whose keys are heard at the same time: what has the focus, its screen, the app."""

ACTIONS = frozenset(action for place in DEFAULTS.values() for action in place)
"""The actions that a key can be given to, by the ids of their bindings."""

_PLAIN_NAMES = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}

_WRITTEN = {
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "minus": "-",
    "plus": "+",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "at": "@",
    "escape": "esc",
    "space": "space",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


class Clash(NamedTuple):
    """A key that ``action`` is given and ``other`` has: by ``given`` in the config as well, else by default."""

    key: str
    action: str
    other: str
    given: bool


def key_named(key: str) -> str:
    """A key by the name that the screen knows it by: ``question_mark`` for ``?``."""
    if len(key) == 1 and not key.isalnum():
        name = unicodedata.name(key, key).lower().replace("-", "_").replace(" ", "_")
        return _PLAIN_NAMES.get(name, name)
    return key


def key_name(key: str) -> str:
    """How a key is written for people."""
    return _WRITTEN.get(key, key.removeprefix("upper_"))


def clashes(bound: Mapping[str, Sequence[str]]) -> Iterator[Clash]:
    """Where one key would do two things: only one of them could be reached.

    ``bound`` is action -> keys as a config gives them; other actions keep their defaults.  Actions that are never heard
    at the same time may share a key, and so may two that do by default (`q` closes the help, elsewhere it quits).
    """
    given = {action: {key_named(key): None for key in keys} for action, keys in bound.items()}
    for action, keys in given.items():
        for key in keys:
            for other in given:
                if other == action:
                    break  # each pair once: the later one is told
                if key in given[other] and _meet(action, other):
                    yield Clash(key, action, other, given=True)
            for other in sorted(ACTIONS - given.keys()) if action in ACTIONS else ():
                if key in _default_keys(other) and _meet(action, other):
                    yield Clash(key, action, other, given=False)


def _meet(one: str, two: str) -> bool:
    """Whether two actions may not have the same key."""
    if not {one, two} <= ACTIONS:
        return True  # nothing is known of them
    met = False
    for places in TOGETHER:
        keys = [{key for place in places for key in _keys_in(place, action)} for action in (one, two)]
        if all(keys):
            if keys[0] & keys[1]:
                return False
            met = True
    return met


def _keys_in(place: str, action: str) -> set[str]:
    text = DEFAULTS[place].get(action, "")
    return set(text.split(",")) - {""}


def _default_keys(action: str) -> set[str]:
    return {key for place in DEFAULTS for key in _keys_in(place, action)}
