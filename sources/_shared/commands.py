"""Running a program: a list of arguments and never a shell, no input, a time limit, and a cap on what it prints."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from statusboard.api import NotFound, Refused, Timeout, TooLarge, clean

MAX_ERRORS: Final = 4096
"""Bytes; of what is printed as errors only the end is kept."""
DRAIN_LIMIT: Final = 1.0
"""Seconds."""


class Output(msgspec.Struct, frozen=True):
    """What a program printed, and how it ended (negative: by that signal)."""

    code: int
    out: bytes
    errors: bytes

    def said(self) -> str:
        """How it ended, with the end of what it said of its troubles."""
        how = f"ended by signal {-self.code}" if self.code < 0 else f"exit code {self.code}"
        words = clean((self.errors or self.out[-MAX_ERRORS:]).decode("utf-8", "replace")[-300:], 200)
        return f"{how}: {words}" if words else how


async def run(
    command: Sequence[str],
    *,
    limit: float,
    most: int,
    directory: str = "",
    environ: Mapping[str, str] | None = None,
) -> Output:
    """Run a program to its end, within ``limit`` seconds and ``most`` bytes of output.

    ``environ`` is all of its environment; without it, it has ours.  `NotFound`, `Refused`, `Timeout`, `TooLarge`.
    """
    name = clean(Path(command[0]).name, 60)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=directory or None,
            env=environ,
            start_new_session=True,  # what it starts is ended with it
        )
    except FileNotFoundError as exc:
        what = f"the folder {directory}" if directory and exc.filename == directory else f"the program {command[0]}"
        raise NotFound(f"{what} is not there") from None
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else type(exc).__name__
        raise Refused(f"{command[0]} cannot be run: {reason.lower()}") from None
    assert process.stdout is not None
    assert process.stderr is not None
    reading = [asyncio.ensure_future(_all(process.stdout, name, most)), asyncio.ensure_future(_end(process.stderr))]
    try:
        async with asyncio.timeout(limit):
            out, errors = await asyncio.gather(*reading)
            return Output(await process.wait(), out, errors)
    except TimeoutError:
        raise Timeout(f"{name}: did not end within {limit:g} s") from None
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        await _stop(process)


async def _all(stream: asyncio.StreamReader, name: str, most: int) -> bytes:
    chunks, size = [], 0
    while chunk := await stream.read(1 << 16):
        size += len(chunk)
        if size > most:
            raise TooLarge(f"{name}: prints more than {most / 1_000_000:g} MB")
        chunks.append(chunk)
    return b"".join(chunks)


async def _end(stream: asyncio.StreamReader) -> bytes:
    end = b""
    while chunk := await stream.read(1 << 16):
        end = (end + chunk)[-MAX_ERRORS:]
    return end


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the program and whatever it left running, also when we are being cancelled ourselves."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # What is left in the pipes keeps them open, and a process counts as ended only when they are closed.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_LIMIT):
            for stream in (process.stdout, process.stderr):
                while stream is not None and await stream.read(1 << 16):
                    pass
            await process.wait()
