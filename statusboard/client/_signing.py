"""As whom a source asks: its secrets, resolved, as headers for its own origins."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from statusboard.credentials import Keychain, Secret, is_reference
from statusboard.errors import AuthError, CredentialError, Refused
from statusboard.log import redactor
from statusboard.source import Credentials, Source, SourceOptions

_VISIBLE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?", re.ASCII)
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_PLAIN_SCHEMES = frozenset({"basic", "bearer", "token"})  # what follows is the secret itself, and no signature
_OURS = frozenset({"accept-encoding", "connection", "content-length", "transfer-encoding"})


class Signature(Struct, frozen=True):
    """Headers by lower-case name, and what tells credentials apart.

    ``fingerprint`` does so in this process (``""``: no credential), ``tag`` in every run with the same salt.
    ``credentials`` are what requests are signed with one by one, where the source does that.
    """

    headers: dict[str, str]
    fingerprint: str
    tag: str
    credentials: Credentials = Credentials()

    def __repr__(self) -> str:
        return "Signature(***)"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class Signer:
    """Resolves a source's secrets at first use, and again after they were refused or a person asks for it."""

    def __init__(self, source: Source[Any], options: SourceOptions, keychain: Keychain, salt: bytes) -> None:
        self._source = source
        self._options = options
        self._keychain = keychain
        self._salt = salt
        #: Whether the source signs requests one by one.
        self.each = type(source).sign_request is not Source.sign_request
        self._shown = ""
        self._signature: Signature | None = None
        self._lock = asyncio.Lock()
        self._round = 0
        self._refused_in: int | None = None

    def start_round(self) -> None:
        """A poll begins; a credential that the last one found refused is read anew."""
        self._round += 1

    def refused(self) -> None:
        """The server refused the credential."""
        self._refused_in = self._round

    def retry(self) -> None:
        """Read the secrets anew at the next request."""
        self._refused_in = -1

    @property
    def ready(self) -> Signature | None:
        """The signature, unless it has to be made first."""
        stale = self._refused_in is not None and self._refused_in < self._round
        return None if stale else self._signature

    async def signature(self) -> Signature:
        """The signature, made now if need be.  `AuthError` says which secret could not be had, and what to do."""
        async with self._lock:
            if (ready := self.ready) is not None:
                return ready
            self._signature = await self._sign(fresh=self._refused_in is not None)
            self._refused_in = None
            return self._signature

    async def _sign(self, *, fresh: bool) -> Signature:
        options = self._options
        try:
            credentials = Credentials(
                token=await self._resolve(options.token, fresh),
                username=await self._resolve(options.username, fresh),
                password=await self._resolve(options.password, fresh),
            )
            configured = {
                name: await self._resolve(value, fresh) if is_reference(value) else value
                for name, value in options.headers.items()
            }
        except CredentialError as exc:
            raise AuthError(str(exc)) from None
        signed = lowered(self._source.sign(credentials))
        headers = _checked({**signed, **lowered(configured)})
        if authorization := signed.get("authorization"):  # the secrets in another form: basic authentication
            redactor.add(authorization.rpartition(" ")[2])
        told = [f"{name}:{value}" for name, value in sorted(headers.items())]
        if self.each:  # as whom it asks, only the source knows: its quota is shared with no other
            told += [self._source.name, credentials.token, credentials.username, credentials.password]
        secret = Secret("\n".join(told))
        fingerprint = secret.fingerprint() if told else ""
        return Signature(headers, fingerprint, secret.fingerprint(self._salt), credentials)

    async def sign_each(
        self, signature: Signature, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, str]:
        """The headers that sign this one request, by lower-case name.  Raises whatever the source does."""
        given = await self._source.sign_request(signature.credentials, method, url, headers, body)
        signed = _checked(lowered(given))
        scheme, _, secret = signed.get("authorization", "").rpartition(" ")
        if scheme.lower() in _PLAIN_SCHEMES and secret != self._shown:
            redactor.add(secret)
            self._shown = secret
        return signed

    async def _resolve(self, text: str, fresh: bool) -> str:
        return (await self._keychain.resolve(text, fresh=fresh)).reveal() if text else ""


def _checked(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or name in _OURS:
            raise Refused("headers: holds a name that is no header's, or one that only the client sets")
        if not _VISIBLE.fullmatch(value):
            raise AuthError(f"what would go into the header {name} holds a line break or more than plain ASCII")
    return headers


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with their names in lower case, as they are compared."""
    return {name.lower(): value for name, value in headers.items()}
