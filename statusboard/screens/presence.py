"""Whether somebody still holds the other end of the terminal.

A wall writes its clock every second.  A network that has died is noticed by nobody then: TCP takes a quarter of an
hour over what is not acknowledged, and an sshd that asks its client (``ClientAliveInterval``) may do so in silence
only, which a wall never keeps (OpenSSH 9.2).  So the wall asks the terminal itself where its cursor is, which every
terminal answers.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final

QUESTION: Final = "\x1b[6n"
ASK_EVERY = 10.0
"""Seconds between two questions."""
PATIENCE = 35.0
"""Seconds without an answer after which a terminal that has answered before is gone."""
_STUCK: Final = 15.0
"""Seconds more after which the process ends whatever it does: it may stand still in a write that nobody reads."""


class Presence:
    """Tell it of each answer; `gone` says that there will be none any more.  Times are monotonic, in seconds."""

    def __init__(self, now: float) -> None:
        self._heard = now
        self._answers = False
        self._turned = now

    def heard(self, now: float) -> None:
        """The terminal has answered."""
        self._answers = True
        self._heard = now

    def gone(self, now: float) -> bool:
        """Whether a terminal that used to answer has not done so for too long."""
        self._turned = now
        return self._answers and now - self._heard > PATIENCE

    def stuck(self, now: float) -> bool:
        """Whether nobody has even asked for much longer than that: the event loop stands still."""
        return now - self._turned > PATIENCE + _STUCK

    def guard(self, clock: Callable[[], float]) -> None:
        """End the process once it is `stuck`, from a thread of its own."""

        def watch() -> None:
            pause = threading.Event()
            while not pause.wait(_STUCK / 3):
                if self.stuck(clock()):
                    os._exit(0)

        threading.Thread(target=watch, name="presence", daemon=True).start()
