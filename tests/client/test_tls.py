"""Certificates: whom we trust, who we are, and files that cannot be used."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from statusboard.client._shared import _context
from statusboard.errors import TransportError
from statusboard.source import TLSOptions
from tests.client.kit import Reader, Writer, answer, real_client, serving


class Certificates:
    """A private authority, and a certificate of it for 127.0.0.1 that serves server and client alike."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("cryptography", reason="comes with the keyring of Linux only")
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        authority = self._certificate("authority", authority_key.public_key(), authority_key, ca=True)
        leaf = self._certificate("127.0.0.1", key.public_key(), authority_key, ca=False)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw"))
        files = {
            "ca": authority.public_bytes(Encoding.PEM),
            "cert": leaf.public_bytes(Encoding.PEM),
            "key": private,
            "locked": locked,
        }
        for name, content in files.items():
            (folder / name).write_bytes(content)
        self.ca, self.cert, self.key, self.locked = (str(folder / name) for name in files)

    @staticmethod
    def _certificate(name: str, key: Any, signer: Any, *, ca: bool) -> Any:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.KeyUsage(True, False, True, False, True, ca, ca, False, False), critical=True)
            .sign(signer, hashes.SHA256())
        )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


async def test_certificates(certificates: Certificates):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
    context.load_cert_chain(certificates.cert, certificates.key)
    context.verify_mode = ssl.CERT_OPTIONAL

    async def who(reader: Reader, writer: Writer, head: bytes) -> None:
        subject = writer.get_extra_info("peercert")
        writer.write(answer(b'"known"' if subject else b'"stranger"', "Location: /here", status="200 OK"))

    async with serving(who, context) as server, serving(who, context) as other:

        async def ask(url: str = "/x", **tls: object) -> object:
            async with real_client(server.url, tls=tls, timeout=2) as client:
                return (await client.factory("part").get(url)).json()

        with pytest.raises(TransportError, match="certificate is not trusted"):
            await ask()
        assert await ask(ca=certificates.ca) == "stranger"
        assert await ask(verify=False) == "stranger"
        mine = {"ca": certificates.ca, "cert": certificates.cert}
        assert await ask(**mine, key=certificates.key) == "known"
        assert await ask(f"{other.url}/x", **mine, key=certificates.key) == "stranger"
        with pytest.raises(TransportError, match="not trusted"):
            await ask(f"{other.url}/x", verify=False)
        with pytest.raises(TransportError, match="unencrypted key"):
            await ask(**mine, key=certificates.locked)


@pytest.mark.parametrize(
    "tls,says",
    [
        ({"ca": "/no/such/ca.pem"}, r"tls\.ca: /no/such/ca\.pem cannot be read: no such file"),
        ({"ca": __file__}, r"tls\.ca: .* holds no certificates"),
        ({"cert": "/no/such.pem"}, r"tls\.cert: /no/such\.pem cannot be read"),
        ({"cert": __file__}, r"tls\.cert, tls\.key: not a certificate"),
    ],
)
async def test_files_of_tls_that_cannot_be_used(tls: dict[str, str], says: str):
    async with real_client("https://127.0.0.1:1", tls=tls) as client:
        for _ in range(2):
            with pytest.raises(TransportError, match=says):
                await client.factory("part").get("/x")


def test_what_tls_options_make():
    assert _context(TLSOptions(), True).verify_mode == ssl.CERT_REQUIRED
    relaxed = _context(TLSOptions(verify=False), True)
    assert (relaxed.verify_mode, relaxed.check_hostname) == (ssl.CERT_NONE, False)


async def test_plain_http_where_tls_is_expected():
    def greet(reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with real_client(f"https://127.0.0.1:{port}") as client:
            with pytest.raises(TransportError, match=r"does not speak TLS there; is it http: rather than https:"):
                await client.factory("part").get("/x")
