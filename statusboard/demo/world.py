"""The pretend company as the demo and its tests use it: `World`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from statusboard.demo import past
from statusboard.demo.acts import Acts
from statusboard.demo.records import FAULTS, VENDORS, Alert, Build, Fault, Service, Ticket, Vendor
from statusboard.demo.state import State
from statusboard.demo.story import Story

T = TypeVar("T")

BEGUN = 210.0
"""Seconds of the story that the first round is ahead of the watcher, so that something happens soon."""


class World(State):
    """A company with a past, a story, and a clock that its owner turns (`advance`).

    ``seed``: the same seed gives the same company and story.  ``size``: 1 is 8 services with about 60 builds, 20
    releases, 6 alerts and 25 tickets; it multiplies up to 90 (10,000 items).  ``speed``: how many seconds of the story
    pass in one second.  ``start``: the Unix time at which the watcher arrives.
    Without a ``story`` nothing happens by itself, only what is asked for by `act`.  With ``relive`` it stands at the
    beginning of its past, which is lived through as its owner turns the clock.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        size: int = 1,
        speed: float = 1.0,
        start: float,
        story: bool = True,
        relive: bool = False,
    ) -> None:
        super().__init__(seed=seed, size=size, speed=speed, start=start, past=past.PAST)
        self.acts = Acts(self)
        self.story = Story(self.acts, tickets=past.OPEN_TICKETS * self.size)
        past.fill(self.acts, self.story)
        if story:
            self.story.begin(rounds=start - BEGUN / speed, noise=start - 45 / speed)
        if not relive:
            self.run(start)
        self._names: dict[str, Callable[[Service], object]] = {
            "release": self.story.release,
            "rollback": self.story.rollback,
            "break_build": self.story.break_build,
            "fix_build": self.story.fix_build,
            "fail_pull_request": self.story.fail_pull_request,
            "flaky_build": self.story.flaky_build,
            "cancel_build": self.story.cancel_build,
            "rerun_build": lambda service: self.acts.rerun(self._build(service)),
            "fire_alert": lambda service: self.story.fire_alert(service, turn=2),
            "silence_alert": lambda service: self.story.silence_alert(self._alert(service)),
            "escalate_alert": lambda service: self.story.escalate_alert(self._alert(service)),
            "resolve_alert": lambda service: self.acts.resolve(self._alert(service)),
            "open_ticket": self.story.open_ticket,
            "close_ticket": lambda service: self.story.close_ticket(self._ticket(service)),
        }

    @property
    def act_names(self) -> tuple[str, ...]:
        """What `act` knows."""
        return (*self._names, "round", "blind", "see")

    def act(
        self, name: str, service: str = "checkout", *, vendor: Vendor = "github", fault: Fault = "unavailable"
    ) -> None:
        """Let something happen now, outside the story: to ``service``, or (``blind``, ``see``) to ``vendor``.

        What follows from it happens as time is advanced.  `LookupError` where the act or what it needs is not there.
        """
        match name:
            case "round":
                self.story.round()
            case "blind":
                if vendor not in VENDORS or fault not in FAULTS:
                    raise LookupError(f"no vendor {vendor!r} can be blinded by {fault!r}")
                self.acts.blind(vendor, fault, seconds=50)
            case "see":
                self.acts.see(vendor)
            case _ if name in self._names:
                self._names[name](self.service(service))
            case _:
                raise LookupError(f"there is no act {name!r}; there are {', '.join(self.act_names)}")

    def _alert(self, service: Service) -> Alert:
        return self._newest([a for a in self.alerts if a.labels.get("service") == service.name], "alert", service)

    def _ticket(self, service: Service) -> Ticket:
        tickets = [t for t in self.tracker if t.service is service] + [t for t in service.issues if not t.pull]
        waiting = sorted((t for t in tickets if t.closed is None), key=lambda ticket: ticket.created)
        return self._newest(waiting, "open ticket", service)

    def _build(self, service: Service) -> Build:
        return self._newest([b for b in service.builds if b.finished], "finished build", service)

    @staticmethod
    def _newest(things: list[T], what: str, service: Service) -> T:
        if not things:
            raise LookupError(f"{service.name} has no {what}")
        return things[-1]
