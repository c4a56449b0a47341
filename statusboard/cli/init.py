"""``statusboard init``: a first configuration, from a few questions or from what is found around this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from statusboard.cli.common import registry
from statusboard.errors import CredentialError

if TYPE_CHECKING:
    from statusboard.cli._proposing import Proposal, SourceDraft
    from statusboard.registry import Registry

GIT_PATIENCE = 10.0
"""Seconds."""


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
    from statusboard.cli import _proposing
    from statusboard.cli._asking import interview
    from statusboard.cli._detecting import look
    from statusboard.paths import config_file

    target = (output or config_file()).expanduser()
    if os.path.lexists(target):  # before anybody is asked anything
        raise _exists(target)
    known = registry()
    if from_git:
        seen = look(Path.cwd(), os.environ, known.names(), _git_remotes())
        proposal = _proposing.propose(seen, known.names(), keyring=not keyring_problem())
        drafts, unfinished = settled(proposal, known)
        _tell(proposal, drafts, unfinished)
        text = _proposing.config_text(
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
            listing = _git_remotes()
        except click.ClickException:  # the questions do without
            listing = ""
        seen = look(Path.cwd(), os.environ, known.names(), listing)
        title, drafts, services = interview(known, _ask, click.echo, seen, keyring_problem())
        text = _proposing.config_text(title, drafts, services)
    write_new(target, text, made=output is None)
    click.echo(f"wrote {target}")
    for step in _next_steps(target, drafts):
        click.echo(f"  {step}")
    return 0


def _ask(question: str, default: str) -> str:
    return str(click.prompt(question, default=default, show_default=bool(default))).strip()


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
    from statusboard.cli._asking import loads, problems_of

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
    from msgspec import structs

    from statusboard.cli._asking import problems_of, samples_of

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


def _git_remotes() -> str:
    try:
        done = subprocess.run(
            ["git", "remote", "-v"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        raise click.ClickException("git is not installed; run `init` without --from-git") from None
    except subprocess.TimeoutExpired:
        raise click.ClickException(f"`git remote -v` did not answer within {GIT_PATIENCE:g} s") from None
    if done.returncode:
        raise click.ClickException("this folder is in no git repository; run `init` without --from-git")
    return done.stdout


# --- writing --------------------------------------------------------------------------------------------------------


def write_new(target: Path, text: str, *, made: bool) -> None:
    """Write a configuration that is valid, where there is none.  ``made``: the folder is ours to make.

    ConfigError where it would not be valid; ClickException where it cannot be written.
    """
    from statusboard.cli._asking import check_text
    from statusboard.paths import private_dir

    check_text(text)
    try:
        if made:
            private_dir(target.parent)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written: {error.strerror or error}") from None


def _exists(target: Path) -> click.ClickException:
    return click.ClickException(f"{target} exists and is not overwritten; use --output to write another file")


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
