"""What a person must know to set a source up, as text: the same facts for ``statusboard sources`` and the docs."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import dedent
from typing import Any

from statusboard.clock import Duration
from statusboard.registry import OptionInfo, Registry
from statusboard.source import Source

#: What `Source.verified` means.
VERIFIED = {
    "real": "tested against the vendor's own server",
    "recorded": "tested against answers recorded from the vendor's server",
    "documented": "tested against a server that answers as the vendor documents",
    "": "not said",
}

#: For types that give no example of their own: what a configuration might hold, by option.
_SAMPLES = {"repos": "[acme/checkout]", "path": "/var/log/deploys.jsonl", "kind": "incident", "id": "id"}

_HEAD = """\
# Sources

What the board can read, and how to set each of them up. `statusboard sources TYPE` prints the same for one type of your
installation, plug-ins included; `statusboard init` asks for what is needed, and `statusboard check` tries it.

Every source is an entry of `sources:` in the configuration. A secret never stands there: `token`, `username` and
`password` say where it is: `keyring:NAME` (stored by `statusboard login NAME`), `env:NAME` or `file:/path`.

This file is made by `make docs` from the sources themselves.
"""


def kinds_of(cls: type[Source[Any]]) -> str:
    """What a type reads, for people: ``builds, releases``."""
    return ", ".join(f"{kind}s" for kind in sorted(cls.kinds))


def hourly(cls: type[Source[Any]]) -> str:
    """What a quiet hour costs at the default interval: ``60 an hour for each repository and kind``."""
    count, each = cls.requests
    if not cls.needs_url:
        return "none"
    return f"{round(count * 3600 / cls.default_interval)} an hour for each {each}"


def past_of(cls: type[Source[Any]]) -> str:
    """What ``statusboard backfill`` can read of a type's past, and what not: ``builds, releases; of a run …``."""
    told = ", ".join(f"{kind}s" for kind in sorted(cls.history_kinds))
    return "; ".join(filter(None, (told or "none", cls.no_history)))


def example(cls: type[Source[Any]], options: Iterable[OptionInfo]) -> list[str]:
    """A short working configuration of this type, as lines of YAML."""
    lines = ["sources:", f"  - type: {cls.type}", f"    name: {cls.type}"]
    if cls.example:
        return lines + [f"    {line}".rstrip() for line in dedent(cls.example).strip().splitlines()]
    if cls.needs_url and not cls.default_url:
        lines.append(f"    url: https://{cls.type}.example.com")
    lines += [f"    {o.name}: {_sample(o)}" for o in options if o.required and not o.common]
    needs = cls.scopes_needed.casefold()
    if "username" in needs:
        lines += [f'    {name}: "keyring:{cls.type}-{name}"' for name in ("username", "password")]
    elif "token" in needs:
        lines.append(f'    token: "keyring:{cls.type}"    # stored by: statusboard login {cls.type}')
    return lines


def _sample(option: OptionInfo) -> str:
    return _SAMPLES.get(option.name) or ("[...]" if option.type.startswith("a list") else "...")


def document(known: Registry) -> str:
    """``docs/sources.md``: every built-in type.  Raises `ConfigError` where one cannot be imported."""
    types = [(entry.name, known.load(entry.name)) for entry in known.listed() if entry.built_in]
    lines = [_HEAD, "| type | reads | verified |", "| --- | --- | --- |"]
    lines += [f"| [`{name}`](#{name}) | {kinds_of(cls)} | {cls.verified} |" for name, cls in types]
    lines += ["", *(f"- *{word}*: {VERIFIED[word]}" for word in ("real", "recorded", "documented"))]
    for name, cls in types:
        lines += ["", *_section(name, cls, known.describe(name))]
    some = next(cls for _, cls in types if cls.needs_url)
    common = [option for option in known.describe(some.type) if option.common and option.name not in ("type", "url")]
    lines += ["", "## Options of every source", "", *_table(common, defaults=False)]
    return "\n".join(lines) + "\n"


def _section(name: str, cls: type[Source[Any]], options: list[OptionInfo]) -> list[str]:
    lines = [f"## {name}", "", f"{cls.summary}.", ""]
    lines += [f"    {line}".rstrip() for line in example(cls, options)]
    lines += ["", f"- Reads: {kinds_of(cls)}; every {Duration(cls.default_interval)} by default"]
    lines += [f"- Requests: {hourly(cls)}"] if cls.needs_url else []
    lines += [f"- Credentials: {cls.scopes_needed}"] if cls.scopes_needed else []
    lines += [f"- Past (`statusboard backfill`): {past_of(cls)}"]
    lines += [f"- Verified: {cls.verified}"] if cls.verified else []
    if cls.setup:
        lines += ["", dedent(cls.setup).strip()]
    own = [option for option in options if not option.common]
    if cls.needs_url:
        own = [option for option in options if option.name == "url"] + own
    return [*lines, "", *_table(own)] if own else lines


def _table(options: Iterable[OptionInfo], *, defaults: bool = True) -> list[str]:
    lines = (
        ["| option | meaning | default |", "| --- | --- | --- |"]
        if defaults
        else ["| option | meaning |", "| --- | --- |"]
    )
    for option in options:
        meaning = f"{option.description} ({option.type})" if option.type else option.description
        default = "**required**" if option.required else f"`{option.default}`" if option.default else ""
        cells = [f"`{option.name}`", meaning, *([default] if defaults else [])]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines
