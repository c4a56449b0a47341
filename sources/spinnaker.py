"""Spinnaker, through Gate: executions of an application's pipelines as releases.

The list has the newest executions of each pipeline, also of those that seldom run, and without ``expand`` no more of
their stages than how these went.  Where a pipeline deploys to (account and region) is read from its configuration,
hourly.  Gate answers with an empty list for an application that does not exist, so that is asked for then.

Routes from spinnaker/gate (ApplicationController, PipelineController) and spinnaker/orca (TaskController).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from sources._shared.owners import Owners
from sources._shared.rows import Rows
from sources._spinnaker import Execution, PipelineConfig, Place, places_of, release_of
from statusboard.api import (
    Context,
    Http,
    Item,
    ItemKind,
    NotFound,
    Part,
    Past,
    Release,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    clean,
    option,
)

#: How long the configurations of pipelines are kept (seconds) ...
CONFIGS_KEPT: Final = 3600.0
#: ... and how soon they are read again when one is not among them.
CONFIGS_RENEWED: Final = 300.0


class SpinnakerOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: spinnaker``."""

    applications: Annotated[tuple[str, ...], option("names of the applications to read")]
    pipelines: Annotated[
        tuple[str, ...], option("only pipelines with these names; * and ? match anything; by default all")
    ] = ()
    executions: Annotated[int, msgspec.Meta(ge=1, le=25), option("how many executions of each pipeline to read")] = 5
    ui_url: Annotated[str, option("address of Spinnaker's web interface (Deck), for links to executions")] = ""

    def __post_init__(self) -> None:
        if not self.applications or not all(self.applications):
            raise ValueError("`applications` is empty; name at least one application")
        if not all(self.pipelines):
            raise ValueError("`pipelines`: an empty name; leave `pipelines` out for all pipelines")
        deck = urlsplit(self.ui_url)
        if self.ui_url and (deck.scheme not in ("http", "https") or not deck.netloc):
            raise ValueError("`ui_url` must be an address, such as https://spinnaker.example")


class _Places(msgspec.Struct, frozen=True):
    """Where the pipelines of an application deploy to, by their ids, when that was asked for, and why in vain."""

    known: Mapping[str, Place]
    at: float
    fault: SourceError | None = None


class Spinnaker(Source[SpinnakerOptions]):
    """Releases from the executions of pipelines."""

    type = "spinnaker"
    kinds = frozenset({"release"})
    Options = SpinnakerOptions
    summary = "Executions of Spinnaker's pipelines as releases"
    default_interval = 30.0
    requests = (1, "application")
    scopes_needed = "an account with READ permission for the applications"
    example = """\
url: https://gate.spinnaker.example
token: "keyring:spinnaker"
applications: [checkout]
ui_url: https://spinnaker.example
"""
    setup = """\
- `url` is the address of Gate (the API, often port 8084), `ui_url` that of the web interface; links need the latter.
- How Gate lets programs in is up to your installation: an OAuth access token as `token`, `username` and `password`
  for basic authentication and LDAP, or an X.509 client certificate in `tls: {cert: ..., key: ...}` for its API port.
  Store a secret with `statusboard login spinnaker`.
- Give that account READ permission for the applications (Fiat), and no more.
- All pipelines count as releases; name those that deploy in `pipelines`, such as `["Deploy *"]`.
- A pipeline's account is its environment, and the label `regions` says where to, as far as its configuration tells.
"""
    verified = "documented"
    history_kinds = kinds
    no_history = "Spinnaker forgets the executions of deleted pipelines, and old ones as its clean-up is told"

    def __init__(self, options: SpinnakerOptions, context: Context) -> None:
        super().__init__(options, context)
        self._places: dict[str, _Places] = {}
        self._owners = Owners()

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [
            Scope(name=f"{application} releases", kind="release", reach="window", data=application)
            for application in dict.fromkeys(self.options.applications)
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        application: str = scope.data
        params: dict[str, str | int] = {"limit": self.options.executions, "expand": "false"}
        reply = await http.get(f"/applications/{quote(application, safe='')}/pipelines", params=params)
        rows = Rows("execution", Execution, reply.decode(list[Any]))
        if not rows.good:
            # Else an application with a slip in its name would look as one that never deployed.
            await http.get(f"/applications/{quote(application, safe='')}", params={"expand": "false"})
        pipelines = {row.pipeline_config_id or "" for row in rows.good}
        gone = self._owners.gone(scope.name, pipelines)
        places = await self.places_of(application, rows.good, http, renew=bool(gone))
        owners: dict[str, str] = {}

        def release(row: Execution) -> Release | None:
            found = self.release(application, places.known, row)
            if found is not None:
                owners[found.key] = row.pipeline_config_id or ""
            return found

        part = rows.part(scope, release)
        # Those known before will do; without any, nothing says what went to production.
        if places.fault and not places.known:
            return msgspec.structs.replace(part, error=part.error or places.fault)
        names = {row.name or "" for row in rows.good} | {place.pipeline for place in places.known.values()}
        missing = [w for w in self.options.pipelines if not any(fnmatchcase(name, w) for name in names)]
        if missing and not part.error:
            error = NotFound(f"{application} has no pipeline {clean(', '.join(missing), 200)}")
            part = msgspec.structs.replace(part, error=error)
        # A pipeline that has no executions any more may only not have run for long.
        return part if places.fault else self._owners.part(part, owners, {"", *pipelines, *places.known})

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._spinnaker_history import read  # nobody else needs it

        return await read(self, scope.data, http, since, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        application, _, number = remote_id.rpartition("/")
        row = (await http.get(f"/pipelines/{quote(number, safe='')}")).decode(Execution)
        return self.release(application, (await self.places_of(application, [row], http)).known, row)

    def release(self, application: str, places: Mapping[str, Place], row: Execution) -> Release | None:
        """An execution of an application; None for one that is no deployment, or of a pipeline that is not wanted."""
        if self.options.pipelines and not any(fnmatchcase(row.name or "", name) for name in self.options.pipelines):
            return None
        page = f"{self.options.ui_url.rstrip('/')}/#/applications/{quote(application, safe='')}"
        place = places.get(row.pipeline_config_id or "")
        return release_of(self, page if self.options.ui_url else "", application, place, row)

    async def places_of(
        self, application: str, rows: Sequence[Execution], http: Http, *, renew: bool = False
    ) -> _Places:
        """Where the pipelines of an application deploy to; ``renew`` asks for it in any case."""
        places = self._places.get(application, _Places({}, float("-inf")))
        now = self.clock.monotonic()
        complete = all(row.pipeline_config_id in places.known for row in rows if row.pipeline_config_id)
        if renew or now - places.at >= (CONFIGS_KEPT if complete and not places.fault else CONFIGS_RENEWED):
            try:
                reply = await http.get(f"/applications/{quote(application, safe='')}/pipelineConfigs")
                known = places_of(Rows("pipeline", PipelineConfig, reply.decode(list[Any])).good)
                places = _Places(known, now)
            except SourceError as exc:
                places = _Places(places.known, now, exc)
            self._places[application] = places
        return places
