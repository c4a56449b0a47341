"""A local clone, read with the ``git`` program: its tags, and what was merged to a branch.

Nothing is fetched.  Only plumbing is run (``for-each-ref``, ``rev-list``, ``rev-parse``, ``config``): ``git log`` would
obey ``log.showSignature`` and with it ``gpg.program`` of the clone's own configuration.  An object that a partial clone
lacks must not be fetched either, for a remote's address may be a command (``ext::``).  `OPTIONS` and `ENVIRONMENT` see
to that.  A clone that belongs to somebody else git refuses by itself (git-config, safe.directory).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final

import msgspec

from sources._git import (
    COMMIT_FORMAT,
    TAG_FORMAT,
    Brought,
    Commit,
    Remote,
    Tag,
    brought_of,
    commits_of,
    remote_of,
    tags_of,
)
from sources._shared.commands import run
from sources._shared.rows import Rows, need, remote_id
from sources._shared.versions import before, is_prerelease
from statusboard.api import (
    AuthError,
    BadAnswer,
    Context,
    Http,
    NotFound,
    Part,
    Past,
    Reach,
    Release,
    Scope,
    Source,
    SourceOptions,
    option,
    parse_time,
)

MAX_OUTPUT: Final = 8_000_000
#: Commits that are looked at for each merge that is shown: not all of a branch need be merges.
COMMITS_EACH: Final = 4
#: Of the past: so many commits are listed at once, and of commits and tags no more than these are looked at.
COMMITS_AT_ONCE: Final = 2_000
MOST_OF_THE_PAST: Final = 20_000

#: Commits between two releases that are looked at; where there are more, nothing is told of them.
MOST_BROUGHT: Final = 5_000
#: Pairs of releases whose commits are remembered: what lies between two commits never changes.
REMEMBERED: Final = 4_000

#: Stands above the clone's own configuration, of which nothing is needed to read it, and much could run a command.
OPTIONS: Final = (
    "--no-pager",
    "--no-optional-locks",
    "--no-replace-objects",
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "core.sshCommand=false"),
    *("-c", "core.askPass="),
    *("-c", "credential.helper="),
    *("-c", "protocol.allow=never"),
    *("-c", "log.showSignature=false"),
    *("-c", "i18n.logOutputEncoding=UTF-8"),
)
ENVIRONMENT: Mapping[str, str] = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # older versions know nothing of the line above
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
    "LANGUAGE": "",
}
_BRANCH = re.compile(r"(?![-/.])(?!.*(?:\.\.|//|@\{))[^\s~^:?*\[\]\\\x00-\x1f\x7f]{1,200}(?<![/.])")
_TAGS = re.compile(r"(?![-/])[^\s~^:\\\x00-\x1f\x7f]{1,200}")


class GitOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: git``."""

    path: Annotated[str, option("the folder of the clone; a bare one will do", path=True)]
    tags: Annotated[
        tuple[str, ...], option("tags such as v* or release/*, where * stops at a slash; without it and `merges`, all")
    ] = ()
    merges: Annotated[
        str, option("a branch: what was merged to it counts as released; origin's, where the clone has one")
    ] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=500), option("how many of the newest releases to read of each")] = 50

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("`path` is empty; name the folder of the clone")
        for tag in self.tags:
            if not _TAGS.fullmatch(tag):
                raise ValueError(f"`tags`: {tag[:80]!r} is no tag, nor a pattern of tags such as v*")
        if self.merges and not _BRANCH.fullmatch(self.merges):
            raise ValueError(f"`merges`: {self.merges[:80]!r} is no branch")


class Git(Source[GitOptions]):
    """Releases from tags and merges."""

    type = "git"
    kinds = frozenset({"release"})
    Options = GitOptions
    summary = "Releases from the tags of a local git clone, or from what was merged to a branch"
    default_interval = 60.0
    needs_url = False
    scopes_needed = "read access to the clone, which must belong to the user that runs the board"
    requests = (0, "clone")
    example = """
        path: /srv/clones/shop.git
        tags: [v*]
        environment: production    # without it they are published versions, not deployments
    """
    setup = """
        - The clone is read as it is and never fetched. Keep it fresh yourself, say from cron:
          `git clone --mirror ADDRESS /srv/clones/shop.git` once, then
          `git -C /srv/clones/shop.git fetch --quiet --prune` every few minutes.
        - Each tag that fits `tags` is a release: a deployment where `environment:` is set, else a published version.
        - `merges: main` makes a release of each merge to a branch, and of squashed ones that name their pull request.
        - The folder must belong to the user that runs the board, or git refuses to read it. Where it cannot, name it:
          `git config --global --add safe.directory /srv/clones/shop.git`.
    """
    verified = "real"
    history_kinds = kinds

    def __init__(self, options: GitOptions, context: Context) -> None:
        super().__init__(options, context)
        self._path = str(Path(options.path).expanduser())
        self._title = Path(self._path).name.removesuffix(".git") or self._path
        self._remote: Remote | None = None
        self._notes: list[str] = []
        self._brought: dict[tuple[str, str], Brought] = {}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        if self._remote is None:
            await self._look()
        scopes = []
        if self.options.tags or not self.options.merges:
            scopes.append(Scope(name=f"{self._title} tags", kind="release", reach="window"))
        if self.options.merges:
            name = f"{self._title} merges to {self.options.merges}"
            scopes.append(Scope(name=name, kind="release", reach="window", data=self.options.merges))
        return scopes

    async def read(self, scope: Scope, http: Http) -> Part:
        return await (self._read_merges(scope) if scope.data else self._read_tags(scope))

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        """All of it at once: what a clone holds is told in a moment."""
        from sources._shared.backwards import past  # nobody else needs it

        if scope.data:
            merges = await self._merges_since(scope.data, since)
            before_it = dict(pairwise(merges))
            rows_of_merges: Rows[Commit] = Rows("commit", Commit)
            rows_of_merges.good += merges
            wanted = [row for row in before_it if (made_at := parse_time(row.date)) is None or made_at >= since]
            brought = {row: await self._between(before_it[row].sha, row.sha) for row in wanted}
            made = past(
                rows_of_merges,
                lambda row: self._merge(
                    row, before_it[row].sha if row in before_it else "", brought.get(row, Brought())
                ),
                older="",
                reached=since,
            )
            kept = [item for item in made.items if item.started_at is None or item.started_at >= since]
            return msgspec.structs.replace(made, items=tuple(kept))
        rows = Rows("tag", Tag, tags_of(await self._tags(MOST_OF_THE_PAST)))
        wanted_tags = [row for row in rows.good if (made_at := parse_time(row.date)) is None or made_at >= since]
        told = await self._before_them(rows.good, {row.name for row in wanted_tags})

        def release(row: Tag) -> Release | None:
            if row.name not in told or (row.tagged_type or row.type) in ("blob", "tree"):
                return None
            return self._tag(row, *told[row.name])

        return past(rows, release, older="", reached=since)

    async def git(self, *arguments: str) -> bytes:
        """What ``git`` prints about the clone."""
        command = ("git", *OPTIONS, "-C", self._path, *arguments)
        # What is set for this process (GIT_DIR, GIT_SSH_COMMAND) is not about the clone.
        ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        output = await run(command, limit=float(self.options.timeout), most=MAX_OUTPUT, environ={**ours, **ENVIRONMENT})
        if not output.code:
            return output.out
        said = output.errors.decode("utf-8", "replace")
        if "dubious ownership" in said:
            raise AuthError(f"{self._path}: it belongs to another user; see git config --global --add safe.directory")
        if "not a git repository" in said or "cannot change to" in said:
            raise NotFound(f"{self._path}: no git clone is there that this user may read")
        raise BadAnswer(f"{self._path}: git {arguments[0]}: {output.said()}")

    async def _look(self) -> None:
        """Make sure that this is a clone, and see where it came from."""
        shallow, _, inside = (await self.git("rev-parse", "--is-shallow-repository", "--show-prefix")).partition(b"\n")
        if inside.strip():
            raise NotFound(f"{self._path}: this is a folder inside a clone; name the clone itself")
        if shallow == b"true":
            self._notes.append(f"{self._title}: the clone is shallow; what is older than that is not seen")
        address = await self.git("config", "--default", "", "--get", "remote.origin.url")
        self._remote = remote_of(address.decode("utf-8", "replace").strip(), self._title)

    # -- tags ----------------------------------------------------------------------------------------------------

    async def _read_tags(self, scope: Scope) -> Part:
        limit = self.options.limit
        # More than are shown, for what came before them.
        rows = Rows("tag", Tag, tags_of(await self._tags(2 * limit)))
        notes = list(self._notes)
        if not rows.good:
            if await self.git("for-each-ref", "--count=1", "--format=%(refname)", "refs/tags"):
                raise NotFound(f"{self._title}: no tag of the clone fits {', '.join(self.options.tags)}")
            notes.append(f"{self._title}: the clone has no tags")
        names = list(dict.fromkeys(row.name for row in rows.good))
        # A tag that was taken back is no release; but a clone without any says nothing.
        reach: Reach = "complete" if 0 < len(names) <= limit else "window"

        told = await self._before_them(rows.good, set(names[:limit]))

        def release(row: Tag) -> Release | None:
            if row.name not in told or (row.tagged_type or row.type) in ("blob", "tree"):
                return None
            return self._tag(row, *told[row.name])

        return rows.part(scope, release, reach=reach, notes=notes)

    async def _tags(self, count: int) -> bytes:
        """The newest tags that are asked for."""
        patterns = [f"refs/tags/{tag}" for tag in self.options.tags] or ["refs/tags"]
        newest = ("--sort=-version:refname", "--sort=-creatordate")
        return await self.git("for-each-ref", *newest, f"--count={count}", f"--format={TAG_FORMAT}", *patterns)

    async def _before_them(self, rows: Sequence[Tag], wanted: Collection[str]) -> dict[str, tuple[str, Brought]]:
        """For each of the ``wanted`` tags the one before it, and what it brought; ``rows`` are the newest first."""
        names = list(dict.fromkeys(row.name for row in rows))
        objects = {row.name: row.tagged_sha or row.sha for row in rows}
        found: dict[str, tuple[str, Brought]] = {}
        for place, name in enumerate(names):
            if name in wanted:
                other = before(name, names[place + 1 :])
                found[name] = (other, await self._between(objects[other], objects[name]) if other else Brought())
        return found

    async def _between(self, older: str, newer: str) -> Brought:
        """What the newer of two releases brought that the older one had not."""
        pair = (older, newer)
        if pair not in self._brought:
            if len(self._brought) >= REMEMBERED:
                self._brought.clear()
            only = ("--timestamp", f"--max-count={MOST_BROUGHT + 1}", "--end-of-options", newer, f"^{older}")
            try:
                found = brought_of(await self.git("rev-list", *only))
            except BadAnswer:  # a tag of no commit, an object that this clone has not
                found = Brought()
            too_many = found.count is not None and found.count > MOST_BROUGHT
            self._brought[pair] = Brought() if too_many else found
        return self._brought[pair]

    def _tag(self, row: Tag, previous: str, brought: Brought) -> Release:
        assert self._remote is not None
        name = need(row.name, "name")
        made_at = parse_time(row.date)
        return Release(
            key=self.key("release", f"tag/{remote_id(name)}"),
            source=self.name,
            title=name,
            description="" if row.subject == name else row.subject,
            state="success",
            raw_state="tagged",
            type="deployment" if self.options.environment else "publication",
            environment=self.options.environment,
            version=name,
            previous_version=previous,
            revision=row.tagged_sha or row.sha,
            prerelease=is_prerelease(name),
            commits=brought.count,
            committed_at=parse_time(brought.middle),
            repository=self._remote.repository,
            url=self._remote.tag(name),
            actor=row.tagger or row.tagged_author or row.author,
            trigger="tag",
            started_at=made_at,
            ended_at=made_at,
        )

    # -- merges --------------------------------------------------------------------------------------------------

    async def _read_merges(self, scope: Scope) -> Part:
        most = COMMITS_EACH * self.options.limit
        branch = await self._branch(scope.data)
        only = ("--first-parent", f"--max-count={most}", f"--format={COMMIT_FORMAT}")
        rows = Rows("commit", Commit, commits_of(await self.git("rev-list", *only, branch, "--")))
        merges = [row for row in rows.good if row.is_merge]
        previous = {row.sha: older.sha for row, older in pairwise(merges)}
        shown = {row.sha for row in merges[: self.options.limit]}
        brought = {sha: await self._between(previous[sha], sha) for sha in shown if previous.get(sha)}
        notes = list(self._notes)
        if not merges:
            notes.append(f"{self._title}: none of the {len(rows.good)} newest commits of {scope.data} is a merge")
        return rows.part(
            scope,
            lambda row: (
                self._merge(row, previous.get(row.sha, ""), brought.get(row.sha, Brought()))
                if row.sha in shown
                else None
            ),
            notes=notes,
        )

    async def _merges_since(self, branch: str, since: datetime) -> list[Commit]:
        """The merges since then and the last one before, the newest first."""
        full, merges = await self._branch(branch), list[Commit]()
        for start in range(0, MOST_OF_THE_PAST, COMMITS_AT_ONCE):
            only = ("--first-parent", f"--skip={start}", f"--max-count={COMMITS_AT_ONCE}", f"--format={COMMIT_FORMAT}")
            found = Rows("commit", Commit, commits_of(await self.git("rev-list", *only, full, "--"))).good
            merges += [row for row in found if row.is_merge]
            if len(found) < COMMITS_AT_ONCE or (merges and _before(merges[-1], since)):
                break
        return merges

    async def _branch(self, name: str) -> str:
        """The full name of a branch; origin's, as it was fetched last, comes before one of this clone."""
        there = [f"refs/remotes/origin/{name}", f"refs/heads/{name}", f"refs/remotes/{name}"]
        found = (await self.git("for-each-ref", "--format=%(refname)", *there)).decode("utf-8", "replace").split("\n")
        for full in there:
            if full in found:
                return full
        raise NotFound(f"{self._title}: the clone has no branch {name}")

    def _merge(self, row: Commit, previous: str, brought: Brought) -> Release:
        assert self._remote is not None
        sha = need(row.sha, "commit")
        merged_at = parse_time(row.date)
        return Release(
            key=self.key("release", f"merge/{remote_id(sha)}"),
            source=self.name,
            title=row.title or sha[:12],
            state="success",
            raw_state="merged",
            type="deployment" if self.options.environment else "publication",
            environment=self.options.environment,
            version=sha[:12],
            previous_version=previous[:12],
            revision=sha,
            commits=brought.count,
            committed_at=parse_time(brought.middle),
            repository=self._remote.repository,
            url=self._remote.commit(sha),
            labels={"branch": self.options.merges, **({"change": row.change} if row.change else {})},
            actor=row.author,
            trigger="merge",
            started_at=merged_at,
            ended_at=merged_at,
        )


def _before(row: Commit, since: datetime) -> bool:
    at = parse_time(row.date)
    return at is not None and at < since
