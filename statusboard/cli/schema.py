"""``statusboard schema``: the JSON Schema of the configuration."""

from __future__ import annotations

import click

from statusboard.cli.common import registry


@click.command("schema")
def command() -> int:
    """Print the JSON Schema of the configuration, for editors that complete and check while you type.

    It holds the options of every source type that is installed here.

    \b
    Example:
      statusboard schema > statusboard.schema.json
      # then, as the first line of the configuration:
      # yaml-language-server: $schema=./statusboard.schema.json
    """
    import json

    from statusboard.config import schema

    click.echo(json.dumps(schema(registry()), indent=2, ensure_ascii=False))
    return 0
