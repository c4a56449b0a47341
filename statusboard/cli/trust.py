"""``statusboard trust``: allow the ``statusboard.yaml`` of a folder to be used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from statusboard.cli.common import registry

if TYPE_CHECKING:
    from statusboard.config import Config, ConfiguredSource
    from statusboard.trust import TrustList

EXIT_DECLINED = 1


@click.command("trust")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--forget", is_flag=True, help="Trust this file no longer.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def command(path: Path | None, forget: bool, yes: bool) -> int:
    """Allow the ./statusboard.yaml of this folder (or PATH, a file or folder) to be used.

    Such a file may come with a cloned repository, and it says where your credentials are sent. So it is used only
    after you have seen what it would do, and only until it, or a file that it includes, changes.

    \b
    Examples:
      statusboard trust
      statusboard trust ~/src/checkout
      statusboard trust --forget
    """
    from statusboard.trust import LOCAL_NAME, TrustList

    path = path or Path(LOCAL_NAME)
    if path.is_dir():
        path = path / LOCAL_NAME
    trusted = TrustList()
    if forget:
        gone = trusted.forget(path)
        click.echo(f"{path}: trusted no longer" if gone else f"{path} was not trusted; nothing to forget")
        return 0
    return _trust(path, trusted, yes=yes)


def _trust(path: Path, trusted: TrustList, *, yes: bool) -> int:
    from statusboard.config import load_config
    from statusboard.query import parse

    standing, _ = trusted.standing(path)
    if standing == "trusted":
        click.echo(f"{path} is trusted already, as it is now")
        return 0
    config = load_config(path, registry=registry(), check_filter=parse)
    if standing == "changed":
        click.echo("This file, or one that it includes, has changed since it was trusted.\n")
    click.echo(what_it_does(config))
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("there is nobody to ask here; look at the files, then run `statusboard trust --yes`")
        if not click.confirm("Trust these files as they are now?", default=False):
            click.echo("not trusted")
            return EXIT_DECLINED
    trusted.trust(path)
    if trusted.standing(path) != ("trusted", config.digest):
        trusted.forget(path)
        raise click.ClickException("the files changed while you were reading them; not trusted. Run it again")
    click.echo(f"trusted; `statusboard` in {path.absolute().parent} uses it from now on")
    return 0


def what_it_does(config: Config) -> str:
    """What matters before one trusts a config: its files, who is asked with which secrets, what is read or run."""
    lines = ["Files:", *(f"  {file}" for file in config.files), "", "What they would do:"]
    for source in config.sources:
        lines += [f"  {line}" for line in _source(source)]
    if config.board.store:
        lines.append(f"  use the database {config.board.store}")
    return "\n".join([*lines, ""])


def _source(source: ConfiguredSource) -> list[str]:
    from statusboard._config.loader import COMMAND_TYPES
    from statusboard.credentials import is_reference
    from statusboard.text import clean

    options = source.options
    values = [options.token, options.username, options.password, *options.headers.values()]
    references = sorted({value for value in values if is_reference(value)})
    target = clean(options.url or source.cls.default_url)
    lines = [f"{source.name} ({source.type}): {f'asks {target}' if target else 'reads local files'}"]
    if references:
        lines.append(f"    SENDS the secrets {', '.join(references)} there")
    if borrowed := source.cls.ambient(options):
        lines.append(f"    USES {borrowed}")
    if source.type in COMMAND_TYPES:
        lines.append("    RUNS commands on this machine")
    if not options.tls.verify:
        lines.append("    does NOT check who answers (tls.verify: false)")
    lines += [
        f"    tls.{name}: {clean(file)}" for name in ("ca", "cert", "key") if (file := getattr(options.tls, name))
    ]
    return [*lines, *(f"    {name}: {value}" for name, value in _own_options(source))]


def _own_options(source: ConfiguredSource) -> list[tuple[str, str]]:
    """What only this type of source takes (paths, queries, commands) and the file sets."""
    import msgspec
    from msgspec import structs

    from statusboard.clock import duration_enc_hook
    from statusboard.registry import COMMON_OPTIONS
    from statusboard.text import clean

    shown: list[tuple[str, str]] = []
    for field in structs.fields(source.options):
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        value = getattr(source.options, field.name)
        if field.encode_name not in COMMON_OPTIONS and value != default:
            text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=duration_enc_hook).decode()
            shown.append((field.encode_name, clean(text, 200)))
    return shown
