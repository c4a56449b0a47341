"""Rows, details and the header as words: what each says, in which column, in which style.  Pure.

Status is glyph + word + style name, so that it reads without any colour: within a kind no two states share their word
or their glyph, in either set of glyphs.  Style names are those of `widgets.table.STYLE_NAMES`; "" is the row's own.

What a source that is no longer read told us loses its colour and says what it *was* (``? was success``).  What still
counts as failed while it runs again keeps the glyph of its verdict: ``✗ running``, ``(was failed)`` before the title.
"""

from __future__ import annotations

from statusboard.presenting.details import details
from statusboard.presenting.glyphs import ASCII, UNICODE, Cell, Glyphs, state_cell, word_of
from statusboard.presenting.groups import group_line, names_width
from statusboard.presenting.header import header_words, last_known_words
from statusboard.presenting.lines import Line, Section
from statusboard.presenting.past import HISTORY
from statusboard.presenting.rows import RowText, cells, state_words
from statusboard.presenting.sources import source_lines

__all__ = [
    "ASCII",
    "HISTORY",
    "UNICODE",
    "Cell",
    "Glyphs",
    "Line",
    "RowText",
    "Section",
    "cells",
    "details",
    "group_line",
    "header_words",
    "last_known_words",
    "names_width",
    "source_lines",
    "state_cell",
    "state_words",
    "word_of",
]
