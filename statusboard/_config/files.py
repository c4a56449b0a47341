"""The files that make up one config: the main one and what it includes, read once.

Everything that follows (parsing, trust) works on the very bytes read here: a file that changes in between cannot be
trusted as one thing and used as another.
"""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path

from msgspec import Struct

from statusboard.binding import shown
from statusboard.errors import ConfigError, Problem
from statusboard.yamlfile import List, Map, Mark, Node, Scalar, found, parse, problem_at, read

MAX_FILES = 200
MAX_INCLUDE_DEPTH = 10


class File(Struct, frozen=True, kw_only=True):
    """One file.  ``name`` is how messages call it; ``root`` is None where it could not be parsed."""

    path: Path
    name: str
    root: Map | None
    main: bool = False


class Files(Struct, frozen=True, kw_only=True):
    """The main file first, then its includes in order.  ``digest`` covers all contents, whole or broken.

    ``sought`` are all files that were looked for, there or not, and ``patterns`` what they were looked for by: what
    any of these gives later may make another config of it.
    """

    files: tuple[File, ...]
    digest: str
    problems: tuple[Problem, ...] = ()
    sought: tuple[Path, ...] = ()
    patterns: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Absolute paths, to watch for changes."""
        return tuple(file.path for file in self.files)


def gather(path: Path) -> Files:
    """Read a config and its includes.  Never raises: what is wrong is in ``problems``."""
    reader = _Reader()
    reader.read(path, None, ())
    return Files(
        files=tuple(reader.files),
        digest=reader.hash.hexdigest(),
        problems=tuple(reader.problems),
        sought=tuple(reader.sought),
        patterns=tuple(reader.patterns),
    )


class _Reader:
    def __init__(self) -> None:
        self.files: list[File] = []
        self.problems: list[Problem] = []
        self.sought: dict[Path, None] = {}
        self.patterns: dict[str, None] = {}
        self.hash = hashlib.blake2b(digest_size=32)

    def read(self, path: Path, at: Mark | None, above: tuple[Path, ...]) -> None:
        """Read one file and what it includes; ``above`` are the files that led here."""
        self.sought[path.absolute()] = None
        real = _real(path)
        if real in above:
            names = " -> ".join(p.name for p in (*above[above.index(real) :], real))
            self._problem(at, f"this include runs in a circle: {names}")
            return
        if any(_real(file.path) == real for file in self.files):
            self._problem(at, f"{path} is included twice", "name it once")
            return
        if len(self.files) >= MAX_FILES or len(above) > MAX_INCLUDE_DEPTH:
            self._problem(at, f"more than {MAX_FILES} files, or {MAX_INCLUDE_DEPTH} levels of includes")
            return
        if at is not None and not path.is_file() and path.exists():
            self._problem(at, f"{path} is no regular file")
            return
        try:
            text = read(path)
        except ConfigError as error:
            for problem in error.problems:
                if at is None:
                    self.problems.append(problem)
                else:
                    self._problem(at, f"cannot include {path}: {problem.message}", problem.hint)
            return
        for part in (str(real), text):
            data = part.encode("utf-8", "surrogatepass")
            self.hash.update(len(data).to_bytes(8, "big") + data)
        root = parse(text, str(path), self.problems)
        self.files.append(File(path=path.absolute(), name=str(path), root=root, main=at is None))
        if root is not None and "include" in root.entries:
            self._includes(root.entries["include"].value, path.parent, (*above, real))

    def _includes(self, node: Node, folder: Path, above: tuple[Path, ...]) -> None:
        for item in node.items if isinstance(node, List) else (node,):
            if isinstance(item, Scalar) and item.value is None and not isinstance(node, List):
                continue
            if not isinstance(item, Scalar) or not isinstance(item.value, str) or not item.value:
                self._problem(item.at, f"this is {found(item)}, where the path of a file is wanted")
                continue
            for path in self._expand(item, item.value, folder, above):
                self.read(path, item.at, above)

    def _expand(self, item: Scalar, pattern: str, folder: Path, above: tuple[Path, ...]) -> list[Path]:
        """The files that one entry means; a pattern leaves out the file it stands in."""
        try:
            full = folder / Path(pattern).expanduser()
        except RuntimeError:
            self._problem(item.at, "there is no such home folder")
            return []
        if not glob.has_magic(pattern):
            return [full]
        # Only what stands in the pattern itself is one: a folder's own name may hold brackets.
        wild = str(full) if Path(pattern).expanduser().is_absolute() else f"{glob.escape(str(folder))}/{pattern}"
        self.patterns[wild] = None
        matches = [path for name in sorted(glob.glob(wild)) if (path := Path(name)).is_file()]
        if not matches:
            told = f"no file matches `{shown(pattern)}`"
            self._problem(item.at, told, f"a path is meant from this file's folder, {folder}")
        return [path for path in matches if _real(path) not in above]

    def _problem(self, at: Mark | None, message: str, hint: str = "") -> None:
        mark = at or Mark("", 0, 0)
        self.problems.append(problem_at(mark, message, path="include", hint=hint))


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a circle of symbolic links
        return path.absolute()
