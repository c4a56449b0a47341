"""What whoever takes over must know: what broke and what was mended since then, and what nobody saw.

    gather      reads a store and makes a `Handover` of what it remembers
    compose     the same of facts at hand; pure
    as_text, as_markdown, as_json, sections      what it says, for a terminal, a chat, a script and the screen

Nothing is left out because it looks well: what was not watched stands in the head, for what is missing there may have
happened all the same.
"""

from statusboard.handover.compose import compose
from statusboard.handover.reading import gather
from statusboard.handover.told import Episode, Facts, Goals, Handover, Shipped, Unread
from statusboard.handover.words import Section, as_json, as_markdown, as_text, sections

__all__ = [
    "Episode",
    "Facts",
    "Goals",
    "Handover",
    "Section",
    "Shipped",
    "Unread",
    "as_json",
    "as_markdown",
    "as_text",
    "compose",
    "gather",
    "sections",
]
