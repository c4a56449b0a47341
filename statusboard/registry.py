"""Which types of sources there are, and how options from a config become a source's own.

Types come from the entry-point group ``statusboard.sources``.  They are listed without importing anything; a source's
module is imported when a config asks for it, or somebody asks what its options are.  A third party's package may add
types but not replace a built-in one; one that cannot be imported is listed with its error and harms nothing else.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, structs

from statusboard.binding import bind_fields, build, closest, fields_of, in_words, shown, unwrap
from statusboard.clock import Duration
from statusboard.errors import ConfigError, Problem
from statusboard.log import redact
from statusboard.model import ITEM_KINDS
from statusboard.source import Source, SourceOptions
from statusboard.text import clean, redact_url
from statusboard.yamlfile import Map, join, problem_at

GROUP = "statusboard.sources"
DISTRIBUTION = "statusboard"

#: The built-in types where no metadata of this package is installed (a bare checkout); a test holds it to pyproject.
BUILT_IN: Mapping[str, str] = {
    "alertmanager": "sources.alertmanager:Alertmanager",
    "argocd": "sources.argocd:ArgoCD",
    "aws": "sources.aws:Aws",
    "azure-devops": "sources.azure_devops:AzureDevOps",
    "buildbot": "sources.buildbot:Buildbot",
    "buildkite": "sources.buildkite:Buildkite",
    "cctray": "sources.cctray:CCTray",
    "checkmk": "sources.checkmk:Checkmk",
    "circleci": "sources.circleci:CircleCI",
    "datadog": "sources.datadog:Datadog",
    "deploy-log": "sources.deploy_log:DeployLog",
    "drone": "sources.drone:Drone",
    "exec": "sources.exec:Exec",
    "git": "sources.git:Git",
    "gitea": "sources.gitea:Gitea",
    "github": "sources.github:GitHub",
    "gitlab": "sources.gitlab:GitLab",
    "grafana": "sources.grafana:Grafana",
    "http-json": "sources.http_json:HttpJson",
    "icinga2": "sources.icinga2:Icinga2",
    "incident-io": "sources.incident_io:IncidentIo",
    "jenkins": "sources.jenkins:Jenkins",
    "jira": "sources.jira:Jira",
    "kubernetes": "sources.kubernetes:Kubernetes",
    "linear": "sources.linear:Linear",
    "nagios": "sources.nagios:Nagios",
    "octopus": "sources.octopus:Octopus",
    "pagerduty": "sources.pagerduty:PagerDuty",
    "prometheus": "sources.prometheus:Prometheus",
    "redmine": "sources.redmine:Redmine",
    "roundup": "sources.roundup:Roundup",
    "sentry": "sources.sentry:Sentry",
    "spinnaker": "sources.spinnaker:Spinnaker",
    "statuspage": "sources.statuspage:Statuspage",
    "teamcity": "sources.teamcity:TeamCity",
    "woodpecker": "sources.woodpecker:Woodpecker",
    "zabbix": "sources.zabbix:Zabbix",
}

#: Descriptions of the options that every source takes, in the order in which they are shown.
COMMON_OPTIONS: Mapping[str, str] = {
    "type": "which kind of tool this is",
    "name": "your name for it: shown on the board, part of every key, unique",
    "url": "the vendor's base URL",
    "token": "where the token is: keyring:NAME, env:NAME or file:/path",
    "username": "where the user name is (as for token)",
    "password": "where the password is (as for token)",
    "interval": "how often to ask",
    "timeout": "how long to wait for an answer",
    "kinds": "only these kinds of items",
    "service": "the service of items that tell none themselves",
    "team": "the team of items whose service tells none",
    "environment": "the environment of items that tell none themselves",
    "optional": "true: counted apart, so that the board may be green without it",
    "tls": "ca: a private authority; cert, key: a client certificate; verify: false trusts anybody",
    "headers": "further headers of every request; secret values as for token",
}

MIN_INTERVAL = 1.0
"""Seconds: what is shorter would be an attack on the vendor."""
MIN_TIMEOUT, MAX_TIMEOUT = 0.1, 600.0


class Entry(Struct, frozen=True, kw_only=True):
    """One type of source, as listed.  ``error`` says why it cannot be used, where that is already known."""

    name: str
    target: str = ""
    distribution: str = ""
    built_in: bool = False
    error: str = ""


class OptionInfo(Struct, frozen=True, kw_only=True):
    """One option of a source type, for people.  ``default`` is written as in a config, ``""`` where there is none."""

    name: str
    type: str
    default: str = ""
    description: str = ""
    required: bool = False
    common: bool = False


class Registry:
    """The source types of this installation, or of an explicit table (`of`)."""

    def __init__(self, find: Callable[[], Mapping[str, Entry]], load: Callable[[Entry], object]) -> None:
        self._find = find
        self._load = load
        self._loaded: dict[str, type[Source[Any]]] = {}
        self._errors: dict[str, str] = {}

    @classmethod
    def installed(cls) -> Registry:
        """Built-in and third-party types, from the metadata of what is installed: looked at when first asked."""
        return cls(_installed, _import)

    @classmethod
    def of(cls, sources: Mapping[str, type[Source[Any]]]) -> Registry:
        """An explicit table, for tests and demos."""
        table = dict(sources)
        entries = {n: Entry(name=n, target=f"{c.__module__}:{c.__qualname__}", built_in=True) for n, c in table.items()}
        return cls(lambda: entries, lambda entry: table[entry.name])

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        return dict(sorted(self._find().items()))

    def names(self) -> tuple[str, ...]:
        """All types, sorted.  Imports nothing."""
        return tuple(self._entries)

    def listed(self) -> tuple[Entry, ...]:
        """All types with what is known of them so far.  Imports nothing."""
        entries = self._entries.values()
        return tuple(structs.replace(e, error=self._errors.get(e.name, e.error)) for e in entries)

    def load(self, type: str) -> type[Source[Any]]:
        """The class of a source type.  ConfigError where there is none of that name or it cannot be imported."""
        if type in self._loaded:
            return self._loaded[type]
        entry = self._entries.get(type)
        if entry is None:
            raise ConfigError(f"there is no source type `{shown(type)}`", hint=closest(type, self._entries))
        error = entry.error or self._errors.get(type, "")
        if not error:
            try:
                found = self._load(entry)
                error = _unfit(found)
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - boundary: a plug-in may raise anything on import
                error = clean(redact(f"{exc.__class__.__name__}: {exc}"), 200)
            else:
                if not error:
                    self._loaded[type] = found  # type: ignore[assignment]  # _unfit has looked
                    return self._loaded[type]
            self._errors[type] = error
        where = f" (of the package {entry.distribution})" if entry.distribution and not entry.built_in else ""
        raise ConfigError(f"the source type `{type}`{where} cannot be used: {error}")

    def describe(self, type: str) -> list[OptionInfo]:
        """The options of a type, its own first.  ConfigError as for `load`."""
        cls = self.load(type)
        fields = fields_of(cls.Options)
        own = [_describe(field, cls) for name, field in fields.items() if name not in COMMON_OPTIONS]
        return own + [_describe(fields[name], cls) for name in COMMON_OPTIONS]


# --- listing --------------------------------------------------------------------------------------------------------


def _installed() -> dict[str, Entry]:
    from importlib.metadata import entry_points

    names: dict[int, str] = {}  # a distribution parses its metadata anew for each question
    points = list(entry_points(group=GROUP))
    for point in points:
        if point.dist is not None and id(point.dist) not in names:
            names[id(point.dist)] = str(point.dist.name)
    return _entries([(point.name, point.value, names.get(id(point.dist), "")) for point in points])


def _entries(points: list[tuple[str, str, str]]) -> dict[str, Entry]:
    """Built-in types first; of two packages that offer one name, neither is taken: the choice would be an accident."""
    entries = {n: Entry(name=n, target=t, built_in=True, distribution=d) for n, t, d in points if d == DISTRIBUTION}
    if not entries:
        entries = {name: Entry(name=name, target=target, built_in=True) for name, target in BUILT_IN.items()}
    for name, target, distribution in sorted(points):
        if distribution == DISTRIBUTION:
            continue
        before = entries.get(name)
        if before is None:
            entries[name] = Entry(name=name, target=target, distribution=distribution)
        elif before.built_in:
            label = f"{name} ({distribution})"
            error = f"`{name}` is built in and cannot be replaced"
            entries[label] = Entry(name=label, target=target, distribution=distribution, error=error)
        elif (before.target, before.distribution) != (target, distribution):
            packages = f"{before.distribution}, {distribution}"
            error = f"several packages offer it ({packages}); uninstall all but one"
            entries[name] = Entry(name=name, target=target, distribution=packages, error=error)
    return entries


def _import(entry: Entry) -> object:
    module, _, attribute = entry.target.partition(":")
    found: object = importlib.import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    return found


def _unfit(found: object) -> str:
    """Why an object is no usable source class, or ``""``."""
    if not (isinstance(found, type) and issubclass(found, Source)):
        return "it is not a subclass of statusboard.api.Source"
    options: object = found.Options
    if not (isinstance(options, type) and issubclass(options, SourceOptions)):
        return "its Options are not a subclass of statusboard.api.SourceOptions"
    kinds: object = getattr(found, "kinds", None)
    if not isinstance(kinds, frozenset) or not kinds or not kinds <= set(ITEM_KINDS):
        return f"its kinds must be some of {', '.join(ITEM_KINDS)}"
    return ""


# --- options --------------------------------------------------------------------------------------------------------


def bind(node: Map, cls: type[Source[Any]], problems: list[Problem], path: str = "") -> SourceOptions | None:
    """A source's options from its mapping in the config, or None when a problem was noted.

    ``url``, ``interval`` and ``kinds`` get the source's own defaults; relative paths in ``tls`` and in options marked
    with ``Meta(extra={"path": True})`` are meant from the folder of the file that they stand in.
    """
    before = len(problems)
    values = bind_fields(node, cls.Options, problems, path, hints=COMMON_OPTIONS)
    readable = len(problems) == before
    _check_url(node, cls, values.get("url"), problems, path)
    _check_times(node, values, problems, path)
    for kind in values.get("kinds", ()):
        if kind not in cls.kinds:
            hint = f"it reads: {', '.join(sorted(cls.kinds))}"
            message = f"a source of type `{shown(cls.type)}` reads no {kind}s"
            problems.append(problem_at(node.mark("kinds"), message, path=join(path, "kinds"), hint=hint))
    if not readable:
        return None  # what the options say together is not known
    if not values.get("url"):
        values["url"] = cls.default_url
    if values.get("interval") is None:
        values["interval"] = Duration(cls.default_interval)
    options = build(node, cls.Options, values, problems, path)
    if options is None or len(problems) > before:
        return None
    return structs.replace(options, **_with_paths(node, cls, options))


def _check_url(node: Map, cls: type[Source[Any]], url: str | None, problems: list[Problem], path: str) -> None:
    if not url:
        if cls.needs_url and not cls.default_url and "url" not in node.entries:
            hint = "the base URL, such as https://ci.example.com"
            problems.append(problem_at(node.at, "`url` is missing", path=path, hint=hint))
        elif cls.needs_url and not cls.default_url and url is not None:
            problems.append(problem_at(node.mark("url"), "the URL is empty", path=join(path, "url")))
        return
    complaint = url_complaint(url)
    if complaint:
        problems.append(problem_at(node.mark("url"), complaint[0], path=join(path, "url"), hint=complaint[1]))


def url_complaint(url: str) -> tuple[str, str] | None:
    """What is wrong with a base URL, and what would be right; never with what stands in it beside its host."""
    from urllib.parse import urlsplit

    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        return (
            "this is no http or https URL",
            f"write https://{shown(rest or url)}" if not separator else "use https://",
        )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"this URL cannot be read: {redact_url(url)}", "write https://host[:port][/path]"
    if "@" in parts.netloc:
        return "a user name or password stands in the URL", "use `username:` and `password: keyring:NAME`"
    if not host or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return f"this is no valid URL: {redact_url(url)}", "write https://host[:port][/path]"
    return None


def _check_times(node: Map, values: Mapping[str, Any], problems: list[Problem], path: str) -> None:
    interval = values.get("interval")
    if interval is not None and interval < MIN_INTERVAL:
        message = "an interval is at least 1 second"
        problems.append(problem_at(node.mark("interval"), message, path=join(path, "interval")))
    if not MIN_TIMEOUT <= values.get("timeout", MIN_TIMEOUT) <= MAX_TIMEOUT:
        message = "a timeout is between 100ms and 10m"
        problems.append(problem_at(node.mark("timeout"), message, path=join(path, "timeout")))


def _with_paths(node: Map, cls: type[Source[Any]], options: SourceOptions) -> dict[str, Any]:
    """The options that are paths, made absolute."""
    folder = Path(node.at.file).parent
    changes: dict[str, Any] = {}
    tls = {name: rooted(getattr(options.tls, name), folder) for name in ("ca", "cert", "key")}
    if any(tls.values()):
        changes["tls"] = structs.replace(options.tls, **tls)
    for field in fields_of(cls.Options).values():
        if any(meta.extra and meta.extra.get("path") for meta in unwrap(field.type)[1]):
            value = getattr(options, field.name)
            if isinstance(value, str):
                changes[field.name] = rooted(value, folder)
            elif isinstance(value, list | tuple):
                changes[field.name] = type(value)(rooted(text, folder) for text in value)
    return changes


def rooted(path: str, folder: Path) -> str:
    """A path from a config as an absolute one: ``~`` expanded, relative ones meant from ``folder``; "" stays."""
    if not path:
        return ""
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:  # no such user
        expanded = Path(path)
    return str((folder.absolute() / expanded).absolute())


def _describe(field: structs.FieldInfo, cls: type[Source[Any]]) -> OptionInfo:
    inner, metas = unwrap(field.type)
    name = field.encode_name
    described = next((meta.description for meta in metas if meta.description), COMMON_OPTIONS.get(name, ""))
    words = in_words(inner)
    default = "" if field.required else _default(field, name, cls)
    if name == "kinds":
        words = f"a list of {', '.join(sorted(cls.kinds))}"
    return OptionInfo(
        name=name,
        type=words,
        default=default,
        description=described,
        required=field.required or (name == "url" and cls.needs_url and not cls.default_url),
        common=name in COMMON_OPTIONS,
    )


def _default(field: structs.FieldInfo, name: str, cls: type[Source[Any]]) -> str:
    if name == "url":
        return cls.default_url
    if name == "interval":
        return str(Duration(cls.default_interval))
    value = field.default if field.default is not NODEFAULT else field.default_factory()
    if isinstance(value, Duration):
        return str(value)
    if value in (None, "", (), [], {}, frozenset(), set()) or isinstance(value, Struct):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return msgspec.json.encode(value).decode()
