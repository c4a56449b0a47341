"""GitHub's workflow runs: which lists of them are read, and how far back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final, Literal
from urllib.parse import quote

import msgspec

from sources._github import Repository, Workflow, Workflows
from sources._github_options import GitHubOptions
from sources._github_runs import AnyRuns, Jobs, Pipelines, Run, Runs, build_of, verdict_so_far
from sources._shared.decoding import as_documented
from sources._shared.reruns import overtaken
from sources._shared.rows import Rows
from statusboard.api import AuthError, Build, BuildState, Http, Item, NotFound, Part, Scope, Source, clean

DEFAULT_BRANCH_KEPT: Final = 3600.0
WORKFLOWS_KEPT: Final = 3600.0
WORKFLOW_PAGES: Final = 3
#: Runs that wait for somebody whose jobs one poll of a list asks for.
MOST_LOOKS: Final = 10


class Lines(msgspec.Struct, frozen=True):
    """Which runs one part reads: those of a repository, perhaps of one branch and one workflow only."""

    repo: str
    branch: str = ""
    workflow: str = ""

    @property
    def is_pattern(self) -> bool:
        """Whether the branch stands for several: GitHub can list the runs of one branch, or of all."""
        return not set("*?[").isdisjoint(self.branch)

    def leaves_out(self, branch: str) -> bool:
        """Whether a run of this branch, being in the list, is none of those that are asked for."""
        return self.is_pattern and not fnmatchcase(branch, self.branch)


class Builds:
    """Reads the runs of a source's repositories.  ``must_have`` are those that a person has named."""

    def __init__(self, source: Source[GitHubOptions], must_have: Iterable[str]) -> None:
        self._source = source
        self._clock = source.clock
        self._must_have = frozenset(must_have)
        self._branches: dict[str, tuple[str, float]] = {}
        self._workflows: dict[str, tuple[list[Workflow], float]] = {}
        self._pipelines: dict[str, Pipelines] = {}
        self._verdicts: dict[str, dict[tuple[object, ...], BuildState | Literal[""]]] = {}
        self._lacking: dict[tuple[str, str], set[str]] = {}
        self._newest: dict[tuple[str, str], int] = {}
        self.repos: frozenset[str] = frozenset()

    def scopes(self, repo: str) -> Iterator[Scope]:
        """The parts of one repository."""
        options = self._source.options
        for workflow in dict.fromkeys(options.workflows or ("",)):
            for branch in dict.fromkeys(options.branches or ("",)):
                name = f"{repo} builds" + (f" of {workflow}" if workflow else "") + (f" on {branch}" if branch else "")
                lines = Lines(repo=repo, branch=branch, workflow=workflow)
                yield Scope(name=name, kind="build", reach="window", data=lines)

    def knows(self, repo: str, default_branch: str) -> None:
        """A repository's default branch was told elsewhere."""
        self._branches[repo] = default_branch, self._clock.monotonic()

    async def read(self, scope: Scope, http: Http) -> Part:
        """The newest runs; and those further back, at first and after a gap."""
        lines: Lines = scope.data
        paths, note = await self.paths(lines, http)
        if not paths:
            return scope.part((), notes=[note])
        limit = 100 if lines.is_pattern else self._source.options.builds
        branch = "" if lines.is_pattern else lines.branch
        params: dict[str, str | int] = {"branch": branch, "per_page": limit} if branch else {"per_page": limit}
        rows: Rows[Run] = Rows("run", Run)
        default_branch = ""
        for path in paths:
            before = len(rows.good)
            reply = await http.get(path, params=params, conditional=len(paths) == 1)
            rows.add(as_documented(reply, Runs, AnyRuns).workflow_runs)
            default_branch = await self.default_branch(lines.repo, rows.good, http)
            ids = [run.id for run in rows.good[before:] if run.id]
            further = branch or default_branch
            if further and len(ids) >= limit and min(ids) > self._newest.get((scope.name, path), 0):
                # Runs between the last poll and this window may have been missed: what the default branch's workflows
                # last said must not be among them.
                reply = await http.get(path, params={"branch": further, "per_page": 100})
                rows.add(as_documented(reply, Runs, AnyRuns).workflow_runs)
            if ids:
                self._newest[scope.name, path] = max(ids)

        self._lacking.get(("branch", branch), set()).discard(lines.repo)
        notes = await self._look_for_branch(lines.repo, branch, http) if branch and not rows.good else []
        pipelines = self._pipelines.setdefault(lines.repo, Pipelines())
        pipelines.learn(rows.good)
        late = overtaken((run.id, run.line) for run in rows.good)
        verdicts = await self._verdicts_of(
            scope.name, lines.repo, [run for run in rows.good if run.id not in late], http
        )

        def build(run: Run) -> Build | None:
            if lines.leaves_out(run.head_branch or ""):
                return None
            pipeline, over = pipelines.of(run), run.id in late
            verdict = verdicts.get(_edition(run), "")
            return build_of(
                self._source, lines.repo, default_branch, run, pipeline=pipeline, overtaken=over, verdict=verdict
            )

        return rows.part(scope, build, notes=notes)

    async def one(self, repo: str, path: str, http: Http) -> Item:
        """One run, by its path; it has fallen out of its list."""
        run = (await http.get(path)).decode(Run)
        branch = await self.default_branch(repo, [run], http)
        pipelines = self._pipelines.setdefault(repo, Pipelines())
        pipelines.learn([run])
        return build_of(
            self._source, repo, branch, run, pipeline=pipelines.of(run), overtaken=(run.run_attempt or 1) > 1
        )

    async def _verdicts_of(
        self, scope: str, repo: str, runs: Iterable[Run], http: Http
    ) -> dict[tuple[object, ...], BuildState | Literal[""]]:
        """What the jobs of those runs have said that wait for somebody, who may never come.

        Without it a branch that was mended would count as failing for as long as its deployment waits.
        """
        known, looks = self._verdicts.get(scope, {}), 0
        found = self._verdicts[scope] = {}
        for run in runs:
            if (run.status or "").lower() != "waiting" or not run.id:
                continue
            edition = _edition(run)
            if edition in known:
                found[edition] = known[edition]
            elif looks < MOST_LOOKS:
                looks += 1
                path = f"/repos/{repo}/actions/runs/{run.id}/jobs"
                params: dict[str, str | int] = {"filter": "latest", "per_page": 100}
                with contextlib.suppress(NotFound):  # it was deleted since the list was made
                    found[edition] = verdict_so_far((await http.get(path, params=params)).decode(Jobs).jobs)
        return found

    async def _look_for_branch(self, repo: str, branch: str, http: Http) -> list[str]:
        """See whether a branch without runs exists: GitHub lists none for a misspelt one.  Returns what to note."""
        try:
            await http.get(f"/repos/{repo}/branches/{quote(branch, safe='')}")
        except AuthError:
            return []  # without permission to read the code nobody tells
        except NotFound:
            return [self._lacks(repo, "branch", branch)]
        return []

    def _lacks(self, repo: str, what: str, name: str) -> str:
        """What to note of a repository that lacks something; `NotFound` where it is named, or where all lack it."""
        lacking = self._lacking.setdefault((what, name), set())
        lacking.add(repo)
        text = f"{repo}: no {what} is called {clean(name, 100)}"
        if repo in self._must_have:
            raise NotFound(text)
        if lacking >= self.repos:
            raise NotFound(f"no repository has a {what} that is called {clean(name, 100)}")
        return text

    async def default_branch(self, repo: str, runs: Sequence[Run], http: Http) -> str:
        """The repository's default branch: from a run where it says so (GitHub's do not), else asked for hourly."""
        for run in runs:
            if run.repository and run.repository.default_branch:
                return run.repository.default_branch
        branch, read_at = self._branches.get(repo, ("", float("-inf")))
        now = self._clock.monotonic()
        if runs and now - read_at >= DEFAULT_BRANCH_KEPT:
            branch = (await http.get(f"/repos/{repo}")).decode(Repository).default_branch or ""
            self._branches[repo] = branch, now
        return branch

    async def paths(self, lines: Lines, http: Http) -> tuple[list[str], str]:
        """The lists that a part reads: one, unless several workflows have the same name, or none (and why)."""
        base = f"/repos/{lines.repo}/actions"
        if not lines.workflow:
            return [f"{base}/runs"], ""
        rows = [row for row in await self._workflows_of(lines.repo, http) if _is_called(row, lines.workflow)]
        if not rows:
            if lines.repo in self._must_have:
                del self._workflows[lines.repo]  # it may be added any minute
            return [], self._lacks(lines.repo, "workflow", lines.workflow)
        self._lacking.get(("workflow", lines.workflow), set()).discard(lines.repo)
        return [f"{base}/workflows/{row.id}/runs" for row in rows], ""

    async def _workflows_of(self, repo: str, http: Http) -> list[Workflow]:
        """The workflows of a repository, kept for an hour."""
        known = self._workflows.get(repo)
        now = self._clock.monotonic()
        if known is None or now - known[1] >= WORKFLOWS_KEPT:
            rows: list[Workflow] = []
            path, params = f"/repos/{repo}/actions/workflows", {"per_page": 100}
            async for reply in http.pages(path, params=params, limit=WORKFLOW_PAGES):
                rows += reply.decode(Workflows).workflows
            known = self._workflows[repo] = rows, now
        return known[0]


def _edition(run: Run) -> tuple[object, ...]:
    """A run as it stands: what was read of its jobs holds until it moves."""
    return run.id, run.run_attempt, run.status, run.updated_at


def _is_called(workflow: Workflow, word: str) -> bool:
    """Whether a workflow's name, or that of its file, is this one."""
    file = (workflow.path or "").rpartition("/")[2]
    return word.casefold() in ((workflow.name or "").casefold(), file.casefold())
