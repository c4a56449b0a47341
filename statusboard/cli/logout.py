"""``statusboard logout``: take a secret out of the system's keyring."""

from __future__ import annotations

import click

from statusboard.cli.common import KEYRING_PATIENCE, keyring_name


@click.command("logout")
@click.argument("name")
def command(name: str) -> int:
    """Delete the secret stored under NAME from the system's keyring.

    It is deleted here only: at the vendor it stays valid until it is revoked there.

    \b
    Example:
      statusboard logout github
    """
    import asyncio

    from statusboard.credentials import Keychain

    name = keyring_name(name)
    asyncio.run(Keychain(timeout=KEYRING_PATIENCE).delete(name))
    click.echo(f"deleted keyring:{name}; revoke it at the vendor too if nobody needs it any more")
    return 0
