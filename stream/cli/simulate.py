"""`interest-stream simulate`: the demo's shop, sending to a Kafka that is there."""

import math
import signal
import time
from collections.abc import Callable
from types import FrameType

import click
import msgspec

from stream.broker.bulk_producer import BulkProducer
from stream.broker.security import Security
from stream.broker.topics import TopicNames
from stream.cli.options import as_json, with_settings
from stream.demo.shopkeeper import Shopkeeper, ShopPlan
from stream.settings import Settings


@click.command()
@with_settings("broker", "topic_prefix", "seed", every=True)
@as_json
@click.option("--rate", type=click.FloatRange(min=0.1), default=100.0, show_default=True, help="Events a second.")
@click.option("--events", type=click.IntRange(min=1), help="End after so many, instead of at Ctrl-C or SIGTERM.")
def simulate(settings: Settings, *, as_json: bool, rate: float, events: int | None) -> None:
    """Send a simulated shop's clicks, purchases and searches, where there are no events of one's own yet.

    A thousand users whose interests drift among 1,600 items, and new items. The same seed gives the same shop, with
    events of its own each time.

    \b
    Example:
      interest-stream simulate --rate 100
    """
    names = TopicNames.of(settings)
    plan = ShopPlan(events or math.inf, rate, settings.seed, math.inf, event_id_prefix=f"{time.time_ns():x}-")
    with BulkProducer(settings.broker, names, security=Security.of(settings)) as producer:
        shop = Shopkeeper(producer, plan)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _calling(shop.call_off))
        until = f"{events:,} in all" if events else "until Ctrl-C"
        click.echo(f"sending {rate:g} events a second to {settings.broker}, {until}", err=True)
        shop.run()  # in this thread
        if shop.failure is not None:
            raise shop.failure
    click.echo(_as_json(producer) if as_json else f"sent {producer.delivered.total():,} events")


def _as_json(producer: BulkProducer) -> bytes:
    return msgspec.json.encode({"sent": dict(producer.delivered)})


def _calling(call_off: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
    return lambda number, frame: call_off()
