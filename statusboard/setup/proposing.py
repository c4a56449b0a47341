"""A first configuration as text: from the answers of a person, or from what was found around a folder.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, structs

from statusboard.setup.detecting import KUBERNETES, VARIABLES, Remote, Surroundings
from statusboard.text import clean

GITHUB: Final = "github.com"
GITLAB: Final = "gitlab.com"
#: Hosts by what is in their name, and the type of source that reads them; "" where none does.
FORGES: Final[Mapping[str, str]] = {
    "gitlab": "gitlab",
    "gitea": "gitea",
    "forgejo": "gitea",
    "codeberg": "gitea",
    "dev.azure.com": "azure-devops",
    "visualstudio.com": "azure-devops",
    "bitbucket": "",
    "sr.ht": "",
    "gerrit": "",
    "github": "github",
    ".ghe.com": "github",
}
#: Types that name their repositories in an option, and in which.
REPOSITORIES: Final[Mapping[str, str]] = {"github": "repos", "gitlab": "projects", "gitea": "repos"}
#: Types that build repositories of other hosts.
BUILDERS: Final = ("buildkite", "circleci", "drone", "jenkins", "teamcity", "woodpecker")
#: What CircleCI calls hosts.
_CIRCLECI_HOSTS: Final[Mapping[str, str]] = {GITHUB: "gh", "bitbucket.org": "bb"}
_REPO = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_DEEP_REPO = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+")


class SourceDraft(Struct, frozen=True, kw_only=True):
    """A source as it will be written.  ``options`` are our names to YAML values, ``comments`` stand above it.

    ``found`` says where it was found.
    """

    type: str
    name: str
    options: Mapping[str, Any] = {}
    comments: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


class ServiceDraft(Struct, frozen=True, kw_only=True):
    """A service and the repositories that are its own."""

    name: str
    repos: tuple[str, ...]


class Proposal(Struct, frozen=True, kw_only=True):
    """What was found proposes.

    ``sources`` may lack what nothing here tells (an address). ``suggestions`` are whole, and nobody asked for them.
    ``skipped`` are hosts of remotes that nothing reads, and why.
    """

    sources: tuple[SourceDraft, ...]
    services: tuple[ServiceDraft, ...] = ()
    suggestions: tuple[SourceDraft, ...] = ()
    skipped: Mapping[str, str] = {}


# --- proposing ------------------------------------------------------------------------------------------------------


def propose(seen: Surroundings, known: Iterable[str], *, keyring: bool = True) -> Proposal:
    """A source for each host of remotes and each tool that was found, a service for each repository.

    Only types that are ``known`` are proposed.  Without a ``keyring``, credentials that are in no variable are meant to
    be put into one.
    """
    types = frozenset(known)
    hosts: dict[tuple[str, str], dict[str, str]] = {}
    services: dict[str, tuple[str, dict[str, str]]] = {}
    skipped: dict[str, str] = {}
    for remote in seen.remotes:
        type = forge_of(remote, seen)
        if type not in types:
            skipped.setdefault(remote.host, _why_skipped(remote, type))
            continue
        hosts.setdefault((type, remote.host), {}).setdefault(remote.path.casefold(), remote.path)
        if type in REPOSITORIES:
            name = remote.path.rpartition("/")[2]
            services.setdefault(name.casefold(), (name, {}))[1].setdefault(remote.path.casefold(), remote.path)
    make = _Maker(seen, keyring)
    sources = [make.forge(type, host, tuple(paths.values())) for (type, host), paths in hosts.items()]
    there = {type for type, _ in hosts}
    builders = [type for type in BUILDERS if type in types and seen.where(type)]
    others = sorted({*seen.files, *seen.variables, *seen.places} & types - there - {*builders, KUBERNETES})
    sources += [make.builder(type) for type in builders]
    sources += [make.plain(type) for type in others]
    clusters = [make.cluster(context) for context in seen.contexts] if KUBERNETES in types else []
    unique = _told_apart([*sources, *clusters])
    return Proposal(
        sources=unique[: len(sources)],
        services=tuple(ServiceDraft(name=name, repos=tuple(repos.values())) for name, repos in services.values()),
        suggestions=unique[len(sources) :],
        skipped=skipped,
    )


def services_of(proposal: Proposal, drafts: Iterable[SourceDraft]) -> list[ServiceDraft]:
    """The proposed services whose repositories these sources read."""
    read = {repo.casefold() for draft in drafts for repo in draft.options.get(REPOSITORIES.get(draft.type, ""), ())}
    return [service for service in proposal.services if any(repo.casefold() in read for repo in service.repos)]


def _told_apart(drafts: Iterable[SourceDraft]) -> tuple[SourceDraft, ...]:
    """The drafts, no two with the same name."""
    found: dict[str, SourceDraft] = {}
    for draft in drafts:
        name, count = draft.name, 1
        while name in found:
            count += 1
            name = f"{draft.name}-{count}"
        found[name] = structs.replace(draft, name=name)
    return tuple(found.values())


def forge_of(remote: Remote, seen: Surroundings) -> str:
    """The type of source that reads a remote's host, ``""`` where none does or nobody can tell.

    A host whose name says nothing is what the folder's own files are for, else a GitHub Enterprise server.
    """
    type = next((type for word, type in FORGES.items() if word in remote.host), None)
    if type is None:
        type = next((own for own in ("gitlab", "gitea") if own in seen.files and "github" not in seen.files), "github")
    if type == "azure-devops":
        return type if azure_project(remote) else ""
    return type if (_DEEP_REPO if type == "gitlab" else _REPO).fullmatch(remote.path) else ""


def _why_skipped(remote: Remote, type: str) -> str:
    if type:
        return f"this installation has no source type `{type}`"
    if any(word in remote.host for word, forge in FORGES.items() if not forge):
        return "there is no source type for it"
    return "its repository has no name that could be read"


def api_url(host: str) -> str:
    """Where the REST API of a GitHub host is; ``""`` for github.com, whose address is known."""
    if host == GITHUB:
        return ""
    if host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"https://{host}/api/v3"


def azure_project(remote: Remote) -> tuple[str, str] | None:
    """The organization and project of a repository of Azure DevOps; None for what is none.

    ``dev.azure.com/ORG/PROJECT/_git/REPO``, ``ORG.visualstudio.com/PROJECT/_git/REPO``, and over SSH
    ``v3/ORG/PROJECT/REPO``.
    """
    parts = [part for part in remote.path.split("/") if part != "DefaultCollection"]
    if parts[0] == "v3" and len(parts) == 4:
        return parts[1], parts[2]
    if "_git" not in parts:
        return None
    before = parts[: parts.index("_git")]
    organization, _, rest = remote.host.partition(".")
    if rest == "visualstudio.com":
        before = [organization, *before]
    # A repository that is called as its project is may leave the project out.
    return (before[0], before[1] if len(before) > 1 else parts[-1]) if before else None


class _Maker:
    """Makes drafts from what was found."""

    def __init__(self, seen: Surroundings, keyring: bool) -> None:
        self._seen = seen
        self._keyring = keyring

    def forge(self, type: str, host: str, paths: tuple[str, ...]) -> SourceDraft:
        """The host of some of the remotes."""
        if type == "azure-devops":
            found = [project for path in paths if (project := azure_project(Remote(host, path)))]
            projects = list(dict.fromkeys(project for _, project in found))
            return self._draft(type, type, {"organization": found[0][0], "projects": projects}, [], "the git remotes")
        comments: list[str] = []
        if not any(word in host for word in FORGES):
            what = {"github": "a GitHub Enterprise server", "gitlab": "a GitLab server"}.get(type, "a Gitea server")
            comments.append(f"{host} is taken for {what}; if it is none, remove this source.")
        url = api_url(host) if type == "github" else "" if host == GITLAB else f"https://{host}"
        options = {**({"url": url} if url else {}), REPOSITORIES[type]: list(paths)}
        name = host.replace(":", "-") if url else type
        # What is in a variable may be for another host: nothing here is to send it to one that only a remote names.
        return self._draft(type, name, options, comments, "the git remotes", public=True, elsewhere=host if url else "")

    def builder(self, type: str) -> SourceDraft:
        """A tool that builds repositories of other hosts."""
        options: dict[str, Any] = {}
        comments: list[str] = []
        remotes = self._seen.remotes
        if type == "circleci":
            slugs = [f"{word}/{r.path}" for r in remotes if (word := _CIRCLECI_HOSTS.get(r.host))]
            options = {"projects": slugs} if slugs else {}
            if slugs:
                comments.append("Projects of CircleCI's GitHub App have other slugs: see Project Settings > Overview.")
        elif type in ("drone", "woodpecker"):
            repos = list(dict.fromkeys(r.path for r in remotes if _REPO.fullmatch(r.path)))
            options = {"repos": repos} if repos else {}
        return self._draft(type, type, options, comments)

    def plain(self, type: str) -> SourceDraft:
        """A tool of which nothing but its credentials or a file is known here."""
        return self._draft(type, type, {}, [])

    def cluster(self, context: str) -> SourceDraft:
        """A context of the kubeconfig, which holds its own credentials."""
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", context).strip("-._")[:50]
        return SourceDraft(
            type=KUBERNETES,
            name=f"kubernetes-{name}" if name else KUBERNETES,
            options={"context": context},
            found=("the contexts of the kubeconfig",),
        )

    def _draft(
        self,
        type: str,
        name: str,
        options: dict[str, Any],
        comments: list[str],
        *found: str,
        public: bool = False,
        elsewhere: str = "",
    ) -> SourceDraft:
        credentials = references(type, name, self._seen, self._keyring, elsewhere=bool(elsewhere))
        told = list(comments)
        if elsewhere and (variable := self._seen.variables.get(type, {}).get("token")):
            told.append(f'{variable} is set here: if it is for {elsewhere}, write `token: "env:{variable}"`.')
        if places := self._seen.places.get(type):
            told.append(f"What the environment says in {', '.join(places)} is not copied here.")
        where = self._seen.files.get(type, ()) if elsewhere else self._seen.where(type)
        return SourceDraft(
            type=type,
            name=name,
            options={**options, **credentials},
            comments=(*told, *_about(credentials, self._seen, type, public)),
            found=(*found, *where),
        )


def references(type: str, name: str, seen: Surroundings, keyring: bool, *, elsewhere: bool = False) -> dict[str, str]:
    """Where the credentials of a type that is known well are: in a variable that is set, else in the keyring.

    Without a ``keyring``, in a variable that is to be set. ``elsewhere``: what the usual variables hold is for another
    address.
    """
    found: dict[str, str] = {}
    for option, names in VARIABLES.get(type, {}).items():
        variable = None if elsewhere else seen.variables.get(type, {}).get(option)
        if variable:
            found[option] = f"env:{variable}"
        elif keyring:
            found[option] = keyring_reference(option, name)
        else:
            found[option] = variable_for(option, type, name) if elsewhere else f"env:{names[0]}"
    return found


def keyring_reference(option: str, name: str) -> str:
    """Where `statusboard login` puts a credential of the source ``name``."""
    return f"keyring:{name}" if option == "token" else f"keyring:{name}-{option}"


def variable_for(option: str, type: str, name: str) -> str:
    """A variable for a credential of the source ``name``, where none is common."""
    whose = name if name.startswith(type) else f"{type}_{name}"
    return "env:" + re.sub(r"[^A-Z0-9]+", "_", f"{whose}_{option}".upper()).strip("_")


def _about(credentials: Mapping[str, str], seen: Surroundings, type: str, public: bool) -> list[str]:
    """What is to be done for the credentials."""
    told: list[str] = []
    is_set = {f"env:{variable}" for variable in seen.variables.get(type, {}).values()}
    for option, reference in credentials.items():
        kind, _, name = reference.partition(":")
        if kind == "keyring":
            told.append(f"The {option}: `statusboard login {name}` stores it.")
        elif reference not in is_set:
            told.append(f"No keyring can be used here: export {name}, or write file:/path in place of env:{name}.")
    if told:
        told.append(f"`statusboard sources {type}` says how to make one that may only read.")
    if told and public:
        told.append("For public repositories you may leave it out.")
    return told


# --- writing --------------------------------------------------------------------------------------------------------


def config_text(
    title: str,
    sources: Sequence[SourceDraft],
    services: Sequence[ServiceDraft] = (),
    *,
    environments: bool = True,
    unfinished: Sequence[SourceDraft] = (),
    suggestions: Sequence[SourceDraft] = (),
) -> str:
    """A commented configuration (YAML).  ``unfinished`` and ``suggestions`` stand in it as comments."""
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
    for source in unfinished:
        lines += ["", "  # Complete this and take off the # to read it too.", *_commented(source_lines(source))]
    for number, source in enumerate(suggestions):
        if not number or source.found != suggestions[number - 1].found:
            lines += ["", f"  # Found: {', '.join(source.found)}. Take off the # to read one of them too."]
        lines += _commented(source_lines(structs.replace(source, found=())))
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
    found = (f"Found: {clean(', '.join(source.found), 200)}.",) if source.found else ()
    lines = [f"  # {comment}" for comment in (*found, *source.comments)]
    lines += [f"  - type: {_text(source.type)}", f"    name: {_text(source.name)}"]
    return lines + [f"    {name}: {_value(value)}" for name, value in source.options.items()]


def _commented(lines: Iterable[str]) -> list[str]:
    """Lines of an entry as comments; those that are, stay as they are."""
    return [line if line.startswith("  #") else f"  # {line.removeprefix('  ')}" for line in lines]


def _value(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_text(str(name))}: {_value(one)}' for name, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def _text(value: str) -> str:
    """A string as YAML: as it is where that is plain, else quoted (JSON's strings are YAML's)."""
    value = clean(value, 1_000)
    if _PLAIN.fullmatch(value) and value.casefold() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
