"""Whose answer it was, where a source got one that it cannot use: another vendor's, a sign-in page, a load balancer's.

Told by what only they send: names of headers and cookies, the title of a page, the beginning of a body.  Text that
people write proves nothing, so bodies of data are not searched.  A source is never told that its own vendor's answer
is another's, and one that no row names (``cctray``, ``http-json``, a plug-in) may read whatever it likes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from statusboard.errors import AuthError, BadAnswer, NotFound, ServerError, SourceError
from statusboard.log import redact
from statusboard.text import clean

E = TypeVar("E", bound=SourceError)

LOOKED_AT: Final = 65_536
"""How much of a body should be looked at, in bytes."""

LONGEST: Final = 300
"""How long an error may be in which a hint is to be read to its end, in cells (see `statusboard.health.describe`)."""

_LONGEST_TITLE: Final = 60
_LOOKS: Final = "this looks like"
_SIGN_IN_PAGE: Final = "a sign-in page"
_NAMED: Final = (AuthError, BadAnswer, NotFound, ServerError)


class Seen:
    """An answer, as far as it is looked at.  ``headers`` by lower-case name; ``body`` is the beginning of it.

    ``meant``: it came from where the source's ``url`` leads, and not from some link.  ``html``: it is a page, with
    this ``title`` (one line, or ``""``).
    """

    __slots__ = ("body", "headers", "host", "html", "meant", "status", "title")

    def __init__(
        self, *, status: int, headers: Mapping[str, str], body: bytes = b"", url: str = "", meant: bool = True
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.meant = meant
        self.host = _host(url)
        start = body[:200].removeprefix(b"\xef\xbb\xbf").lstrip()
        said = "html" in headers.get("content-type", "").lower()
        self.html = start.startswith(b"<") and (said or not start.startswith(b"<?xml"))
        self.title = _title(body) if self.html else ""


class Sender(Struct, frozen=True, kw_only=True):
    """What tells a sender; any one of the marks will do.

    ``types``    sources for which its answers are the right ones
    ``headers``  names that it alone sends (``x-jenkins-``: all that begin so)
    ``values``   names, and what their values begin with, in lower case
    ``cookies``  names that it alone sets
    ``title``    a pattern of the whole title of its pages
    ``page``     a pattern found in its pages
    ``data``     a pattern that its other answers begin with
    ``hosts``    names of hosts, and ends of such (``.okta.com``)
    """

    name: str
    types: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    cookies: tuple[str, ...] = ()
    title: str = ""
    page: bytes = b""
    data: bytes = b""
    hosts: tuple[str, ...] = ()

    def sent(self, seen: Seen) -> bool:
        """Whether this answer bears one of the marks."""
        headers = seen.headers
        if self.headers and any(_has(headers, name) for name in self.headers):
            return True
        if self.values and any(headers.get(name, "").lower().startswith(value) for name, value in self.values):
            return True
        cookies = headers.get("set-cookie", "") if self.cookies else ""
        if cookies and any(re.search(rf"(?:^|,\s*){re.escape(name)}", cookies) for name in self.cookies):
            return True
        if self.hosts and seen.host.endswith(self.hosts):
            return True
        if self.title and seen.title and re.fullmatch(self.title, seen.title, re.IGNORECASE):
            return True
        if seen.html:
            return self.page != b"" and re.search(self.page, seen.body) is not None
        return self.data != b"" and re.match(self.data, seen.body) is not None


_DASH: Final = r"(?:.* [-–—·:|] )?"  # what pages put before their product's name

#: The narrower stand before the wider: of two that fit, the first is named.
VENDORS: Final[tuple[Sender, ...]] = (
    Sender(
        name="Jenkins",
        types=("jenkins",),
        headers=("x-jenkins", "x-hudson"),
        title=rf"{_DASH}Jenkins|.* \[Jenkins\]|Starting Jenkins",
    ),
    Sender(
        name="GitLab",
        types=("gitlab",),
        headers=("x-gitlab-",),
        cookies=("_gitlab_session=",),
        title=rf"{_DASH}GitLab|GitLab is not responding.*",
    ),
    Sender(
        name="GitHub",
        types=("github",),
        headers=("x-github-",),
        values=(("server", "github.com"),),
        title=r"(?:.* · )?GitHub(?: Enterprise)?",
    ),
    Sender(
        name="Gitea or Forgejo",
        types=("gitea",),
        cookies=("i_like_gitea=", "i_like_forgejo="),
        title=r".*(?:Gitea: Git with a cup of tea|Forgejo: Beyond coding\. We forge\.)",
        data=rb'\{[^{}]{0,2000}"url":\s?"[^"]{1,300}/api/swagger"',
    ),
    Sender(name="Buildkite", types=("buildkite",), headers=("x-buildkite-",), title=rf"{_DASH}Buildkite"),
    Sender(name="CircleCI", types=("circleci",), headers=("x-circleci-",), title=rf"{_DASH}CircleCI"),
    Sender(
        name="Azure DevOps",
        types=("azure-devops",),
        headers=("x-tfs-", "x-vss-"),
        title=r"Azure DevOps (?:Services|Server)(?: \| .*)?",
    ),
    Sender(
        name="TeamCity",
        types=("teamcity",),
        headers=("teamcity-node-id",),
        values=(("www-authenticate", 'basic realm="teamcity"'),),
        cookies=("TCSESSIONID=",),
        title=r".*(?:-|—) TeamCity",
    ),
    Sender(name="Woodpecker", types=("woodpecker",), headers=("x-woodpecker-",), title=r"Woodpecker"),
    Sender(
        name="Drone", types=("drone",), headers=("x-drone-",), title=r"Drone(?: CI)?(?: \| Continuous Integration)?"
    ),
    Sender(name="Statuspage", types=("statuspage",), headers=("x-statuspage-",)),
    Sender(
        name="Jira or another product of Atlassian",
        types=("jira", "statuspage"),
        headers=("x-arequestid", "x-asen", "x-ausername", "x-seraph-loginreason", "atl-traceid", "atl-request-id"),
        values=(("server", "atlassianedge"),),
        title=rf"{_DASH}(?:Jira|Confluence|Bitbucket)",
    ),
    Sender(name="Linear", types=("linear",), title=r"Linear(?: – .*)?"),
    Sender(
        name="Redmine",
        types=("redmine",),
        cookies=("_redmine_session=",),
        page=rb'<meta name="description" content="Redmine"',
    ),
    Sender(name="Roundup", types=("roundup",), page=rb"""href=["']@@file/"""),
    Sender(name="Prometheus", types=("prometheus",), title=r"Prometheus Time Series Collection and Processing Server"),
    Sender(name="Thanos", types=("prometheus",), title=r"Thanos \| .*"),
    Sender(name="Alertmanager", types=("alertmanager",), title=r"Alertmanager"),
    Sender(
        name="Grafana",
        types=("grafana",),
        cookies=("grafana_session",),
        title=rf"{_DASH}Grafana",
        page=rb"grafanaBootData",
    ),
    Sender(name="PagerDuty", types=("pagerduty",), title=rf"{_DASH}PagerDuty"),
    Sender(name="incident.io", types=("incident-io",), title=rf"{_DASH}incident\.io"),
    Sender(
        name="Sentry",
        types=("sentry",),
        headers=("x-sentry-rate-limit-",),
        cookies=("sentrysid=",),
        title=rf"{_DASH}Sentry",
    ),
    Sender(name="Datadog", types=("datadog",), title=rf"{_DASH}Datadog|Datadog: .*"),
    Sender(
        name="Zabbix",
        types=("zabbix",),
        cookies=("zbx_session",),
        title=r"(?:.*: )?Zabbix",
        page=rb'<meta name="Author" content="Zabbix SIA"',
    ),
    Sender(
        name="Icinga 2",
        types=("icinga2",),
        values=(("server", "icinga/"), ("www-authenticate", 'basic realm="icinga 2"')),
    ),
    Sender(name="Icinga Web", cookies=("Icingaweb2=",), title=r"Icinga Web 2 Login|.* :: Icinga Web"),
    Sender(name="Checkmk", types=("checkmk",), title=r"Check(?:mk|_MK)(?: .*|: .*)?"),
    Sender(
        name="Nagios",
        types=("nagios",),
        values=(("www-authenticate", 'basic realm="nagios'),),
        title=r"Nagios(?: Core| XI|: .*)?|.* · Nagios XI",
    ),
    Sender(name="Argo CD", types=("argocd",), title=r"Argo CD", data=rb'\{"error":"no session information","code":16,'),
    Sender(
        name="Kubernetes",
        types=("kubernetes",),
        data=rb'\s*\{\s*"kind":\s*"Status",\s*"apiVersion":\s*"v1"',
    ),
    Sender(name="Octopus Deploy", types=("octopus",), headers=("octopus-node",), title=r"Octopus(?: Deploy| Server)"),
    Sender(name="Spinnaker", types=("spinnaker",), headers=("x-spinnaker-",), title=r"Spinnaker"),
    Sender(name="Buildbot", types=("buildbot",), title=r"Buildbot(?:: .*)?"),
    Sender(
        name="AWS",
        types=("aws",),
        values=(("server", "amazons3"),),
        data=rb'\{"__type":\s?"com\.amazon|<\?xml[^>]*>\s*<Error><Code>NoSuchBucket',
    ),
)

_SIGN_IN: Final = "the sign-in page of a proxy"

#: Who answers in a vendor's place, and says so whatever the form of the answer.
IN_PLACE: Final[tuple[Sender, ...]] = (
    Sender(name="an answer of Google's Identity-Aware Proxy", headers=("x-goog-iap-generated-response",)),
    Sender(name="an answer of a proxy (Pomerium)", headers=("x-pomerium-intercepted-response",)),
    Sender(name="a check by Cloudflare that keeps programs out", values=(("cf-mitigated", "challenge"),)),
    Sender(name="an answer of an AWS load balancer itself", values=(("server", "awselb/"),)),
    Sender(
        name="the default answer of an ingress, to which no such host or path is known", data=rb"default backend - 404"
    ),
)

#: The same, told by pages.
PAGES: Final[tuple[Sender, ...]] = (
    Sender(
        name=f"{_SIGN_IN} (Okta)",
        headers=("x-okta-request-id",),
        hosts=(".okta.com", ".oktapreview.com", ".okta-emea.com"),
    ),
    Sender(
        name=f"{_SIGN_IN} (Cloudflare Access)", hosts=(".cloudflareaccess.com",), title=r"Sign in ・ Cloudflare Access"
    ),
    Sender(
        name=f"{_SIGN_IN} (oauth2-proxy)",
        cookies=("_oauth2_proxy_csrf",),
        page=rb"(?s)Secured with\s.{0,160}OAuth2 Proxy",
    ),
    Sender(name=f"{_SIGN_IN} (authentik)", headers=("x-authentik-id",), values=(("x-powered-by", "authentik"),)),
    Sender(name=f"{_SIGN_IN} (Authelia)", cookies=("authelia_session=",), title=r"Login - Authelia"),
    Sender(name=f"{_SIGN_IN} (Keycloak)", cookies=("KC_RESTART=", "AUTH_SESSION_ID=")),
    Sender(name=f"{_SIGN_IN} (Google)", hosts=("accounts.google.com",)),
    Sender(name=f"{_SIGN_IN} (Microsoft)", hosts=("login.microsoftonline.com", "login.live.com")),
    Sender(name=f"{_SIGN_IN} (Auth0)", hosts=(".auth0.com",)),
    Sender(name=f"{_SIGN_IN} (Amazon Cognito)", hosts=(".amazoncognito.com",)),
    Sender(name=f"{_SIGN_IN} (OneLogin)", hosts=(".onelogin.com",)),
    Sender(name="a page of Cloudflare, which gets no good answer from the server behind it", title=r".* \| 5\d\d: .*"),
    Sender(name="a page of CloudFront itself", page=rb"(?i)Generated by cloudfront"),
    Sender(name="a page of an Azure gateway itself", page=rb"<center>Microsoft-Azure-Application-Gateway"),
    Sender(
        name="a page of HAProxy, which has no server to ask", page=rb"No server is available to handle this request"
    ),
    Sender(
        name="the first page of a web server that is not set up yet",
        title=r"Welcome to nginx!|(?:Apache2 .* )?Default Page: It works|.*Apache HTTP Server Test Page.*|"
        r"Test Page for the (?:Apache HTTP|HTTP|Nginx) Server.*|IIS Windows(?: Server)?|Caddy works!",
        page=rb"<h1>It works!</h1>",
    ),
    Sender(
        name="a maintenance page",
        title=r".*\b(?:under|in|down for|undergoing|scheduled|planned|site|system) maintenance\b.*|"
        r"maintenance(?: mode)?|.*\bwe(?:'|’| wi)ll be (?:right )?back\b.*|"
        r"(?!\d).*\btemporarily (?:unavailable|offline|down)\b.*|"
        r"Starting Jenkins|.* is not responding\b.*|.*: Site Not Started",
    ),
    Sender(name="a page of nginx itself", page=rb"<hr><center>nginx(?:/[\d.]+)?(?: \([^)]{1,40}\))?</center>"),
)

_TITLE: Final = re.compile(rb"<title(?:\s[^>]{0,200})?>", re.IGNORECASE)
_SIGN_IN_TITLE: Final = re.compile(
    r"(?:please )?(?:sign|log)[ -]?(?:in|on)\b.*|.*\b(?:sign|log)[ -]?(?:in|on)", re.IGNORECASE
)
_PASSWORD: Final = re.compile(rb"""<input[^>]{0,200}\btype=["']?password""", re.IGNORECASE)
_MAY_SIGN_IN: Final = frozenset({200, 203, 401, 403})
_TYPES: Final = frozenset(type for vendor in VENDORS for type in vendor.types)


def hint(type: str, seen: Seen) -> str:
    """What a source of ``type`` should say of an answer that it cannot use, or ``""``.

    ``this looks like GitLab, not jenkins``; ``this looks like a maintenance page``; ``its title is "Acme Intranet"``.
    """
    if type in _TYPES and seen.meant:
        vendors = [vendor for vendor in VENDORS if vendor.sent(seen)]
        if vendors and not any(type in vendor.types for vendor in vendors):
            return f"{_LOOKS} {vendors[0].name}, not {type}"
    if not seen.html and 200 <= seen.status < 300:
        return ""
    for other in (*IN_PLACE, *(PAGES if seen.html or 300 <= seen.status < 400 else ())):
        if other.sent(seen):
            return f"{_LOOKS} {other.name}"
    if _signs_in(seen):
        return f"{_LOOKS} {_SIGN_IN_PAGE}"
    shown = redact(clean(seen.title, _LONGEST_TITLE))
    return f'its title is "{shown}"' if shown and not _says_no_more(seen.title, seen.status) else ""


def named(error: E, type: str, seen: Seen) -> E:
    """``error``, which this answer led to, with the `hint` of it at its end."""
    if not isinstance(error, _NAMED):
        return error
    text = str(error)
    if _LOOKS in text.lower() or not (more := hint(type, seen)):
        return error
    if more.lower() in text.lower() or (more.endswith(_SIGN_IN_PAGE) and _SIGN_IN_PAGE in text):
        return error
    text = clean(text, LONGEST - len(more) - 2)
    # A question that stands at the end already is answered.
    error.args = (f"{text} {more[0].upper()}{more[1:]}" if text.endswith("?") else f"{text}; {more}",)
    return error


def _has(headers: Mapping[str, str], name: str) -> bool:
    return any(known.startswith(name) for known in headers) if name.endswith("-") else name in headers


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _title(page: bytes) -> str:
    begin = _TITLE.search(page)
    if begin is None:
        return ""
    from html import unescape  # its table of names is large, and hardly any answer is a page

    title = page[begin.end() : begin.end() + 1_000].partition(b"<")[0]
    return clean(unescape(title.decode("utf-8", "replace")), 300)


def _signs_in(seen: Seen) -> bool:
    if not seen.html or seen.status not in _MAY_SIGN_IN:
        return False
    return _SIGN_IN_TITLE.fullmatch(seen.title) is not None or _PASSWORD.search(seen.body) is not None


def _says_no_more(title: str, status: int) -> bool:
    """Whether a title is but the status in words."""
    try:
        phrase = HTTPStatus(status).phrase.lower()
    except ValueError:
        phrase = ""
    return str(status) in title or (phrase != "" and phrase in title.lower())
