"""Drone (REST API): builds, and promotions and rollbacks as releases.

The list of builds holds both. At first, and after a gap, the builds of the default branch are read further back, and
the last deployment to each target (a list that Drone keeps apart), since most others may be of pull requests. A restart
is a new build that names the one before as its parent; a promotion names the build that it deploys.

What the words mean is in `sources._drone`, which Woodpecker shares.  Docs: docs.drone.io/api; and of
drone/drone core/build.go and handler/api/api.go.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sources._drone import PULLS, Repository, Row, Run, first_line
from sources._drone_family import Family, FamilyOptions
from sources._shared.rows import need
from statusboard.api import Http, ItemKind, NotFound


class DroneOptions(FamilyOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: drone``."""


class Found(msgspec.Struct, frozen=True):
    slug: str
    default_branch: str | None = None
    active: bool | None = None


class DroneBuild(Row, frozen=True, kw_only=True):
    """``trigger`` is ``@hook``, ``@cron`` or the login of who restarted, promoted or started it."""

    trigger: str | None = None
    error: str | None = None
    link: str | None = None
    after: str | None = None
    source_repo: str | None = None
    source: str | None = None
    target: str | None = None
    author_login: str | None = None
    author_name: str | None = None


class Drone(Family[DroneOptions, DroneBuild]):
    """Builds, promotions and rollbacks of some repositories."""

    type = "drone"
    Options = DroneOptions
    summary = "Builds, promotions and rollbacks of Drone"
    scopes_needed = "the token of a user who may read the repositories; Drone has no narrower one"
    requests = (2, "repository")
    example = """\
url: https://drone.acme.example
repos: [acme/checkout, acme/ledger]
token: "keyring:drone"
"""
    setup = """\
- Sign in to Drone and click your avatar: the token stands in your account settings.
- It can do whatever its user can; better than your own is that of a user who may only read the repositories.
- Store it with `statusboard login drone`. Then `token: "keyring:drone"`.
- `url` is the server's root, as in the browser; `repos` are named as there, `acme/checkout`, in the same letter case.
- A repository must be activated in Drone. Public ones can be read without a token.
- Promotions and rollbacks are releases; their target is the environment.
"""
    verified = "documented"

    noun = "build"
    most = 100
    shape = DroneBuild

    async def find(self, repo: str, before: Repository | None, http: Http) -> Repository:
        found = (await http.get(f"/api/repos/{repo}")).decode(Found)
        if found.active is False:
            raise NotFound(f"{repo} is not activated in Drone: nothing is built")
        return Repository(
            name=repo,
            default_branch=found.default_branch or "",
            api=f"/api/repos/{repo}/builds",
            pages=f"{self.options.url.rstrip('/')}/{repo}",
        )

    def window(self, repository: Repository, kind: ItemKind, count: int, page: int = 1) -> Mapping[str, str | int]:
        return {"page": page, "per_page": count}

    def further(self, repository: Repository, kind: ItemKind) -> tuple[str, Mapping[str, str | int]] | None:
        if kind == "release":
            return f"{repository.api}/deployments", {}
        if not repository.default_branch:
            return None
        return repository.api, {"branch": repository.default_branch, "page": 1, "per_page": self.options.builds}

    def run_of(self, repository: Repository, row: DroneBuild) -> Run:
        event, ref = need(row.event, "event").strip().lower(), row.ref or ""
        tag = ref.removeprefix("refs/tags/") if ref.startswith("refs/tags/") else ""
        other = (row.source_repo or "").lower() not in ("", repository.name.lower())
        person = "" if (row.trigger or "@").startswith("@") else row.trigger
        return Run(
            number=need(row.number, "number"),
            status=row.status or "",
            event=event,
            title=first_line(row.title, row.message),
            reason=row.error or "",
            branch=tag or (row.source if event in PULLS else row.target) or "",
            ref=ref,
            fork=(row.source_repo or "") if other else "",
            revision=row.after or "",
            actor=person or row.sender or row.author_login or row.author_name or "",
            cron=row.cron or "",
            deploy_to=row.deploy_to or "",
            link=row.link or "",
            parent=row.parent or 0,
            created=row.created,
            started=row.started,
            finished=row.finished,
        )
