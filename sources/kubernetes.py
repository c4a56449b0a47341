"""Kubernetes: rollouts as releases and workloads without enough pods as incidents; Flux and Argo Rollouts where the
cluster has them.

One list of a resource (of one namespace, or of all) tells of releases and incidents alike and is read once a poll for
both.  Lists are whole, so what is gone from them is gone.  A list says when a rollout ended, and not when it began:
that is the birth of its ReplicaSet, asked for (as metadata only) when a rollout is new.  What was rolled out before is
kept in mind, so that its verdict stands until the new one has its own.

What the objects' words mean is in `sources._kubernetes`, what becomes of them in `sources._kubernetes_items`, how a
cluster is reached in `sources._kubernetes_access`.
Docs: kubernetes.io, reference/using-api/api-concepts (limit, continue, 410), concepts/workloads/controllers/deployment.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from sources._kubernetes import GROUPS, Object, Resource
from sources._kubernetes_access import IN_CLUSTER, Cluster
from sources._kubernetes_items import REMEMBERED, Memory, Place, cannot_create, unavailable
from sources._shared.rows import Rows
from statusboard.api import (
    AuthError,
    BadAnswer,
    Context,
    Credentials,
    Http,
    ItemKind,
    NotFound,
    Part,
    Release,
    Reply,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    TLSData,
    TLSOptions,
    TooLarge,
    option,
)

PAGE: Final = 250
PAGES: Final = 20
#: How often a list is begun again that has expired while it was read.
RESTARTS: Final = 3
#: How long it counts as known which of Flux and Argo Rollouts there is, and that a namespace exists (seconds).
KNOWN: Final = 600.0
BASIC: Final[tuple[Resource, ...]] = ("deployments", "statefulsets", "daemonsets")
#: Resources that not every cluster has.
EXTRAS: Final[tuple[Resource, ...]] = ("rollouts", "kustomizations", "helmreleases")
#: Resources whose pods are counted.
WORKLOADS: Final[tuple[Resource, ...]] = (*BASIC, "rollouts")
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class KubernetesOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: kubernetes``."""

    context: Annotated[str, option("read the cluster of this context of the kubeconfig; instead of `url`")] = ""
    kubeconfig: Annotated[str, option("the kubeconfig; else those of $KUBECONFIG, else ~/.kube/config", path=True)] = ""
    namespaces: Annotated[tuple[str, ...], option("only these namespaces; all where none is named")] = ()
    selector: Annotated[str, option("only objects with these labels, as in kubectl -l: team=payments")] = ""
    resources: Annotated[tuple[Resource, ...], option("only these; without it all of them that the cluster has")] = ()
    cluster: Annotated[str, option("the cluster's name on the board, where services run in several")] = ""
    environments: Annotated[
        dict[str, str], option("namespace: environment, such as {shop-prod: production}; * and ? match anything")
    ] = msgspec.field(default_factory=dict)
    link: Annotated[
        str, option("a page for each object: https://x.example/{namespace}/{name}; {resource} is known as well")
    ] = ""

    def __post_init__(self) -> None:
        if self.context and self.url not in ("", IN_CLUSTER):
            raise ValueError("`context` and `url` are two ways to name a cluster; give one of them")
        if self.kubeconfig and not self.context:
            raise ValueError("`kubeconfig` needs a `context`: which one is current may change behind the board's back")
        if self.context and self.tls != TLSOptions():
            raise ValueError("`tls` goes with `url`; a kubeconfig says itself whom to trust")
        for namespace in self.namespaces:
            if not _NAMESPACE.fullmatch(namespace):
                raise ValueError(f"`namespaces`: {namespace[:80]!r} is no name of a namespace")


class ListMeta(msgspec.Struct, frozen=True):
    more: str | None = msgspec.field(default=None, name="continue")


class Listed(msgspec.Struct, frozen=True):
    kind: str
    items: list[Any]
    metadata: ListMeta | None = None


class ApiResource(msgspec.Struct, frozen=True):
    name: str


class ApiResources(msgspec.Struct, frozen=True):
    kind: str
    resources: list[ApiResource] | None = None


class Kubernetes(Source[KubernetesOptions]):
    """Rollouts, and workloads that lack pods."""

    type = "kubernetes"
    kinds = frozenset({"release", "incident"})
    Options = KubernetesOptions
    summary = "Rollouts and unavailable workloads of a Kubernetes cluster, with Flux and Argo Rollouts"
    default_url = IN_CLUSTER
    default_interval = 30.0
    requests = (3, "namespace that is named, or once for all of them (more with Flux or Argo Rollouts)")
    scopes_needed = (
        "list on deployments, statefulsets, daemonsets and replicasets of apps (and on rollouts, kustomizations and "
        "helmreleases where there are any); get on the namespaces that are named"
    )
    example = """
        url: https://kube.example.com:6443
        token: "keyring:kubernetes"
        tls: {ca: ~/.kube/kube.example.com.crt}
        namespaces: [shop]
        environment: production
    """
    setup = """
        Make a service account that may only look, as an administrator of the cluster:

            kubectl create clusterrole statusboard --verb=get,list --resource=namespaces,deployments.apps,\
statefulsets.apps,daemonsets.apps,replicasets.apps
            kubectl -n kube-system create serviceaccount statusboard
            kubectl create clusterrolebinding statusboard --clusterrole=statusboard \
--serviceaccount=kube-system:statusboard
            kubectl -n kube-system create token statusboard --duration=8760h

        - `statusboard login kubernetes` stores the token; `kubectl cluster-info` prints the `url`, and `kubectl config
          view --raw -o jsonpath='{.clusters[0].cluster.certificate-authority-data}' | base64 -d` the `tls: {ca: FILE}`.
        - With Flux or Argo Rollouts, let the role list those as well: `kustomizations.kustomize.toolkit.fluxcd.io`,
          `helmreleases.helm.toolkit.fluxcd.io`, `rollouts.argoproj.io`.
        - `context: NAME` takes server, certificates and token from your kubeconfig instead. Users that are commands
          (`exec`: EKS, GKE, AKS, OIDC) are refused: add `token` as above, and the rest is taken from the context.
        - In a pod neither is needed: its own service account is used.
        - Kubernetes has no pages: `link` makes some. What a namespace is for, `environments` says.
        - StatefulSets and DaemonSets give no times and never say that a rollout failed; that they lack pods is seen.
    """
    verified = "real"
    no_history = "a cluster keeps no history of its workloads that could be paged through"

    def __init__(self, options: KubernetesOptions, context: Context) -> None:
        super().__init__(options, context)
        self._own = not options.context and options.url not in ("", IN_CLUSTER)  # the options say it all
        self._cluster = Cluster(options.kubeconfig, options.context, context.clock)
        self._place = Place(
            source=self.name,
            cluster=options.cluster or options.context,
            environments=options.environments,
            link=options.link,
        )
        self._extras: tuple[Resource, ...] = ()
        self._extras_at = float("-inf")
        self._existing: dict[str, float] = {}
        self._lists: dict[str, tuple[Rows[Object], int] | SourceError] = {}  # and how many objects there are
        #: How many scopes are still to be made of each list of this poll.
        self._readers: Counter[str] = Counter()
        self._locks: dict[str, asyncio.Lock] = {}
        self._memories: dict[str, Memory] = {}

    # -- reaching the cluster ------------------------------------------------------------------------------------

    def base_url(self) -> str:
        access = self._cluster.access
        return self.options.url if self._own else access.server if access else ""

    def tls(self) -> TLSOptions | TLSData:
        access = self._cluster.access
        return self.options.tls if access is None or self.options.tls != TLSOptions() else access.tls

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        self._cluster.refused()  # this is asked for at first, and when the server refused what we had
        return super().sign(credentials)

    async def sign_request(
        self, credentials: Credentials, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        await self._reach()
        return {} if "authorization" in headers else await self._cluster.headers()

    async def _reach(self) -> None:
        if not self._own:
            await self._cluster.reach(token=bool(self.options.token or self.options.username))

    def fault(self, reply: Reply, error: SourceError) -> SourceError:
        if not isinstance(error, AuthError):
            return error
        advice = (
            "the token or certificate is missing, wrong or expired"
            if error.status == 401
            else "its role needs that verb; `statusboard sources kubernetes` shows how to give it"
        )
        return AuthError(f"{error}; {advice}", status=error.status)

    # -- what to read --------------------------------------------------------------------------------------------

    @classmethod
    def ambient(cls, options: KubernetesOptions) -> str:
        if options.context:
            return "your kubeconfig"
        return "the service account of this pod" if options.url in ("", IN_CLUSTER) else ""

    async def scopes(self, http: Http) -> Sequence[Scope]:
        await self._reach()
        self._lists.clear()
        self._locks.clear()
        resources = self.options.resources or (*BASIC, *await self._there(http))
        kinds: tuple[ItemKind, ...] = ("release", "incident")
        scopes = [
            Scope(
                name=f"{namespace + '/' if namespace else ''}{resource} {kind}",
                kind=kind,
                reach="complete",
                data=(resource, namespace),
            )
            for namespace in dict.fromkeys(self.options.namespaces or ("",))
            for resource in dict.fromkeys(resources)
            for kind in kinds
            if self.wants(kind) and (kind == "release" or resource in WORKLOADS)
        ]
        self._readers = Counter(_list_name(*scope.data) for scope in scopes)
        return scopes

    async def _there(self, http: Http) -> tuple[Resource, ...]:
        """Which there are of the resources that not every cluster has."""
        now = self.clock.monotonic()
        if now - self._extras_at >= KNOWN:
            found: list[Resource] = []
            for resource in EXTRAS:
                try:
                    reply = await http.get(f"/apis/{GROUPS[resource][0]}")
                except NotFound as exc:
                    if exc.status != 404:
                        raise
                    continue
                known = reply.decode(ApiResources)
                if known.kind != "APIResourceList":
                    raise BadAnswer("/apis is not that of a Kubernetes API server; is the url right?")
                if any(row.name == resource for row in known.resources or ()):
                    found.append(resource)
            self._extras, self._extras_at = tuple(found), now
        return self._extras

    # -- reading -------------------------------------------------------------------------------------------------

    async def read(self, scope: Scope, http: Http) -> Part:
        resource, namespace = scope.data
        name = _list_name(resource, namespace)
        async with self._locks.setdefault(name, asyncio.Lock()):  # both kinds are in one list
            if name not in self._lists:
                try:
                    self._lists[name] = await self._list(resource, namespace, http)
                except SourceError as exc:
                    self._lists[name] = exc
        listed = self._lists[name]
        self._readers[name] -= 1
        if not self._readers[name]:  # until the next poll it would only weigh
            del self._lists[name]
        if isinstance(listed, SourceError):
            raise listed
        rows, count = listed
        notes: list[str] = []
        if not count and namespace:
            notes += await self._exists(namespace, http)
        if not count and self.options.selector:
            notes.append(f"{resource}: none has the labels that `selector` asks for")
        if scope.kind == "incident":
            part = rows.part(scope, lambda thing: unavailable(self._place, resource, thing), notes=notes)
            more = rows.part(scope, lambda thing: cannot_create(self._place, resource, thing))
            return msgspec.structs.replace(part, items=part.items + more.items, error=part.error or more.error)
        memory = self._memories.setdefault(name, Memory())
        if resource in REMEMBERED:
            notes += await self._begun(memory, namespace, rows.good, http)
        return self._releases(scope, resource, memory, rows, notes)

    def _releases(
        self, scope: Scope, resource: Resource, memory: Memory, rows: Rows[Object], notes: Sequence[str]
    ) -> Part:
        before: dict[str, Release] = {}

        def newest(thing: Object) -> Release:
            first, *others = memory.releases(self._place, resource, thing)
            before.update({other.key: other for other in others})
            return first

        memory.begin()
        part = rows.part(scope, newest, notes=notes)
        if part.error is None:
            memory.end()
        for item in part.items:
            before.pop(item.key, None)
        return msgspec.structs.replace(part, items=(*part.items, *before.values()))

    async def _begun(self, memory: Memory, namespace: str, things: list[Object], http: Http) -> list[str]:
        """Find out when rollouts began that are new to us; a note where we may not."""
        if memory.unknown(things):
            path = _path("replicasets", namespace)
            try:
                pages = [page async for page in self._pages(path, http, headers={"Accept": METADATA_ONLY})]
                memory.blind = False
            except (AuthError, TooLarge):
                pages, memory.blind = [], True
            memory.learn(things, [row for page in pages for row in Rows("replicaset", Object, page).good])
        return ["when rollouts began is not known: the replicasets cannot be listed"] if memory.blind else []

    async def _list(self, resource: Resource, namespace: str, http: Http) -> tuple[Rows[Object], int]:
        """All objects; a list that expires while it is read (410) is begun again."""
        path = _path(resource, namespace)
        for _ in range(RESTARTS):
            rows, count = Rows(GROUPS[resource][1], Object), 0
            try:
                async for page in self._pages(path, http, selector=self.options.selector):
                    rows.add(page)  # at once: as they come, objects are many times as large
                    count += len(page)
            except NotFound as exc:
                if exc.status != 410:
                    raise
                continue
            return rows, count
        raise BadAnswer(f"{path}: the list expired again and again while it was read")

    async def _pages(
        self, path: str, http: Http, *, selector: str = "", headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[Any]]:
        params: dict[str, str | int] = {"limit": PAGE, **({"labelSelector": selector} if selector else {})}
        kinds = (f"{path.rpartition('/')[2].removesuffix('s')}list", "partialobjectmetadatalist")
        for _ in range(PAGES):
            listed = (await http.get(path, params=params, headers=headers)).decode(Listed)
            if listed.kind.lower() not in kinds:
                raise BadAnswer(f"{path}: no list came; is the url that of a Kubernetes API server?")
            yield listed.items
            if not (listed.metadata and listed.metadata.more):
                return
            params["continue"] = listed.metadata.more
        raise TooLarge(f"{path}: more than {PAGE * PAGES} objects; name `namespaces` or a `selector`")

    async def _exists(self, namespace: str, http: Http) -> list[str]:
        """An empty list may be that of a namespace that is not there: `NotFound`, or a note where we may not know."""
        now = self.clock.monotonic()
        if now - self._existing.get(namespace, float("-inf")) >= KNOWN:
            try:
                await http.get(f"/api/v1/namespaces/{namespace}")
            except AuthError:
                return [f"whether the namespace {namespace} exists, this credential may not know"]
            except NotFound as exc:
                raise NotFound(f"there is no namespace {namespace}", status=exc.status) from None
            self._existing[namespace] = now
        return []


def _list_name(resource: str, namespace: str) -> str:
    return f"{namespace}/{resource}"


def _path(resource: str, namespace: str) -> str:
    group = next((group for name, (group, _) in GROUPS.items() if name == resource), "apps/v1")
    return f"/apis/{group}/{f'namespaces/{namespace}/' if namespace else ''}{resource}"
