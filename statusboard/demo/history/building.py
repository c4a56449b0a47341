"""The builds of the past: pushes, pull requests and nightly builds; some break, one is flaky, one takes ever longer."""

from __future__ import annotations

from typing import Final, NamedTuple

from statusboard.demo.history.calendar import HOUR, MINUTE, Calendar
from statusboard.demo.names import BRANCHES, COMMITS, PEOPLE
from statusboard.demo.records import Build, BuildState, Service

FLAKES: Final = 0.3
"""How many of the builds of a flaky pipeline fail, and pass when they are run again."""

SLOWER: Final = 2.4
"""How many times as long the builds take at the end of the history where they take ever longer."""


class Attempt(NamedTuple):
    """One attempt of a build: when it was asked for, began and ended, and how."""

    asked: float
    began: float
    ended: float
    state: BuildState


class Run(NamedTuple):
    """A build, whose own times and state are still to be set, and its attempts."""

    build: Build
    attempts: list[Attempt]


class Building:
    """All builds of one service, in no particular order.

    ``flaky`` and ``slower`` are the pipelines of which that is true, ``red`` the one that was red for days.
    """

    def __init__(
        self,
        service: Service,
        calendar: Calendar,
        *,
        pushes: float,
        pulls: float,
        flaky: str = "",
        slower: str = "",
        red: str = "",
    ) -> None:
        self.runs: list[Run] = []
        self._service = service
        self._calendar = calendar
        self._rng = calendar.rng
        self._flaky = flaky
        self._slower = slower
        self.pulls = 0
        """How many pull requests there were; a build's ``change`` is the number of its own among them."""
        self._takes = {name: self._rng.uniform(2.5, 6) * MINUTE for name in service.pipelines}
        self._push(pushes)
        self._pull(pulls)
        if "nightly" in service.pipelines:
            self._nightly(red == "nightly")

    def _push(self, a_day: float) -> None:
        rng, service = self._rng, self._service
        free = 0.0
        for time in self._calendar.times(a_day):
            if time < free:
                continue
            title, actor, sha = rng.choice(COMMITS), rng.choice(PEOPLE), self._calendar.sha()
            for pipeline in service.pipelines:
                if pipeline == "nightly":
                    continue
                fails = rng.random() < (FLAKES if pipeline == self._flaky else 0.05)
                ended = self._run(pipeline, time, title, actor, sha, "failed" if fails else "success")
                if fails and pipeline == self._flaky:
                    self._again(ended)
                elif fails:
                    free = self._fix(pipeline, ended)

    def _fix(self, pipeline: str, time: float) -> float:
        """Somebody mends what is broken; returns when."""
        rng = self._rng
        title, actor = f"Fix the build: {rng.choice(COMMITS)}", rng.choice(PEOPLE)
        return self._run(pipeline, time + self._calendar.minutes(10, 80), title, actor, self._calendar.sha(), "success")

    def _again(self, time: float) -> None:
        """The newest build is run once more, and passes: as itself, or as another build of the same revision."""
        build, attempts = self.runs[-1]
        asked = time + self._calendar.minutes(2, 25)
        if build.service.ci == "actions":
            attempts.append(self._attempt(build.pipeline, asked, "success"))
        else:
            self._run(build.pipeline, asked, build.title, build.actor, build.sha, "success")

    def _pull(self, a_day: float) -> None:
        rng, service = self._rng, self._service
        for time in self._calendar.times(a_day):
            actor, title = rng.choice(PEOPLE), rng.choice(COMMITS)
            pipeline, branch = service.pipelines[0], rng.choice(BRANCHES)
            self.pulls += service.ci == "actions"
            for _ in range(1 + (rng.random() < 0.4)):  # a second push to the same branch
                fails = rng.random() < 0.2
                event = "pull_request" if service.ci == "actions" else "push"
                state: BuildState = "failed" if fails else "success"
                time = self._run(pipeline, time, title, actor, self._calendar.sha(), state, event=event, branch=branch)
                time += self._calendar.minutes(5, 60)

    def _nightly(self, red: bool) -> None:
        """Every night, in quiet ones too; in a ``red`` one somebody breaks it, and nobody looks for a week."""
        for day, _ in self._calendar.days():
            time = day + 2 * HOUR + self._calendar.minutes(0, 20)
            if self._calendar.since < time < self._calendar.until - HOUR:
                fails = red and 0.42 < self._calendar.progress(time) < 0.5
                title, actor = self._rng.choice(COMMITS), self._rng.choice(PEOPLE)
                state: BuildState = "failed" if fails else "success"
                self._run("nightly", time, title, actor, self._calendar.sha(), state, event="schedule")

    def _run(
        self,
        pipeline: str,
        time: float,
        title: str,
        actor: str,
        sha: str,
        state: BuildState,
        *,
        event: str = "push",
        branch: str = "main",
    ) -> float:
        """One build; returns when it ends."""
        attempt = self._attempt(pipeline, time, state)
        build = Build(
            service=self._service,
            pipeline=pipeline,
            id=0,
            request_id=0,
            number=0,
            title=title,
            actor=actor,
            sha=sha,
            branch=branch,
            event=event,
            created=time,
            asked=time,
            updated=time,
            change=self.pulls if event == "pull_request" else 0,
        )
        self.runs.append(Run(build, [attempt]))
        return attempt.ended

    def _attempt(self, pipeline: str, asked: float, state: BuildState) -> Attempt:
        rng = self._rng
        grown = 1 + (SLOWER - 1) * self._calendar.progress(asked) if pipeline == self._slower else 1.0
        began = asked + rng.uniform(3, 40)
        return Attempt(asked, began, began + self._takes[pipeline] * grown * rng.uniform(0.85, 1.2), state)
