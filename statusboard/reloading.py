"""A config file that is looked at while the board runs: what has changed in it, and what is wrong with it now.

    file = ConfigFile(path, read)
    config = file.load()
    ...
    if (changed := await file.look()) is not None:   # once a second
        apply(changed)
    show(file.notice)

What is wrong never takes anything away: until it is mended, the config that was read last stays in force.
"""

from __future__ import annotations

import asyncio
import glob
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import structs

from statusboard.config import Config, ConfiguredSource, Files, gather
from statusboard.errors import ConfigError, Problem
from statusboard.text import clean
from statusboard.trust import TrustList

log = logging.getLogger("statusboard.config")

#: For how long files must stand still before they are read: an editor may be half-way through writing them, and half
#: a config may be a valid one of half the sources.
SETTLE = 0.3
#: How many looks must miss a file that was there before that counts: many an editor moves it away for a moment.
MISSED_LOOKS = 2

Read: TypeAlias = Callable[[Files], Config]
"""Makes a config of files.  Raises `ConfigError`; does I/O (source types are loaded)."""
Mark: TypeAlias = tuple[object, ...]
"""What tells files from what they were before, without reading them."""


class _Moving(Exception):
    """The files change while they are read."""


class ConfigFile:
    """A config, its includes, and how they stand.

    ``trusted`` is the list that it must be on, unchanged, None for a config that a person has named.  ``problem`` is
    what is wrong with the files as they are now, None while they are what is in force.
    """

    def __init__(
        self,
        path: Path,
        read: Read,
        *,
        trusted: TrustList | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        gather: Callable[[Path], Files] = gather,
    ) -> None:
        self.path = path
        self.config: Config | None = None
        self.problem: ConfigError | None = None
        self._read = read
        self._trusted = trusted
        self._sleep = sleep
        self._gather = gather
        self._sought: tuple[Path, ...] = ()
        self._patterns: tuple[str, ...] = ()
        self._mark: Mark = ()
        self._unsure = True
        self._missed = 0

    @property
    def notice(self) -> str:
        """What a person must mend, on one line; ``""`` while all is well."""
        return "" if self.problem is None else told(self.problem, self.path)

    def load(self) -> Config:
        """Read it for the first time.  Raises `ConfigError`.  Blocks."""
        try:
            self.config = self._load(None)
            assert self.config is not None, "nothing was tried before"
            return self.config
        finally:
            self._mark = self._look()

    async def look(self, *, now: bool = False) -> Config | None:
        """The config, if the files have become another one; None while they are as they were, or no config at all.

        Never raises; ``problem`` tells.  With ``now`` the files are read whatever they look like.
        """
        mark = await asyncio.to_thread(self._look)
        if mark == self._mark and not self._unsure and not now:
            return None
        if mark != self._mark and not now:
            self._missed = self._missed + 1 if _lost(self._mark, mark) else 0
            if 0 < self._missed < MISSED_LOOKS:
                return None
            await self._sleep(SETTLE)
        try:
            return await asyncio.to_thread(self._try, mark)
        except _Moving:
            if not now:
                return None  # still being written: the next look sees more
            await self._sleep(SETTLE)
            return await self.look()

    def _try(self, mark: Mark) -> Config | None:
        """Read the files that look like this.  Raises `_Moving` where they do no more."""
        try:
            config = self._load(mark)
        except _Moving:
            raise
        except Exception as exc:  # boundary: a source type that is loaded may raise anything
            error = exc if isinstance(exc, ConfigError) else ConfigError(f"reading it failed: {type(exc).__name__}")
            if error is not exc:
                log.error("the changed config cannot be read", exc_info=exc)
            if str(self.problem) != str(error):
                log.warning("%s", told(error, self.path))
            self.problem = error
            config = None
        # A change within the same tick of the file system's clock is found by reading once more, at the next look.
        self._unsure = mark != self._mark
        self._missed = 0
        self._mark = self._look()
        if config is not None:
            self.config = config
        return config

    def _load(self, mark: Mark | None) -> Config | None:
        """The config as it is now; None where it is the one that was read last.

        Raises `_Moving` where the files do not look like ``mark`` any more once they are read: nothing that was found
        in them counts then.
        """
        digest = ""
        if self._trusted is not None:
            standing, digest = self._trusted.standing(self.path)
            if standing != "trusted":
                self._must_be(mark)
                # A file that nobody has vouched for is not even looked into.
                self._sought = self._sought or (self.path.absolute(),)
                hint = "read it, then run `statusboard trust`"
                raise ConfigError("it has changed since it was trusted", file=str(self.path), hint=hint)
        files = self._gather(self.path)
        self._must_be(mark)
        self._sought, self._patterns = files.sought, files.patterns
        if digest and files.digest != digest:
            raise ConfigError("it is being changed", file=str(self.path))
        if files.files and self.config is not None and files.digest == self.config.digest:
            self.problem = None
            return None
        config = self._read(files)
        self.problem = None
        return config

    def _must_be(self, mark: Mark | None) -> None:
        if mark is not None and self._look() != mark:
            raise _Moving

    def _look(self) -> Mark:
        more = () if self._trusted is None else (self._trusted.file,)
        found = (tuple(sorted(glob.glob(pattern))) for pattern in self._patterns)
        return (*(_stat(path) for path in (*self._sought, *more)), *found)


def _stat(path: Path) -> object:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev)


def _lost(before: Mark, after: Mark) -> bool:
    """Whether a file that was there is not there now."""
    return any(new is None and old is not None for old, new in zip(before, after, strict=False))


def told(error: ConfigError, path: Path) -> str:
    """What is wrong with a changed config, and where: the first problem, and how many there are, on one line."""
    first, count = error.problems[0], len(error.problems)
    short = Problem(
        first.message, file=_short(first.file or str(path), path), line=first.line, path=first.path, hint=first.hint
    )
    # What comes first is read in a narrow terminal too.
    return clean(f"config not applied{f', {count} problems' if count > 1 else ''}: {short}", 500)


def _short(file: str, main: Path) -> str:
    """How messages call a file: from the main file's folder, where it is below it."""
    try:
        return str(Path(file).absolute().relative_to(main.absolute().parent))
    except ValueError:
        return file


def differences(before: Config, after: Config) -> list[str]:
    """What another config changes, in words: names and keys, no values."""
    return [
        *_sources({s.name: s for s in before.sources}, {s.name: s for s in after.sources}),
        *(name for name in _fields(before, after) if name not in _OF_NO_INTEREST),
        *(f"board.{name}" for name in sorted(_fields(before.board, after.board))),
    ]


_OF_NO_INTEREST: Final = frozenset({"path", "files", "digest", "board", "sources", "secret_variables", "warnings"})
"""What is no section of a config, and what is told in more detail."""


def _sources(before: Mapping[str, ConfiguredSource], after: Mapping[str, ConfiguredSource]) -> Iterator[str]:
    for name in after:
        if name not in before:
            yield f"source {name} added"
        elif before[name].type != after[name].type:
            yield f"source {name} changed (type)"
        elif before[name].options != after[name].options:
            yield f"source {name} changed ({', '.join(sorted(_fields(before[name].options, after[name].options)))})"
    yield from (f"source {name} removed" for name in before if name not in after)


def _fields(one: object, two: object) -> Iterable[str]:
    for field in structs.fields(type(one)):  # type: ignore[arg-type]
        if getattr(one, field.name) != getattr(two, field.name):
            yield field.encode_name
