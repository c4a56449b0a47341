"""From the files of a config to a `Config`, or to all that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from msgspec import structs

from statusboard._config.files import File, Files
from statusboard._config.looks import bind_themes, choose_glyphs, choose_theme
from statusboard._config.notices import bind_notices
from statusboard._config.secrets import Use, check, in_clear
from statusboard._config.sections import Sections, bind_keys
from statusboard._config.types import BoardOptions, Config, ConfiguredSource, SourceClass
from statusboard._config.views import FilterCheck
from statusboard._config.wall import WallOptions, bind_wall
from statusboard.binding import bind, bind_fields, closest, fields_of, shown, unknown_key
from statusboard.credentials import Reference, parse_reference
from statusboard.errors import ConfigError, Problem
from statusboard.keys import VIEWS
from statusboard.noticing.options import NoticesOptions
from statusboard.palettes import Palette
from statusboard.paths import store_path
from statusboard.registry import Registry, rooted
from statusboard.registry import bind as bind_source
from statusboard.text import clean
from statusboard.weights import Weights
from statusboard.yamlfile import List, Map, Mark, Node, Scalar, found, join, problem_at

ROOT_KEYS = (
    "board",
    "environments",
    "services",
    "severities",
    "sources",
    "views",
    "wall",
    "notices",
    "goals",
    "suspects",
    "include",
    "keys",
    "theme",
    "themes",
    "glyphs",
    "secrets",
)
INCLUDE_KEYS = ("environments", "services", "sources", "views", "goals", "include")
#: Types of sources that run what the config says; only the main file may have them.
COMMAND_TYPES = frozenset({"exec"})
MAX_PROBLEMS = 100
MIN_KEEP = 60.0


class Loader:
    """Reads all sections of all files, collecting problems; used once."""

    def __init__(
        self, files: Files, registry: Registry, env: Mapping[str, str], check_filter: FilterCheck | None
    ) -> None:
        self.files = files
        self.registry = registry
        self.env = env
        self.problems: list[Problem] = list(files.problems)
        self.secrets: list[Problem] = []
        self.warnings: list[Problem] = []
        self.sections = Sections(self.problems, check_filter)
        self._check_filter = check_filter
        self.sources: list[ConfiguredSource] = []
        self.source_names: set[str] = set()
        self.main_uses: set[tuple[Reference, str]] = set()
        self.include_uses: list[Use] = []

    def load(self, actions: Collection[str], themes: Collection[str]) -> Config:
        main = next((file.root for file in self.files.files if file.main), None)
        board = BoardOptions()
        keys: dict[str, str] = {}
        palettes: tuple[Palette, ...] = ()
        theme = glyphs = ""
        notices = NoticesOptions()
        weights = Weights()
        if main is not None:
            board = self._board(main.get("board"))
            keys = bind_keys(main.get("keys"), actions, self.problems)
            palettes = bind_themes(main.get("themes"), themes, self.problems)
            theme = choose_theme(main.get("theme"), themes, main.get("themes"), self.problems)
            glyphs = choose_glyphs(main.get("glyphs"), self.problems)
            notices = bind_notices(main.get("notices"), self.problems, self._check_filter)
            weights = self._weights(main.get("suspects"))
        for file in self.files.files:
            if file.root is not None:
                self._root_keys(file.root, file)
                self.sections.add(file.root)
        for file in self.files.files:
            if file.root is not None:
                self._sources(file.root, file)
        self.sections.check_names(self.source_names)
        wall = self._wall(main)
        goals = self._goals()
        self._foreign_secrets(main)
        if main is not None and not board.store and not self._mentions_sources():
            hint = (
                "add one under `sources:` (`statusboard sources` lists the types), or `board: {store: PATH}` to follow"
            )
            self.problems.append(problem_at(main.at, "there are no sources", path="sources", hint=hint))
        for file in self.files.files:
            if file.root is not None:
                self.secrets += in_clear(file.root, "")
        if self.problems or self.secrets:
            raise ConfigError(self._sorted())
        return Config(
            path=self.files.files[0].path,
            files=self.files.paths,
            digest=self.files.digest,
            board=board,
            environments=tuple(self.sections.environments),
            services=tuple(self.sections.services),
            severities=self.sections.severities,
            sources=tuple(self.sources),
            views=tuple(self.sections.views),
            keys=keys,
            theme=theme,
            themes=palettes,
            glyphs=glyphs,
            wall=wall,
            notices=notices,
            goals=goals,
            suspects=weights,
            secret_variables=self._secret_variables(),
            warnings=tuple(self.warnings),
        )

    # -- the main file's own sections ----------------------------------------------------------------------------

    def _root_keys(self, root: Map, file: File) -> None:
        known = ROOT_KEYS if file.main else INCLUDE_KEYS
        board_keys = fields_of(BoardOptions)
        for key, entry in root.entries.items():
            if key in known:
                continue
            if key in ROOT_KEYS:
                message = f"an included file cannot hold `{key}`"
                self._add(entry.at, message, key, "move it to the main file")
            elif key in board_keys and file.main:
                self._add(entry.at, f"unknown key `{key}`", "", f"write it under `board:`, as `board: {{{key}: …}}`")
            else:
                self.problems.append(unknown_key(root, key, known, ""))

    def _board(self, node: Node | None) -> BoardOptions:
        if node is None:
            return BoardOptions()
        before = len(self.problems)
        values = bind_fields(node, BoardOptions, self.problems, "board")
        board = structs.replace(BoardOptions(), **values)
        if isinstance(node, Map):
            try:
                store_path(board.id or "board")
            except ValueError:
                self._add(node.mark("id"), "this is no board id", "board.id", "use letters, digits, `.`, `_` and `-`")
            if board.keep < MIN_KEEP:
                self._add(node.mark("keep"), "this is too short", "board.keep", "at least 1m")
            if board.timezone:
                self._timezone(board.timezone, node.mark("timezone"))
        if len(self.problems) > before:
            return board
        store = rooted(board.store, Path(node.at.file).parent)
        return structs.replace(board, title=clean(board.title, 80), store=store)

    def _timezone(self, name: str, at: Mark) -> None:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            zones = available_timezones()
            hint = closest(name, zones) if any(zone.casefold()[:2] == name.casefold()[:2] for zone in zones) else ""
            hint = hint if hint.startswith("did") else "a name such as Europe/Berlin or UTC"
            self._add(at, f"there is no time zone `{shown(name)}`", "board.timezone", hint)

    def _wall(self, main: Map | None) -> WallOptions:
        names = (*VIEWS, *(view.name for view in self.sections.views if view.layout == "lanes"))
        return bind_wall(main.get("wall") if main is not None else None, names, self._check_filter, self.problems)

    def _weights(self, node: Node | None) -> Weights:
        return Weights() if node is None else bind(node, Weights, self.problems, "suspects") or Weights()

    def _goals(self) -> dict[str, dict[str, str]]:
        """What teams want their numbers to be; what those are is known to whoever has goals only."""
        roots = [file.root for file in self.files.files if file.root is not None and "goals" in file.root.entries]
        goals: dict[str, dict[str, str]] = {}
        if roots:
            from statusboard._config.goals import bind_goals, doubtful

            teams = {s.team for s in self.sections.services} | {s.options.team for s in self.sources}
            for root in roots:
                bind_goals(root.get("goals"), goals, self.problems)
                self.warnings += doubtful(root.get("goals"), teams - {""})
        return goals

    # -- sources -------------------------------------------------------------------------------------------------

    def _sources(self, root: Map, file: File) -> None:
        for index, node in enumerate(self.sections.items(root.get("sources"), "sources")):
            path = f"sources[{index}]"
            if isinstance(node, Map):
                self._source(node, path, file)
            else:
                message = f"this is {found(node)}, where a source is wanted"
                self._add(node.at, message, path, "write `- {type: …, name: …}`")

    def _mentions_sources(self) -> bool:
        """Whether there are sources, well written or not, or a file that may hold some could not be read."""
        found = (file.root.get("sources") for file in self.files.files if file.root is not None)
        return bool(self.files.problems) or any(
            not (isinstance(node, Scalar) and node.value is None) and not (isinstance(node, List) and not node.items)
            for node in found
            if node is not None
        )

    def _source(self, node: Map, path: str, file: File) -> None:
        name = node.get("name")
        if isinstance(name, Scalar) and isinstance(name.value, str):
            self._source_name(name.value, name.at, join(path, "name"))
        cls = self._source_class(node, path, file)
        url = node.get("url")
        address = url.value if isinstance(url, Scalar) and isinstance(url.value, str) else ""
        uses = check(node, path, address or (cls.default_url if cls is not None else ""), self.secrets)
        self._uses(uses, file)
        if not file.main:
            self._relaxed_tls(node, path)
        environment = node.get("environment")
        if isinstance(environment, Scalar) and isinstance(environment.value, str | int | float):
            self.sections.check_environment(environment.text, environment.at, join(path, "environment"))
        if cls is None:
            return
        options = bind_source(node, cls, self.problems, path)
        if options is None:
            return
        if not file.main and (borrowed := cls.ambient(options)):
            message = f"an included file cannot use {borrowed}"
            self._add(
                node.at, message, path, "name the credential (it must be one that the main file names), or move it"
            )
            return
        self.sources.append(ConfiguredSource(cls=cls, options=options, at=node.at))

    def _source_name(self, name: str, at: Mark, path: str) -> None:
        if not name or not all(c.isalnum() or c in "._-" for c in name):
            hint = "use letters, digits, `.`, `_` and `-`; it is part of every key"
            self._add(at, f"`{shown(name)}` is no good name for a source", path, hint)
        elif self.sections.unique("sources", name, at, path):
            self.source_names.add(name)

    def _source_class(self, node: Map, path: str, file: File) -> SourceClass | None:
        type_node = node.get("type")
        if not isinstance(type_node, Scalar) or not isinstance(type_node.value, str):
            if "type" not in node.entries:
                self._add(node.at, "`type` is missing", path, f"one of {', '.join(self.registry.names())}")
            else:
                message = "this is no type of source"
                self._add(node.mark("type"), message, join(path, "type"), f"one of {', '.join(self.registry.names())}")
            return None
        if type_node.value in COMMAND_TYPES and not file.main:
            message = f"an included file cannot hold `{type_node.value}` sources: they run commands"
            self._add(type_node.at, message, join(path, "type"), "move it to the main file")
            return None
        try:
            return self.registry.load(type_node.value)
        except ConfigError as error:
            for problem in error.problems:
                self._add(type_node.at, problem.message, join(path, "type"), problem.hint)
            return None

    def _relaxed_tls(self, node: Map, path: str) -> None:
        tls = node.get("tls")
        verify = tls.get("verify") if isinstance(tls, Map) else None
        if verify is not None and not (isinstance(verify, Scalar) and verify.value is True):
            message = "an included file cannot relax TLS"
            self._add(verify.at, message, join(path, "tls.verify"), "name the authority with `ca:`, or move the source")

    # -- secrets -------------------------------------------------------------------------------------------------

    def _uses(self, uses: list[Use], file: File) -> None:
        for use in uses:
            if file.main:
                self.main_uses.add((use.reference, use.origin))
            else:
                self.include_uses.append(use)
            if use.reference.kind == "env" and not self.env.get(use.reference.name, "").strip():
                message = f"the environment variable {use.reference.name} is not set"
                self.warnings.append(
                    problem_at(use.at, message, path=use.path, hint="export it before the board starts")
                )

    def _foreign_secrets(self, main: Map | None) -> None:
        """Includes use a secret only where the main file sends it, or anywhere if it is under ``secrets:``."""
        named = self._named_secrets(main.get("secrets") if main is not None else None)
        used = {reference for reference, _ in self.main_uses}
        for use in self.include_uses:
            if use.reference in named or (use.reference, use.origin) in self.main_uses:
                continue
            if use.reference in used:
                message = f"the main file does not send the secret {use.reference} to {use.origin or 'this source'}"
            else:
                message = f"the main file does not name the secret {use.reference}"
            hint = f'to allow it, write `secrets: ["{use.reference}"]` in the main file'
            self._add(use.at, message, use.path, hint)

    def _named_secrets(self, node: Node | None) -> set[Reference]:
        named: set[Reference] = set()
        for index, item in enumerate((node,) if isinstance(node, Scalar) else self.sections.items(node, "secrets")):
            path = f"secrets[{index}]"
            if isinstance(item, Scalar) and item.value is None:
                continue
            try:
                named.add(parse_reference(item.text if isinstance(item, Scalar) else ""))
            except ValueError as error:
                self._add(item.at, str(error), path)
        return named

    def _secret_variables(self) -> tuple[str, ...]:
        uses = {reference for reference, _ in self.main_uses} | {use.reference for use in self.include_uses}
        return tuple(sorted(reference.name for reference in uses if reference.kind == "env"))

    # -- problems ------------------------------------------------------------------------------------------------

    def _add(self, at: Mark, message: str, path: str, hint: str = "") -> None:
        self.problems.append(problem_at(at, message, path=path, hint=hint))

    def _sorted(self) -> list[Problem]:
        """In the order of the files.  Of a secret nothing else is said than that it is one."""
        secrets: dict[tuple[str, int, int], Problem] = {}
        for problem in self.secrets:
            secrets.setdefault((problem.file, problem.line, problem.column), problem)
        others = [p for p in self.problems if (p.file, p.line, p.column) not in secrets]
        order = {file.name: index for index, file in enumerate(self.files.files)}
        problems = sorted((*secrets.values(), *others), key=lambda p: (order.get(p.file, -1), p.line, p.column))
        if len(problems) > MAX_PROBLEMS:
            more = Problem(f"and {len(problems) - MAX_PROBLEMS} more problems")
            problems = [*problems[:MAX_PROBLEMS], more]
        return problems
