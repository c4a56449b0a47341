"""How the board looks: themes made of palettes, and what a terminal can be shown of them.

Status never rests on colour alone.  Colours are named by what they mean in `statusboard.palettes`, which also knows
whether they can be read; styles by what they mean are in `widgets.words`.
"""

from __future__ import annotations

from statusboard.themes.look import Look, NoColors, PlainSigns, look_of
from statusboard.themes.made import ANSI, ANSI_LIGHT, THEMES, theme_of

__all__ = ["ANSI", "ANSI_LIGHT", "THEMES", "Look", "NoColors", "PlainSigns", "look_of", "theme_of"]
