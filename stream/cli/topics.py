"""`interest-stream topics`: create or check the topics."""

from collections.abc import Callable
from typing import Any

import click
import msgspec

from stream.broker.topics import Topic, check_topics, create_topics
from stream.cli.options import as_json, with_settings
from stream.settings import Settings


@click.group()
def topics() -> None:
    """Create or check the topics.

    \b
    Example:
      interest-stream topics create --broker localhost:9092 --partitions 8
    """


def _about_topics(command: Callable[..., Any]) -> Callable[..., Any]:
    return with_settings("broker", "topic_prefix", "partitions", "replication_factor", every=True)(as_json(command))


@topics.command()
@_about_topics
def create(settings: Settings, as_json: bool) -> None:
    """Create the topics that are missing and check the others.

    Doing it twice does nothing more. Topics that exist are never changed.

    \b
    Example:
      interest-stream topics create --replication-factor 3
    """
    created = set(create_topics(settings))
    _print(check_topics(settings), as_json, lambda topic: "created" if topic.name in created else "was there")


@topics.command()
@_about_topics
def check(settings: Settings, as_json: bool) -> None:
    """Check partitions, replicas and cleanup policies; exit code 2 and one sentence when they are not right.

    \b
    Example:
      interest-stream topics check --partitions 8
    """
    _print(check_topics(settings), as_json, lambda topic: "ok")


def _print(found: list[Topic], as_json: bool, state: Callable[[Topic], str]) -> None:
    width = max(len(topic.name) for topic in found)
    for topic in found:
        policy = topic.config["cleanup.policy"]
        if as_json:
            line = {"topic": topic.name, "partitions": topic.partitions, "replicas": topic.replicas}
            click.echo(msgspec.json.encode(line | {"cleanup_policy": policy, "state": state(topic)}))
        else:
            counts = f"{topic.partitions} partitions, {topic.replicas} replicas, {policy}"
            click.echo(f"{topic.name:{width}}  {state(topic)}: {counts}")
