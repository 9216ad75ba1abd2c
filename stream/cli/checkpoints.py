"""`interest-stream checkpoints`: what is saved, and going back to an older state."""

import time
from typing import TYPE_CHECKING, Any

import click
import msgspec

from checkpoints.lease import DirectoryInUseError, DirectoryLease, OwnerWatch, clock_s
from checkpoints.manifest import to_json
from stream.cli.options import as_json, with_settings
from stream.errors import ConfigError
from stream.settings import Settings

if TYPE_CHECKING:
    from checkpoints.store import CheckpointStore


@click.group("checkpoints")
def checkpoints() -> None:
    """List the checkpoints, look into one, or go back to one.

    \b
    Example:
      interest-stream checkpoints show latest --json
    """


@checkpoints.command("list")
@with_settings("checkpoint_dir", every=True)
@as_json
def list_(settings: Settings, *, as_json: bool) -> None:
    """Print the checkpoints, oldest first.

    \b
    Example:
      interest-stream checkpoints list
    """
    store = _store(settings)
    for number in store.numbers():
        about = _about(store, number)
        click.echo(msgspec.json.encode(about) if as_json else _line(about))


@checkpoints.command("show")
@with_settings("checkpoint_dir", every=True)
@as_json
@click.argument("which", default="latest")
def show(settings: Settings, *, as_json: bool, which: str) -> None:
    """Print one checkpoint: model step, next offsets, ledger, sizes and the settings it was made with.

    WHICH is a number, or `latest`.

    \b
    Example:
      interest-stream checkpoints show latest --json
    """
    store = _store(settings)
    about = _about(store, _number(store, which))
    click.echo(msgspec.json.encode(about) if as_json else msgspec.json.format(msgspec.json.encode(about), indent=2))


@checkpoints.command("verify")
@with_settings("checkpoint_dir", every=True)
@as_json
@click.argument("which", default="all")
def verify(settings: Settings, *, as_json: bool, which: str) -> None:
    """Read checkpoints back, check all checksums and print their ledgers; exit 1 if anything is damaged.

    WHICH is a number, `latest` or `all`. A worker may be running.

    \b
    Example:
      interest-stream checkpoints verify latest --json
    """
    store = _store(settings)
    numbers = sorted(set(store.numbers()) - store.only_parts()) if which == "all" else [_number(store, which)]
    wrong = store.verify(numbers)
    for number in numbers:
        result: dict[str, Any] = {"checkpoint": number, "intact": not wrong[number]}
        result |= {"wrong": wrong[number]} if wrong[number] else {"ledger": store.manifest(number).ledger}
        click.echo(msgspec.json.encode(result) if as_json else _verdict(result))
    if any(wrong.values()):
        raise click.exceptions.Exit(1)


@checkpoints.command("rollback")
@with_settings("checkpoint_dir", "session_timeout_s", every=True)
@as_json
@click.argument("which")
def rollback(settings: Settings, *, as_json: bool, which: str) -> None:
    """Delete all checkpoints after WHICH, so that the next worker goes on from it. No worker may be running.

    The worker reads the records since then again, and sends their users' updates again with higher versions.

    \b
    Example:
      interest-stream checkpoints rollback 41
    """
    store = _store(settings)
    number = _number(store, which)
    after = OwnerWatch(settings.checkpoint_dir, settings.session_timeout_s).vacant_after(clock_s())
    try:
        if after is None:
            raise DirectoryInUseError
        with DirectoryLease(settings.checkpoint_dir, after, settings.session_timeout_s):
            deleted = store.rollback(number)
    except DirectoryInUseError:
        raise ConfigError(f"a worker uses the checkpoints in {settings.checkpoint_dir}; stop it first") from None
    result = {"checkpoint": number, "deleted": deleted}
    click.echo(msgspec.json.encode(result) if as_json else f"checkpoint {number} is the newest, {len(deleted)} deleted")


def _store(settings: Settings) -> "CheckpointStore":
    from checkpoints.store import CheckpointStore  # noqa: PLC0415  (a second of imports that `--help` need not wait for)

    if not settings.checkpoint_dir.is_dir():
        raise ConfigError(f"there is no directory {settings.checkpoint_dir}; say where with --checkpoint-dir")
    return CheckpointStore(settings.checkpoint_dir, settings.checkpoints_kept)


def _number(store: "CheckpointStore", which: str) -> int:
    numbers = store.numbers()
    if not numbers:
        raise ConfigError("there is no checkpoint yet")
    if which == "latest":
        return numbers[-1]
    if not which.isdecimal() or int(which) not in numbers:
        raise ConfigError(f"there is no checkpoint {which}; there are {', '.join(map(str, numbers))}")
    return int(which)


def _about(store: "CheckpointStore", number: int) -> dict[str, Any]:
    from checkpoints.segments import CorruptSegmentError  # noqa: PLC0415

    try:
        manifest = store.manifest(number)
        return {"checkpoint": number, "bytes": store.num_bytes(number), **to_json(manifest)}
    except CorruptSegmentError as error:
        raise ConfigError(f"checkpoint {number} is damaged: {error}") from None


def _line(about: dict[str, Any]) -> str:
    saved_at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(about["saved_at_ms"] / 1000))
    events = sum(entry["admitted"] for entry in about["ledger"].values())
    size = f"{events:,} events  +{about['bytes']:,} bytes"
    return f"{about['checkpoint']:>6}  {saved_at}  step {about['model_step']:,}  {size}"


def _verdict(result: dict[str, Any]) -> str:
    if not result["intact"]:
        return f"{result['checkpoint']:>6}  damaged: {result['wrong']}"
    topics = (
        f"{topic}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items() if name != "hash_sum")
        for topic, counts in sorted(result["ledger"].items())
    )
    return "\n        ".join((f"{result['checkpoint']:>6}  intact", *topics))
