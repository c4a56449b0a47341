"""The command line.  Importing this loads neither Textual, httpx nor keyring: each command is imported when it runs."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any

import click

from statusboard import __version__
from statusboard.errors import ConfigError, StatusboardError

EXIT_USAGE = 2
EXIT_BUG = 70
#: A person mends some and runs it again; a file that is no configuration at all is not printed line by line.
MOST_PROBLEMS = 20

#: Command -> (module, one line for ``--help``).  The function in the module is called ``command``.
COMMANDS: dict[str, tuple[str, str]] = {
    "poll": ("poll", "Keep reading and storing with no board open."),
    "backfill": ("backfill", "Read what the vendors still have of the past, so that there are metrics at once."),
    "show": ("show", "Print the board once, as a table or JSON; the exit code tells how things are."),
    "history": ("history", "Print what changed between two moments, one line a change."),
    "digest": ("digest", "Print what whoever takes over must know, also to be pasted into a chat."),
    "timeline": ("timeline", "Write the timeline of an incident, for its post-mortem."),
    "metrics": ("metrics", "Print how delivery is going: DORA's five numbers, with goals and evidence."),
    "check": ("check", "Try every source and say what it gives: reachable, credentials, items, budget."),
    "replay": ("replay", "Open the board at a past moment and play what happened then, for a post-mortem."),
    "sources": ("sources", "List the source types, or the options of one."),
    "keys": ("keys", "List the keys, and the names that a configuration gives others by."),
    "emit": ("emit", "Write a line into a deploy log, from a script or pipeline."),
    "init": ("init", "Write a first configuration (never overwrites one)."),
    "login": ("login", "Store a secret in the system's keyring; the input is hidden."),
    "logout": ("logout", "Delete a secret from the system's keyring."),
    "trust": ("trust", "Allow the ./statusboard.yaml of this folder to be used."),
    "schema": ("schema", "Print the JSON Schema of the configuration, for editors."),
    "demo": ("demo", "Show a live board of pretend servers: no network, no configuration."),
    "completion": ("completion", "Print the shell completion script for bash, zsh or fish."),
}

#: Those that read a configuration: it may be named after them as well.
CONFIGURED = frozenset(
    {"backfill", "check", "digest", "history", "login", "metrics", "poll", "replay", "show", "timeline"}
)


class _LazyGroup(click.Group):
    """Lists commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"statusboard.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        if cmd_name in CONFIGURED and not any(param.name == "config" for param in command.params):
            command.params.append(_config_option())
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # click would exit with 1, which means here that something is failing.
            from statusboard.cli.common import close_output

            close_output()
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean `{close[0]}`?" if close else " See `statusboard --help`."
            ctx.fail(f"There is no command `{args[0]}`.{hint}")
        return super().resolve_command(ctx, args)


def _config_option() -> click.Option:
    """``--config`` after a command, the same as before it."""

    def say(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.find_root().ensure_object(dict)["config"] = value

    return click.Option(
        ["--config", "-c"],
        metavar="FILE",
        help="The configuration to use.",
        expose_value=False,
        is_eager=True,
        callback=say,
    )


def _epilog() -> str:
    from statusboard.paths import log_file

    return (
        f"Log file: {log_file()}.  Configuration: --config, $STATUSBOARD_CONFIG, a trusted ./statusboard.yaml, "
        "or the platform's config folder."
    )


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    epilog=_epilog(),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version", prog_name="statusboard")
@click.option("--config", "-c", metavar="FILE", help="The configuration to use.")
@click.option("--read-only", is_flag=True, help="Only follow what others store; poll nothing, write nothing.")
@click.option(
    "--wall", is_flag=False, flag_value="", metavar="[VIEW]", help="Show a wall: large type, page by page, no keys."
)
@click.option("--log-level", default="INFO", metavar="LEVEL", help="How much goes to the log file.", show_default=True)
@click.pass_context
def cli(ctx: click.Context, config: str | None, read_only: bool, wall: str | None, log_level: str) -> None:
    """One live board of builds, incidents, releases and tickets.

    Without a command it opens the board.
    """
    ctx.obj = {"config": config, "read_only": read_only, "log_level": log_level}
    if ctx.invoked_subcommand is None:
        from statusboard.cli._welcoming import welcome
        from statusboard.cli.board import run_board

        raise SystemExit(run_board(config, welcome, read_only=read_only, log_level=log_level, wall=wall))


def main(args: list[str] | None = None) -> None:
    """The program's entry point.  Never shows a traceback: that goes to the log file.

    Exit codes: those of the command; 2 bad usage or configuration; 70 a fault of ours.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal or pipe that cannot show a sign shows a `?`; that is no reason to end.
            stream.reconfigure(errors="replace")
    try:
        result = cli.main(args=args, prog_name="statusboard", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except click.exceptions.Exit as exc:
        code = exc.exit_code
    except click.ClickException as exc:
        exc.show()
        code = EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except ConfigError as exc:
        for problem in exc.problems[:MOST_PROBLEMS]:
            click.echo(f"config: {problem}", err=True)
        if len(exc.problems) > MOST_PROBLEMS:
            left = len(exc.problems) - MOST_PROBLEMS
            click.echo(f"config: and {left} more; `statusboard check` prints all of them", err=True)
        code = EXIT_USAGE
    except StatusboardError as exc:
        click.echo(f"statusboard: {exc}", err=True)
        code = EXIT_USAGE
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 0
    except Exception as exc:  # noqa: BLE001 - the boundary: a fault of ours ends here, in the log, not on the screen
        code = _own_fault(exc)
    sys.exit(code)


def _own_fault(error: Exception) -> int:
    import logging

    from statusboard import log
    from statusboard.paths import log_file

    if not logging.getLogger().handlers:  # not every command writes a log
        log.setup(log_file())
    logging.getLogger("statusboard").error("an unexpected fault", exc_info=error)
    name = type(error).__name__
    click.echo(f"statusboard: an unexpected fault of ours ({name}); the details are in {log_file()}", err=True)
    return EXIT_BUG
