"""As whom AWS is asked: credentials as botocore finds them, and requests signed with its own signer (SigV4).

botocore is an extra (``pip install 'statusboard[aws]'``).  It looks where the AWS CLI looks: the environment, profiles,
single sign-on, the instance or container.  That may ask the network or run a command that a profile names, and so
happens off the event loop and within a limit.  Requests are sent by our own client.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from statusboard.api import AuthError, Clock, Credentials, Refused, clean

T = TypeVar("T")

#: Seconds that finding credentials may take ...
LIMIT: Final = 10.0
#: ... and for which they are not looked at again; botocore renews those that expire, long before they do.
KEPT: Final = 60.0
#: The headers that a signature covers, beside those that signing adds.
SIGNED: Final = ("content-type", "x-amz-target")
_ADDED: Final = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")


class Keys(msgspec.Struct, frozen=True):
    """An access key; ``token`` is there for temporary ones."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return "Keys(***)"

    __str__ = __repr__


class Signer:
    """Signs requests with the keys of the options, else with what botocore finds for ``profile``."""

    def __init__(self, profile: str, clock: Clock) -> None:
        self._profile = profile
        self._clock = clock
        self._found: Any = None
        self._keys: Keys | None = None
        self._keys_at = float("-inf")
        self._finding: asyncio.Task[Keys] | None = None
        self._hung: threading.Thread | None = None

    def forget(self) -> None:
        """Find credentials anew."""
        self._found = self._keys = None

    async def headers(
        self,
        credentials: Credentials,
        service: str,
        region: str,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> dict[str, str]:
        """The headers that sign one request.  `AuthError` or `Refused` say what is missing."""
        keys = await self._keys_for(credentials)
        covered = {name: headers[name] for name in SIGNED if name in headers}
        request = _botocore("awsrequest").AWSRequest(method=method, url=url, data=body, headers=covered)
        _botocore("auth").SigV4Auth(keys, service, region).add_auth(request)
        return {name: request.headers[name] for name in _ADDED if name in request.headers}

    async def _keys_for(self, credentials: Credentials) -> Keys:
        if self._keys is not None and self._clock.monotonic() - self._keys_at < KEPT:
            return self._keys
        if self._finding is None:  # one search for all who ask meanwhile, whoever of them is cancelled
            self._finding = asyncio.create_task(self._find_keys(credentials), name="statusboard-aws")
            self._finding.add_done_callback(self._found_them)
        return await asyncio.shield(self._finding)

    def _found_them(self, task: asyncio.Task[Keys]) -> None:
        self._finding = None
        if not task.cancelled():
            task.exception()  # asked for, even if nobody waits any more

    async def _find_keys(self, credentials: Credentials) -> Keys:
        if "botocore.auth" not in sys.modules:
            await self._aside(lambda: _botocore("auth"))  # it takes its time to import
        if credentials.username:
            keys = Keys(credentials.username, credentials.password, credentials.token or None)
        else:
            self._found, keys = await self._aside(lambda: _find(self._found, self._profile))
        self._keys, self._keys_at = keys, self._clock.monotonic()
        return keys

    async def _aside(self, work: Callable[[], T]) -> T:
        """Run ``work`` in a daemon thread: one that hangs must not keep the board from ending."""
        if self._hung is not None and self._hung.is_alive():
            raise AuthError("finding AWS credentials still hangs")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: Exception | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(result)  # type: ignore[arg-type]  # what `work` returned
            else:
                answer.set_exception(error)

        def run() -> None:
            result, error = None, None
            try:
                result = work()
            except Exception as exc:  # noqa: BLE001 - boundary: carried over to whoever waits
                error = exc
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settle, result, error)

        thread = threading.Thread(target=run, name="statusboard-aws", daemon=True)
        thread.start()
        try:
            async with asyncio.timeout(LIMIT):
                return await answer
        except TimeoutError:
            self._hung = thread
            raise AuthError(f"AWS credentials were not found within {LIMIT:g} s") from None


def _find(found: Any, profile: str) -> tuple[Any, Keys]:
    """The credentials as botocore holds them (it renews them), and the keys as they are now."""
    problem = _botocore("exceptions").BotoCoreError
    try:
        if found is None:
            found = _botocore("session").Session(profile=profile or None).get_credentials()
        keys = found.get_frozen_credentials() if found is not None else None
    except problem as exc:
        raise AuthError(f"AWS credentials: {clean(exc, 200)}") from None
    if keys is None or not keys.access_key or not keys.secret_key:
        where = f"profile {clean(profile, 60)}" if profile else "the environment, a profile or this machine's role"
        raise AuthError(f"no AWS credentials in {where}; set `profile`, or `username` and `password`")
    return found, Keys(keys.access_key, keys.secret_key, keys.token)


def _botocore(name: str) -> Any:
    try:
        module = importlib.import_module(f"botocore.{name}")
    except ImportError:
        raise Refused("type aws needs botocore, which is not installed: pip install 'statusboard[aws]'") from None
    logger = logging.getLogger("botocore")
    logger.setLevel(max(logger.level, logging.WARNING))  # its debug lines hold what is signed, session tokens among it
    return module
