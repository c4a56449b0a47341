"""What ``type: github`` takes, and the searches that its ``query`` stands for.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from statusboard.api import SourceOptions, option

#: More searches than this would use up the 30 a minute that GitHub allows.
MOST_SEARCHES: Final = 20
#: How many lists of runs one repository may be read as.
MOST_LISTS: Final = 12
REPO: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}/(?!\.\.?$)[A-Za-z0-9_.-]{1,100}")
_ORG = re.compile(r"[A-Za-z0-9_-]{1,100}")
_LONGEST = 256

# Qualifiers of a search, negated ones left out.
_BEFORE = r"(?:^|(?<=[\s(]))"
_PLACE = re.compile(_BEFORE + r"(?:repo|org|user|owner|enterprise):", re.IGNORECASE)
_PULL = re.compile(_BEFORE + r"(?:is|type):(?:pr|pull-?requests?)\b", re.IGNORECASE)
_ISSUE = re.compile(_BEFORE + r"(?:is|type):issue\b", re.IGNORECASE)
_STATE = re.compile(_BEFORE + r"(?:is:(?:open|closed)|state:)", re.IGNORECASE)
_OR = re.compile(r"(?:^|[\s)])OR(?=[\s(])")


class GitHubOptions(SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of ``type: github``."""

    repos: Annotated[tuple[str, ...], option("repositories, as owner/name")] = ()
    org: Annotated[str, option("an organisation: all its repositories that are not archived, beside `repos`")] = ""
    org_repos: Annotated[
        int, msgspec.Meta(ge=1, le=200), option("how many repositories of `org` to read, those pushed to last first")
    ] = 50
    exclude: Annotated[tuple[str, ...], option("repositories of `org` to leave out; * and ? match anything")] = ()
    branches: Annotated[
        tuple[str, ...], option("only builds of these branches, read one by one; * and ? match anything")
    ] = ()
    workflows: Annotated[
        tuple[str, ...], option("only builds of these workflows, by file name (ci.yml) or by name")
    ] = ()
    query: Annotated[
        str, option("tickets are the issues that this search of GitHub's finds; without it, all open issues")
    ] = ""
    builds: Annotated[int, msgspec.Meta(ge=1, le=100), option("how many workflow runs to read of each repository")] = 30
    deployments: Annotated[
        int, msgspec.Meta(ge=1, le=100), option("how many deployments to read of each repository")
    ] = 10
    commits: Annotated[
        bool, option("ask when the commits of deployments were made, for lead times: one request a deployment")
    ] = False

    def __post_init__(self) -> None:
        if not (self.repos or self.org or self.query):
            raise ValueError("name at least one of `repos` (as owner/name) and `org`")
        for repo in self.repos:
            if not REPO.fullmatch(repo):
                raise ValueError(f"`repos`: {repo[:80]!r} is not of the form owner/name")
        if self.org and not _ORG.fullmatch(self.org):
            raise ValueError(f"`org`: {self.org[:80]!r} is no organisation's name, which stands alone, without a slash")
        for name, words in (("branches", self.branches), ("workflows", self.workflows)):
            for word in words:
                if not word.strip() or not word.isprintable() or len(word) > _LONGEST:
                    raise ValueError(f"`{name}`: {word[:80]!r} is no name")
        if max(len(self.branches), 1) * max(len(self.workflows), 1) > MOST_LISTS:
            raise ValueError(
                f"`branches` times `workflows` is more than {MOST_LISTS}; name fewer, or use a second source"
            )
        self._check_query()

    def _check_query(self) -> None:
        query = self.query
        if not query:
            return
        if not query.strip() or not query.isprintable() or len(query) > _LONGEST:
            raise ValueError(f"`query` is blank, not printable or longer than {_LONGEST} characters")
        if self.kinds and "ticket" not in self.kinds:
            raise ValueError("`query` is for tickets, which `kinds` leaves out")
        if _PULL.search(query):
            raise ValueError("`query`: pull requests are no tickets; leave is:pr out")
        places = _PLACE.findall(query)
        if not places and not (self.repos or self.org):
            raise ValueError("`query` does not say where to search; add org:NAME or repo:OWNER/NAME to it")
        if len(places) > 1 and not _OR.search(query) and not is_enterprise_server(self.url):
            raise ValueError(
                "`query`: GitHub joins several places by AND, which finds nothing; write (repo:A OR repo:B)"
            )
        if len(list(self.searches())) > MOST_SEARCHES:
            raise ValueError(
                f"`query` would be searched for in more than {MOST_SEARCHES} repositories one by one; name an `org`, "
                "or add org:NAME to it"
            )

    def searches(self) -> Iterator[str]:
        """What to search for, one after the other, as GitHub wants it.

        One search for each place, since a search of several leaves out in silence those that it may not see.
        """
        query = f"({self.query})" if _OR.search(self.query) else self.query
        if not _ISSUE.search(query):
            query += " is:issue"
        if not _STATE.search(query):
            query += " is:open"
        if _PLACE.search(query):
            yield query
            return
        if self.org:
            yield f"{query} org:{self.org}"
        for repo in unique(self.repos):
            if repo.partition("/")[0].lower() != self.org.lower():
                yield f"{query} repo:{repo}"


def unique(repos: Iterable[str]) -> list[str]:
    """Each repository once, as it is first written: GitHub does not mind the case."""
    found: dict[str, str] = {}
    for repo in repos:
        found.setdefault(repo.lower(), repo)
    return list(found.values())


def is_enterprise_server(url: str) -> bool:
    """Whether this is the address of a GitHub Enterprise Server, whose REST API lies at ``/api/v3``."""
    return urlsplit(url).path.rstrip("/").endswith("/api/v3")


def graphql_url(url: str) -> str:
    """Where GraphQL is: beside the REST API, at ``/api/graphql`` of a GitHub Enterprise Server."""
    return f"{url.rstrip('/').removesuffix('/v3')}/graphql" if is_enterprise_server(url) else "/graphql"


def web_url(url: str) -> str:
    """Where people see what the API at ``url`` tells of; ``""`` where that cannot be told."""
    parts = urlsplit(url)
    if is_enterprise_server(url):
        return url.rstrip("/").removesuffix("/api/v3")
    if parts.netloc.startswith("api."):
        return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
    return ""
