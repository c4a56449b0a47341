"""A first configuration as text: from the answers of a person, or from the git remotes of a folder.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from statusboard.text import clean

GITHUB = "github.com"
#: Other names under which github.com is reached.
_ALIASES = {"ssh.github.com": GITHUB, "www.github.com": GITHUB}
#: Hosts that are known to be something else; so is a host whose name says so.
_OTHERS = ("gitlab", "bitbucket", "gitea", "forgejo", "codeberg", "sr.ht", "dev.azure.com", "visualstudio", "gerrit")
_SCP = re.compile(r"(?:[^@/\s]+@)?(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(?P<path>(?!//)\S+)")
_REPO = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?")


class Remote(Struct, frozen=True):
    """A repository on a host, as ``owner/name`` (or a longer path, where the host has such)."""

    host: str
    path: str


class SourceDraft(Struct, frozen=True, kw_only=True):
    """A source as it will be written.  ``options`` are our names to YAML values, ``comments`` stand above it."""

    type: str
    name: str
    options: Mapping[str, str | Sequence[str]] = {}
    comments: tuple[str, ...] = ()


class ServiceDraft(Struct, frozen=True, kw_only=True):
    """A service and the repositories that are its own."""

    name: str
    repos: tuple[str, ...]


class Proposal(Struct, frozen=True, kw_only=True):
    """What a folder's remotes propose; ``skipped`` are hosts that are no GitHub, as far as one can tell."""

    sources: tuple[SourceDraft, ...]
    services: tuple[ServiceDraft, ...]
    skipped: tuple[str, ...] = ()


def parse_remote(url: str) -> Remote | None:
    """A remote's URL in any of git's forms; None for a local path or what cannot be read.

    ``https://host/owner/name.git``, ``ssh://git@host:22/owner/name``, ``git@host:owner/name.git``.  A user name or
    password in the URL is dropped.
    """
    url = url.strip()
    if "://" in url:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            web_port = parts.port if parts.scheme in ("http", "https") and parts.port not in (None, 80, 443) else None
        except ValueError:
            return None
        if parts.scheme not in ("http", "https", "ssh", "git", "git+ssh", "ssh+git"):
            return None
        path = unquote(parts.path)
    else:
        match = _SCP.fullmatch(url)
        if match is None:
            return None
        host, path, web_port = match["host"].casefold(), match["path"], None
    host = host.casefold().rstrip(".")
    host = _ALIASES.get(host, host)
    path = path.strip("/").removesuffix(".git").strip("/")
    if not _HOST.fullmatch(host) or not path or not re.fullmatch(r"[\w.~/+-]+", path, re.ASCII):
        return None
    return Remote(f"{host}:{web_port}" if web_port else host, path)


def parse_remotes(listing: str) -> list[Remote]:
    """The remotes in what ``git remote -v`` prints, each once, in its order."""
    found: dict[Remote, None] = {}
    for line in listing.splitlines():
        words = line.split("\t", 1)[-1].rsplit(" (", 1)[0]
        remote = parse_remote(words)
        if remote is not None:
            found.setdefault(remote)
    return list(found)


def is_github(remote: Remote) -> bool:
    """Whether a remote may be a repository of GitHub or of a GitHub Enterprise server."""
    return _REPO.fullmatch(remote.path) is not None and not any(other in remote.host for other in _OTHERS)


def api_url(host: str) -> str:
    """Where the REST API of a GitHub host is; ``""`` for github.com, whose address is known."""
    if host == GITHUB:
        return ""
    if host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"https://{host}/api/v3"


def propose(remotes: Iterable[Remote]) -> Proposal:
    """A GitHub source for each host, and a service for each repository (a fork belongs to its parent's)."""
    hosts: dict[str, dict[str, str]] = {}
    services: dict[str, tuple[str, dict[str, str]]] = {}
    skipped: dict[str, None] = {}
    for remote in remotes:
        if not is_github(remote):
            skipped.setdefault(remote.host)
            continue
        hosts.setdefault(remote.host, {}).setdefault(remote.path.casefold(), remote.path)
        name = remote.path.rpartition("/")[2]
        services.setdefault(name.casefold(), (name, {}))[1].setdefault(remote.path.casefold(), remote.path)
    return Proposal(
        sources=tuple(_github(host, tuple(repos.values())) for host, repos in hosts.items()),
        services=tuple(ServiceDraft(name=name, repos=tuple(repos.values())) for name, repos in services.values()),
        skipped=tuple(skipped),
    )


def _github(host: str, repos: tuple[str, ...]) -> SourceDraft:
    name = "github" if host == GITHUB else host.replace(":", "-")
    comments = [f"The token: `statusboard login {name}` stores it. It needs no more than read access; for public"]
    comments.append("repositories you may leave it out (60 requests an hour).")
    options: dict[str, str | Sequence[str]] = {}
    if url := api_url(host):
        options["url"] = url
        if "github" not in host and not host.endswith(".ghe.com"):
            comments.insert(0, f"{host} is taken for a GitHub Enterprise server; if it is none, remove this source.")
    options["repos"] = repos
    options["token"] = f"keyring:{name}"
    return SourceDraft(type="github", name=name, options=options, comments=tuple(comments))


def config_text(
    title: str, sources: Sequence[SourceDraft], services: Sequence[ServiceDraft] = (), *, environments: bool = True
) -> str:
    """A commented configuration (YAML)."""
    lines = [
        "# statusboard: what this board shows. `statusboard check` tries it, `statusboard` opens the board,",
        "# `statusboard sources TYPE` prints the options of a source, config.example.yaml shows all that can be said.",
        "",
        "board:",
        f"  title: {_text(title)}",
        "",
    ]
    if environments:
        lines += [
            "# In the order in which they are shown; only those of tier production count as production.",
            "environments:",
            "  production: {aliases: [prod], tier: production}",
            "  staging: {}",
            "",
        ]
    lines += ["# Which service an item belongs to, and whose it is. `statusboard check` shows what nobody owns yet."]
    if services:
        lines.append("services:")
        for service in services:
            repos = f"[{', '.join(map(_text, service.repos))}]"
            lines += [f"  {_text(service.name)}:", "    # team: who it belongs to", f"    match: {{repo: {repos}}}"]
    else:
        lines += ["# services:", "#   checkout: {team: payments, match: {label: {service: checkout}}}"]
    lines += [
        "",
        "# Secrets never stand here, only where they are: keyring:NAME (stored by `statusboard login NAME`), env:NAME,",
        "# or file:/path.",
        "sources:",
    ]
    for source in sources:
        lines += source_lines(source)
    lines += [
        "",
        "# Named filters, one key away on the board.",
        "views:",
        "  - {name: Everything}",
        '  - {name: Not fine, filter: "-state:success"}',
    ]
    return "\n".join(lines) + "\n"


def source_lines(source: SourceDraft) -> list[str]:
    """One entry of ``sources:``."""
    lines = [f"  # {comment}" for comment in source.comments]
    lines += [f"  - type: {_text(source.type)}", f"    name: {_text(source.name)}"]
    for name, value in source.options.items():
        shown = _text(value) if isinstance(value, str) else f"[{', '.join(map(_text, value))}]"
        lines.append(f"    {name}: {shown}")
    return lines


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def _text(value: str) -> str:
    """A string as YAML: as it is where that is plain, else quoted (JSON's strings are YAML's)."""
    value = clean(value, 1_000)
    if _PLAIN.fullmatch(value) and value.casefold() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
