"""Which tools a folder, its git remotes, the environment and a kubeconfig tell of.

Of the environment only names of variables are taken, of a kubeconfig only names of contexts; never a value.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from statusboard.errors import StatusboardError

#: What stands in the folder of a repository that a tool builds; a tool's own remotes are looked at apart.
FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "github": (".github/workflows",),
    "gitlab": (".gitlab-ci.yml",),
    "gitea": (".gitea/workflows", ".forgejo/workflows"),
    "jenkins": ("Jenkinsfile",),
    "buildkite": (".buildkite",),
    "circleci": (".circleci",),
    "drone": (".drone.yml",),
    "woodpecker": (".woodpecker", ".woodpecker.yml", ".woodpecker.yaml"),
    "azure-devops": ("azure-pipelines.yml", "azure-pipelines.yaml", ".azure-pipelines"),
    "teamcity": (".teamcity",),
}
#: The variables that each tool's own programs, or most people's scripts, have its credentials in; the likeliest first.
VARIABLES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "argocd": {"token": ("ARGOCD_AUTH_TOKEN",)},
    "azure-devops": {"token": ("AZURE_DEVOPS_EXT_PAT",)},
    "buildkite": {"token": ("BUILDKITE_API_TOKEN",)},
    "circleci": {"token": ("CIRCLE_TOKEN", "CIRCLECI_TOKEN", "CIRCLECI_CLI_TOKEN")},
    "datadog": {"token": ("DD_API_KEY", "DATADOG_API_KEY"), "password": ("DD_APP_KEY", "DATADOG_APP_KEY")},
    "drone": {"token": ("DRONE_TOKEN",)},
    "gitea": {"token": ("GITEA_TOKEN", "FORGEJO_TOKEN", "CODEBERG_TOKEN")},
    "github": {"token": ("GITHUB_TOKEN", "GH_TOKEN")},
    "gitlab": {"token": ("GITLAB_TOKEN", "GITLAB_ACCESS_TOKEN", "GITLAB_PRIVATE_TOKEN")},
    "grafana": {"token": ("GRAFANA_TOKEN", "GRAFANA_SERVICE_ACCOUNT_TOKEN", "GRAFANA_API_KEY")},
    "incident-io": {"token": ("INCIDENT_API_KEY", "INCIDENT_IO_API_KEY")},
    "jenkins": {"username": ("JENKINS_USER", "JENKINS_USER_ID"), "token": ("JENKINS_TOKEN", "JENKINS_API_TOKEN")},
    "jira": {"username": ("JIRA_USER", "JIRA_EMAIL", "JIRA_USERNAME"), "token": ("JIRA_API_TOKEN", "JIRA_TOKEN")},
    "linear": {"token": ("LINEAR_API_KEY", "LINEAR_TOKEN")},
    "octopus": {"token": ("OCTOPUS_API_KEY",)},
    "pagerduty": {"token": ("PAGERDUTY_TOKEN", "PAGERDUTY_API_KEY", "PD_API_KEY")},
    "redmine": {"token": ("REDMINE_API_KEY",)},
    "sentry": {"token": ("SENTRY_AUTH_TOKEN",)},
    "teamcity": {"token": ("TEAMCITY_TOKEN",)},
    "woodpecker": {"token": ("WOODPECKER_TOKEN",)},
}
#: Variables that tell of a tool and say where it is.  That they are set is told; what they say is not written.
PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "argocd": ("ARGOCD_SERVER",),
    "buildkite": ("BUILDKITE_ORGANIZATION_SLUG",),
    "drone": ("DRONE_SERVER",),
    "grafana": ("GRAFANA_URL",),
    "jenkins": ("JENKINS_URL",),
    "jira": ("JIRA_URL", "JIRA_BASE_URL"),
    "octopus": ("OCTOPUS_URL",),
    "sentry": ("SENTRY_ORG",),
    "woodpecker": ("WOODPECKER_SERVER",),
}
KUBERNETES: Final = "kubernetes"
#: A kubeconfig that is larger is not read: it holds certificates of many clusters, or is none.
MAX_KUBECONFIG: Final = 1_000_000
MAX_CONTEXTS: Final = 50
GIT_PATIENCE: Final = 10.0
"""Seconds."""

#: Other names under which a host is reached.
_ALIASES: Final[Mapping[str, str]] = {
    "ssh.github.com": "github.com",
    "www.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "www.gitlab.com": "gitlab.com",
    "ssh.dev.azure.com": "dev.azure.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
_SCP = re.compile(r"(?:[^@/\s]+@)?(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(?P<path>(?!//)\S+)")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?")


class Remote(Struct, frozen=True):
    """A repository on a host, as ``owner/name`` (or a longer path, where the host has such)."""

    host: str
    path: str


class Surroundings(Struct, frozen=True, kw_only=True):
    """What was found.

    ``files`` by type of source, ``variables`` by type and option (the first that is set), ``places`` by type: names and
    nothing else.  ``contexts`` are those of the kubeconfig.
    """

    remotes: tuple[Remote, ...] = ()
    files: Mapping[str, tuple[str, ...]] = {}
    variables: Mapping[str, Mapping[str, str]] = {}
    places: Mapping[str, tuple[str, ...]] = {}
    contexts: tuple[str, ...] = ()

    def where(self, type: str) -> tuple[str, ...]:
        """Where a type of source was found, for people; its git remotes apart."""
        variables = (*self.variables.get(type, {}).values(), *self.places.get(type, ()))
        told = [*self.files.get(type, ())]
        if variables:
            told.append(f"{', '.join(dict.fromkeys(variables))} in the environment")
        return tuple(told)


def look(folder: Path, environ: Mapping[str, str], known: Collection[str], listing: str = "") -> Surroundings:
    """What there is of the types that are ``known``; ``listing`` is what ``git remote -v`` prints."""
    root = root_of(folder)
    files = {type: tuple(n for n in names if os.path.exists(root / n)) for type, names in FILES.items()}
    variables = {
        type: {option: name for option, names in options.items() if (name := _first_set(names, environ))}
        for type, options in VARIABLES.items()
    }
    places = {type: tuple(n for n in names if _is_set(n, environ)) for type, names in PLACES.items()}
    return Surroundings(
        remotes=tuple(parse_remotes(listing)),
        files={type: names for type, names in files.items() if names and type in known},
        variables={type: options for type, options in variables.items() if options and type in known},
        places={type: names for type, names in places.items() if names and type in known},
        contexts=tuple(contexts(environ)) if KUBERNETES in known else (),
    )


def root_of(folder: Path) -> Path:
    """The root of the repository that ``folder`` is in; itself where it is in none."""
    folder = folder.absolute()
    return next((place for place in (folder, *folder.parents) if os.path.lexists(place / ".git")), folder)


def contexts(environ: Mapping[str, str]) -> list[str]:
    """The names of the contexts of the kubeconfig ($KUBECONFIG, else ~/.kube/config), each once."""
    named = [place for place in environ.get("KUBECONFIG", "").split(os.pathsep) if place]
    home = environ.get("HOME", "")
    places = named or ([os.path.join(home, ".kube", "config")] if home else [])
    found: dict[str, None] = {}
    for place in places:
        for context in _contexts_in(Path(place)):
            found.setdefault(context)
    return list(found)[:MAX_CONTEXTS]


def _contexts_in(file: Path) -> Iterable[str]:
    """The contexts that a file names; none of what is no kubeconfig."""
    import yaml

    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_KUBECONFIG:
            return
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # several times quicker, where libyaml is there
        document: Any = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both are safe ones
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return
    listed = document.get("contexts") if isinstance(document, dict) else None
    for context in listed if isinstance(listed, list) else ():
        name = context.get("name") if isinstance(context, dict) else None
        if isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable():
            yield name


def _first_set(names: Iterable[str], environ: Mapping[str, str]) -> str:
    return next((name for name in names if _is_set(name, environ)), "")


def _is_set(name: str, environ: Mapping[str, str]) -> bool:
    return bool(environ.get(name, "").strip())


# --- git remotes ----------------------------------------------------------------------------------------------------


class NoRemotes(StatusboardError):
    """This folder's git remotes cannot be told, and why."""


def git_remotes(folder: Path) -> str:
    """What ``git remote -v`` prints in this folder.  NoRemotes where there are none to be had."""
    try:
        done = subprocess.run(
            ["git", "remote", "-v"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        raise NoRemotes("git is not installed") from None
    except OSError as error:
        raise NoRemotes(f"git cannot be run: {error.strerror or error}") from None
    except subprocess.TimeoutExpired:
        raise NoRemotes(f"`git remote -v` did not answer within {GIT_PATIENCE:g} s") from None
    if done.returncode:
        raise NoRemotes("this folder is in no git repository")
    return done.stdout


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
    if not _HOST.fullmatch(host) or not path or not re.fullmatch(r"[\w.~/+ -]+", path, re.ASCII):
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
