"""Which page of which view a wall shows, and until when.  Pure; times are those of a monotonic clock, in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

LEAST_STAY: Final = 5.0
"""What changes faster nobody can read from afar."""
_COARSE: Final = 5
"""The countdown goes in steps of so many seconds: each costs some bytes."""


class Slide(NamedTuple):
    """One page of the view with that number."""

    view: int
    page: int


class Part(NamedTuple):
    """A view as the rotation sees it: how many pages it takes, and whether something in it is failing."""

    view: int
    pages: int
    red: bool


def slides_of(parts: Sequence[Part]) -> list[Slide]:
    """What is walked through: every page of the views that are red, else of all."""
    red = [part for part in parts if part.red]
    return [Slide(part.view, page) for part in red or parts for page in range(part.pages)]


class Rotation:
    """Walks through slides, each for ``every`` seconds, and to a new fault at once."""

    def __init__(self, every: float, now: float) -> None:
        self.every = max(every, LEAST_STAY)
        self.slides: list[Slide] = []
        self.shown = Slide(0, 0)
        self._since = now  # the countdown's start: a wall with nothing else to show does not count
        self._shown_at = now

    def settle(self, parts: Sequence[Part], now: float) -> Slide:
        """What to show now, the views being as they are."""
        before = self.slides
        self.slides = slides_of(parts) or [Slide(0, 0)]
        if self.shown not in self.slides:
            self._show(self._instead(), now)
        elif len(before) < 2:
            self._since = now
        if len(self.slides) > 1 and now - self._since >= self.every:
            self._show(self.slides[(self.slides.index(self.shown) + 1) % len(self.slides)], now)
        return self.shown

    def go_to(self, slide: Slide, now: float) -> bool:
        """Show this one now, because something in it is new; False while what is shown has only just come."""
        if slide == self.shown or slide not in self.slides:
            return True
        if now - self._shown_at < LEAST_STAY:
            return False
        self._show(slide, now)
        return True

    def left(self, now: float) -> int | None:
        """Seconds until the next slide, rounded up to whole steps; None where there is no other."""
        if len(self.slides) < 2:
            return None
        seconds = max(0.0, self.every - (now - self._since))
        return max(_COARSE, -(-int(seconds + 0.999) // _COARSE) * _COARSE)

    @property
    def next(self) -> Slide:
        """What comes after."""
        if self.shown not in self.slides:
            return self.slides[0] if self.slides else self.shown
        return self.slides[(self.slides.index(self.shown) + 1) % len(self.slides)]

    def _instead(self) -> Slide:
        """Where the slide shown has gone: the page before it, of the same view if that is still walked through."""
        same = [slide for slide in self.slides if slide.view == self.shown.view]
        return same[-1] if same else self.slides[0]

    def _show(self, slide: Slide, now: float) -> None:
        self.shown = slide
        self._since = self._shown_at = now
