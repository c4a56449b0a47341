"""The sections of a config that are more than a plain struct: environments, services, severities, views, keys."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from msgspec import Struct

from statusboard._config.views import FilterCheck, ViewOptions, bind_view
from statusboard.binding import BAD, bind, closest, convert, shown
from statusboard.catalog import Catalog, Environment, Match, Service, Tier, make_environment
from statusboard.errors import Problem
from statusboard.keys import clashes, key_named
from statusboard.model import SEVERITIES, Severity
from statusboard.source import option
from statusboard.text import clean
from statusboard.yamlfile import List, Map, Mark, Node, Scalar, found, join, problem_at

MAX_NAME = 80


class EnvironmentOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``environments:``."""

    aliases: Annotated[tuple[str, ...] | None, option("other names that tools use for it")] = None
    tier: Annotated[Tier | None, option("what it is for; only production enters metrics and suspects")] = None


class ServiceOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``services:``."""

    team: Annotated[str, option("who it belongs to")] = ""
    match: Annotated[Match, option("which items are this service's; any of these will do, the most specific wins")] = (
        Match()
    )
    depends_on: Annotated[tuple[str, ...], option("services it cannot do without: their releases may break it")] = ()


class Sections:
    """Collects the sections of all files; names are unique over all of them."""

    def __init__(self, problems: list[Problem], check_filter: FilterCheck | None = None) -> None:
        self.environments: list[Environment] = []
        self.services: list[Service] = []
        self.severities: dict[str, Severity] = {}
        self.views: list[ViewOptions] = []
        self._problems = problems
        self._check_filter = check_filter
        self._names: dict[tuple[str, str], Mark] = {}
        self._source_rules: list[tuple[Mark, str, str]] = []
        self._aliases: list[tuple[str, str, Mark, str]] = []
        self._needed: list[tuple[str, str, Mark, str]] = []
        #: Whether all that the config lists could be read: else nothing can be said of a name that is missing.
        self._environments_known = True

    def add(self, root: Map) -> None:
        """Take in what one file holds."""
        for section, take in (("environments", self._environment), ("services", self._service)):
            node = self._mapping(root.get(section), section)
            for key, entry in node.entries.items() if node is not None else ():
                if self.unique(section, key, entry.at, join(section, key)):
                    take(key, entry.value, join(section, key))
        severities = self._mapping(root.get("severities"), "severities")
        for key, entry in severities.entries.items() if severities is not None else ():
            self._severity(key, entry.value, join("severities", key))
        for index, item in enumerate(self.items(root.get("views"), "views")):
            self._view(item, f"views[{index}]")

    def unique(self, section: str, name: str, at: Mark, path: str) -> bool:
        """Note a name; False, with a problem, where it is no good name or taken."""
        if not name.strip() or clean(name, MAX_NAME) != name:
            hint = f"at most {MAX_NAME} visible characters on one line"
            self._problems.append(problem_at(at, f"`{shown(name)}` is no good name", path=path, hint=hint))
            return False
        first = self._names.get((section, name.casefold()))
        if first is not None:
            message = f"the name `{shown(name)}` is taken"
            hint = f"it is already in {first.file}:{first.line}; names are unique over all files"
            self._problems.append(problem_at(at, message, path=path, hint=hint))
            return False
        self._names[section, name.casefold()] = at
        return True

    def items(self, node: Node | None, path: str) -> tuple[Node, ...]:
        """The items of a list section; nothing is an empty list."""
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return ()
        if isinstance(node, List):
            return node.items
        hint = "begin each entry with `- `"
        self._problems.append(
            problem_at(node.at, f"this is {found(node)}, where a list is wanted", path=path, hint=hint)
        )
        return ()

    def check_names(self, sources: Collection[str]) -> None:
        """Look for rules and aliases that contradict each other or mean nothing; after all files are in."""
        for at, path, name in self._source_rules:
            if sources and name not in sources:
                message = f"there is no source `{shown(name)}`"
                self._problems.append(problem_at(at, message, path=path, hint=closest(name, sources)))
        self._check_dependencies()
        owners = {environment.name.casefold(): environment.name for environment in self.environments}
        for alias, name, at, path in self._aliases:
            owner = owners.setdefault(alias.strip().casefold(), name)
            if owner != name:
                message = f"`{shown(alias)}` is already a name of the environment `{shown(owner)}`"
                self._problems.append(problem_at(at, message, path=path))

    def _check_dependencies(self) -> None:
        services = [name for section, name in self._names if section == "services"]
        for needed, name, at, path in self._needed:
            if needed.casefold() == name.casefold():
                self._problems.append(problem_at(at, "a service does not depend on itself", path=path))
            elif needed.casefold() not in services:
                hint = closest(needed, [service.name for service in self.services], list_all=False)
                hint = hint or f"list it under `services:`, as `{shown(needed)}: {{}}`"
                self._problems.append(problem_at(at, f"there is no service `{shown(needed)}`", path=path, hint=hint))

    def check_environment(self, name: str, at: Mark, path: str) -> None:
        """A source's ``environment:`` is one of those that the config lists, if it lists any."""
        if self.environments and name and self._environments_known:
            known = Catalog(environments=self.environments)
            if known.environment(name) not in {e.name for e in self.environments}:
                names = [e.name for e in self.environments]
                aliases = [alias for e in self.environments for alias in e.aliases]
                hint = closest(name, names + aliases, list_all=False) or f"known are: {', '.join(names)}"
                self._problems.append(problem_at(at, f"there is no environment `{shown(name)}`", path=path, hint=hint))

    def _mapping(self, node: Node | None, path: str) -> Map | None:
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return None
        if isinstance(node, Map):
            return node
        hint = "write `name:` lines below it"
        message = f"this is {found(node)}, where a mapping is wanted"
        self._problems.append(problem_at(node.at, message, path=path, hint=hint))
        return None

    def _environment(self, name: str, node: Node, path: str) -> None:
        options = bind(node, EnvironmentOptions, self._problems, path)
        if options is None:
            self._environments_known = False
            return
        self._aliases += [(alias, name, node.at, join(path, "aliases")) for alias in options.aliases or ()]
        self.environments.append(make_environment(name, options.aliases, options.tier))

    def _service(self, name: str, node: Node, path: str) -> None:
        if "*" in name or "?" in name:
            hint = "patterns belong under `match:`"
            self._problems.append(problem_at(node.at, "a service's name is no pattern", path=path, hint=hint))
            return
        options = bind(node, ServiceOptions, self._problems, path)
        if options is None:
            return
        for text in options.match.source:
            if "*" not in text and "?" not in text:
                self._source_rules.append((node.at, join(path, "match.source"), text))
        listed = node.get("depends_on") if isinstance(node, Map) else None
        for index, needed in enumerate(options.depends_on):
            at = listed.items[index].at if isinstance(listed, List) else node.at if listed is None else listed.at
            self._needed.append((needed, name, at, join(path, "depends_on")))
        team = clean(options.team, MAX_NAME)
        self.services.append(Service(name=name, team=team, match=options.match, depends_on=options.depends_on))

    def _severity(self, word: str, node: Node, path: str) -> None:
        if isinstance(node, List) and word.casefold() in SEVERITIES:
            example = node.items[0].text if node.items and isinstance(node.items[0], Scalar) else "page"
            hint = f"write it the other way round: `{shown(example)}: {word.casefold()}`"
            message = "each word has one severity"
            self._problems.append(problem_at(node.at, message, path=path, hint=hint))
            return
        severity = convert(node, Severity, self._problems, path)
        if severity is not BAD:
            self.severities[word] = severity

    def _view(self, node: Node, path: str) -> None:
        options = bind_view(node, path, self._problems, self._check_filter)
        name = node.get("name") if isinstance(node, Map) else None
        if not isinstance(name, Scalar) or not isinstance(name.value, str | int | float):
            return
        # A name is taken by whatever stands under it first, well written or not.
        if self.unique("views", name.text, name.at, join(path, "name")) and options is not None:
            self.views.append(options)


def bind_keys(node: Node | None, actions: Collection[str], problems: list[Problem]) -> dict[str, str]:
    """``keys:`` as action -> keys (several are joined by commas).  Without ``actions`` any action is taken."""
    if node is None:
        return {}
    if not isinstance(node, Map):
        convert(node, dict[str, tuple[str, ...]], problems, "keys")  # which says what is wrong, or that it is empty
        return {}
    bound = {key: convert(e.value, tuple[str, ...], problems, join("keys", key)) for key, e in node.entries.items()}
    keys: dict[str, list[str]] = {}
    for action, names in bound.items():
        at, path = node.key_mark(action), join("keys", action)
        if actions and action not in actions:
            problem = problem_at(at, f"unknown action `{shown(action)}`", path="keys", hint=closest(action, actions))
            problems.append(problem)
            continue
        if names is BAD:
            continue
        split = [part.strip() for name in names for part in ([name] if name == "," else name.split(","))]
        given = [key_named(name) for name in split if name]
        if len(given) < max(len(split), 1):
            problems.append(problem_at(at, "a key's name is empty", path=path, hint="leave it out to keep its own key"))
        twice = sorted({name for name in given if given.count(name) > 1})
        problems += [problem_at(at, f"the key `{shown(name)}` is given twice", path=path) for name in twice]
        keys[action] = given
    for clash in clashes(keys):
        message = f"the key `{shown(clash.key)}` is already that of `{shown(clash.other)}`"
        hint = f"in line {node.key_mark(clash.other).line}; give one of the two another key"
        if not clash.given:
            hint = f"by default; give `{clash.other}` another key as well, or take one that is free"
        problems.append(problem_at(node.key_mark(clash.action), message, path=join("keys", clash.action), hint=hint))
    return {action: ",".join(names) for action, names in keys.items()}


def choose(node: Node | None, known: Collection[str], what: str, problems: list[Problem]) -> str:
    """A word out of ``known`` (any where that is empty), or ``""``."""
    if node is None:
        return ""
    word = convert(node, str, problems, what)
    if word is BAD:
        return ""
    if known and word not in known:
        problems.append(problem_at(node.at, f"unknown {what} `{shown(word)}`", path=what, hint=closest(word, known)))
    return str(word)
