"""`interest-stream doctor`: what is well and what is not, line by line."""

import os
import shutil
from collections.abc import Iterable

import click
import msgspec

from checkpoints.lease import OwnerWatch, clock_s
from stream.broker.security import Security
from stream.broker.topics import TopicAdmin, faults, wanted_topics
from stream.cli.options import as_json, with_settings
from stream.errors import ConfigError
from stream.settings import Settings
from stream.users.footprint import bytes_per_user

FREE_BYTES_WANTED = 2 * 2**30  # three checkpoints of a million users at the default sizes


class Finding(msgspec.Struct, frozen=True):
    """One line of the report.

    Attributes:
        what: what was looked at.
        ok: whether it is as it must be.
        detail: what was found, and what to do where it is not ok.
    """

    what: str
    ok: bool
    detail: str


@click.command()
@with_settings("broker", "topic_prefix", "partitions", "replication_factor", "checkpoint_dir", every=True)
@as_json
@click.pass_context
def doctor(ctx: click.Context, settings: Settings, as_json: bool) -> None:
    """Check broker, topics, device, memory and disk; each line is ok or says what to do. Exit code 1 when not all are.

    \b
    Example:
      interest-stream doctor --broker localhost:9092
    """
    findings = [finding for look in (_kafka, _device, _memory, _disk) for finding in look(settings)]
    for finding in findings:
        mark = "ok " if finding.ok else "BAD"
        click.echo(msgspec.json.encode(finding) if as_json else f"{mark}  {finding.what}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        ctx.exit(1)


def _kafka(settings: Settings) -> Iterable[Finding]:
    wanted = wanted_topics(settings)
    try:
        with TopicAdmin(settings.broker, security=Security.of(settings)) as admin:
            found = admin.find(topic.name for topic in wanted)
    except ConfigError as error:
        yield Finding("broker", False, str(error))
        return
    yield Finding("broker", True, f"answers at {settings.broker}")
    wrong = faults(wanted, found)
    for sentence in wrong:
        yield Finding("topics", False, sentence)
    if not wrong:
        yield Finding(
            "topics", True, f"{len(found)} topics, inputs and outputs with {settings.partitions} partitions each"
        )


def _device(settings: Settings) -> Iterable[Finding]:
    try:
        from models.device import runtime, sharding  # noqa: PLC0415 - jax takes seconds to import

        yield Finding("device", True, runtime.device_name())
        sharding.devices_of_host(settings.num_devices)
        if settings.num_devices > 1:
            yield Finding("devices", True, f"vectors and batches are divided over {settings.num_devices}")
    except (ImportError, RuntimeError, OSError) as error:
        yield Finding(
            "device", False, f"jax finds no device: {error}; install the project again, or set JAX_PLATFORMS=cpu"
        )
    except ValueError as error:
        yield Finding("devices", False, str(error))


def _memory(settings: Settings) -> Iterable[Finding]:
    a_user = bytes_per_user(settings.window_size, settings.dim)
    all_users, there = a_user * settings.max_users, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    is_enough = all_users < there
    detail = (
        f"up to {a_user:,} bytes and the id for each user, as the window fills, at window_size={settings.window_size}, "
        f"dim={settings.dim}: up to {all_users / 2**30:.1f} GiB for max_users={settings.max_users}, "
        f"of {there / 2**30:.1f} GiB here"
    )
    yield Finding("memory", is_enough, detail + ("" if is_enough else "; set max_users to fewer"))


def _disk(settings: Settings) -> Iterable[Finding]:
    directory = settings.checkpoint_dir
    existing = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding("checkpoints", False, f"{existing} cannot be written; set checkpoint_dir or change its owner")
        return
    how = "will be made" if existing != directory.absolute() else "can be written"
    in_use = "; a worker is using it" if _is_owned(settings) else ""
    yield Finding("checkpoints", True, f"{directory} {how}{in_use}")
    free = shutil.disk_usage(existing).free
    detail = f"{free / 2**30:.1f} GiB free at {existing}"
    is_enough = free >= FREE_BYTES_WANTED
    more = "" if is_enough else f"; expected {FREE_BYTES_WANTED / 2**30:.0f} GiB, make room or set checkpoint_dir"
    yield Finding("disk", is_enough, detail + more)


def _is_owned(settings: Settings) -> bool:
    watch = OwnerWatch(settings.checkpoint_dir, settings.session_timeout_s)
    try:
        return watch.vacant_after(clock_s()) is None
    except OSError:
        return False
