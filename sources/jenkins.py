"""Jenkins (remote access API): the newest builds of each job, and the builds that wait in the queue.

A folder is read in one request, whatever it holds, which names the fields (``tree=``) and how many builds (``{0,5}``).
The branches of its multibranch projects come with it, unless it has folders of another kind.  Which folders there are
is asked for every five minutes.

An answer is the whole of its jobs, so the parts are complete: what Jenkins itself has thrown away, and the builds of
jobs that are gone or disabled, leave the board with them.  Two things are not lost with them: a running build that
newer ones have pushed out is read by itself until it ends, and a job stands as its last build with a verdict says, also
when only running and aborted ones (or of other branches) have come since.

What Jenkins' words mean is in `sources._jenkins`.  Docs: jenkins.io/doc/book/using/remote-access-api; ``tree`` and its
ranges in jenkinsci/stapler, NamedPathPruner (from the first, up to but without the second).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from sources._jenkins import Line, Read, build_of, primary_branch, read_of, tells, waiting_of
from sources._jenkins_folders import NODES, Folders, Listing, Target, full_name, path_of, shown, sort_in
from sources._jenkins_rows import BuildRow, Job, is_multibranch
from sources._shared.rows import Rows, need
from statusboard.api import (
    BadAnswer,
    Build,
    Context,
    Credentials,
    Http,
    Item,
    NotFound,
    Part,
    Past,
    Reach,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    TooLarge,
    basic,
    clean,
    option,
)

if TYPE_CHECKING:
    from sources._jenkins_history import History

FOLDERS_KEPT: Final = 300.0
MOST_FOLDERS: Final = 200
#: Jobs at a time, before others get their turn.
SLICE: Final = 50
#: Running builds behind newer ones, and jobs without a verdict among the newest, that one poll looks at by themselves.
MOST_LOOKS: Final = 20
#: Jenkins tells of no more builds than these without reading all of a job's.
LOOK_BACK: Final = 100

_CAUSES: Final = "causes[shortDescription,userId,userName,upstreamProject,upstreamBuild]"
_BUILD: Final = (
    "number,url,result,building,timestamp,duration,displayName,description,"
    f"actions[{_CAUSES},lastBuiltRevision[SHA1,branch[name]],remoteUrls,revision[hash]%s]"
)
_JOB: Final = (
    "fullName,url,color,buildable,disabled,"
    "actions[objectDisplayName,objectUrl,contributor,contributorDisplayName],"
    f"queueItem[id,why,inQueueSince,blocked,buildable,stuck,actions[{_CAUSES}]]"
)


class JenkinsOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: jenkins``."""

    folders: Annotated[
        tuple[str, ...], option("only these folders or multibranch projects, with all in them (team/payments)")
    ] = ()
    jobs: Annotated[tuple[str, ...], option("only these jobs or multibranch projects, by full name (team/till)")] = ()
    builds: Annotated[int, msgspec.Meta(ge=1, le=50), option("how many of the newest builds of each job to read")] = 5
    default_branch: Annotated[
        str, option("failures on other branches are no faults; needed where Jenkins does not tell which is the default")
    ] = ""
    parameters: Annotated[
        tuple[str, ...], option("build parameters to show as labels (ENVIRONMENT); name none that is secret")
    ] = ()

    def __post_init__(self) -> None:
        for field, names in (("folders", self.folders), ("jobs", self.jobs)):
            for name in names:
                if "://" in name or "/job/" in f"/{name}" or not name.strip("/ "):
                    raise ValueError(f"`{field}`: write the full name, such as team/checkout, not an address")
        if bool(self.username) != bool(self.token or self.password):
            raise ValueError("`username` and `token`: Jenkins wants both, the user and an API token of theirs")


class Jenkins(Source[JenkinsOptions]):
    """Builds of a server, or of some of its folders and jobs."""

    type = "jenkins"
    kinds = frozenset({"build"})
    Options = JenkinsOptions
    summary = "Builds and the build queue of Jenkins: jobs, folders, multibranch projects"
    default_interval = 60.0
    scopes_needed = "a user with Overall/Read and Job/Read, and an API token of theirs"
    requests = (1, "folder, or job named under `jobs`")
    example = """
        url: https://jenkins.example.com
        folders: [payments]
        username: "env:JENKINS_USER"
        token: "keyring:jenkins"
    """
    setup = """
        `url` is the server's root as in the browser, with its prefix if it has one (`https://example.com/jenkins`).

        - Make a user for the board with *Overall/Read* and *Job/Read*. As that user: *your name > Security >
          API Token > Add new Token*. The user's id goes into `username`, the token into `token`; both say where it
          is kept (`env:`, `keyring:`, `file:`). Without both, what anybody may see is read.
        - Without `folders` and `jobs` the whole server is read, folder by folder. Each name is a full name, as in
          *Full project name* on a job's page: `team/checkout`, `team/checkout/main`.
        - Of a multibranch project the branch that its host calls the default one counts; name it under
          `default_branch` if the host does not say. Pull requests are shown and never count as faults.
        - Disabled jobs and branches that are gone are left out.
        - Is a folder too large for one answer, name its folders or jobs, or lower `builds`.
    """
    verified = "documented"
    history_kinds = kinds
    no_history = "Jenkins throws builds away as its jobs say (Discard old builds); what is gone is gone"

    def __init__(self, options: JenkinsOptions, context: Context) -> None:
        super().__init__(options, context)
        self.fields = _BUILD % (",parameters[name,value]" if options.parameters else "")
        self._job = f"{_JOB},builds[{self.fields}]{{0,{options.builds}}}"
        self._folders: dict[str, Folders] = {}
        self._folders_at = float("-inf")
        self._running: dict[str, set[tuple[str, int]]] = {}
        self._standing: dict[str, dict[str, BuildRow | None]] = {}
        self._history: History | None = None

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        secret = credentials.token or credentials.password
        return {"Authorization": basic(credentials.username, secret)} if secret else {}

    async def scopes(self, http: Http) -> Sequence[Scope]:
        targets: dict[str, Target] = {}
        if self.options.folders or not self.options.jobs:
            await self._look_for_folders(http)
            targets = {target.name: target for found in self._folders.values() for target in found.targets}
        for name in map(full_name, self.options.jobs):
            targets.setdefault(name, Target(name=name, job=True))
        return [
            Scope(name=f"{clean(name, 200) or 'top level'} builds", kind="build", reach="complete", data=target)
            for name, target in targets.items()
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        jobs: dict[str, tuple[str, str, Job]] = {}
        parts: list[Part] = []
        for project, rows in await self.projects(scope.data, http):
            default = primary_branch(rows.good) or self.options.default_branch
            parts.append(rows.part(scope, partial(self._waiting, project, default, jobs)))
        reads: dict[str, Read] = {}
        for index, (name, job) in enumerate(jobs.items()):
            if index % SLICE == 0:
                await asyncio.sleep(0)  # thousands of jobs must not hold up the screen
            reads[name] = read_of(*job)
            parts.append(self._builds(scope, reads[name], reads[name].builds))
        parts += await self._pushed_out(scope, reads, http)
        behind, all_known = await self._behind(scope, reads, http)
        parts += behind
        items: dict[str, Item] = {}
        for item in (item for part in parts for item in part.items):
            items.setdefault(item.key, item)
        error = next((part.error for part in parts if part.error), None)
        reach: Reach = "complete" if all_known else "window"
        return msgspec.structs.replace(scope.part(items.values(), reach=reach), error=error)

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._jenkins_history import History  # nobody else needs it

        if self._history is None:
            self._history = History(self)
        return await self._history.read(scope, http, since, cursor)

    # -- folders -------------------------------------------------------------------------------------------------

    async def _look_for_folders(self, http: Http) -> None:
        """Find out what there is to read in each folder of the options."""
        if self.clock.monotonic() - self._folders_at < FOLDERS_KEPT:
            return
        folders: dict[str, Folders] = {}
        failed = False
        for name in list(map(full_name, self.options.folders)) or [""]:
            try:
                folders[name] = await self._folders_in(name, http)
            except SourceError as exc:
                # What was found before is still asked for, and says what is wrong; so does a folder that is not there.
                before = self._folders.get(name)
                if before is None and not (name and isinstance(exc, NotFound)):
                    raise
                folders[name] = before or Folders(targets=[Target(name=name)])
                failed = True
        self._folders = folders
        self._folders_at = float("-inf") if failed else self.clock.monotonic()

    async def _folders_in(self, name: str, http: Http) -> Folders:
        found = Folders(pending=[name])
        while found.pending:
            folder = found.pending.pop()
            sort_in(found, folder, (await self._listing(folder, NODES, http)).jobs or ())
            if len(found.targets) + len(found.pending) > MOST_FOLDERS:
                raise TooLarge(f"there are more than {MOST_FOLDERS} folders: name those to read under `folders`")
        if not found.targets:
            raise NotFound(f"{shown(name)} holds no job that this credential may see")
        return found

    async def _listing(self, name: str, tree: str, http: Http) -> Listing:
        try:
            reply = await http.get(f"{path_of(name)}/api/json", params={"tree": tree})
        except NotFound as exc:
            if name:
                raise
            raise NotFound(f"{exc}; is the url the root of a Jenkins, with its prefix?", status=exc.status) from None
        listing = reply.decode(Listing)
        if listing.jobs is None:
            what = f"{shown(name)} is no folder: name jobs under `jobs`" if name else "this is not what Jenkins answers"
            raise BadAnswer(what)
        return listing

    # -- jobs ----------------------------------------------------------------------------------------------------

    async def projects(self, target: Target, http: Http) -> list[tuple[str, Rows[Job]]]:
        """Lists of jobs, each with the name of the multibranch project that they are the branches of, or ``""``."""
        if target.job:
            return [await self._job_named(target.name, http)]
        below = f"jobs[{self._job}]" if target.nested else "jobs[name]{0,1}"
        listing = await self._listing(target.name, f"jobs[{self._job},{below}]", http)
        if not listing.jobs:
            raise NotFound(f"{shown(target.name)} holds no job that this credential may see")
        rows = Rows("job", Job, listing.jobs)
        found = [(target.name if is_multibranch(listing.class_) else "", rows)]
        known = {name for folders in self._folders.values() for name in folders.names}
        for job in rows.good:
            if job.jobs is not None and target.nested and is_multibranch(job.class_):
                found.append((need(job.full_name, "fullName"), Rows("job", Job, job.jobs)))
            elif job.jobs and job.full_name not in known:
                self._folders_at = float("-inf")  # it is new: the next poll reads it
        return found

    async def _job_named(self, name: str, http: Http) -> tuple[str, Rows[Job]]:
        tree = f"{self._job},jobs[{self._job}]"
        reply = await http.get(f"{path_of(name)}/api/json", params={"tree": tree})
        rows = Rows("job", Job, [reply.decode(dict[str, Any])])
        for job in rows.good:
            if job.jobs is not None and not is_multibranch(job.class_):
                raise BadAnswer(f"{shown(name)} is a folder: name it under `folders`")
            if not job.jobs and not job.is_job():
                raise NotFound(f"{shown(name)} is no job, and holds none that this credential may see")
            if job.jobs:
                return name, Rows("job", Job, job.jobs)
        return "", rows

    def _waiting(self, project: str, default: str, jobs: dict[str, tuple[str, str, Job]], job: Job) -> Build | None:
        """The build of a job that waits, if there is one; the job goes to ``jobs``, for those that began."""
        if not job.is_job() or job.is_off(branch=bool(project)):
            return None
        need(job.builds, "builds")
        jobs.setdefault(need(job.full_name, "fullName"), (project, default, job))
        return waiting_of(self, job, read_of(project, default, job).line, job.queue_item) if job.queue_item else None

    def _builds(self, scope: Scope, read: Read, builds: Rows[BuildRow]) -> Part:
        part = builds.part(scope, lambda row: build_of(self, read.job, read.line, row, self.options.parameters))
        if part.error is None:
            return part
        return msgspec.structs.replace(part, error=BadAnswer(f"{clean(read.job.full_name, 80)}: {part.error}"))

    async def _pushed_out(self, scope: Scope, reads: Mapping[str, Read], http: Http) -> list[Part]:
        """Builds that ran at the last poll, and that newer ones have pushed out of the answer."""
        seen = {(name, row.number) for name, read in reads.items() for row in read.builds.good}
        lost = [build for build in self._running.get(scope.name, ()) if build[0] in reads and build not in seen]
        read = [(reads[name], await self._one(name, number, http)) for name, number in sorted(lost)[:MOST_LOOKS]]
        rows = [(name, row) for name, read in reads.items() for row in read.builds.good]
        rows += [(one.job.full_name or "", row) for one, builds in read for row in builds.good]
        self._running[scope.name] = {(name, row.number) for name, row in rows if row.building and row.number}
        return [self._builds(scope, one, builds) for one, builds in read]

    async def _behind(self, scope: Scope, reads: Mapping[str, Read], http: Http) -> tuple[list[Part], bool]:
        """The last builds with a verdict of those jobs whose newest builds have none; and whether all were looked for.

        Without them a failure would be gone from the board as soon as somebody aborts enough builds after it.
        """
        known = self._standing.get(scope.name, {})
        standing: dict[str, BuildRow | None] = {}
        parts: list[Part] = []
        looks = 0
        for name, read in reads.items():
            row = _standing(read.line, read.builds.good)
            if row is None and len(read.job.builds or ()) >= self.options.builds:
                if name not in known:
                    looks += 1
                    if looks > MOST_LOOKS:
                        continue
                    known[name] = _standing(read.line, await self._older(name, http))
                if (row := known[name]) is not None:
                    rows = Rows("build", BuildRow)
                    rows.good.append(row)
                    parts.append(self._builds(scope, read, rows))
            standing[name] = row
        self._standing[scope.name] = standing
        return parts, looks <= MOST_LOOKS

    async def _older(self, name: str, http: Http) -> list[BuildRow]:
        tree = f"builds[{self.fields}]{{{self.options.builds},{LOOK_BACK}}}"
        job = (await http.get(f"{path_of(name)}/api/json", params={"tree": tree})).decode(Job)
        return Rows("build", BuildRow, job.builds or ()).good

    async def _one(self, name: str, number: int, http: Http) -> Rows[BuildRow]:
        """That build; none where it is gone."""
        try:
            reply = await http.get(f"{path_of(name)}/{number}/api/json", params={"tree": self.fields})
        except NotFound:
            return Rows("build", BuildRow)
        return Rows("build", BuildRow, [reply.decode(dict[str, Any])])


def _standing(line: Line, rows: Sequence[BuildRow]) -> BuildRow | None:
    """The newest of these builds that says how its job stands."""
    return max((row for row in rows if tells(line, row)), key=lambda row: row.number or 0, default=None)
