"""AWS: CloudWatch alarms as incidents, CodeBuild builds and CodePipeline executions as builds, CodeDeploy deployments.

All four are asked with JSON over POST (AWS JSON 1.0 and 1.1), each request signed by itself.  One part a service and
region.  Errors come with status 400 and a word in ``__type``, throttling and a refused credential among them.

What is asked is in `sources._aws_reading`, what AWS' words mean in `sources._aws`, as whom it is asked in
`sources._aws_auth`.  Docs: docs.aws.amazon.com, the API references of the four services; smithy.io, aws-json-1_0 and
aws-json-1_1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from sources._aws import DENIED, MISSING, THROTTLED, NoData, Place
from sources._aws_asking import Ask, Reader, named
from sources._aws_auth import Signer
from sources._aws_reading import AlarmReader, BuildReader, DeploymentReader, PipelineReader
from statusboard.api import (
    AuthError,
    Context,
    Credentials,
    Http,
    Item,
    ItemKind,
    NotFound,
    Part,
    Past,
    RateLimited,
    Reach,
    Reply,
    Scope,
    Source,
    SourceError,
    SourceOptions,
    clean,
    option,
)

T = TypeVar("T")
Api = Literal["cloudwatch", "codebuild", "codepipeline", "codedeploy"]

DEFAULT_URL: Final = "https://amazonaws.com"
#: The domains of AWS itself, below which each service and region has a host.  Any other URL is taken as it is.
DOMAINS: Final = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "c2s.ic.gov", "sc2s.sgov.gov")
#: The domains of regions that are not in the usual one.
REGION_DOMAINS: Final = {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu"}


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """``host``: its word in host names and signatures; ``target``: that in the header which names an operation."""

    host: str
    target: str
    content_type: str = "application/x-amz-json-1.1"
    part: str
    kind: ItemKind
    reach: Reach = "window"
    reader: type[Reader]


SERVICES: Final[Mapping[Api, Service]] = {
    "cloudwatch": Service(
        host="monitoring",
        target="GraniteServiceVersion20100801",
        content_type="application/x-amz-json-1.0",
        part="alarms",
        kind="incident",
        reach="complete",
        reader=AlarmReader,
    ),
    "codebuild": Service(
        host="codebuild", target="CodeBuild_20161006", part="CodeBuild", kind="build", reader=BuildReader
    ),
    "codepipeline": Service(
        host="codepipeline", target="CodePipeline_20150709", part="CodePipeline", kind="build", reader=PipelineReader
    ),
    "codedeploy": Service(
        host="codedeploy", target="CodeDeploy_20141006", part="CodeDeploy", kind="release", reader=DeploymentReader
    ),
}
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-\d")
_TYPE = re.compile(r"[A-Za-z0-9_.]+")


class AwsOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: aws``."""

    region: Annotated[str | tuple[str, ...], option("the region, or several: [eu-west-1, us-east-1]")]
    profile: Annotated[str, option("the profile in ~/.aws; else as the environment and this machine say")] = ""
    apis: Annotated[tuple[Api, ...], option("only these services; all that `kinds` has where none is named")] = ()
    alarms: Annotated[tuple[str, ...], option("only alarms whose names begin with one of these")] = ()
    projects: Annotated[tuple[str, ...], option("only CodeBuild projects of these names; * and ? match anything")] = ()
    pipelines: Annotated[tuple[str, ...], option("only pipelines of these names; * and ? match anything")] = ()
    applications: Annotated[
        tuple[str, ...], option("only deployments of these CodeDeploy applications; * and ? match anything")
    ] = ()
    builds: Annotated[
        int, msgspec.Meta(ge=1, le=50), option("how many builds to read of each project and pipeline")
    ] = 10
    days: Annotated[int, msgspec.Meta(ge=1, le=90), option("deployments of how many days to read")] = 7
    no_data: Annotated[NoData, option("what INSUFFICIENT_DATA is: unknown, open or pending")] = "unknown"
    default_branch: Annotated[str, option("failures on other branches are shown, but are no faults")] = ""
    environments: Annotated[
        dict[str, str], option('deployment group: environment, such as {"*-prod": production}; * and ? match anything')
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.region:
            raise ValueError("`region` is empty; name one, such as eu-west-1")
        for region in regions_of(self):
            if not _REGION.fullmatch(region):
                raise ValueError(f"`region`: {region[:40]!r} is none; regions look like eu-west-1")
        if bool(self.username) != bool(self.password):
            raise ValueError("`username` (the id of an access key) and `password` (its secret) go together")
        if self.username and self.profile:
            raise ValueError("`profile` and `username` are two ways to say as whom; give one of them")
        host = urlsplit(self.url).hostname or ""
        if self.url and not self.username and host not in (*DOMAINS, "localhost", "127.0.0.1", "::1"):
            raise ValueError("`url` is none of AWS: give the keys for it as `username` and `password`")
        if self.token and not self.username:
            raise ValueError("`token` is the session token of a temporary key; it needs `username` and `password`")


def regions_of(options: AwsOptions) -> tuple[str, ...]:
    """The regions, each once."""
    return tuple(dict.fromkeys((options.region,) if isinstance(options.region, str) else options.region))


#: What is being asked, by the task that asks: a signature must know, and the answer's URL does not always tell.
_asking: ContextVar[tuple[Service, str]] = ContextVar("asking")


class Aws(Source[AwsOptions]):
    """Alarms, builds, pipelines and deployments of one or several regions."""

    type = "aws"
    kinds = frozenset({"incident", "build", "release"})
    Options = AwsOptions
    summary = "CloudWatch alarms, CodeBuild, CodePipeline and CodeDeploy of AWS"
    default_url = DEFAULT_URL
    default_interval = 60.0
    requests = (3, "region (and one more for each CodeBuild project and pipeline)")
    scopes_needed = (
        "a policy with cloudwatch:DescribeAlarms, DescribeAlarmHistory; codebuild:ListProjects, ListBuildsForProject, "
        "BatchGetBuilds; codepipeline:ListPipelines, ListPipelineExecutions, ListActionExecutions; "
        "codedeploy:ListDeployments, BatchGetDeployments; all on resource *"
    )
    example = """
        region: eu-west-1
        profile: readonly
        pipelines: ["checkout-*"]
        environments: {"*-prod": production}
    """
    setup = """
        Install the extra: `pip install 'statusboard[aws]'`. It brings botocore, which finds credentials and signs.

        - In IAM, make a policy with the actions above, and a role or user that has it. For alarms alone, set
          `apis: [cloudwatch]`: then its two actions are enough, the second for `statusboard backfill` alone.
        - Credentials are found as the AWS CLI finds them: `profile` (with single sign-on: after `aws sso login`), the
          environment, the role of the machine. Or give an access key: `username: "keyring:aws-key-id"` and
          `password: "keyring:aws-secret"`, with `token` for a temporary one.
        - Each project and pipeline takes a request a poll. Where a region has more than 50, name those that matter.
        - INSUFFICIENT_DATA is unknown, which is not green; `no_data: pending` where that is the rule.
        - Alarms with disabled actions, and composite ones that are suppressed, are suppressed here as well.
        - `url` is for other partitions (`https://amazonaws.com.cn`) and for stand-ins such as LocalStack.
    """
    verified = "documented"
    history_kinds = kinds
    no_history = "CloudWatch forgets what alarms went through after 30 days"

    def __init__(self, options: AwsOptions, context: Context) -> None:
        super().__init__(options, context)
        self._signer = Signer(options.profile, context.clock)
        wanted: Mapping[Api, tuple[tuple[str, ...], int]] = {
            "cloudwatch": (options.alarms, 0),
            "codebuild": (options.projects, options.builds),
            "codepipeline": (options.pipelines, options.builds),
            "codedeploy": (options.applications, options.days),
        }
        self._readers: dict[tuple[Api, str], Reader] = {}
        for region in regions_of(options):
            place = Place(
                source=self.name,
                region=region,
                default_branch=options.default_branch,
                environments=options.environments,
                no_data=options.no_data,
            )
            for api in options.apis or tuple(SERVICES):
                if self.wants(SERVICES[api].kind):
                    self._readers[api, region] = SERVICES[api].reader(place, *wanted[api], context.clock)

    # -- where, and as whom --------------------------------------------------------------------------------------

    def base_url(self) -> str:
        return next(iter(self.origins()), "")

    def origins(self) -> tuple[str, ...]:
        return tuple(self._endpoint(SERVICES[api], region) for api, region in self._readers)

    def _endpoint(self, service: Service, region: str) -> str:
        url = self.options.url or DEFAULT_URL
        domain = urlsplit(url).hostname or ""
        if domain not in DOMAINS:
            return url
        if url == DEFAULT_URL:
            domain = next((other for prefix, other in REGION_DOMAINS.items() if region.startswith(prefix)), domain)
        return f"https://{service.host}.{region}.{domain}"

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        self._signer.forget()  # this is asked for at first, and when AWS refused what we had
        return {}

    async def sign_request(
        self, credentials: Credentials, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        service, region = _asking.get()
        return await self._signer.headers(credentials, service.host, region, method, url, headers, body)

    def fault(self, reply: Reply, error: SourceError) -> SourceError:
        code, message = _error(reply)
        if not code:
            return error
        word, said = code.lower(), ": ".join(filter(None, (code, message)))
        if word in THROTTLED:
            return RateLimited(said, status=reply.status, retry_after=error.retry_after)
        if word in DENIED:
            clock = "; is this machine's clock right?" if "signature" in word or word == "requestexpired" else ""
            return AuthError(f"{said}{clock}", status=reply.status)
        if word in MISSING:
            return NotFound(said, status=reply.status)
        return type(error)(said, status=error.status, retry_after=error.retry_after)

    # -- reading -------------------------------------------------------------------------------------------------

    @classmethod
    def ambient(cls, options: AwsOptions) -> str:
        return "" if options.username else "the AWS credentials of this machine"

    async def scopes(self, http: Http) -> Sequence[Scope]:
        return [
            Scope(name=f"{region} {service.part}", kind=service.kind, reach=service.reach, data=(api, region))
            for api, region in self._readers
            for service in (SERVICES[api],)
        ]

    async def read(self, scope: Scope, http: Http) -> Part:
        api, region = scope.data
        return await self._readers[api, region].read(scope, self._ask(http, SERVICES[api], region))

    async def history(self, scope: Scope, http: Http, *, since: datetime, cursor: str = "") -> Past:
        from sources._aws_history import past_of  # nobody else needs it

        api, region = scope.data
        return await past_of(self._readers[api, region], self._ask(http, SERVICES[api], region), since, cursor)

    async def lookup(self, kind: ItemKind, remote_id: str, http: Http) -> Item | None:
        region, _, rest = remote_id.partition("/")
        word, _, name = rest.partition("/")
        for (api, place), reader in self._readers.items():
            if (api, place, SERVICES[api].kind) == (word, region, kind):
                return await reader.lookup(name, self._ask(http, SERVICES[api], region))
        return None

    def _ask(self, http: Http, service: Service, region: str) -> Ask:
        async def ask(operation: str, body: Mapping[str, object], type: type[T], /) -> T:
            headers = {"Content-Type": service.content_type, "X-Amz-Target": f"{service.target}.{operation}"}
            before = _asking.set((service, region))
            try:
                reply = await http.post(f"{self._endpoint(service, region).rstrip('/')}/", json=body, headers=headers)
                return reply.decode(type)
            except SourceError as exc:
                raise named(exc, f"{operation} in {region}") from None
            finally:
                _asking.reset(before)

        return ask


def _error(reply: Reply) -> tuple[str, str]:
    """Code and message of an error.  The code may have a namespace before and a URL behind it."""
    try:
        body: Any = msgspec.json.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    code = body.get("__type") or body.get("code") or reply.headers.get("x-amzn-errortype", "")
    message = body.get("message") or body.get("Message")
    found = _TYPE.match(str(code).rpartition("#")[2])
    return found[0][:80] if found else "", clean(message, 300) if isinstance(message, str) else ""
