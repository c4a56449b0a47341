"""Help, usage errors, and the shells' completion."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from statusboard.cli import COMMANDS, CONFIGURED
from statusboard.cli import cli as group
from tests.cli.kit import Home, deploy


def command_of(name: str) -> click.Command:
    found: click.Command = importlib.import_module(f"statusboard.cli.{COMMANDS[name][0]}").command
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    command = command_of(name)
    assert command.name == name
    text = command.help or ""
    assert len(text) > 60, "a person needs more than a word"
    assert f"statusboard {name}" in text or name == "demo", "an example says more than a description"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name}"
        else:
            named = parameter.make_metavar(click.Context(command)).strip("[].{}").split("|")
            assert all(word.lower() in text.lower() for word in named), f"{name} {parameter.name}"


def test_help_lists_all_commands_and_where_the_log_is(home: Home) -> None:
    result = home.run("--help")
    assert result.code == 0
    assert all(f"\n  {name} " in result.out for name in COMMANDS)
    assert all(option.help for option in group.params if isinstance(option, click.Option))
    # The log's place is worked out when the program is loaded, so ask a program of its own.
    assert str(home.log) in home.process("--help").out.replace("\n  ", "").replace("\n", "") or "statusboard.log" in (
        home.process("-h").out
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_needs_nothing_to_be_configured(name: str, home: Home) -> None:
    result = home.run(name, "--help")
    assert result.code == 0 and "Usage: statusboard" in result.out and not result.err


def test_the_version(home: Home) -> None:
    from statusboard import __version__

    assert __version__ in home.run("--version").out


@pytest.mark.parametrize(
    "args, told",
    [
        (["chekc"], "Did you mean `check`?"),
        (["frobnicate"], "See `statusboard --help`"),
        (["show", "--frob"], "--frob"),
        (["show", "--deadline", "soon"], "not a duration"),
        (["show", "--deadline", "0s"], "longer than nothing"),
        (["check", "--timeout", "-3s"], "--timeout"),
        (["completion", "tcsh"], "bash"),
        (["login"], "NAME"),
        (["login", "a\nb"], "keyring:"),
        (["--read-only", "poll"], "--read-only"),
    ],
)
def test_bad_usage_is_told_with_what_would_be_right(args: list[str], told: str, home: Home) -> None:
    home.deploys()
    result = home.run(*args)
    assert result.code == 2 and told in result.err and not result.out


@pytest.mark.parametrize("args", [["show"], ["check"], ["poll"]])
def test_without_a_configuration_every_command_says_what_to_do(args: list[str], home: Home) -> None:
    del home.env["STATUSBOARD_CONFIG"]
    result = home.run(*args)
    assert result.code == 2 and "statusboard init" in result.err and not result.out


@pytest.mark.parametrize("name", sorted(CONFIGURED - {"poll", "replay", "backfill", "login"}))
def test_the_configuration_may_be_named_after_the_command(name: str, home: Home) -> None:
    home.deploys(deploy("1"))
    other = home.config.rename(home.folder / "other.yaml")
    assert home.run("--config", str(other), "show").code == 0  # there is a history
    for args in (("--config", str(other), name), (name, "--config", str(other)), (name, "-c", str(other))):
        result = home.run(*args)
        assert result.code in (0, 3) and "No such option" not in result.err, result
    assert home.run(name, "-c", str(home.folder / "none.yaml")).code == 2
    assert "The configuration to use." in home.run(name, "--help").out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_that_reads_a_configuration_takes_it(name: str) -> None:
    source = Path(importlib.import_module(f"statusboard.cli.{COMMANDS[name][0]}").__file__ or "").read_text()
    assert (name in CONFIGURED) == ("config_option(ctx)" in source or 'ctx.obj["config"]' in source)


# --- completion -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script(shell: str, home: Home) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version, and there is none")
    result = home.run("completion", shell)
    assert result.code == 0 and "_STATUSBOARD_COMPLETE" in result.out and len(result.out) > 200
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=result.out, text=True, check=True, capture_output=True)


def complete(home: Home, *words: str) -> set[str]:
    """What bash would offer for the last word."""
    env = {
        "_STATUSBOARD_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["statusboard", *words]),
        "COMP_CWORD": str(len(words)),
    }
    result = home.process(env=env)
    assert result.code == 0 and not result.err
    return {line.partition(",")[2] for line in result.out.splitlines()} - {""}


def test_commands_complete(home: Home) -> None:
    assert complete(home, "s") == {"show", "sources", "schema"}


def test_options_source_types_and_configured_names_complete(home: Home) -> None:
    home.deploys()
    assert "--deadline" in complete(home, "show", "--")
    assert complete(home, "sources", "al") == {"alertmanager"}
    assert complete(home, "check", "de") == {"deploys"}
    assert complete(home, "show", "--require", "d") == {"deploys"}
    home.config.write_text("sources: [")
    assert complete(home, "check", "de") == set()
