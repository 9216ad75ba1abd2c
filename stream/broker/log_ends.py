"""Which offsets the broker's logs hold. Joins no group."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from stream.broker.connection import missing_broker
from stream.broker.security import OPEN, Security
from stream.errors import ConfigError

ANSWERS_WITHIN_S = 10.0


async def read_log_ends(broker: str, topics: Iterable[str], security: Security = OPEN) -> dict[TP, range]:
    """The offsets from the first that retention has left to the end, of every partition of those topics that exist.

    Raises:
        ConfigError: the broker does not answer.
    """
    async with _consumer(broker, security) as consumer:
        cluster = await consumer._client.fetch_all_metadata()  # `topics()` keeps the partitions to itself
        partitions = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(cluster.partitions_for_topic(topic) or ())
        ]
        if not partitions:
            return {}
        await consumer._client.set_topics({topic for topic, _ in partitions})  # or it asks for one each 100 ms
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
    return {TP(*tp): range(begins[tp], ends[tp]) for tp in partitions}


@asynccontextmanager
async def _consumer(broker: str, security: Security) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.split(","),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **security.aiokafka(),
    )
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            try:
                await consumer.start()
                yield consumer
            finally:
                await consumer.stop()
    except (KafkaError, TimeoutError) as error:
        raise ConfigError(f"{missing_broker(broker)} ({error!r})") from error
