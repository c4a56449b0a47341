"""Transitions and what becomes of them, without a board."""

from __future__ import annotations

from typing import Any

from statusboard.current import slot_of
from statusboard.model import Fact
from statusboard.noticing.options import What
from statusboard.noticing.watch import Transition
from tests.boards import NOW


def transition(fact: Fact, *whats: What, failing: bool = True, **more: Any) -> Transition:
    slot = slot_of(fact) or ("source", fact.source)
    return Transition(whats=whats, slot=slot, fact=fact, current=True, failing=failing, at=NOW, **more)
