"""`interest-stream schema`: JSON Schemas of what goes in and comes out."""

import click
import msgspec

from stream.records.events import Click, Purchase, Search
from stream.records.updates import InterestUpdate, ItemVector

RECORDS: dict[str, type[msgspec.Struct]] = {
    "click": Click,
    "purchase": Purchase,
    "search": Search,
    "interest-update": InterestUpdate,
    "item-vector": ItemVector,
}


@click.command()
@click.option("--kind", type=click.Choice(list(RECORDS)), help="Only this record.")
def schema(kind: str | None) -> None:
    """Print the JSON Schemas of events, interest updates and item vectors.

    \b
    Example:
      interest-stream schema --kind click
    """
    shown = (
        msgspec.json.schema(RECORDS[kind]) if kind else {name: msgspec.json.schema(r) for name, r in RECORDS.items()}
    )
    click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
