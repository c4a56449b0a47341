"""``statusboard sources``: which types of sources there are, and what can be said of one."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING, Any

import click

from statusboard.cli.common import complete_types, registry
from statusboard.clock import Duration
from statusboard.errors import ConfigError

if TYPE_CHECKING:
    from statusboard.registry import OptionInfo, Registry
    from statusboard.source import Source

#: What a configuration of one's own might hold, by option: an example says more than a type.
SAMPLES = {
    "repos": "[acme/checkout]",
    "path": "/var/log/deploys.jsonl",
    "kind": "incident",
    "id": "id",
    "builders": "[checkout-main]",
}
_WIDEST = 24


@click.command("sources")
@click.argument("type", required=False, metavar="[TYPE]", shell_complete=complete_types)
def command(type: str | None) -> int:
    """List the types of sources, or print the options of one.

    Types come with this program and with plug-ins; a plug-in that cannot be used is listed with its error.

    \b
    Examples:
      statusboard sources
      statusboard sources alertmanager
    """
    known = registry()
    width = max(60, min(shutil.get_terminal_size((100, 40)).columns, 120))
    click.echo(one(known, type, width) if type else listing(known, width), nl=False)
    return 0


def listing(known: Registry, width: int) -> str:
    """All types: what each reads, where it comes from, and why it cannot be used, if so."""
    from statusboard.text import clean

    rows: list[tuple[str, str]] = []
    for name in known.names():
        try:
            cls = known.load(name)
        except ConfigError:
            rows.append((name, ""))
        else:
            rows.append((name, f"{clean(cls.summary, 200) or '(no summary)'} ({_kinds(cls)})"))
    lines: list[str] = []
    for (name, text), entry in zip(rows, known.listed(), strict=True):
        if entry.error:
            text = f"cannot be used: {entry.error}"
        origin = "" if entry.built_in else f" [{clean(entry.distribution, 60) or 'unknown package'}]"
        lines += _row(clean(name, 60), text + origin, width)
    lines += ["", "`statusboard sources TYPE` prints the options of one."]
    return "\n".join(lines) + "\n"


def one(known: Registry, type: str, width: int) -> str:
    """What one type reads, what it asks for, its options (its own first), and an example."""
    cls = known.load(type)
    options = known.describe(type)
    entry = next(entry for entry in known.listed() if entry.name == type)
    lines = [*textwrap.wrap(f"{type}: {cls.summary}", width), ""]
    origin = "built in" if entry.built_in else f"from the package {entry.distribution}"
    lines += _row("reads", f"{_kinds(cls)} ({origin})", width)
    if cls.default_url:
        lines += _row("url", cls.default_url, width)
    lines += _row("interval", str(Duration(cls.default_interval)), width)
    lines += _row("credentials", cls.scopes_needed or "not said", width)
    lines += ["", "Its own options:"]
    own = [option for option in options if not option.common]
    lines += _options(own, width) if own else ["  (none)"]
    lines += ["", "Options of every source:", *_options([o for o in options if o.common], width)]
    lines += ["", "Example:", "", *(f"  {line}" for line in example(cls, options))]
    return "\n".join(lines) + "\n"


def example(cls: type[Source[Any]], options: list[OptionInfo]) -> list[str]:
    """A short configuration with what this type cannot do without, as lines of YAML."""
    lines = ["sources:", f"  - type: {cls.type}", f"    name: my-{cls.type}"]
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
    return SAMPLES.get(option.name) or ("[...]" if option.type.startswith("a list") else "...")


def _kinds(cls: type[Source[Any]]) -> str:
    return ", ".join(f"{kind}s" for kind in sorted(cls.kinds))


def _options(options: list[OptionInfo], width: int) -> list[str]:
    lines: list[str] = []
    for option in options:
        facts = "required" if option.required else f"default {option.default}" if option.default else ""
        detail = "; ".join(filter(None, (option.description, option.type, facts)))
        lines += _row(option.name, detail, width)
    return lines


def _row(name: str, text: str, width: int) -> list[str]:
    """A name and what is said of it, wrapped beside it."""
    column = min(_WIDEST, max(16, len(name) + 2))
    wrapped = textwrap.wrap(text, max(30, width - 2 - column), break_on_hyphens=False) or [""]
    first = f"  {name:<{column}}{wrapped[0]}" if len(name) < column else f"  {name}  {wrapped[0]}"
    return [first.rstrip(), *(" " * (2 + column) + line for line in wrapped[1:])]
