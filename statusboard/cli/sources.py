"""``statusboard sources``: which types of sources there are, and what can be said of one."""

from __future__ import annotations

import re
import shutil
import textwrap
from textwrap import dedent
from typing import TYPE_CHECKING

import click

from statusboard.cli.common import complete_types, registry
from statusboard.clock import Duration
from statusboard.errors import ConfigError

if TYPE_CHECKING:
    from statusboard.registry import OptionInfo, Registry

_WIDEST = 24
_ITEM = re.compile(r"[-*] |\d+\. ")


@click.command("sources")
@click.argument("type", required=False, metavar="[TYPE]", shell_complete=complete_types)
@click.option("--markdown", is_flag=True, help="Print all built-in types as the document docs/sources.md.")
def command(type: str | None, markdown: bool) -> int:
    """List the types of sources, or print how to set one up and what its options are.

    Types come with this program and with plug-ins; a plug-in that cannot be used is listed with its error. Behind each
    type stands how it was verified: against the vendor's real server, recorded answers, or its documentation.

    \b
    Examples:
      statusboard sources
      statusboard sources alertmanager
    """
    known = registry()
    if markdown:
        from statusboard.guide import document

        click.echo(document(known), nl=False)
        return 0
    width = max(60, min(shutil.get_terminal_size((100, 40)).columns, 120))
    click.echo(one(known, type, width) if type else listing(known, width), nl=False)
    return 0


def listing(known: Registry, width: int) -> str:
    """All types: what each reads, where it comes from, and why it cannot be used, if so."""
    from statusboard.guide import kinds_of
    from statusboard.text import clean

    rows: list[tuple[str, str]] = []
    for name in known.names():
        try:
            cls = known.load(name)
        except ConfigError:
            rows.append((name, ""))
        else:
            verified = f"; {cls.verified}" if cls.verified else ""
            rows.append((name, f"{clean(cls.summary, 200) or '(no summary)'} ({kinds_of(cls)}{verified})"))
    lines: list[str] = []
    for (name, text), entry in zip(rows, known.listed(), strict=True):
        if entry.error:
            text = f"cannot be used: {entry.error}"
        origin = "" if entry.built_in else f" [{clean(entry.distribution, 60) or 'unknown package'}]"
        lines += _row(clean(name, 60), text + origin, width)
    lines += ["", "`statusboard sources TYPE` prints the options of one."]
    return "\n".join(lines) + "\n"


def one(known: Registry, type: str, width: int) -> str:
    """What one type reads, what it asks for, how to set it up, an example, and its options (its own first)."""
    from statusboard.guide import VERIFIED, example, hourly, kinds_of, past_of

    cls = known.load(type)
    options = known.describe(type)
    entry = next(entry for entry in known.listed() if entry.name == type)
    lines = [*textwrap.wrap(f"{type}: {cls.summary}", width), ""]
    origin = "built in" if entry.built_in else f"from the package {entry.distribution}"
    lines += _row("reads", f"{kinds_of(cls)} ({origin})", width)
    if cls.default_url:
        lines += _row("url", cls.default_url, width)
    lines += _row("interval", str(Duration(cls.default_interval)), width)
    lines += _row("requests", hourly(cls), width)
    lines += _row("credentials", cls.scopes_needed or "not said", width)
    lines += _row("past", past_of(cls), width)
    lines += _row("verified", VERIFIED[cls.verified], width)
    if cls.setup:
        lines += ["", "Setting it up:", *_prose(cls.setup, width)]
    lines += ["", "Example:", "", *(f"  {line}" for line in example(cls, options))]
    lines += ["", "Its own options:"]
    own = [option for option in options if not option.common]
    lines += _options(own, width) if own else ["  (none)"]
    lines += ["", "Options of every source:", *_options([o for o in options if o.common], width)]
    return "\n".join(lines) + "\n"


def _prose(text: str, width: int) -> list[str]:
    """Markdown for a terminal: paragraphs and list items wrapped anew, what stands in code left as it is."""
    lines: list[str] = []
    piece: list[str] = []

    def end() -> None:
        if piece:
            whole = " ".join(line.strip() for line in piece)
            mark = _ITEM.match(whole)
            hang = " " * (2 + (len(mark[0]) if mark else 0))
            lines.extend(
                textwrap.wrap(whole, width, initial_indent="  ", subsequent_indent=hang, break_on_hyphens=False)
            )
            piece.clear()

    for line in dedent(text).strip().splitlines():
        if line.startswith("    ") and not (piece and _ITEM.match(piece[0])):
            end()
            lines.append(f"  {line}".rstrip())
            continue
        if not line.strip() or _ITEM.match(line):
            end()
        if line.strip():
            piece.append(line)
        else:
            lines.append("")
    end()
    return lines


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
