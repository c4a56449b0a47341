"""Which service, team and environment an item belongs to, and what a severity word means.

**Service**: the configured services that match best (the rules are described in `matching`); without one what the
source said, else the first of `SERVICE_LABELS`, else the source's ``service:``, else the last element of the
repository.  **Team**: that of the service, else what the source said, else the label ``team``, else the source's
``team:``.  **Environment**: what the source said, else the first of `ENVIRONMENT_LABELS`, else the source's
``environment:``; aliases become the name.  **Severity**: an incident whose severity the source could not tell has its
label ``severity`` looked up here.

An item is **unowned** when no configured service matched and no team is known, even if a name could be guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct

from statusboard.matching import Facts, Match, Matcher, Service
from statusboard.model import Build, Incident, Item, Release, Severity
from statusboard.text import clean

__all__ = ["TIERS", "Catalog", "Environment", "Match", "Service", "SourceDefaults", "Tier", "make_environment"]

Tier: TypeAlias = Literal["production", "staging", "testing", "development", "other"]
TIERS: tuple[Tier, ...] = get_args(Tier)
"""What an environment is for (the words of GitLab and OpenTelemetry); only production enters metrics and suspects."""

SERVICE_LABELS = (
    "service",
    "service_name",
    "service.name",
    "app",
    "application",
    "app.kubernetes.io/name",
    "app_kubernetes_io_name",
    "component",
)
"""Labels that name a service where no rule does, first one first."""
TEAM_LABELS = ("team",)
ENVIRONMENT_LABELS = ("environment", "env", "deployment_environment", "deployment.environment.name")
PATH_LABELS = ("path", "directory")
"""Labels that name the folder of a monorepo that an item is about."""

_WORDS: tuple[tuple[Severity, str], ...] = (
    ("critical", "critical crit page p1 sev1 fatal emergency emerg disaster blocker"),
    ("high", "high error err major p2 sev2"),
    ("medium", "medium warning warn moderate average p3 sev3"),
    ("low", "low minor p4 sev4"),
    ("info", "info information informational notice none p5 sev5 debug"),
)
SEVERITY_WORDS: Mapping[str, Severity] = {word: severity for severity, words in _WORDS for word in words.split()}
"""What vendors' words mean, those of Zabbix, syslog and PagerDuty among them."""


class Environment(Struct, frozen=True, kw_only=True):
    """One entry of ``environments:``, in the order in which they are shown."""

    name: str
    aliases: tuple[str, ...] = ()
    tier: Tier = "other"


class SourceDefaults(Struct, frozen=True, kw_only=True):
    """What a source's ``service:``, ``team:`` and ``environment:`` say of items that tell nothing themselves."""

    service: str = ""
    team: str = ""
    environment: str = ""


BUILT_IN_ENVIRONMENTS: tuple[Environment, ...] = (
    Environment(name="production", aliases=("prod", "prd", "live"), tier="production"),
    Environment(name="staging", aliases=("stage", "stg"), tier="staging"),
    Environment(name="test", aliases=("testing", "qa"), tier="testing"),
    Environment(name="development", aliases=("dev",), tier="development"),
)
"""What is known without a config."""

_NO_DEFAULTS = SourceDefaults()
#: More different items than this start the cache anew: hostile or endless variety must not fill the memory.
_CACHE_LIMIT = 50_000


def make_environment(name: str, aliases: tuple[str, ...] | None = None, tier: Tier | None = None) -> Environment:
    """An environment; one with a built-in name (or alias) has the built-in aliases and tier where None is given."""
    known = next((e for e in BUILT_IN_ENVIRONMENTS if name.casefold() in (e.name, *e.aliases)), None)
    if aliases is None:
        inherited = (known.name, *known.aliases) if known is not None else ()
        aliases = tuple(alias for alias in inherited if alias != name.casefold())
    return Environment(name=name, aliases=aliases, tier=tier or (known.tier if known is not None else "other"))


class _Answer(Struct, frozen=True):
    services: tuple[str, ...]
    team: str
    environment: str
    severity: Severity
    owned: bool


class Catalog:
    """Services, environments and severity words of one config.  Answers never change; not for several threads."""

    def __init__(
        self,
        services: Iterable[Service] = (),
        environments: Iterable[Environment] = (),
        severities: Mapping[str, Severity] | None = None,
    ) -> None:
        self.services = tuple(services)
        self.environments = tuple(environments) or BUILT_IN_ENVIRONMENTS
        self._matcher = Matcher(self.services)
        known_labels = (*SERVICE_LABELS, *TEAM_LABELS, *ENVIRONMENT_LABELS, *PATH_LABELS, "severity")
        self._labels = tuple(dict.fromkeys((*known_labels, *self._matcher.label_names)))
        self._environments: dict[str, Environment] = {env.name.casefold(): env for env in self.environments}
        for env in self.environments:
            for alias in env.aliases:
                self._environments.setdefault(alias.casefold(), env)
        self._words: dict[str, Severity] = dict(SEVERITY_WORDS)
        self._words.update({word.strip().casefold(): severity for word, severity in (severities or {}).items()})
        self._cache: dict[object, _Answer] = {}

    # -- single words --------------------------------------------------------------------------------------------

    def environment(self, name: str) -> str:
        """The environment's name for any of its aliases; an unknown one as given, without surrounding space."""
        name = name.strip()
        env = self._environments.get(name.casefold())
        return name if env is None else env.name

    def tier_of(self, name: str) -> Tier:
        """What an environment (or alias) is for; ``other`` where it is not known."""
        env = self._environments.get(name.strip().casefold())
        return "other" if env is None else env.tier

    def order_of(self, name: str) -> int:
        """An environment's place in the config; unknown ones come last."""
        env = self._environments.get(name.strip().casefold())
        return len(self.environments) if env is None else self.environments.index(env)

    def severity(self, word: str) -> Severity:
        """What a severity word means: the config's ``severities:`` first, then the words that vendors use."""
        return self._words.get(word.strip().casefold(), "unknown")

    def team_of(self, service: str) -> str:
        """The team of a configured service, or ``""``."""
        found = self._matcher.named(service)
        return "" if found is None else found.team

    @property
    def depends_on(self) -> dict[str, tuple[str, ...]]:
        """The declared dependencies, by service."""
        return {service.name: service.depends_on for service in self.services if service.depends_on}

    # -- items ---------------------------------------------------------------------------------------------------

    def resolve(self, item: Item, defaults: SourceDefaults = _NO_DEFAULTS) -> Item:
        """The item with services, team, environment and (for an incident that has none) severity filled in.

        The very same item is returned where nothing changes.
        """
        answer = self._answer(item, defaults)
        changes: dict[str, object] = {}
        if answer.services != item.services:
            changes["services"] = answer.services
        if answer.team != item.team:
            changes["team"] = answer.team
        if answer.environment != item.environment:
            changes["environment"] = answer.environment
        if type(item) is Incident and answer.severity != item.severity:
            changes["severity"] = answer.severity
        return msgspec.structs.replace(item, **changes) if changes else item

    def resolver(self, defaults: SourceDefaults = _NO_DEFAULTS) -> Callable[[Item], Item]:
        """`resolve` for the items of one source."""
        return lambda item: self.resolve(item, defaults)

    def owned(self, item: Item) -> bool:
        """Whether a team or a configured service is known for an item (resolved or not)."""
        return self._answer(item, _NO_DEFAULTS).owned

    def unowned(self, items: Iterable[Item]) -> Counter[str]:
        """How many unowned items have which repository or label, written as the rule that would match them.

        ``repo: acme/x`` and ``label: {namespace: web}``; labels that tell things apart rather than whose they are
        (instances, severities) are left out.
        """
        counts: Counter[str] = Counter()
        for item in items:
            if self.owned(item):
                continue
            hints = [f"label: {{{name}: {value}}}" for name, value in item.labels.items() if _tells_owner(name, value)]
            if item.repository:
                hints.append(f"repo: {item.repository}")
            counts.update(clean(hint, 120) for hint in hints or [f"source: {item.source}"])
        return counts

    def _answer(self, item: Item, defaults: SourceDefaults) -> _Answer:
        """The answer for everything alike: equal in all that rules look at."""
        get = item.labels.get
        title, version = "", ""
        if item.title and self._matcher.minds_title(item.title.casefold()):
            title = item.title
        if type(item) is Release and self._matcher.minds_version(item.version.casefold()):
            version = item.version
        key = (
            type(item),
            item.source,
            item.repository,
            item.services,
            item.team,
            item.environment,
            item.severity if type(item) is Incident else "",
            item.pipeline if type(item) is Build else "",
            version,
            title,
            tuple([get(name, "") for name in self._labels]) if item.labels else (),
            defaults,
        )
        answer = self._cache.get(key)
        if answer is None:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            answer = self._cache[key] = self._find(item, defaults)
        return answer

    def _find(self, item: Item, defaults: SourceDefaults) -> _Answer:
        configured, services = self._services(item, defaults)
        teams = [service.team for service in configured if service.team]
        team = (teams or [item.team])[0] or _first(item.labels, TEAM_LABELS) or defaults.team
        environment = item.environment.strip() or _first(item.labels, ENVIRONMENT_LABELS) or defaults.environment
        severity: Severity = "unknown"
        if isinstance(item, Incident):
            severity = item.severity
            if severity == "unknown":
                severity = self.severity(item.labels.get("severity", ""))
        return _Answer(services, team, self.environment(environment), severity, bool(configured or team))

    def _services(self, item: Item, defaults: SourceDefaults) -> tuple[list[Service], tuple[str, ...]]:
        """The configured services that match, and the names to show (a guess where none is configured)."""
        label = _first(item.labels, SERVICE_LABELS)
        matched = self._match(item, tuple(name for name in (*item.services, label) if name))
        if not matched:
            guess = label or defaults.service or item.repository.rstrip("/").rpartition("/")[2]
            guesses = item.services or ((guess,) if guess else ())
            # A guess may be a service's own name: `services: {checkout: {team: payments}}` needs no rule.
            matched = self._match(item, guesses)
            if not matched:
                return [], guesses
        return matched, tuple(service.name for service in matched)

    def _match(self, item: Item, names: tuple[str, ...]) -> list[Service]:
        if not self.services:
            return []
        facts = Facts(
            source=item.source.casefold(),
            repository=item.repository.casefold(),
            names=tuple(name.casefold() for name in names),
            title=item.title.casefold(),
            workflow=item.pipeline.casefold() if isinstance(item, Build) else "",
            version=item.version.casefold() if isinstance(item, Release) else "",
            path=_first(item.labels, PATH_LABELS).strip("/").casefold(),
            labels={name: value.casefold() for name, value in item.labels.items()},
        )
        return self._matcher.best(facts)


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := labels.get(name, "").strip())), "")


_NOT_OWNERS = frozenset(
    "severity priority alertname uid id fingerprint environment env region cluster "  # noqa: SIM905 - read as words
    "instance pod pod_name node host endpoint container prometheus replica".split()
)


def _tells_owner(name: str, value: str) -> bool:
    return bool(value) and len(value) <= 64 and name not in _NOT_OWNERS
