"""``statusboard init``: a first configuration, from a few questions or from the git remotes of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from statusboard.cli.common import registry
from statusboard.errors import ConfigError

if TYPE_CHECKING:
    from statusboard.cli._proposing import Proposal, SourceDraft
    from statusboard.registry import OptionInfo, Registry

GIT_PATIENCE = 10.0
"""Seconds."""

Ask = Callable[[str, str], str]
"""A question and the answer that Enter alone gives, to the answer; "" where there is none."""


@click.command("init")
@click.option("--from-git", is_flag=True, help="Ask nothing: propose services and sources from this folder's remotes.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write here instead of the platform's config folder.",
)
def command(from_git: bool, output: Path | None) -> int:
    """Write a first configuration, commented and checked. An existing file is never overwritten.

    It asks for a title, which tools to read, and where they are. With --from-git it asks nothing: each repository
    among this folder's git remotes becomes a service, read from GitHub (or a GitHub Enterprise server).

    \b
    Examples:
      statusboard init
      statusboard init --from-git
      statusboard init --from-git --output statusboard.yaml
    """
    from statusboard.cli import _proposing
    from statusboard.paths import config_file

    target = (output or config_file()).expanduser()
    if os.path.lexists(target):  # before anybody is asked anything
        raise _exists(target)
    if from_git:
        proposal = from_remotes(_git_remotes())
        text = _proposing.config_text(Path.cwd().name or "Status", proposal.sources, proposal.services)
        drafts: Sequence[SourceDraft] = proposal.sources
    else:
        if not sys.stdin.isatty():
            raise click.UsageError("`init` asks questions, and there is nobody to answer here; use --from-git")
        title, drafts = interview(registry(), _ask, click.echo)
        text = _proposing.config_text(title, drafts)
    write_new(target, text, made=output is None)
    click.echo(f"wrote {target}")
    for step in _next_steps(target, drafts):
        click.echo(f"  {step}")
    return 0


# --- from git -------------------------------------------------------------------------------------------------------


def from_remotes(listing: str) -> Proposal:
    """What ``git remote -v`` proposes; says which hosts are left out.  ClickException where nothing is left."""
    from statusboard.cli._proposing import parse_remotes, propose

    proposal = propose(parse_remotes(listing))
    if not proposal.sources:
        others = f" ({', '.join(proposal.skipped)}: no GitHub)" if proposal.skipped else ""
        raise click.ClickException(
            f"no remote of this folder is a GitHub repository{others}; run `init` without --from-git"
        )
    for host in proposal.skipped:
        click.echo(f"left out: {host} is no GitHub, as it seems", err=True)
    return proposal


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


# --- from answers ---------------------------------------------------------------------------------------------------


def _ask(question: str, default: str) -> str:
    return str(click.prompt(question, default=default, show_default=bool(default))).strip()


def interview(known: Registry, ask: Ask, say: Callable[[str], object]) -> tuple[str, list[SourceDraft]]:
    """The title and the sources that a person wants.  What a source's own checks refuse is asked again."""
    usable = [name for name in known.names() if _loads(known, name)]
    title = ask("Title of the board", "Status")
    say("Sources: " + ", ".join(usable))
    drafts: list[SourceDraft] = []
    while not drafts:
        for name in _chosen(ask("Which of them (several with commas)", "github"), usable, say):
            drafts.append(_one_source(known, name, len([d for d in drafts if d.type == name]), ask, say))
    return title, drafts


def _loads(known: Registry, name: str) -> bool:
    try:
        known.load(name)
    except ConfigError:
        return False
    return True


def _chosen(answer: str, usable: list[str], say: Callable[[str], object]) -> list[str]:
    from statusboard.binding import closest, shown

    names = [name for word in answer.split(",") if (name := word.strip())]
    for name in names:
        if name not in usable:
            say(f"There is no `{shown(name)}`: {closest(name, usable)}")
            return []
    return names


def _one_source(known: Registry, type: str, before: int, ask: Ask, say: Callable[[str], object]) -> SourceDraft:
    from statusboard.cli._proposing import SourceDraft

    options = known.describe(type)
    while True:
        say(f"\n{type}:")
        name = ask("  name", f"{type}-{before + 1}" if before else type)
        values: dict[str, str | Sequence[str]] = {}
        for option in options:
            if (option.required and option.name not in ("type", "name")) or option.name == "url":
                answer = ask(f"  {option.name} ({option.description})", option.default)
                if answer and answer != option.default:
                    values[option.name] = _value(option, answer)
        values.update(_credentials(known, type, name, ask))
        draft = SourceDraft(type=type, name=name, options=values)
        problems = _problems(draft)
        if not problems:
            return draft
        for problem in problems:
            say(f"  ! {problem}")


def _value(option: OptionInfo, answer: str) -> str | list[str]:
    if option.type.startswith("a list"):
        return [word.strip() for word in answer.split(",") if word.strip()]
    return answer


def _credentials(known: Registry, type: str, name: str, ask: Ask) -> dict[str, str]:
    """The references that this type needs, by what it says of its credentials."""
    needs = known.load(type).scopes_needed.casefold()
    if "username" in needs:
        wanted = [("username", f"keyring:{name}-username"), ("password", f"keyring:{name}-password")]
    elif "token" in needs:
        wanted = [("token", f"keyring:{name}")]
    else:
        return {}
    hint = "keyring:NAME, env:NAME or file:/path; - for none"
    answers = {option: ask(f"  where is the {option} ({hint})", default) for option, default in wanted}
    return {option: answer for option, answer in answers.items() if answer not in ("", "-")}


def _problems(draft: SourceDraft) -> list[str]:
    """What the configuration's own checks say of one source."""
    from statusboard.cli._proposing import config_text

    try:
        check_text(config_text("x", [draft]))
    except ConfigError as error:
        return [
            ": ".join(filter(None, (problem.path.partition(".")[2], problem.message)))
            + (f" ({problem.hint})" if problem.hint else "")
            for problem in error.problems
        ]
    return []


# --- writing --------------------------------------------------------------------------------------------------------


def check_text(text: str) -> None:
    """ConfigError unless this is a valid configuration."""
    import tempfile

    from statusboard.config import load_config
    from statusboard.query import parse

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(text, encoding="utf-8")
        load_config(file, registry=registry(), check_filter=parse)


def write_new(target: Path, text: str, *, made: bool) -> None:
    """Write a configuration that is valid, where there is none.  ``made``: the folder is ours to make.

    ConfigError where it would not be valid; ClickException where it cannot be written.
    """
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
            value = draft.options.get(option, "")
            if isinstance(value, str) and value.startswith("keyring:"):
                steps.append(f"statusboard login {value.removeprefix('keyring:')}")
    here = target.absolute() == Path(LOCAL_NAME).absolute()
    if here:
        steps.append("statusboard trust")
    prefix = "statusboard" if here or target.absolute() == config_file() else f"statusboard --config {target}"
    return ["next:", *(f"  {step}" for step in dict.fromkeys(steps)), f"  {prefix} check", f"  {prefix}"]
