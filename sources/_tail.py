"""Following a log file: what is new since the last look, through rotation, truncation and compression.

A file is known by its beginning and by what stands before the place where we are, not by its name or inode.  When the
file of our name begins differently, was edited there or has become shorter, it is read from its start, and the rest of
the old one is looked for among its rotated siblings (``x.log.1``, ``x.log-20260102.gz``) by the same.  So renaming,
copying-and-truncating and compressing are all the same to us.  Blocking; for threads.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from statusboard.api import AuthError, BadAnswer, NotFound, Refused, TransportError

#: A longer line is no log entry (bytes).
MAX_LINE: Final = 64 << 10
#: How many rotated siblings are looked into.
MAX_SIBLINGS: Final = 3
_HEAD: Final = 256
_ROTATED = r"[.-]\d[\d.-]*(?:\.gz)?"


class Line(NamedTuple):
    """A line without its end.  ``number`` is 0 where it is not known; ``data`` is None for one that is too long.

    ``rotated``: it is in the file no more that has our name now.
    """

    file: str
    number: int
    data: bytes | None
    rotated: bool = False


class Limits(NamedTuple):
    """Of a file with more than ``file`` bytes to read only the end is read; an archive that unpacks to more than
    ``archive`` bytes is not read at all."""

    file: int = 8 << 20
    archive: int = 32 << 20


LIMITS: Final = Limits()


class Tail:
    """One followed file.

    ``skipped`` counts the bytes that were left out because there were too many, ``starts`` how often a file was read
    from its start: the first one, one that took its place, or the same one after it was edited.
    """

    def __init__(self, path: Path, limits: Limits = LIMITS) -> None:
        self.path = path
        self.limits = limits
        self.skipped = 0
        self.starts = 0
        self._place: _Place | None = None
        self._seen: tuple[int, int, int] | None = None

    def read(self, want: int) -> list[Line]:
        """The lines since the last call; at the first one at least ``want``, as far as this file and its rotated
        siblings have them.  A last line that is not finished yet is left for the next call.
        """
        with self._file() as raw:
            seen = _signature(raw)
            if self.path.suffix == ".gz" and seen == self._seen:
                return []
            file, size = self._unpacked(self.path, raw)
            place = self._place
            before: list[Line] = []
            if place is not None and not place.is_in(file, size):
                before = self._rest(place)
                place = None
            first = self._place is None
            if place is None:
                place = _Place(self.path.name)
                self.starts += 1
            lines = list(self._take(place, file, size))
        if first:
            before = self._older(want - len(lines))
        self._place, self._seen = place, seen
        return [line._replace(rotated=True) for line in before] + lines

    @property
    def modified(self) -> datetime | None:
        """When somebody wrote into the file that was read last."""
        return datetime.fromtimestamp(self._seen[2] / 1e9, UTC) if self._seen is not None else None

    def _file(self) -> BinaryIO:
        """The file; an empty one between its rotation and the first line after it."""
        try:
            return _open(self.path)
        except NotFound:
            if rotated(self.path):
                return io.BytesIO()
            raise

    def _rest(self, place: _Place) -> list[Line]:
        """What was not read yet of the file that had our name."""
        for sibling in rotated(self.path):
            try:
                with _open(sibling) as raw:
                    file, size = self._unpacked(sibling, raw)
                    if place.is_in(file, size):
                        return list(self._take(place, file, size))
            except (NotFound, AuthError, BadAnswer):  # it is being rotated on, or is not ours to read
                continue
        return []

    def _older(self, want: int) -> list[Line]:
        """The ends of rotated siblings, oldest first, until there are ``want`` lines."""
        lines: list[Line] = []
        for sibling in rotated(self.path):
            if len(lines) >= want:
                break
            try:
                with _open(sibling) as raw:
                    file, size = self._unpacked(sibling, raw)
                    lines = list(self._take(_Place(sibling.name), file, size)) + lines
            except (NotFound, AuthError, BadAnswer):
                continue
        return lines

    def _take(self, place: _Place, file: BinaryIO, size: int) -> Iterator[Line]:
        most = self.limits.file
        if size - place.offset > most:
            self.skipped += size - most - place.offset
            place.skip_to(size - most)
        return place.lines(file, most)

    def _unpacked(self, path: Path, raw: BinaryIO) -> tuple[BinaryIO, int]:
        """The file and its size; of an archive what is in it, also when it is still being written."""
        if path.suffix != ".gz" or isinstance(raw, io.BytesIO):
            return raw, _signature(raw)[1]
        most = self.limits.archive
        content = bytearray()
        inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            while chunk := raw.read(1 << 16):
                while chunk:
                    if inflate.eof:  # archives may be appended to each other
                        inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
                    content += inflate.decompress(chunk, most + 1 - len(content))
                    if len(content) > most:
                        raise BadAnswer(f"{path}: unpacks to more than {most >> 20} MB")
                    chunk = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        except zlib.error:
            raise BadAnswer(f"{path}: this is not gzip") from None
        return io.BytesIO(bytes(content)), len(content)


class _Place:
    """How far a file is read, how it begins, and what stood last before here."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.offset = 0
        self._head = b""
        self._last = b""
        self._number: int | None = 0
        self._inside_line = False

    def is_in(self, file: BinaryIO, size: int) -> bool:
        """Whether this file is the one we were reading, further on."""
        file.seek(0)
        if size < self.offset or file.read(len(self._head)) != self._head:
            return False
        file.seek(self.offset - len(self._last))
        return file.read(len(self._last)) == self._last

    def skip_to(self, offset: int) -> None:
        """Go on behind the first line end after ``offset``."""
        self.offset = offset
        self._number = None
        self._inside_line = True

    def lines(self, file: BinaryIO, most: int) -> Iterator[Line]:
        """The finished lines in the next ``most`` bytes.  A whole JSON object at the end needs no line end."""
        file.seek(self.offset)
        data = file.read(most)
        *finished, rest = data.split(b"\n")
        for line in finished:
            self.offset += len(line) + 1
            yield from self._line(line)
        if _is_object(rest) and not self._inside_line:
            self.offset += len(rest)
            yield from self._line(rest)
            if self._number is not None:
                self._number -= 1  # its line end is still to come, and is counted then
        elif len(rest) > MAX_LINE:
            self.offset += len(rest)
            if not self._inside_line:
                yield Line(self.name, 0 if self._number is None else self._number + 1, None)
            self._inside_line = True
        if len(self._head) < _HEAD:
            file.seek(0)
            self._head = file.read(min(_HEAD, self.offset))
        file.seek(max(0, self.offset - _HEAD))
        self._last = file.read(min(_HEAD, self.offset))

    def _line(self, line: bytes) -> Iterator[Line]:
        inside, self._inside_line = self._inside_line, False
        if self._number is not None:
            self._number += 1
        line = line.removeprefix(b"\xef\xbb\xbf").strip()
        if line and not inside:
            yield Line(self.name, self._number or 0, line if len(line) <= MAX_LINE else None)


def rotated(path: Path, most: int = MAX_SIBLINGS) -> list[Path]:
    """The rotated siblings of a log file, at most so many, newest first."""
    pattern = re.compile(re.escape(path.name) + _ROTATED)
    try:
        with os.scandir(path.parent) as entries:
            files = [e for e in entries if pattern.fullmatch(e.name) and e.is_file(follow_symlinks=False)]
        found = [(file.stat().st_mtime, Path(file.path)) for file in files]
    except OSError:  # a folder may be closed to us while its file is open
        return []
    return [path for _, path in sorted(found, reverse=True)[:most]]


def unrotated(name: str) -> str:
    """The name that a rotated file had, or the name itself."""
    return re.sub(_ROTATED + r"\Z", "", name)


def _open(path: Path) -> BinaryIO:
    # Without O_NONBLOCK the opening of a pipe waits for its writer, for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file") from None
    except PermissionError:
        raise AuthError(f"{path}: this user may not read it") from None
    except OSError as exc:
        raise TransportError(f"{path}: {exc.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused(f"{path}: this is not a regular file")
    return os.fdopen(descriptor, "rb")


def _signature(file: BinaryIO) -> tuple[int, int, int]:
    if isinstance(file, io.BytesIO):
        return 0, 0, 0
    status = os.fstat(file.fileno())
    return status.st_ino, status.st_size, status.st_mtime_ns


def _is_object(text: bytes) -> bool:
    """Whether this is a whole JSON object; no beginning of one is."""
    try:
        return text.rstrip()[-1:] == b"}" and isinstance(msgspec.json.decode(text.strip()), dict)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
