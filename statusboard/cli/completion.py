"""``statusboard completion``: the script that makes a shell complete our commands."""

from __future__ import annotations

import click

PROGRAM = "statusboard"
VARIABLE = "_STATUSBOARD_COMPLETE"
"""What the script sets when it asks us for completions; click answers before any command runs."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the completion script for bash (4.4 or newer), zsh or fish.

    \b
    Examples:
      echo 'eval "$(statusboard completion bash)"' >> ~/.bashrc
      echo 'eval "$(statusboard completion zsh)"' >> ~/.zshrc
      statusboard completion fish > ~/.config/fish/completions/statusboard.fish
    """
    from click.shell_completion import get_completion_class

    from statusboard.cli import cli

    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"this version of click has no completion for {shell}")
    click.echo(complete(cli, {}, PROGRAM, VARIABLE).source())
    return 0
