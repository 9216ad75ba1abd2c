"""`interest-stream forget`: erase users from the state."""

import time

import click
import msgspec
from kafka import KafkaProducer

from stream.broker.connection import broker_errors, connect
from stream.broker.security import Security
from stream.broker.topics import TopicAdmin
from stream.cli.options import as_json, with_settings
from stream.records.erasures import Erasure, decode_erasure, encode_erasure
from stream.settings import Settings

TAKEN_WITHIN_S = 30.0


@click.command()
@with_settings("broker", "topic_prefix", every=True)
@as_json
@click.argument("users", nargs=-1, required=True, metavar="USER...")
def forget(settings: Settings, *, as_json: bool, users: tuple[str, ...]) -> None:
    """Let the worker forget users: window, event ids, interests and counters; a tombstone goes to the updates.

    Returns when Kafka has the erasures; a worker that runs applies them at once, others when they start. Events of
    before, whenever they are read, do not bring the user back. What stays: vectors that learned from the events among
    millions of others, learned item sequences without a user id until newer ones replace them, checkpoints of before
    until they are replaced, and the events in the input topics until their retention deletes them.

    \b
    Example:
      interest-stream forget ann
    """
    erasures = [Erasure(user, time.time_ns() // 1_000_000) for user in users]
    with TopicAdmin(settings.broker, security=Security.of(settings)) as admin:
        admin.require([settings.erasures])
    producer = connect(KafkaProducer, settings.broker, security=Security.of(settings))
    with broker_errors(settings.broker):
        sent = []
        for erasure in erasures:
            key, value = encode_erasure(erasure)
            decode_erasure(key, value, erasure.erased_at_ms, 0)  # one that a worker would refuse is refused here
            sent.append(producer.send(settings.erasures, key=key, value=value))
        for future in sent:
            future.get(TAKEN_WITHIN_S)
        producer.close()
    for erasure in erasures:
        click.echo(msgspec.json.encode(erasure) if as_json else f"{erasure.user_id}: erasure sent")
