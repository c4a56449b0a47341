"""Resolving references, and keeping secrets in the system's keyring."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from statusboard.credentials._places import (
    delete_keyring,
    explained,
    read_file,
    read_keyring,
    usable,
    write_keyring,
)
from statusboard.credentials._reference import Reference, ReferenceKind, parse_reference
from statusboard.credentials._secret import Secret
from statusboard.errors import CredentialError
from statusboard.log import redactor

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

KEYRING_TIMEOUT = 5.0
"""Seconds that a keyring, or a file, may take."""


class Keychain:
    """Resolves references to secrets, remembers them, and stores and deletes those of the keyring.

    ``folder`` is what relative ``file:`` paths are relative to (the configuration's own folder), ``environ`` stands in
    for the environment, ``keyring`` for the choice of a keyring backend, ``timeout`` is in seconds: short for a
    board, longer where a person is there to unlock the keyring.  Files and keyrings are read off the event loop.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        environ: Mapping[str, str] | None = None,
        keyring: Callable[[], KeyringBackend] | None = None,
        timeout: float = KEYRING_TIMEOUT,
    ) -> None:
        self._folder = folder or Path()
        self._environ = os.environ if environ is None else environ
        self._choose = keyring
        self._timeout = timeout
        self._known: dict[Reference, Secret] = {}
        self._reading: dict[Reference, asyncio.Task[Secret]] = {}
        self._keyring_lock = threading.Lock()  # its backends are not made for several threads
        self._hung: dict[str, threading.Thread] = {}

    def __repr__(self) -> str:
        return f"<Keychain of {len(self._known)} secrets>"

    async def resolve(self, reference: Reference | str, *, fresh: bool = False) -> Secret:
        """The secret; ``fresh`` reads it anew.  `CredentialError` says what to do where it cannot be had."""
        if isinstance(reference, str):
            try:
                reference = parse_reference(reference)
            except ValueError as exc:
                raise CredentialError("a credential", str(exc)) from None
        if not fresh and (known := self._known.get(reference)) is not None:
            return known
        reading = self._reading.get(reference)
        if reading is None:
            # One reading for all who ask meanwhile, whoever of them is cancelled.
            reading = self._reading[reference] = asyncio.create_task(self._read(reference), name="statusboard-secret")
            reading.add_done_callback(lambda task: self._read_is_over(reference, task))
        return await asyncio.shield(reading)

    def _read_is_over(self, reference: Reference, task: asyncio.Task[Secret]) -> None:
        self._reading.pop(reference, None)
        if not task.cancelled():
            task.exception()  # asked for, even if nobody waits any more

    async def _read(self, reference: Reference) -> Secret:
        if reference.kind == "env":
            value = self._from_environment(reference)
        elif reference.kind == "file":
            value = await self._aside(reference, lambda: read_file(reference, self._path(reference)))
        else:
            value = await self._aside(reference, lambda: read_keyring(reference, self._backends(reference)))
        secret = Secret(value)
        redactor.add(value)
        self._known[reference] = secret
        return secret

    async def store(self, name: str, secret: Secret) -> None:
        """Put a secret into the keyring, and read it back: some keyrings accept everything and keep nothing."""
        reference = _keyring_reference(name)
        if not secret:
            raise CredentialError(str(reference), "an empty secret is not stored")
        redactor.add(secret.reveal())
        self._known.pop(reference, None)
        await self._aside(reference, lambda: write_keyring(reference, secret, self._backends(reference)))

    async def delete(self, name: str) -> None:
        """Take a secret out of the keyring."""
        reference = _keyring_reference(name)
        self._known.pop(reference, None)
        await self._aside(reference, lambda: delete_keyring(reference, self._backends(reference)))

    def _from_environment(self, reference: Reference) -> str:
        value = self._environ.get(reference.name)
        if value is None:
            raise CredentialError(
                str(reference), "this environment variable is not set; export it before the board starts"
            )
        if not value.strip():
            raise CredentialError(str(reference), "this environment variable is empty")
        return value.strip("\r\n")

    def _path(self, reference: Reference) -> Path:
        try:
            return self._folder / Path(reference.name).expanduser()
        except RuntimeError:
            raise CredentialError(str(reference), "there is no such home folder") from None

    def _backends(self, reference: Reference) -> list[KeyringBackend]:
        import keyring

        return usable(reference, (self._choose or keyring.get_keyring)())

    async def _aside(self, reference: Reference, work: Callable[[], T]) -> T:
        """Run ``work`` in a daemon thread: it may hang for good, and must then not keep the program from ending."""
        place = "keyring" if reference.kind == "keyring" else str(reference)
        hung = self._hung.get(place)
        if hung is not None and hung.is_alive():
            raise CredentialError(str(reference), f"the {_PLACE[reference.kind]} still does not answer")
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
            result: T | None = None
            error: Exception | None = None
            try:
                with self._keyring_lock if reference.kind == "keyring" else contextlib.nullcontext():
                    result = work()
            except Exception as exc:  # noqa: BLE001 - boundary: carried over to whoever waits
                error = exc
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile; nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        thread = threading.Thread(target=run, name=f"statusboard-{reference.kind}", daemon=True)
        thread.start()
        try:
            async with asyncio.timeout(self._timeout):
                return await answer
        except TimeoutError:
            self._hung[place] = thread
            raise CredentialError(
                str(reference),
                f"the {_PLACE[reference.kind]} did not answer within {self._timeout:g} s; {_WHEN_HUNG[reference.kind]}",
            ) from None
        except CredentialError:
            raise
        except Exception as exc:  # noqa: BLE001 - boundary: keyring backends raise whatever their libraries do
            raise explained(reference, exc) from None


_PLACE: Mapping[ReferenceKind, str] = {"env": "environment", "file": "file", "keyring": "keyring"}
_WHEN_HUNG: Mapping[ReferenceKind, str] = {
    "env": "",
    "file": "is it on a network drive?",
    "keyring": "a window may be asking for its password; unlock it, or use env: or file:",
}


def _keyring_reference(name: str) -> Reference:
    try:
        return parse_reference(f"keyring:{name}")
    except ValueError as exc:
        raise CredentialError("keyring", str(exc)) from None
