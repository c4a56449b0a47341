"""Type of several rows, made of block characters: what is to be read from across a room.

A letter is five dots high.  At scale 1 a dot is a cell wide and half a row high, which is square on most terminals; at
scale 2 it is twice that, and so on.  Where there are no block characters a dot is made of ``#`` and a whole row high.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

DOTS: Final = 5
_GAP: Final = 1
_KEPT: Final = 256

_LETTERS: Final = """
A .#. #.# ### #.# #.#
B ##. #.# ##. #.# ##.
C .## #.. #.. #.. .##
D ##. #.# #.# #.# ##.
E ### #.. ##. #.. ###
F ### #.. ##. #.. #..
G .### #... #.## #..# .###
H #.# #.# ### #.# #.#
I # # # # #
J ..# ..# ..# #.# .#.
K #..# #.#. ##.. #.#. #..#
L #.. #.. #.. #.. ###
M #...# ##.## #.#.# #...# #...#
N #..# ##.# #.## #..# #..#
O .##. #..# #..# #..# .##.
P ##. #.# ##. #.. #..
Q .##. #..# #..# #.#. .#.#
R ##. #.# ##. #.# #.#
S .## #.. .#. ..# ##.
T ### .#. .#. .#. .#.
U #..# #..# #..# #..# .##.
V #.# #.# #.# #.# .#.
W #...# #...# #.#.# ##.## #...#
X #.# #.# .#. #.# #.#
Y #.# #.# .#. .#. .#.
Z ### ..# .#. #.. ###
0 ### #.# #.# #.# ###
1 .#. ##. .#. .#. ###
2 ##. ..# .#. #.. ###
3 ##. ..# .#. ..# ##.
4 #.# #.# ### ..# ..#
5 ### #.. ##. ..# ##.
6 .## #.. ### #.# ###
7 ### ..# ..# .#. .#.
8 ### #.# ### #.# ###
9 ### #.# ### ..# ##.
. . . . . #
, .. .. .. .# #.
: . # . # .
- ... ... ### ... ...
_ ... ... ... ... ###
/ ..# ..# .#. #.. #..
% #.# ..# .#. #.. #.#
+ ... .#. ### .#. ...
? ##. ..# .#. ... .#.
! # # # . #
' # # . . .
( .# #. #. #. .#
) #. .# .# .# #.
# .#.#. ##### .#.#. ##### .#.#.
"""
_DOTS: Final = {line[0]: line[2:].split() for line in _LETTERS.strip().splitlines()} | {" ": ["."] * DOTS}
_UNCOMPOSED: Final = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
)
"""Letters that are not a plain one and an accent to Unicode."""
_HALVES: Final = {"..": " ", "#.": "▀", ".#": "▄", "##": "█"}


def spelled(text: str) -> str | None:
    """``text`` in the letters there are (capitals, without accents), or None where one of them cannot be drawn."""
    plain = unicodedata.normalize("NFKD", text.translate(_UNCOMPOSED))
    spelt = "".join(char for char in plain if not unicodedata.combining(char)).upper()
    return spelt if all(char in _DOTS for char in spelt) else None


def width_of_big(text: str, scale: int = 1) -> int:
    """How many cells a spelled text takes."""
    return scale * (sum(len(_DOTS[char][0]) + _GAP for char in text) - _GAP) if text else 0


def height_of_big(scale: int = 1, *, ascii_only: bool = False) -> int:
    """How many rows type of this scale takes."""
    return DOTS * _rows_of_a_dot(scale) if ascii_only else (DOTS * scale + 1) // 2


def _rows_of_a_dot(scale: int) -> int:
    return (scale + 1) // 2


@lru_cache(maxsize=_KEPT)
def big(text: str, scale: int = 1, *, ascii_only: bool = False) -> tuple[str, ...]:
    """The rows of a spelled text, all of one width."""
    gap = "." * _GAP
    dots = [gap.join(_DOTS[char][row] for char in text) for row in range(DOTS)]
    wide = ["".join(dot * scale for dot in row) for row in dots]
    if ascii_only:
        return tuple(row.replace(".", " ") for row in wide for _ in range(_rows_of_a_dot(scale)))
    halves = [row for row in wide for _ in range(scale)]
    if len(halves) % 2:
        halves.append("." * len(halves[0]))
    return tuple(
        "".join(_HALVES[upper + lower] for upper, lower in zip(*pair, strict=True))
        for pair in zip(halves[::2], halves[1::2], strict=True)
    )


def largest(text: str, width: int, height: int, *, most: int = 4, ascii_only: bool = False) -> int:
    """The largest scale at which a spelled text fits into so many cells; 0 where none does."""
    for scale in range(most, 0, -1):
        if width_of_big(text, scale) <= width and height_of_big(scale, ascii_only=ascii_only) <= height:
            return scale
    return 0
