"""Woodpecker (REST API): pipelines as builds, and deployments as releases.

A repository is asked for by its number, which its name is looked up for once. Deployments are a list of their own, by
``event`` (since 3.0; a server that does not know the filter lists all, and the others are left out here). At first, and
after a gap, the pipelines of the default branch are read further back. A restart is a new pipeline that names the one
before as its parent, and counts (``rerun_count``). Times had names of their own before 3.0 (``started_at``).

What the words mean is in `sources._drone`, which Drone shares.  Docs: of woodpecker-ci/woodpecker (2.8 and 3.17)
server/model/pipeline.go, server/api/pipeline.go and server/router/api.go; a page's address from server/api/badge.go.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sources._drone import PULLS, Repository, Row, Run, Time, first_line
from sources._drone_family import Family, FamilyOptions
from sources._shared.rows import need
from statusboard.api import Http, ItemKind, NotFound


class WoodpeckerOptions(FamilyOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: woodpecker``."""


class Found(msgspec.Struct, frozen=True):
    id: int
    full_name: str
    default_branch: str | None = None
    active: bool | None = None


class PipelineError(msgspec.Struct, frozen=True):
    message: str | None = None
    is_warning: bool | None = None


class CancelInfo(msgspec.Struct, frozen=True):
    canceled_by_user: str | None = None
    superseded_by: int | None = None
    canceled_by_step: str | None = None


class Pipeline(Row, frozen=True, kw_only=True):
    """``refspec`` is ``source:target`` of a pull request; its ``branch`` is the target."""

    author: str | None = None
    errors: list[PipelineError] | None = None
    commit: str | None = None
    branch: str | None = None
    refspec: str | None = None
    forge_url: str | None = None
    reviewed_by: str | None = None
    cancel_info: CancelInfo | None = None
    from_fork: bool | None = None
    deploy_task: str | None = None
    created_at: Time = None
    started_at: Time = None
    finished_at: Time = None


class Woodpecker(Family[WoodpeckerOptions, Pipeline]):
    """Pipelines and deployments of some repositories."""

    type = "woodpecker"
    Options = WoodpeckerOptions
    summary = "Pipelines and deployments of Woodpecker CI"
    scopes_needed = "the personal access token of a user who may read the repositories; Woodpecker has no narrower one"
    requests = (2, "repository")
    example = """\
url: https://ci.acme.example
repos: [acme/checkout, acme/ledger]
token: "keyring:woodpecker"
"""
    setup = """\
- Sign in to Woodpecker, open your user settings, then *CLI & API*: the *Personal Access Token* stands there.
- It can do whatever its user can; better than your own is that of a user who may only read the repositories.
- Store it with `statusboard login woodpecker`. Then `token: "keyring:woodpecker"`.
- `url` is the server's root, as in the browser; `repos` are their full names, `acme/checkout`.
- A repository must be enabled in Woodpecker. Public ones can be read without a token.
- Pipelines of the event `deployment` are releases; what they deploy to (`deploy_to`) is the environment. To start one
  there, *Allow deployments* must be on in the repository's settings.
"""
    verified = "documented"

    noun = "pipeline"
    most = 50
    shape = Pipeline

    async def find(self, repo: str, before: Repository | None, http: Http) -> Repository:
        # Its number is kept for good; a repository that was removed and added again is looked up anew (see `read`).
        path = before.api.removesuffix("/pipelines") if before else f"/api/repos/lookup/{repo}"
        found = (await http.get(path)).decode(Found)
        if found.active is False:
            raise NotFound(f"{repo} is not enabled in Woodpecker: nothing is built")
        return Repository(
            name=repo,
            default_branch=found.default_branch or "",
            api=f"/api/repos/{found.id}/pipelines",
            pages=f"{self.options.url.rstrip('/')}/repos/{found.id}/pipeline",
        )

    def window(self, repository: Repository, kind: ItemKind, count: int, page: int = 1) -> Mapping[str, str | int]:
        newest: dict[str, str | int] = {"page": page, "perPage": count}
        return {**newest, "event": "deployment"} if kind == "release" else newest

    def further(self, repository: Repository, kind: ItemKind) -> tuple[str, Mapping[str, str | int]] | None:
        if kind == "release" or not repository.default_branch:
            return None
        # The branch of a pull request is the one it goes to, and there are more of them than of anything else.
        events = {"branch": repository.default_branch, "event": "push,cron,manual"}
        return repository.api, {"page": 1, "perPage": self.options.builds, **events}

    def run_of(self, repository: Repository, row: Pipeline) -> Run:
        event, ref = need(row.event, "event").strip().lower(), row.ref or ""
        tag = ref.removeprefix("refs/tags/") if ref.startswith("refs/tags/") else ""
        source = (row.refspec or "").partition(":")[0] if event in PULLS else ""
        return Run(
            number=need(row.number, "number"),
            status=row.status or "",
            event=event,
            title=first_line(row.title, row.message),
            reason=_reason(row),
            branch=tag or source or row.branch or "",
            ref=ref,
            fork="unknown" if row.from_fork else "",
            revision=row.commit or "",
            actor=row.author or ("" if event == "cron" else row.sender) or "",
            cron=(row.cron or row.sender or "") if event == "cron" else "",
            deploy_to=row.deploy_to or "",
            # Of a deployment it is an address of the forge's API.
            link="" if event == "deployment" else row.forge_url or "",
            parent=row.parent or 0,
            labels={"task": row.deploy_task} if row.deploy_task else {},
            created=row.created or row.created_at,
            started=row.started or row.started_at,
            finished=row.finished or row.finished_at,
        )


def _reason(row: Pipeline) -> str:
    """Why it failed, who declined it, or what it was cancelled for; warnings are none."""
    status = (row.status or "").strip().lower()
    if status == "declined":
        return f"declined by {row.reviewed_by}" if row.reviewed_by else "declined"
    if status in ("failure", "error"):
        return next((fault.message for fault in row.errors or () if fault.message and not fault.is_warning), "")
    info = row.cancel_info or CancelInfo()
    if info.superseded_by:
        return f"superseded by #{info.superseded_by}"
    by = info.canceled_by_user or info.canceled_by_step
    return f"cancelled by {by}" if by else ""
