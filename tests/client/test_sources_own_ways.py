"""Sources that sign each request, say where their server is and whom to trust, and explain its errors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from statusboard.client import SourceClient
from statusboard.clock import FakeClock
from statusboard.errors import AuthError, BadAnswer, RateLimited, Refused, SourceError, TransportError
from statusboard.log import redact
from statusboard.source import Credentials, Reply, TLSData
from tests.client.kit import BASE, TOKEN, Plain, Vendor, answer, client_of, real_client, saying, serving
from tests.client.test_tls import Certificates


class Signing(Plain):
    """Signs what it is given, and keeps it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.forgotten = 0

    def sign(self, credentials: Credentials) -> Mapping[str, str]:
        self.forgotten += 1
        return {}

    async def sign_request(
        self, credentials: Credentials, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        self.asked.append((method, url, dict(headers), body))
        digest = hashlib.sha256(f"{credentials.password} {method} {url}".encode() + body).hexdigest()
        return {"Authorization": f"X-SHA256 {digest}", "Accept": "application/x-signed"}


class Wrong(Signing):
    async def sign_request(self, *args: Any) -> Mapping[str, str]:
        return {"X-Signature": "a\r\nb"}


class Minutes(Signing):
    """Has a token of its own that lives for minutes."""

    async def sign_request(self, *args: Any) -> Mapping[str, str]:
        return {"Authorization": "Bearer minutes-old-0123456789"}


SECRETS: dict[str, Any] = {"username": "env:USER", "password": "env:PASSWORD"}


def source_of(client: SourceClient) -> Any:
    return client._signer._source


async def get(client: SourceClient, url: str = "/x") -> Any:
    return (await client.factory("part").get(url)).json()


def ok(value: object = "ok") -> httpx.Response:
    return httpx.Response(200, json=value)


# -- signing each request ----------------------------------------------------------------------------------------------


async def test_each_request_is_signed_by_itself():
    vendor = Vendor({"/x?n=1": ok(), "/y": ok()})
    client = client_of(vendor, Signing, **SECRETS)
    await client.factory("part").get("/x", params={"n": 1})
    await client.factory("part").post("/y", json={"q": 1}, headers={"X-Target": "t"})
    first, second = source_of(client).asked
    assert (first[0], first[1], first[3]) == ("GET", f"{BASE}/x?n=1", b"")
    assert (second[0], second[1], second[3]) == ("POST", f"{BASE}/y", b'{"q":1}')
    assert (second[2]["x-target"], second[2]["content-type"]) == ("t", "application/json")
    sent = [request.headers for request in vendor.requests]
    expected = hashlib.sha256(f"lovelace-1815 GET {BASE}/x?n=1".encode()).hexdigest()
    assert sent[0]["authorization"] == f"X-SHA256 {expected}"
    assert sent[0]["authorization"] != sent[1]["authorization"]
    assert sent[0].get_list("accept") == ["application/x-signed"]
    assert sent[0]["user-agent"].startswith("statusboard/")


async def test_a_redirect_is_signed_anew_at_home_and_never_elsewhere():
    def vendor(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        places = {"/a": "/b", "/b": "https://elsewhere.example/c"}
        place = places.get(request.url.path)
        return httpx.Response(302, headers={"location": place}) if place else ok()

    seen: list[httpx.Request] = []
    client = client_of(vendor, Signing, **SECRETS)
    assert await get(client, "/a") == "ok"
    assert [url for _, url, _, _ in source_of(client).asked] == [f"{BASE}/a", f"{BASE}/b"]
    assert seen[0].headers["authorization"] != seen[1].headers["authorization"]
    assert "authorization" not in seen[2].headers
    with pytest.raises(Refused, match="from https to http"):
        await get(client, "http://elsewhere.example/c")


async def test_after_a_refusal_the_source_is_told_to_forget():
    vendor = Vendor({"/x": httpx.Response(403, json={"message": "expired"})})
    client = client_of(vendor, Signing, **SECRETS)
    with pytest.raises(AuthError, match="expired") as caught:
        await get(client)
    assert "no credential is configured" not in str(caught.value)
    assert source_of(client).forgotten == 1
    vendor.answers["/x"] = ok()
    client.factory("")  # the next poll
    assert await get(client) == "ok"
    assert source_of(client).forgotten == 2


async def test_a_signature_that_is_no_header_is_not_sent():
    vendor = Vendor({"/x": ok()})
    with pytest.raises(AuthError, match="x-signature"):
        await get(client_of(vendor, Wrong))
    assert vendor.requests == []


async def test_a_token_of_the_sources_own_is_never_shown():
    vendor = Vendor({"/x": httpx.Response(401, json={"message": "bad token minutes-old-0123456789"})})
    with pytest.raises(AuthError) as caught:
        await get(client_of(vendor, Minutes))
    assert "minutes-old" not in str(caught.value)
    assert redact("minutes-old-0123456789") == "***"


async def test_sources_that_sign_each_request_share_no_quota():
    vendor = Vendor({"/x": ok()})
    clients = [client_of(vendor, Signing, name=name) for name in ("a", "b")]
    tags = {await client.tag() for client in clients}
    assert len(tags) == 2


# -- errors ------------------------------------------------------------------------------------------------------------


class Explaining(Plain):
    def fault(self, reply: Reply, error: SourceError) -> SourceError:
        if b"Throttling" in reply.body:
            return RateLimited(f"{error} (throttled)", status=reply.status, retry_after=7.0)
        return error


async def test_a_source_explains_what_a_status_does_not_say():
    clock = FakeClock()
    vendor = Vendor(
        {
            "/x": httpx.Response(400, json={"__type": "Throttling", "message": "Rate exceeded"}),
            "/y": httpx.Response(400, json={"message": "no such field"}),
        }
    )
    client = client_of(vendor, Explaining, clock=clock, token="env:TOKEN")
    with pytest.raises(BadAnswer, match="no such field"):
        await get(client, "/y")
    with pytest.raises(RateLimited, match=r"Rate exceeded \(throttled\)"):
        await get(client)
    vendor.answers["/x"] = ok()
    with pytest.raises(RateLimited, match="not sent"):  # the quota is the origin's
        await get(client)
    clock.advance(8)
    assert await get(client) == "ok"


# -- where and with whom -----------------------------------------------------------------------------------------------


class Found(Plain):
    """Knows its server only when it is asked for it."""

    place = ""
    trusted = TLSData()

    def base_url(self) -> str:
        return self.place

    def tls(self) -> TLSData:
        return self.trusted


async def test_the_base_is_asked_for_at_the_first_request():
    vendor = Vendor({"/api/x": ok()})
    client = client_of(vendor, Found, token="env:TOKEN")
    with pytest.raises(Refused, match="no url is configured"):
        await get(client)
    source_of(client).place = f"{BASE}/api"
    assert await get(client) == "ok"
    assert vendor.last.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def text(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


async def test_certificates_as_text(certificates: Certificates, tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    import ssl
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
    context.load_cert_chain(certificates.cert, certificates.key)
    context.verify_mode = ssl.CERT_OPTIONAL

    async def who(reader: Any, writer: Any, head: bytes) -> None:
        writer.write(answer(b'"known"' if writer.get_extra_info("peercert") else b'"stranger"'))

    ca, cert, key = text(certificates.ca), text(certificates.cert), text(certificates.key)
    async with serving(who, context) as server, serving(who, context) as other:

        async def ask(tls: TLSData, url: str = "/x") -> object:
            async with real_client(server.url, Found, timeout=2) as client:
                source_of(client).place = server.url
                source_of(client).trusted = tls
                return await get(client, url)

        with pytest.raises(TransportError, match="certificate is not trusted"):
            await ask(TLSData())
        assert await ask(TLSData(verify=False)) == "stranger"
        assert await ask(TLSData(ca=ca)) == "stranger"
        assert await ask(TLSData(ca=ca, cert=cert, key=key)) == "known"
        assert await ask(TLSData(ca=ca, cert=cert, key=key), f"{other.url}/x") == "stranger"
        with pytest.raises(TransportError, match="the certificate authority holds no certificates"):
            await ask(TLSData(ca="not one"))
        with pytest.raises(TransportError, match="the client certificate and its key: not a certificate"):
            await ask(TLSData(ca=ca, cert=cert, key="no key"))
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
    assert key not in repr(TLSData(key=key))


async def test_a_client_certificate_that_cannot_be_written(certificates: Certificates, monkeypatch: pytest.MonkeyPatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    async with serving(saying(answer(b'"x"'))) as server, real_client(server.url, Found) as client:
        source_of(client).place = server.url.replace("http", "https")
        source_of(client).trusted = TLSData(cert=text(certificates.cert), key=text(certificates.key))
        with pytest.raises(TransportError, match="needs a temporary file: no such file"):
            await get(client)
