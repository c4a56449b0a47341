"""The questions of ``init``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from statusboard.setup.answers import (
    CREDENTIALS,
    as_answer,
    asked,
    asked_credentials,
    brief,
    loads,
    problems_of,
    samples_of,
    value_of,
)

if TYPE_CHECKING:
    from statusboard.registry import OptionInfo, Registry
    from statusboard.setup.detecting import Surroundings
    from statusboard.setup.proposing import ServiceDraft, SourceDraft

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
    from statusboard.setup.proposing import propose, services_of

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
    return title, drafts, services_of(proposal, drafts)


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
        self._samples = samples_of(known, type)
        self._ask = ask
        self._say = say
        self._no_keyring = no_keyring

    def source(self, before: int, like: SourceDraft | None, seen: Surroundings) -> SourceDraft:
        """A source of this type, of which there are ``before`` already; ``like`` is what was found."""
        from statusboard.setup.proposing import SourceDraft

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
            for option in asked(self._known, self._type, like, self._samples):
                answer = self._option(option, values.get(option.name))
                values.pop(option.name, None)
                if answer is not None:
                    values[option.name] = answer
            self._credentials(asked_credentials(like, self._samples), name, values, seen)
            draft = SourceDraft(type=self._type, name=name, options=values, found=like.found if like else ())
            problems = problems_of(draft, self._known)
            if not problems:
                return draft
            for problem in problems:
                self._say(f"  ! {problem}")

    def _option(self, option: OptionInfo, before: Any) -> Any:
        """The value of one option, None where it is left out."""
        from statusboard.registry import url_complaint

        known = as_answer(before) or option.default
        needed = option.required and not known
        sample = as_answer(self._samples.get(option.name))
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
            return None if not answer or answer == option.default else value_of(option, answer)

    def _credentials(self, options: list[str], name: str, values: dict[str, Any], seen: Surroundings) -> None:
        """Ask where the credentials of this type are, by what its example shows of them."""
        from statusboard.credentials import parse_reference
        from statusboard.setup.proposing import keyring_reference, references, variable_for

        likely = references(self._type, name, seen, not self._no_keyring)
        for option in options:
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
