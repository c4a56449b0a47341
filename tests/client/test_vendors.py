"""The wrong vendor at the URL, and who else answers in a vendor's place, are named; nobody is named wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.alertmanager import Alertmanager
from sources.cctray import CCTray
from sources.gitea import Gitea
from sources.github import GitHub
from sources.gitlab import GitLab
from sources.http_json import HttpJson
from sources.jenkins import Jenkins
from sources.jira import Jira
from sources.linear import Linear
from sources.octopus import Octopus
from sources.sentry import Sentry
from statusboard.client import mock
from statusboard.client._vendors import IN_PLACE, LONGEST, LOOKED_AT, PAGES, VENDORS, Seen, hint, named
from statusboard.errors import (
    AuthError,
    BadAnswer,
    NotFound,
    RateLimited,
    ServerError,
    SourceError,
    Timeout,
    TransportError,
)
from statusboard.log import redactor
from statusboard.model import Part
from statusboard.source import Source
from statusboard.testing import make_source
from tests.client.kit import BASE, Vendor, answer, client_of, real_client, saying, serving

HTML = {"content-type": "text/html; charset=utf-8"}
JSON = {"content-type": "application/json"}


def page(title: str, body: str = "", status: int = 200, url: str = "", **headers: str) -> Seen:
    """A page with a title."""
    text = f"<!DOCTYPE html>\n<html><head>\n<title>{title}</title></head><body>{body}</body></html>"
    return seen(status, text, url=url, **{**HTML, **headers})


def seen(status: int, body: str = "", url: str = "", **headers: str) -> Seen:
    """An answer, its headers with ``_`` for ``-``."""
    known = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return Seen(status=status, headers=known, body=body.encode(), url=url)


def json(status: int, body: str = "{}", **headers: str) -> Seen:
    return seen(status, body, content_type="application/json", **headers)


#: What each sender of the tables answers to who asks for somebody else's API: an answer for each of its marks.
ANSWERS: Mapping[str, list[Seen]] = {
    "Jenkins": [
        page("Error 404 Not Found", status=404, x_jenkins="2.479.1", x_hudson="1.395", server="Jetty(12.0.13)"),
        seen(403, "<html><head><meta http-equiv='refresh'></head></html>", x_hudson="1.395"),
        page("Sign in [Jenkins]"),
        page("Sign in - Jenkins"),
        page("Starting Jenkins", status=503),
    ],
    "GitLab": [
        json(404, '{"error":"404 Not Found"}', x_gitlab_meta='{"correlation_id":"01JD","version":"1"}'),
        seen(302, set_cookie="a=b; path=/, _gitlab_session=0123; path=/; HttpOnly", location="/users/sign_in"),
        page("Sign in · GitLab"),
        page("GitLab is not responding (502)", status=502),
    ],
    "GitHub": [
        json(404, '{"message":"Not Found","status":"404"}', x_github_request_id="D139:2FAB9E"),
        seen(200, "<p>pages</p>", server="GitHub.com", content_type="text/html"),
        page("Page not found · GitHub", status=404),
        page("Sign in to GitHub · GitHub"),
    ],
    "Gitea or Forgejo": [
        seen(404, "Not found.\n", set_cookie="i_like_gitea=d20d49b100a58736; Path=/; HttpOnly; SameSite=Lax"),
        page("Page Not Found - Gitea: Git with a cup of tea", status=404),
        page("Explore - Forgejo: Beyond coding. We Forge."),
        json(
            404,
            '{"errors":[],"message":"The target couldn\'t be found.","url":"https://codeberg.example/api/swagger"}',
        ),
    ],
    "Buildkite": [json(404, '{"message":"Not Found"}', x_buildkite_performance="t=3"), page("Log in · Buildkite")],
    "CircleCI": [json(404, '{"message":"Not found"}', x_circleci_identity="circle-www-1"), page("Login - CircleCI")],
    "Azure DevOps": [
        json(401, "", x_tfs_processid="7b1c", x_vss_e2eid="8d2e"),
        page("Azure DevOps Services | Sign In", status=203),
    ],
    "TeamCity": [
        seen(401, "Authentication required\n", teamcity_node_id="MAIN_SERVER", content_type="text/plain"),
        seen(401, "", www_authenticate='Basic realm="TeamCity", Bearer realm="TeamCity"'),
        page("Log in", set_cookie="TCSESSIONID=269C; Path=/; HttpOnly"),
        page("Log in to TeamCity &mdash; TeamCity"),
    ],
    "Woodpecker": [seen(404, "", x_woodpecker_version="3.13.0"), page("Woodpecker")],
    "Drone": [page("Drone CI"), page("Drone | Continuous Integration"), seen(404, "", x_drone_version="1.0.0")],
    "Statuspage": [json(404, '{"error":"Not found"}', x_statuspage_version="3149", server="AtlassianEdge")],
    "Jira or another product of Atlassian": [
        json(401, '{"errorMessages":["You are not authenticated"]}', x_arequestid="1x2x1", x_ausername="anonymous"),
        page("Log in - Jira", status=401),
        page("Log In - Confluence"),
        seen(404, "", server="AtlassianEdge"),
    ],
    "Linear": [page("Linear"), page("Linear – Plan and build products")],
    "Redmine": [
        page("Acme", '<meta name="description" content="Redmine" />', status=404),
        json(404, "", set_cookie="_redmine_session=ZVdW; path=/; HttpOnly"),
    ],
    "Roundup": [page("Acme's tracker", '<link rel="stylesheet" type="text/css" href="@@file/style.css">')],
    "Prometheus": [page("Prometheus Time Series Collection and Processing Server")],
    "Thanos": [page("Thanos | Highly available Prometheus setup")],
    "Alertmanager": [page("Alertmanager")],
    "Grafana": [
        page("Grafana"),
        page("Sign in", "<script>window.grafanaBootData = {}</script>"),
        json(401, '{"message":"Unauthorized"}', set_cookie="grafana_session_expiry=17; Path=/"),
    ],
    "PagerDuty": [page("Sign In - PagerDuty")],
    "incident.io": [page("Dashboard | incident.io")],
    "Sentry": [
        json(404, '{"detail":"The requested resource does not exist"}', x_sentry_rate_limit_remaining="39"),
        page("Login | Sentry"),
        seen(302, location="/auth/login/", set_cookie='sentrysid="gAJ9"; Path=/'),
    ],
    "Datadog": [page("Datadog: Log In"), page("Log In | Datadog")],
    "Zabbix": [
        page("ops: Zabbix"),
        page("ops", '<meta name="Author" content="Zabbix SIA" />'),
        seen(404, "", set_cookie="zbx_session=eyJz; secure; HttpOnly"),
    ],
    "Icinga 2": [
        page("401 Unauthorized", status=401, server="Icinga/r2.14.3-1"),
        seen(401, "", www_authenticate='Basic realm="Icinga 2"'),
    ],
    "Icinga Web": [
        page("Icinga Web 2 Login"),
        page("Dashboard :: Icinga Web"),
        seen(302, location="/icingaweb2/authentication/login", set_cookie="Icingaweb2=5uv4; path=/icingaweb2/"),
    ],
    "Checkmk": [page("Checkmk Local site central"), page("Check_MK Multisite Login")],
    "Nagios": [
        page("401 Unauthorized", status=401, www_authenticate='Basic realm="Nagios Access"'),
        page("Nagios: ops"),
        page("Nagios Core"),
    ],
    "Argo CD": [
        page("Argo CD"),
        json(401, '{"error":"no session information","code":16,"message":"no session information"}'),
    ],
    "Kubernetes": [
        json(403, '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","code":403}'),
        json(404, '{\n  "kind": "Status",\n  "apiVersion": "v1",\n  "metadata": {}\n}'),
    ],
    "Octopus Deploy": [json(401, "{}", octopus_node="node-1"), page("Octopus Deploy")],
    "Spinnaker": [json(404, "{}", x_spinnaker_request_id="8d2e"), page("Spinnaker")],
    "Buildbot": [page("Buildbot")],
    "AWS": [
        seen(404, "", server="AmazonS3"),
        seen(
            404,
            '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchBucket</Code></Error>',
            content_type="application/xml",
        ),
        json(400, '{"__type":"com.amazon.coral.service#UnknownOperationException"}'),
    ],
    "an answer of Google's Identity-Aware Proxy": [
        seen(401, "Invalid IAP credentials: empty token", x_goog_iap_generated_response="true"),
    ],
    "an answer of a proxy (Pomerium)": [page("403 Forbidden", status=403, x_pomerium_intercepted_response="true")],
    "a check by Cloudflare that keeps programs out": [page("Just a moment...", status=403, cf_mitigated="challenge")],
    "an answer of an AWS load balancer itself": [
        page("502 Bad Gateway", status=502, server="awselb/2.0"),
        seen(503, "We are moving house", server="awselb/2.0", content_type="text/plain"),
    ],
    "the default answer of an ingress, to which no such host or path is known": [
        seen(404, "default backend - 404", content_type="text/plain; charset=utf-8")
    ],
    "the sign-in page of a proxy (Okta)": [
        page("Acme - Sign In", x_okta_request_id="WcrH"),
        page("Acme", url="https://acme.okta.com/oauth2/v1/authorize"),
    ],
    "the sign-in page of a proxy (Cloudflare Access)": [
        page("Sign in ・ Cloudflare Access"),
        page("x", url="https://acme.cloudflareaccess.com/cdn-cgi/access/login/x"),
    ],
    "the sign-in page of a proxy (oauth2-proxy)": [
        page(
            "Sign In",
            "<footer>Secured with\n<a href='https://github.com/oauth2-proxy'>OAuth2 Proxy</a> version v7</footer>",
            status=403,
        ),
        seen(302, location="https://idp.example/authorize", set_cookie="_oauth2_proxy_csrf=x; Path=/"),
    ],
    "the sign-in page of a proxy (authentik)": [
        page("authentik", x_authentik_id="12a5"),
        page("Not Found", status=404, x_powered_by="authentik"),
    ],
    "the sign-in page of a proxy (Authelia)": [
        page("Login - Authelia"),
        page("x", set_cookie="authelia_session=abc; Secure"),
    ],
    "the sign-in page of a proxy (Keycloak)": [page("Sign in to acme", set_cookie="AUTH_SESSION_ID=x, KC_RESTART=y")],
    "the sign-in page of a proxy (Google)": [page("Sign in", url="https://accounts.google.com/v3/signin")],
    "the sign-in page of a proxy (Microsoft)": [
        page("Sign in to your account", url="https://login.microsoftonline.com/common/oauth2/authorize")
    ],
    "the sign-in page of a proxy (Auth0)": [page("Log in | acme", url="https://acme.eu.auth0.com/login")],
    "the sign-in page of a proxy (Amazon Cognito)": [
        page("Signin", url="https://acme.auth.eu-west-1.amazoncognito.com/login")
    ],
    "the sign-in page of a proxy (OneLogin)": [page("OneLogin", url="https://acme.onelogin.com/login2")],
    "a page of Cloudflare, which gets no good answer from the server behind it": [
        page("ci.acme.example | 522: Connection timed out", status=522, server="cloudflare")
    ],
    "a page of CloudFront itself": [
        page("ERROR: The request could not be satisfied", "<PRE>Generated by cloudfront (CloudFront)</PRE>", status=403)
    ],
    "a page of an Azure gateway itself": [
        page("502 Bad Gateway", "<hr><center>Microsoft-Azure-Application-Gateway/v2</center>", status=502)
    ],
    "a page of HAProxy, which has no server to ask": [
        seen(
            503,
            "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</html>",
            content_type="text/html",
        )
    ],
    "the first page of a web server that is not set up yet": [
        page("Welcome to nginx!"),
        page("Apache2 Debian Default Page: It works"),
        page("Test Page for the Apache HTTP Server on Fedora"),
        page("IIS Windows Server"),
        page("Caddy works!"),
        seen(200, "<html><body><h1>It works!</h1></body></html>", content_type="text/html"),
    ],
    "a maintenance page": [
        page("Down for maintenance", status=503),
        page("Acme CI is under maintenance"),
        page("Scheduled Maintenance | Acme", status=503),
        page("Maintenance", status=503),
        page("We&#39;ll be right back", status=503),
        page("Acme is temporarily unavailable", status=503),
    ],
    "a page of nginx itself": [
        page(
            "404 Not Found", "<center><h1>404 Not Found</h1></center>\n<hr><center>nginx/1.24.0 (Ubuntu)</center>", 404
        ),
        page("401 Authorization Required", "<hr><center>nginx</center>", status=401),
    ],
}
SENDERS = (*VENDORS, *IN_PLACE, *PAGES)
ROWS = [
    pytest.param(sender, given, id=f"{sender.name} {n}")
    for sender in SENDERS
    for n, given in enumerate(ANSWERS[sender.name], 1)
]


@pytest.mark.parametrize("sender,given", ROWS)
def test_each_sender_is_named(sender: Any, given: Seen) -> None:
    if sender in VENDORS:
        for other in ("spinnaker" if sender.name == "Buildbot" else "buildbot", "alertmanager"):
            if other not in sender.types:
                assert hint(other, given) == f"this looks like {sender.name}, not {other}"
    else:
        assert hint("buildbot", given) == f"this looks like {sender.name}"
        assert hint("http-json", given) == f"this looks like {sender.name}"


@pytest.mark.parametrize("sender,given", [row for row in ROWS if row.values[0] in VENDORS])
def test_none_is_told_that_its_own_vendor_is_another(sender: Any, given: Seen) -> None:
    for own in (*sender.types, "cctray", "http-json", "a-plug-in"):
        assert ", not " not in hint(own, given)


@pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)
def test_every_mark_is_tried(sender: Any) -> None:
    """A row's answers need all of its marks: with any of them left out, one is no longer known."""
    for mark in ("headers", "values", "cookies", "title", "page", "data", "hosts"):
        if getattr(sender, mark):
            less = {field: getattr(sender, field) for field in sender.__struct_fields__ if field != mark}
            without = type(sender)(**less)
            assert not all(without.sent(given) for given in ANSWERS[sender.name]), mark


def test_every_source_that_asks_a_vendor_is_known() -> None:
    known = {own for vendor in VENDORS for own in vendor.types}
    built_in = {entry.name for entry in entry_points(group="statusboard.sources") if entry.value.startswith("sources.")}
    anything = {"cctray", "http-json", "exec", "deploy-log", "git"}
    assert built_in - known <= anything
    assert not known & anything


@pytest.mark.parametrize(
    "given",
    [
        json(200, '[{"title": "Sign in · GitLab", "body": "<title>GitLab</title> Secured with OAuth2 Proxy"}]'),
        json(200, '{"items": [{"kind":"Status","apiVersion":"v1"}], "url": "https://x.example/api/swagger"}'),
        json(404, '{"message": "no page of GitLab, no {\\"kind\\":\\"Status\\",\\"apiVersion\\":\\"v1\\"}"}'),
        json(
            404, "{}", server="nginx", x_request_id="1", set_cookie="session=_gitlab_session; Path=/, my_zbx_session=1"
        ),
        json(200, "[]", set_cookie="_oauth2_proxy_csrf=x", server="awselb/2.0", x_powered_by="authentik"),
        json(404, '{"message": "no"}', set_cookie="_oauth2_proxy_csrf=x; Path=/, KC_RESTART=y"),
        page("502 Bad Gateway", status=502),
        page("Error 503 Service Unavailable", status=503),
        page("503 Service Temporarily Unavailable", status=503),
        page("Not Found", '<form><input type="password"></form>', status=404),
        seen(404, "", content_type="text/html"),
        seen(599, ""),
    ],
)
def test_what_proves_nothing(given: Seen) -> None:
    for own in ("jenkins", "prometheus", "http-json", "a-plug-in"):
        assert hint(own, given) == ""


@pytest.mark.parametrize(
    "given",
    [
        page("Please log in"),
        page("Acme: Log in", status=401),
        page("Welcome", '<input name="p" type="password">'),
        page("Welcome", '<INPUT TYPE=password NAME="p">', status=403),
    ],
)
def test_a_sign_in_page_of_nobody_known(given: Seen) -> None:
    assert hint("jenkins", given) == "this looks like a sign-in page"


def test_a_vendors_own_sign_in_page_is_one() -> None:
    assert hint("jenkins", page("Sign in [Jenkins]", x_jenkins="2.479")) == "this looks like a sign-in page"
    assert hint("azure-devops", page("Azure DevOps Services | Sign In")) == "this looks like a sign-in page"


def test_who_answers_a_link_is_not_whom_the_url_names() -> None:
    given = ANSWERS["GitHub"][0]
    elsewhere = Seen(status=given.status, headers=given.headers, body=given.body, meant=False)
    assert hint("drone", given) == "this looks like GitHub, not drone"
    assert hint("drone", elsewhere) == ""


def test_other_titles_are_told_as_they_are() -> None:
    assert hint("jenkins", page("Acme &amp; Sons\n  Intranet")) == 'its title is "Acme & Sons Intranet"'
    assert hint("http-json", page("Acme Intranet", status=404)) == 'its title is "Acme Intranet"'
    assert hint("jenkins", page("  ")) == ""


def test_titles_are_cleaned_clipped_and_redacted() -> None:
    redactor.add("hush-hush-4712")
    told = hint("jenkins", page("\x1b]52;c;aGk=\x07[/x]\u202ehush-hush-4712 " + "x" * 5_000))
    assert told.startswith('its title is "]52;c;aGk=[/x]*** xxx')
    assert told.isprintable() and len(told) < 80
    long = "Some very long name of a project, and of what is there to be seen of it today"
    assert hint("jenkins", page(f"{long} · Issues · GitLab")) == "this looks like GitLab, not jenkins"


@given(
    st.integers(100, 599),
    st.dictionaries(st.sampled_from(["server", "set-cookie", "www-authenticate", "content-type", "x-a"]), st.text()),
    st.binary() | st.text().map(lambda text: f"<title>{text}</title>".encode("utf-8", "replace")),
    st.text(),
)
def test_nothing_is_too_odd(status: int, headers: dict[str, str], body: bytes, url: str) -> None:
    for own in ("jenkins", "http-json"):
        told = hint(own, Seen(status=status, headers=headers, body=body, url=url))
        assert told.isprintable() and len(told) <= 200


def test_odd_pages_cost_little() -> None:
    for piece in (b"<title", b"<title>", b"<title ", b"<input ", b"Secured with ", b"<hr><center>nginx", b'{"url":"'):
        given = Seen(status=200, headers=HTML, body=(b"<p>" + piece * 50_000)[:LOOKED_AT])
        assert len(hint("jenkins", given)) < 200


# --- in errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [AuthError, BadAnswer, NotFound, ServerError])
def test_an_error_keeps_what_it_is(kind: type[SourceError]) -> None:
    error = kind("GET /x: no", status=404, retry_after=7.0)
    found = named(error, "jenkins", ANSWERS["GitLab"][0])
    assert found is error
    assert str(error) == "GET /x: no; this looks like GitLab, not jenkins"
    assert (error.status, error.retry_after) == (404, 7.0)
    assert str(named(error, "jenkins", ANSWERS["GitHub"][0])) == str(error), "once is enough"


@pytest.mark.parametrize("kind", [RateLimited, Timeout, TransportError])
def test_errors_that_say_nothing_of_who_answers(kind: type[SourceError]) -> None:
    assert str(named(kind("no"), "jenkins", ANSWERS["GitLab"][0])) == "no"


def test_what_is_said_of_a_long_error_is_read_to_its_end() -> None:
    error = named(BadAnswer("x" * 1_000), "jenkins", ANSWERS["GitLab"][0])
    assert str(error).endswith("…; this looks like GitLab, not jenkins")
    assert len(str(error)) == LONGEST


def test_a_title_is_told_once() -> None:
    error = BadAnswer("GET /x: HTML came instead of JSON; is the url right?")
    for _ in range(2):
        named(error, "jenkins", page("Acme Intranet"))
    assert str(error) == 'GET /x: HTML came instead of JSON; is the url right? Its title is "Acme Intranet"'


# --- through the client, with real sources ----------------------------------------------------------------------------


def response(given: Seen) -> httpx.Response:
    return httpx.Response(given.status, headers=dict(given.headers), content=given.body)


async def errors_of(
    cls: type[Source[Any]], options: Mapping[str, object], respond: Callable[[httpx.Request], httpx.Response]
) -> set[str]:
    """The errors of one poll, as text; every part must have one."""
    parts = await parts_of(cls, options, respond)
    assert parts and all(part.error is not None for part in parts)
    return {str(part.error) for part in parts}


async def parts_of(
    cls: type[Source[Any]], options: Mapping[str, object], respond: Callable[[httpx.Request], httpx.Response]
) -> tuple[Part, ...]:
    """The parts of one poll; what `Source.scopes` raises is one as well."""
    source = make_source(cls, {"url": BASE, **options})
    try:
        return (await source.poll(mock(source, respond).factory)).parts
    except SourceError as exc:
        return (Part(scope="", kind="build", reach="complete", started_at=source.clock.now(), error=exc),)


WRONG_VENDORS: list[tuple[type[Source[Any]], dict[str, object], str]] = [
    (Jenkins, {"jobs": ["a"]}, "GitLab"),
    (Jenkins, {}, "TeamCity"),
    (GitHub, {"repos": ["a/b"]}, "Gitea or Forgejo"),
    (GitLab, {"projects": ["a/b"], "kinds": ["build"]}, "GitHub"),
    (Gitea, {"repos": ["a/b"]}, "GitLab"),
    (Jira, {"jql": "project = A"}, "Redmine"),
    (Sentry, {"organization": "a"}, "Grafana"),
    (Alertmanager, {}, "Prometheus"),
    (Alertmanager, {}, "Kubernetes"),
]


@pytest.mark.parametrize(
    "cls,options,vendor,given",
    [
        pytest.param(cls, options, vendor, given, id=f"{cls.type} asks {vendor} {n}")
        for cls, options, vendor in WRONG_VENDORS
        for n, given in enumerate(ANSWERS[vendor], 1)
        if given.status not in (302, 502, 503)
    ],
)
async def test_the_wrong_vendor_at_the_url(
    cls: type[Source[Any]], options: Mapping[str, object], vendor: str, given: Seen
) -> None:
    for error in await errors_of(cls, options, lambda request: response(given)):
        assert f"this looks like {vendor}, not {cls.type}".lower() in error.lower()
        assert error.isprintable() and len(error) < 500


@pytest.mark.parametrize("body", [b"{}", b'{"message": "hello"}', b"[]", b"7", b'"down"', b"null"])
@pytest.mark.parametrize(
    "cls,options",
    [
        (Jenkins, {}),
        (Jenkins, {"jobs": ["a"]}),
        (Gitea, {"repos": ["a/b"]}),
        (Octopus, {}),
        (Jira, {"jql": "project = A"}),
    ],
)
async def test_data_of_another_shape_is_named_where_the_source_finds_it_odd(
    cls: type[Source[Any]], options: dict[str, object], body: bytes
) -> None:
    """Some decode by themselves: the client sees a good answer, and the source one that it cannot use."""
    good = Seen(status=200, headers={**JSON, "teamcity-node-id": "MAIN_SERVER"}, body=body)
    for error in await errors_of(cls, options, lambda request: response(good)):
        assert f"this looks like TeamCity, not {cls.type}" in error


MAPPING = {"path": "/x", "kind": "build", "items": "@", "id": "id", "fields": {"state": "state"}}


@pytest.mark.parametrize("cls,options", [(CCTray, {}), (HttpJson, MAPPING)])
async def test_who_may_read_anything_is_told_of_pages_only(cls: type[Source[Any]], options: dict[str, object]) -> None:
    for error in await errors_of(cls, options, lambda request: response(ANSWERS["GitLab"][0])):
        assert "looks like" not in error
    for error in await errors_of(cls, options, lambda request: response(page("Down for maintenance"))):
        assert "this looks like a maintenance page" in error.lower()


async def test_a_way_to_a_sign_in_page_elsewhere() -> None:
    okta = "https://acme.okta.com/login"

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host == "acme.okta.com":
            return response(page("Acme - Sign In"))
        return httpx.Response(302, headers={"location": okta})

    (error,) = await errors_of(Alertmanager, {"url": "https://alerts.example"}, respond)
    assert error.endswith("a sign-in page came instead of JSON; this looks like the sign-in page of a proxy (Okta)")
    (error,) = await errors_of(Linear, {}, respond)
    assert error.endswith("where a POST is not sent again; this looks like the sign-in page of a proxy (Okta)")


async def test_a_sign_in_page_is_called_so_once() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return (
            response(page("Log in"))
            if request.url.path == "/login"
            else httpx.Response(302, headers={"location": "/login"})
        )

    (error,) = await errors_of(Alertmanager, {}, respond)
    assert error.endswith(": a sign-in page came instead of JSON")


async def test_advice_on_the_credential_comes_last() -> None:
    with pytest.raises(AuthError) as caught:
        await client_of(Vendor({"/x": response(ANSWERS["TeamCity"][0])})).factory("part").get("/x")
    assert str(caught.value) == (
        "GET /x: 401 Unauthorized: Authentication required; no credential is configured for this source"
    )
    (error,) = await errors_of(Alertmanager, {}, lambda request: response(ANSWERS["TeamCity"][0]))
    assert error.endswith("; this looks like TeamCity, not alertmanager; no credential is configured for this source")


async def test_over_the_wire() -> None:
    """As it comes from a server: names in whatever case, cookies on several lines."""
    body = b"<!doctype html><title>\nSign in\xc2\xa0&middot; Acme</title>"
    head = ("Content-Type: text/html", "Set-Cookie: a=b; Path=/", "SET-COOKIE: _gitlab_session=1; Path=/")
    async with serving(saying(answer(body, *head, status="404 Not Found"))) as server:
        source = make_source(Jenkins, {"url": server.url, "jobs": ["a"]})
        async with real_client(server.url, Jenkins, jobs=["a"], name="jenkins") as client:
            (part,) = (await source.poll(client.factory)).parts
    assert isinstance(part.error, NotFound)
    assert "this looks like GitLab, not jenkins" in str(part.error)
