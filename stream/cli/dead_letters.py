"""`interest-stream dead-letters`: what could not be used, and sending it back."""

from collections.abc import Callable
from typing import Any

import click
import msgspec

from stream.broker.dead_letter_box import DeadLetter, read_dead_letters, send_back
from stream.broker.security import Security
from stream.cli.options import as_json, with_settings
from stream.settings import Settings

SHOWN_CHARACTERS = 120


@click.group("dead-letters")
def dead_letters() -> None:
    """List the records that could not be used, or send them back.

    \b
    Example:
      interest-stream dead-letters list --reason not_json
    """


def _chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    after = click.option("--after", type=int, default=-1, metavar="OFFSET", help="Only those beyond this offset.")
    reason = click.option("--reason", metavar="REASON", help="Only those of this reason.")
    return with_settings("broker", "topic_prefix", every=True)(as_json(reason(after(command))))


@dead_letters.command("list")
@_chosen
def list_(settings: Settings, *, as_json: bool, reason: str | None, after: int) -> None:
    """Print the dead letters up to now, oldest first.

    \b
    Example:
      interest-stream dead-letters list --json
    """
    for letter in read_dead_letters(settings.broker, settings.dead_letters, reason, after, Security.of(settings)):
        click.echo(msgspec.json.encode(_readable(letter)) if as_json else _line(letter))


@dead_letters.command("replay")
@_chosen
def replay(settings: Settings, *, as_json: bool, reason: str | None, after: int) -> None:
    """Send the original records back to the topics they came from, and say which offset comes next.

    What still cannot be used becomes a new dead letter. Sending twice sends twice: give --after the last offset
    that was sent back before.

    \b
    Example:
      interest-stream dead-letters replay --reason wrong_key --after 41
    """
    letters = read_dead_letters(settings.broker, settings.dead_letters, reason, after, Security.of(settings))
    sent, num_kept_back = send_back(settings.broker, letters, settings.input_topics, Security.of(settings))
    last = max((letter.offset for letter in sent), default=after)
    if as_json:
        click.echo(msgspec.json.encode({"sent": len(sent), "kept_back": num_kept_back, "last_offset": last}))
    else:
        kept = f"; {num_kept_back} were cut or come from other topics and were left" if num_kept_back else ""
        click.echo(f"sent {len(sent)} records back{kept}; go on with --after {last}")


def _readable(letter: DeadLetter) -> dict[str, Any]:
    fields = msgspec.structs.asdict(letter)
    return fields | {name: _text(fields[name]) for name in ("key", "value")}


def _text(part: bytes | None) -> str | None:
    return None if part is None else part.decode(errors="replace")


def _line(letter: DeadLetter) -> str:
    value = (_text(letter.value) or "")[:SHOWN_CHARACTERS]
    return f"{letter.offset}  {letter.source}  {letter.reason}: {letter.detail}  {value}"
