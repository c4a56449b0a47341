"""``statusboard login``: put a secret into the system's keyring."""

from __future__ import annotations

import sys

import click

from statusboard.cli.common import KEYRING_PATIENCE, config_option, keyring_name
from statusboard.errors import ConfigError

MAX_SECRET = 64 * 1024


@click.command("login")
@click.argument("name")
@click.pass_context
def command(ctx: click.Context, name: str) -> int:
    """Store a secret in the system's keyring under NAME; the configuration then says "keyring:NAME".

    The input is hidden. From a pipe, one line is read from standard input.

    \b
    Examples:
      statusboard login github
      pass show github-token | statusboard login github
    """
    import asyncio

    from statusboard.credentials import Keychain, Secret

    name = keyring_name(name)
    keychain = Keychain(timeout=KEYRING_PATIENCE)

    async def store(secret: Secret) -> None:
        await keychain.store(name, secret)
        # As a board will read it, from whatever keyring it would find first.
        if await keychain.resolve(f"keyring:{name}", fresh=True) != secret:
            raise click.ClickException(
                f"keyring:{name}: another keyring, which is asked first, holds another secret under this name; "
                f"run `statusboard logout {name}` and store it again"
            )

    asyncio.run(store(Secret(_read_secret(name))))
    click.echo(f'stored; the configuration refers to it as "keyring:{name}"')
    used = _used_by(config_option(ctx), f"keyring:{name}")
    if used:
        click.echo(f"used by: {', '.join(used)}; try it with `statusboard check`")
    return 0


def _read_secret(name: str) -> str:
    """The secret as typed (hidden) or piped, without its line end.  Never echoed, nor part of an error."""
    if sys.stdin.isatty():
        secret = click.prompt(f"Secret for {name} (hidden)", hide_input=True, default="", show_default=False)
        secret = str(secret).strip("\r\n")
    else:
        data = sys.stdin.buffer.read(MAX_SECRET + 1)
        if len(data) > MAX_SECRET:
            raise click.UsageError(f"the secret is longer than {MAX_SECRET // 1024} kB; is it the right file?")
        try:
            secret = data.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise click.UsageError("the secret is not text in UTF-8") from None
        if "\n" in secret:
            raise click.UsageError("a secret is one line, and there are several; use file:/path for such a secret")
    if not secret.strip():
        raise click.UsageError("the secret is empty; nothing was stored")
    return secret


def _used_by(config: str | None, reference: str) -> list[str]:
    """The sources that refer to it, as far as there is a configuration that can be read."""
    from statusboard.cli.common import read_config

    try:
        sources = read_config(config, quiet=True).sources
    except ConfigError:
        return []  # a secret may well be stored before there is a configuration
    return [s.name for s in sources if reference in _references(s.options)]


def _references(options: object) -> set[object]:
    headers: dict[str, str] = getattr(options, "headers", {})
    return {*(getattr(options, field, "") for field in ("token", "username", "password")), *headers.values()}
