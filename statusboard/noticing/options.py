"""``notices:`` of a config: which transitions are told, by which ways, and when not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import PurePath
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct, field

from statusboard.source import option

What: TypeAlias = Literal["opened", "worsened", "resolved", "failed", "recovered", "released", "blind", "readable"]
"""What may become of an incident; of a build or release; of a source."""
WayName: TypeAlias = Literal["visual", "bell", "terminal", "desktop", "command"]
Form: TypeAlias = Literal["osc9", "osc777", "osc99"]

PLACEHOLDERS: Final = (
    *("text", "title", "what", "kind", "state", "severity", "reason", "service", "team", "environment"),
    *("source", "key", "url", "count"),
)
"""What may stand in braces in an argument of a command."""
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


_INTERPRETERS: Final = frozenset(
    {"sh", "ash", "bash", "dash", "fish", "ksh", "zsh", "python", "python3", "perl", "ruby"}
)
_CODE_FOLLOWS = re.compile(r"-[A-Za-z]*[ce]")


def _code(command: Sequence[str]) -> Iterator[str]:
    """The arguments that an interpreter takes for code: what follows the ``-c`` of a shell."""
    interpreter = False
    for word, after in pairwise(command):
        interpreter = interpreter or PurePath(word).name in _INTERPRETERS
        if interpreter and _CODE_FOLLOWS.fullmatch(word):
            yield after
            return


class RuleOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: what passes ``when`` and becomes one of ``on`` is told ``by`` each of these ways."""

    when: Annotated[str, option("a filter, as of a view; without one everything")] = ""
    on: Annotated[tuple[What, ...], option("what must have become of it")]
    by: Annotated[tuple[WayName, ...], option("how it is told")]
    command: Annotated[tuple[str, ...], option("program and arguments for `by: command`; no shell is involved")] = ()

    def __post_init__(self) -> None:
        if not self.on:
            raise ValueError("`on` is empty; write what is to be told, such as [opened, resolved]")
        if not self.by:
            raise ValueError("`by` is empty; write how it is to be told, such as [bell]")
        if ("command" in self.by) is not bool(self.command and self.command[0]):
            if self.command:
                raise ValueError("`command` is not used: `by` does not name it")
            raise ValueError("`by` names command, and there is none; write `command: [PROGRAM, ARGUMENT]`")
        if len(self.command) == 1 and " " in self.command[0]:
            raise ValueError("`command` is split by no shell; write it as a list: [program, argument]")
        if self.command and _PLACEHOLDER.search(self.command[0]):
            raise ValueError("`command` must name its program itself, without {…}")
        if code := next(filter(_PLACEHOLDER.search, _code(self.command)), ""):
            told = _PLACEHOLDER.search(code)
            raise ValueError(
                f"`command` would run {told[0] if told else code} as code, which foreign text must never be; "
                "pass it as an argument: [sh, -c, 'echo \"$1\"', sh, '{text}']"
            )
        for word in self.command:
            for name in _PLACEHOLDER.findall(word):
                if name not in PLACEHOLDERS:
                    known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                    raise ValueError(f"`command` holds {{{name}}}, which stands for nothing; there are {known}")


class QuietOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours in which nothing is told, by the clock on the wall in the board's time zone; they may span midnight."""

    from_: Annotated[str, option("when they begin, as 22:00")] = field(name="from")
    to: Annotated[str, option("when they end, as 07:00")]
    except_: Annotated[str, option("a filter: what is told all the same")] = field(name="except", default="")

    def __post_init__(self) -> None:
        for name, text in (("from", self.from_), ("to", self.to)):
            if not _TIME_OF_DAY.fullmatch(text):
                raise ValueError(f"`{name}` is no time of day; write it like 22:00, in quotes")
        if self.from_ == self.to:
            raise ValueError("`to` is the same as `from`: these would be no hours, or all of them")


BY_DEFAULT: Final = (RuleOptions(when="kind:incident", on=("opened", "worsened"), by=("visual",)),)


class NoticesOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``notices:``.  Without rules of its own a board tells of new incidents on the screen, and nothing else."""

    rules: Annotated[
        tuple[RuleOptions, ...], option("what is told and how; without any, new incidents on the screen")
    ] = BY_DEFAULT
    quiet: Annotated[QuietOptions | None, option("hours in which nothing is told")] = None
    at_most: Annotated[int, option("notices a minute and way; what is more becomes one line"), Meta(ge=1, le=60)] = 5
    terminal: Annotated[
        Literal["auto", "osc9", "osc777", "osc99"],
        option("which sequence `by: terminal` writes; auto: what this terminal is known to show"),
    ] = "auto"
    tmux: Annotated[bool, option("pass terminal notifications through tmux, which must allow it")] = False
    walls: Annotated[
        bool, option("by these ways on a wall too, which by itself shows what is new and tells no more")
    ] = False
