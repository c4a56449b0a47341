"""Notices outside the terminal: a command, and the desktop's notifications.  Each fails with `DeliveryError`."""

from __future__ import annotations

import asyncio
import contextlib
import html
import importlib
import logging
import os
import re
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from statusboard.errors import DeliveryError
from statusboard.noticing.words import Message
from statusboard.text import clean

COMMAND_LIMIT: Final = 10.0
"""Seconds."""
DESKTOP_LIMIT: Final = 10.0
"""Seconds."""
_KEPT_ERRORS: Final = 2_000
_DRAIN: Final = 1.0
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


# -- commands


def filled(command: Sequence[str], fields: Mapping[str, str]) -> list[str]:
    """The arguments with what their placeholders stand for, each within its own argument.

    What a vendor wrote must not become an option: an argument that it would begin with a dash begins with a space.
    """
    program, *arguments = command
    return [program, *(_filled(argument, fields) for argument in arguments)]


def _filled(argument: str, fields: Mapping[str, str]) -> str:
    text = _PLACEHOLDER.sub(lambda found: fields.get(found[1], ""), argument)
    return f" {text}" if text.startswith("-") and not argument.startswith("-") else text


def environment(env: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    """Ours for a command: without the variables that hold what our sources sign in with."""
    return {name: value for name, value in env.items() if name not in secrets}


async def run(command: Sequence[str], *, env: Mapping[str, str], limit: float = COMMAND_LIMIT) -> None:
    """Run a command to its end, without input or output, at most ``limit`` seconds.  Raises `DeliveryError`.

    It has not ended while something that it started still holds its error output; when the time is over, all of that
    is ended with it.
    """
    name = clean(Path(command[0]).name, 60)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            start_new_session=True,  # it has no terminal to write on, and is ended with what it starts
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise DeliveryError(f"{name} cannot be run: {reason.lower()}") from None
    assert process.stderr is not None
    errors = bytearray()
    reading = asyncio.ensure_future(_read_end(process.stderr, errors))
    try:
        async with asyncio.timeout(limit):
            code = await process.wait()
            await asyncio.wait({reading})  # the wait for the process includes that in some versions of Python only
    except TimeoutError:
        raise DeliveryError(f"{name} did not end within {limit:g} s") from None
    finally:
        if process.returncode is None or not reading.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        await asyncio.wait({reading}, timeout=_DRAIN)
        reading.cancel()
        await process.wait()
    if code:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        said = clean(errors.decode("utf-8", "replace")[-150:], 160)
        raise DeliveryError(f"{name} {how}" + (f": {said}" if said else ""))


async def _read_end(stream: asyncio.StreamReader, end: bytearray) -> None:
    while chunk := await stream.read(1 << 12):
        end += chunk
        del end[:-_KEPT_ERRORS]


# -- the desktop


class Desktop:
    """The desktop's own notifications, by the extra ``desktop``; it is imported when the first one is sent."""

    def __init__(self, *, limit: float = DESKTOP_LIMIT) -> None:
        self._limit = limit
        self._library: Any = None
        self._notifier: Any = None
        self._failures = _Failures()

    async def send(self, message: Message) -> None:
        """Show it.  Raises `DeliveryError`."""
        if self._notifier is None:
            await self._begin()
        urgency = self._library.Urgency.Critical if message.grave else self._library.Urgency.Normal
        # Elsewhere than on Linux and its kin, where it is markup, the text is shown as it is.
        body = message.body if sys.platform in ("darwin", "win32") else html.escape(message.body, quote=False)
        shown: list[bool] = []
        self._failures.last = ""
        # It raises nothing of what goes wrong: it logs that, and says when it has sent one.
        try:
            async with asyncio.timeout(self._limit):
                await self._notifier.send(
                    title=message.title, message=body, urgency=urgency, on_dispatched=lambda: shown.append(True)
                )
        except TimeoutError:
            raise DeliveryError(f"the desktop did not answer within {self._limit:g} s") from None
        if not shown:
            why = f": {self._failures.last}" if self._failures.last else ""
            raise DeliveryError(f"the desktop takes no notices{why}")

    async def _begin(self) -> None:
        try:  # in a thread: it takes long enough to be seen
            library = await asyncio.to_thread(importlib.import_module, "desktop_notifier")
        except ImportError:
            raise DeliveryError("desktop notices need an extra: pip install 'statusboard[desktop]'") from None
        if self._notifier is not None:
            return  # another notice was quicker
        self._library = library
        its = logging.getLogger("desktop_notifier")
        its.addHandler(self._failures)
        its.propagate = False
        self._notifier = self._library.DesktopNotifier(app_name="statusboard", app_icon=None)


class _Failures(logging.Handler):
    """Keeps what a library logs as gone wrong, in place of a traceback in our log each time."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            cause = record.exc_info[1] if record.exc_info else None
            self.last = clean(str(cause or record.getMessage()), 160)
