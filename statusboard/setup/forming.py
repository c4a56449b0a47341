"""The form of one source: what is asked, and the draft that the answers make.  No screen, no network."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from statusboard.binding import fields_of, unwrap
from statusboard.credentials import is_reference, parse_reference
from statusboard.registry import OptionInfo, Registry, url_complaint
from statusboard.setup.answers import (
    CODE,
    as_answer,
    asked,
    asked_credentials,
    brief,
    faults_of,
    samples_of,
    value_of,
)
from statusboard.setup.detecting import Surroundings
from statusboard.setup.proposing import SourceDraft, keyring_reference, references, variable_for

NAME = "name"


class Field(Struct, frozen=True, kw_only=True):
    """One thing that is asked.  ``value`` stands there at first, ``sample`` is what might stand there.

    What is typed into a ``secret`` one is where the secret is, or the secret itself, which is shown to nobody.
    """

    name: str
    about: str = ""
    needed: bool = False
    sample: str = ""
    value: str = ""
    secret: bool = False


class Complaint(Struct, frozen=True):
    """What is wrong with the answer to a field (``""``: with the whole), and what would be right."""

    field: str
    told: str


class Form:
    """What is asked of one type.  ``like`` is what was found of it, ``taken`` are the names of other sources."""

    def __init__(
        self,
        known: Registry,
        type: str,
        seen: Surroundings,
        *,
        like: SourceDraft | None = None,
        taken: Collection[str] = (),
        keyring: bool = True,
        folder: Path | None = None,
    ) -> None:
        """ConfigError where the type cannot be used.  Relative paths are meant from ``folder``."""
        self._known = known
        self._cls = known.load(type)
        self._like = like
        self._folder = folder or Path.cwd()
        samples = samples_of(known, type)
        self._options = {option.name: option for option in asked(known, type, like, samples)}
        self.type = type
        self.proposed = like is not None
        self.summary = self._cls.summary
        self.setup = _unwrapped(brief(self._cls.setup, type))
        self.keyring = keyring
        found: Mapping[str, Any] = like.options if like is not None else {}
        own = [
            Field(
                name=option.name,
                about=option.description,
                needed=option.required or (option.name == "url" and not option.default),
                sample=as_answer(samples.get(option.name)),
                value=as_answer(found.get(option.name)) or option.default,
            )
            for option in self._options.values()
        ]
        self.fields = (
            Field(name=NAME, about="your name for it", needed=True, value=_free(like.name if like else type, taken)),
            *own,
            *(self._secret(option, found, seen) for option in asked_credentials(like, samples)),
        )

    def _secret(self, option: str, found: Mapping[str, Any], seen: Surroundings) -> Field:
        """A credential: a variable that is set is proposed, since it can be read at once."""
        likely = found.get(option) or ("" if self._like else references(self.type, self.type, seen, False).get(option))
        kind, _, name = str(likely or "").partition(":")
        is_set = kind == "env" and name in seen.variables.get(self.type, {}).values()
        return Field(
            name=option,
            about=f"the {option} itself, or where it is: " + ("keyring:NAME, " if self.keyring else "") + "env:NAME, "
            "file:/path",
            value=str(likely) if is_set else "",
            secret=True,
        )

    def plain(self, answers: Mapping[str, str]) -> list[str]:
        """The fields in which a secret itself stands."""
        return [
            field.name
            for field in self.fields
            if field.secret and (text := answers.get(field.name, "").strip()) and not is_reference(text)
        ]

    def own_reference(self, field: str, answers: Mapping[str, str]) -> str:
        """Where a secret of this source would be kept in the keyring."""
        return keyring_reference(field, answers.get(NAME, "").strip() or self.type)

    def own_variable(self, field: str, answers: Mapping[str, str]) -> str:
        """The variable in which a secret of this source would be."""
        return variable_for(field, self.type, answers.get(NAME, "").strip() or self.type)

    def draft(self, answers: Mapping[str, str]) -> tuple[SourceDraft, list[Complaint]]:
        """The source that these answers make, and what is wrong with them.  A plain secret gets into neither."""
        values: dict[str, Any] = {}
        complaints: list[Complaint] = []
        for field in self.fields:
            answer = answers.get(field.name, "").strip()
            if not answer and field.needed:
                complaints.append(Complaint(field.name, f"{field.name} is needed"))
            elif answer and field.secret:
                self._add_reference(field.name, answer, values, complaints)
            elif answer and field.name != NAME:
                self._add(self._options[field.name], answer, values, complaints)
        name = answers.get(NAME, "").strip()
        draft = SourceDraft(
            type=self.type, name=name, options=values, found=self._like.found if self._like is not None else ()
        )
        if not complaints:
            complaints = [self._complaint(option, told) for option, told in faults_of(draft, self._known)]
        return draft, complaints

    def _add(self, option: OptionInfo, answer: str, values: dict[str, Any], complaints: list[Complaint]) -> None:
        if option.name == "url" and (complaint := url_complaint(answer)):
            complaints.append(Complaint("url", f"{complaint[0]} ({complaint[1]})"))
        elif answer != option.default:
            value = value_of(option, answer)
            values[option.name] = self._from_here(value) if self._is_path(option.name) else value

    def _add_reference(self, field: str, answer: str, values: dict[str, Any], complaints: list[Complaint]) -> None:
        try:
            reference = parse_reference(answer)
        except ValueError as error:  # which never repeats what was given
            complaints.append(Complaint(field, str(error)))
            return
        where = self._from_here(reference.name) if reference.kind == "file" else reference.name
        values[field] = f"{reference.kind}:{where}"

    def _complaint(self, option: str, told: str) -> Complaint:
        field = next((field.name for field in self.fields if option == field.name), "")
        return Complaint(field, told if field or not option else f"{option}: {told}")

    def _is_path(self, option: str) -> bool:
        field = next((f for f in fields_of(self._cls.Options).values() if f.encode_name == option), None)
        return field is not None and any(meta.extra and meta.extra.get("path") for meta in unwrap(field.type)[1])

    def _from_here(self, value: Any) -> Any:
        """A path as it will be read from the configuration, whose folder is another one."""
        if isinstance(value, list):
            return [self._from_here(one) for one in value]
        if not isinstance(value, str) or value.startswith("~"):
            return value
        return os.path.abspath(self._folder / value)


def is_hidden(answer: str) -> bool:
    """Whether what stands in a secret field must not be seen: all that is not (yet) written as a reference."""
    return bool(answer) and not is_reference(answer.strip())


def _unwrapped(lines: Iterable[str]) -> list[str]:
    """Items that were wrapped for a terminal of any width, each in one line."""
    items: list[str] = []
    for line in lines:
        if line.startswith("  ") and not line.startswith(CODE) and items:
            items[-1] = f"{items[-1]} {line.strip()}"
        else:
            items.append(line)
    return items


def _free(name: str, taken: Collection[str]) -> str:
    """The name, or one like it that no other source has."""
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}-{count}"
    return found
