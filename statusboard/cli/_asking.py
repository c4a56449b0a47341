"""The questions of ``init``, and what the configuration's own checks say of the answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statusboard.cli.common import registry
from statusboard.errors import ConfigError

if TYPE_CHECKING:
    from statusboard.cli._detecting import Surroundings
    from statusboard.cli._proposing import ServiceDraft, SourceDraft
    from statusboard.registry import OptionInfo, Registry

SETUP_ITEMS = 3
"""How much of a type's setup text is shown before its questions."""

CREDENTIALS = ("username", "password", "token")

Ask = Callable[[str, str], str]
"""A question and the answer that Enter alone gives, to the answer; "" where there is none."""
Say = Callable[[str], object]


def interview(
    known: Registry, ask: Ask, say: Say, seen: Surroundings, no_keyring: str
) -> tuple[str, list[SourceDraft], list[ServiceDraft]]:
    """The title, the sources that a person wants, and the services that were found in them.

    What was found around here (``seen``) is the default; ``no_keyring`` says why there is none, if so.  What a source's
    own checks refuse is asked again.
    """
    from statusboard.cli._proposing import REPOSITORIES, propose

    usable = [name for name in known.names() if loads(known, name)]
    proposal = propose(seen, usable, keyring=not no_keyring)
    found = [*proposal.sources, *proposal.suggestions]
    title = ask("Title of the board", "Status")
    say("Sources: " + ", ".join(usable))
    for type in dict.fromkeys(draft.type for draft in found):
        where = dict.fromkeys(place for draft in found if draft.type == type for place in draft.found)
        say(f"Found here: {type} ({', '.join(where)})")
    if no_keyring:
        say(f"Credentials are to be had from env:NAME or file:/path: {no_keyring.partition(':')[0]}")
    default = ", ".join(draft.type for draft in proposal.sources) or "github"
    drafts: list[SourceDraft] = []
    while not drafts:
        for name in _chosen(ask("Which of them (several with commas)", default), usable, say):
            before = len([draft for draft in drafts if draft.type == name])
            like = next(iter([draft for draft in found if draft.type == name][before : before + 1]), None)
            drafts.append(_Questions(known, name, ask, say, bool(no_keyring)).source(before, like, seen))
    chosen = {repo.casefold() for draft in drafts for repo in draft.options.get(REPOSITORIES.get(draft.type, ""), ())}
    services = [service for service in proposal.services if any(repo.casefold() in chosen for repo in service.repos)]
    return title, drafts, services


def _chosen(answer: str, usable: list[str], say: Say) -> list[str]:
    from statusboard.binding import closest, shown

    names = [name for word in answer.split(",") if (name := word.strip())]
    for name in names:
        if name not in usable:
            say(f"There is no `{shown(name)}`: {closest(name, usable)}")
            return []
    return names


class _Questions:
    """What is asked of one type of source."""

    def __init__(self, known: Registry, type: str, ask: Ask, say: Say, no_keyring: bool) -> None:
        self._known = known
        self._cls = known.load(type)
        self._type = type
        self._options = known.describe(type)
        self._samples = samples_of(known, type)
        self._ask = ask
        self._say = say
        self._no_keyring = no_keyring

    def source(self, before: int, like: SourceDraft | None, seen: Surroundings) -> SourceDraft:
        """A source of this type, of which there are ``before`` already; ``like`` is what was found."""
        from statusboard.cli._proposing import SourceDraft

        self._say(f"\n{self._type}: {self._cls.summary}")
        for line in brief(self._cls.setup, self._type):
            self._say(f"  {line}")
        name = like.name if like is not None else f"{self._type}-{before + 1}" if before else self._type
        values: dict[str, Any] = dict(like.options) if like is not None else {}
        for credential in CREDENTIALS:
            if str(values.get(credential, "")).startswith("keyring:"):  # it follows from the name, which is asked first
                del values[credential]
        while True:
            name = self._ask("  name", name)
            for option in self._asked(like):
                answer = self._option(option, values.get(option.name))
                values.pop(option.name, None)
                if answer is not None:
                    values[option.name] = answer
            if like is None or any(credential in like.options for credential in CREDENTIALS):
                self._credentials(name, values, seen)
            draft = SourceDraft(type=self._type, name=name, options=values, found=like.found if like else ())
            problems = problems_of(draft, self._known)
            if not problems:
                return draft
            for problem in problems:
                self._say(f"  ! {problem}")

    def _asked(self, like: SourceDraft | None) -> list[OptionInfo]:
        """The options to ask for: the address, what is required, what the example shows of its own, what was found."""
        shown = {*self._samples, *(like.options if like is not None else ())}
        url = [o for o in self._options if o.name == "url" and self._cls.needs_url]
        own = [o for o in self._options if not o.common and (o.required or o.name in shown)]
        return [*url, *sorted(own, key=lambda option: not option.required)]

    def _option(self, option: OptionInfo, before: Any) -> Any:
        """The value of one option, None where it is left out."""
        from statusboard.registry import url_complaint

        known = _as_answer(before) or option.default
        needed = option.required and not known
        sample = _as_answer(self._samples.get(option.name))
        optional = not option.required and option.name != "url"
        hints = [
            option.description,
            f"such as {sample}" if sample and not known else "",
            "- for none" if optional and known else "",
        ]
        while True:
            answer = self._ask(f"  {option.name} ({'; '.join(filter(None, hints))})", known)
            if answer == "-" and optional:
                return None
            if not answer and needed:
                self._say(f"  ! {option.name} is needed")
                continue
            complaint = url_complaint(answer) if option.name == "url" and answer else None
            if complaint:
                self._say(f"  ! {complaint[0]} ({complaint[1]})")
                continue
            return None if not answer or answer == option.default else _value(option, answer)

    def _credentials(self, name: str, values: dict[str, Any], seen: Surroundings) -> None:
        """Ask where the credentials of this type are, by what its example shows of them."""
        from statusboard.cli._proposing import keyring_reference, references, variable_for
        from statusboard.credentials import parse_reference

        likely = references(self._type, name, seen, not self._no_keyring)
        for option in CREDENTIALS:
            if option not in self._samples:
                continue
            own = variable_for(option, self._type, name) if self._no_keyring else keyring_reference(option, name)
            default = values.pop(option, None) or likely.get(option) or own
            places = "env:NAME or file:/path" if self._no_keyring else "keyring:NAME, env:NAME or file:/path"
            while (answer := self._ask(f"  where is the {option} ({places}; - for none)", default)) not in ("", "-"):
                try:
                    values[option] = str(parse_reference(answer))
                except ValueError as error:  # which never repeats what was given
                    self._say(f"  ! {error}")
                else:
                    break


def brief(setup: str, type: str) -> list[str]:
    """The first items of a setup text, as lines for a terminal, and where the rest of it is."""
    import textwrap

    items: list[str] = []
    for line in textwrap.dedent(setup).strip().splitlines():
        if line.startswith("    "):  # code
            continue
        if re.match(r"[-*] |\d+\. ", line) or not items or not line.strip():
            items.append("")
        items[-1] = f"{items[-1]} {line.strip()}".strip()
    told = [item for item in items if item]
    lines: list[str] = []
    for item in told[:SETUP_ITEMS]:
        mark = re.match(r"[-*] |\d+\. ", item)
        plain = re.sub(r"\*+", "", item[mark.end() :] if mark else item)
        lines += textwrap.wrap(plain, 96, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return [*lines, f"- More: statusboard sources {type}"] if len(told) > SETUP_ITEMS else lines


def _as_answer(value: Any) -> str:
    """A value as a person would type it."""
    if value is None:
        return ""
    if isinstance(value, list | tuple) and all(isinstance(one, str) and "," not in one for one in value):
        return ", ".join(value)
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value)


def _value(option: OptionInfo, answer: str) -> Any:
    """An answer as a value; lists and mappings may be written as in YAML."""
    import yaml

    if option.type.startswith(("text", "one of")):
        return answer
    if option.type.startswith("a list") and not answer.startswith("["):
        return [word.strip() for word in answer.split(",") if word.strip()]
    try:
        return yaml.safe_load(answer)
    except yaml.YAMLError:
        return answer


# --- what the checks say --------------------------------------------------------------------------------------------


def check_text(text: str, known: Registry | None = None) -> None:
    """ConfigError unless this is a valid configuration, for the ``known`` types (those installed)."""
    import tempfile

    from statusboard.config import load_config
    from statusboard.query import parse

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(text, encoding="utf-8")
        load_config(file, registry=known or registry(), check_filter=parse)


def problems_of(draft: SourceDraft, known: Registry | None = None) -> list[str]:
    """What the configuration's own checks say of one source."""
    from statusboard.cli._proposing import config_text

    try:
        check_text(config_text("x", [draft]), known)
    except ConfigError as error:
        return [
            ": ".join(filter(None, (problem.path.partition(".")[2], problem.message)))
            + (f" ({problem.hint})" if problem.hint else "")
            for problem in error.problems
        ]
    return []


def loads(known: Registry, name: str) -> bool:
    """Whether a type can be used."""
    try:
        known.load(name)
    except ConfigError:
        return False
    return True


def samples_of(known: Registry, type: str) -> dict[str, Any]:
    """The options of a type's example."""
    import yaml

    from statusboard.guide import example

    try:
        document = yaml.safe_load("\n".join(example(known.load(type), known.describe(type))))
    except yaml.YAMLError:  # a plug-in's
        return {}
    return {str(name): value for name, value in document["sources"][0].items()}
