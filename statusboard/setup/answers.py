"""What a person says of a source, as values, and what the configuration's own checks say of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from statusboard.errors import ConfigError, CredentialError
from statusboard.setup.proposing import Proposal, SourceDraft, config_text

if TYPE_CHECKING:
    from statusboard.config import Config
    from statusboard.registry import OptionInfo, Registry

SETUP_ITEMS = 3
"""How much of a type's setup text is shown before its questions."""
CODE = "    "
"""What lines of code in a setup text begin with."""

CREDENTIALS = ("username", "password", "token")


def asked(known: Registry, type: str, like: SourceDraft | None, samples: Mapping[str, Any]) -> list[OptionInfo]:
    """The options to ask for: the address, what is required, what the example shows of its own, what was found."""
    options = known.describe(type)
    shown = {*samples, *(like.options if like is not None else ())}
    url = [option for option in options if option.name == "url" and known.load(type).needs_url]
    own = [option for option in options if not option.common and (option.required or option.name in shown)]
    return [*url, *sorted(own, key=lambda option: not option.required)]


def asked_credentials(like: SourceDraft | None, samples: Mapping[str, Any]) -> list[str]:
    """The credentials to ask for, by what the type's example shows; none where what was found has its own."""
    if like is not None and not any(credential in like.options for credential in CREDENTIALS):
        return []
    return [option for option in CREDENTIALS if option in samples]


def brief(setup: str, type: str) -> list[str]:
    """The first items of a setup text, as lines for a terminal, and where the rest of it is.

    Code that an item announces with a colon follows it, each line of it further in by `CODE`; other code is left out.
    """
    import textwrap

    items: list[str] = []
    code: dict[str, list[str]] = {}
    for line in textwrap.dedent(setup).strip().splitlines():
        if line.startswith(CODE):
            announced = next((item for item in reversed(items) if item), "")
            if announced.endswith(":"):
                code.setdefault(announced, []).append(line)
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
        lines += code.get(item, [])
    return [*lines, f"- More: statusboard sources {type}"] if len(told) > SETUP_ITEMS else lines


def as_answer(value: Any) -> str:
    """A value as a person would type it."""
    if value is None:
        return ""
    if isinstance(value, list | tuple) and all(isinstance(one, str) and "," not in one for one in value):
        return ", ".join(value)
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value)


def value_of(option: OptionInfo, answer: str) -> Any:
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


def check_text(text: str, known: Registry) -> Config:
    """What this configuration says, for the ``known`` types.  ConfigError unless it is valid."""
    import tempfile

    from statusboard.config import load_config
    from statusboard.query import parse

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(text, encoding="utf-8")
        return load_config(file, registry=known, check_filter=parse)


def problems_of(draft: SourceDraft, known: Registry) -> list[str]:
    """What the configuration's own checks say of one source, in words."""
    return [f"{option}: {told}" if option else told for option, told in faults_of(draft, known)]


def faults_of(draft: SourceDraft, known: Registry) -> list[tuple[str, str]]:
    """What the configuration's own checks say of one source: (option, ``""`` where it is none's; what, in words)."""
    try:
        check_text(config_text("x", [draft]), known)
    except ConfigError as error:
        return [
            (problem.path.partition(".")[2], problem.message + (f" ({problem.hint})" if problem.hint else ""))
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


def keyring_problem() -> str:
    """Why no keyring can be used here, ``""`` where one can.  None is asked for anything, so nothing prompts."""
    import keyring

    from statusboard.credentials import Reference
    from statusboard.credentials._places import usable

    try:
        usable(Reference("keyring", "statusboard"), keyring.get_keyring())
    except CredentialError as error:
        return str(error).partition(": ")[2]
    except Exception as exc:  # noqa: BLE001 - boundary: backends raise whatever their libraries do
        return f"the keyring failed ({type(exc).__name__})"
    return ""


# --- from what was found --------------------------------------------------------------------------------------------


def settled(proposal: Proposal, known: Registry) -> tuple[list[SourceDraft], list[SourceDraft]]:
    """The proposed sources that are whole, and the others, filled up with what stands for what is not known."""
    whole: list[SourceDraft] = []
    unfinished: list[SourceDraft] = []
    for draft in proposal.sources:
        if not problems_of(draft, known):
            whole.append(draft)
        elif loads(known, draft.type):
            unfinished.append(_filled_up(draft, known))
    return whole, unfinished


def _filled_up(draft: SourceDraft, known: Registry) -> SourceDraft:
    """A draft with samples of what it lacks, so that it is plain what to write."""
    samples = samples_of(known, draft.type)
    own = [option.name for option in known.describe(draft.type) if not option.common]
    missing = {name: samples[name] for name in ("url", *own) if name in samples and name not in draft.options}
    filled: dict[str, Any] = {}
    for name, sample in missing.items():
        filled[name] = sample
        if not problems_of(structs.replace(draft, options={**filled, **draft.options}), known):
            break
    return structs.replace(
        draft,
        options={**filled, **draft.options},
        comments=(*draft.comments, f"Not known here: {', '.join(filled) or 'what it needs'}."),
    )
