"""``statusboard init``: a first configuration, from a few questions or from what is found around this folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from statusboard.cli.common import registry

if TYPE_CHECKING:
    from statusboard.setup.proposing import Proposal, SourceDraft


@click.command("init")
@click.option(
    "--from-git", is_flag=True, help="Ask nothing: propose what this folder, its remotes and its surroundings tell."
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write here instead of the platform's config folder.",
)
def command(from_git: bool, output: Path | None) -> int:
    """Write a first configuration, commented and checked. An existing file is never overwritten.

    It asks for a title, which tools to read, and where they are. With --from-git it asks nothing: the repositories
    among this folder's git remotes become services, read from where they are, and the tools that build them or whose
    credentials are in the environment are read too. Of the environment only names are written, never values; what is
    found and not known well enough stands in the file as a comment.

    \b
    Examples:
      statusboard init
      statusboard init --from-git
      statusboard init --from-git --output statusboard.yaml
    """
    from statusboard.cli._asking import interview
    from statusboard.paths import config_file
    from statusboard.setup.answers import keyring_problem, settled
    from statusboard.setup.detecting import NoRemotes, git_remotes, look
    from statusboard.setup.proposing import config_text, propose
    from statusboard.setup.writing import refuse_existing, write_new

    target = (output or config_file()).expanduser()
    refuse_existing(target)  # before anybody is asked anything
    known = registry()
    if from_git:
        try:
            seen = look(Path.cwd(), os.environ, known.names(), git_remotes(Path.cwd()))
        except NoRemotes as error:
            raise click.ClickException(f"{error}; run `init` without --from-git") from None
        proposal = propose(seen, known.names(), keyring=not keyring_problem())
        drafts, unfinished = settled(proposal, known)
        _tell(proposal, drafts, unfinished)
        text = config_text(
            Path.cwd().name or "Status",
            drafts,
            proposal.services,
            unfinished=unfinished,
            suggestions=proposal.suggestions,
        )
    else:
        if not sys.stdin.isatty():
            raise click.UsageError("`init` asks questions, and there is nobody to answer here; use --from-git")
        try:
            listing = git_remotes(Path.cwd())
        except NoRemotes:  # the questions do without
            listing = ""
        seen = look(Path.cwd(), os.environ, known.names(), listing)
        try:
            title, drafts, services = interview(known, _ask, _say, seen, keyring_problem())
        except (click.Abort, KeyboardInterrupt):
            click.echo("\nstatusboard: nothing was written", err=True)
            raise
        text = config_text(title, drafts, services)
    write_new(target, text, known, made=output is None)
    click.echo(f"wrote {target}")
    for step in _next_steps(target, drafts):
        click.echo(f"  {step}")
    return 0


def _ask(question: str, default: str) -> str:
    return str(click.prompt(_wrapped(question), default=default, show_default=bool(default))).strip()


def _say(text: str) -> None:
    click.echo(_wrapped(text))


def _wrapped(text: str) -> str:
    """Lines that break between words where the terminal ends; what goes on is indented further."""
    import shutil
    import textwrap

    width = max(20, shutil.get_terminal_size().columns - 1)
    made: list[str] = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip(" "))) + "  "
        wrapped = textwrap.wrap(
            line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False, tabsize=1
        )
        made += wrapped or [""]
    return "\n".join(made)


def _tell(proposal: Proposal, drafts: Sequence[SourceDraft], unfinished: Sequence[SourceDraft]) -> None:
    """Say what was found.  ClickException where nothing of it can be read."""
    for host, why in proposal.skipped.items():
        click.echo(f"left out: {host}: {why}", err=True)
    for draft in drafts:
        click.echo(f"found: {draft.type} ({', '.join(draft.found)})")
    for draft in unfinished:
        click.echo(
            f"found: {draft.type} ({', '.join(draft.found)}); it stands in the file as a comment, to be completed"
        )
    if not drafts:
        told = f" of {', '.join(draft.type for draft in unfinished)}" if unfinished else ""
        raise click.ClickException(
            f"nothing here tells enough{told} to be read; run `init` without --from-git, which asks for the rest"
        )


def _next_steps(target: Path, drafts: Sequence[SourceDraft]) -> list[str]:
    from statusboard.paths import config_file
    from statusboard.trust import LOCAL_NAME

    steps: list[str] = []
    for draft in drafts:
        for option in ("token", "username", "password"):
            kind, _, name = str(draft.options.get(option, "")).partition(":")
            if kind == "keyring":
                steps.append(f"statusboard login {name}")
            elif kind == "env" and not os.environ.get(name, "").strip():
                steps.append(f"export {name}=...")
            elif kind == "file":
                steps.append(f"put the {option} of {draft.name} into {name}, and: chmod 600 {name}")
    here = target.absolute() == Path(LOCAL_NAME).absolute()
    if here:
        steps.append("statusboard trust")
    prefix = "statusboard" if here or target.absolute() == config_file() else f"statusboard --config {target}"
    return ["next:", *(f"  {step}" for step in dict.fromkeys(steps)), f"  {prefix} check", f"  {prefix}"]
