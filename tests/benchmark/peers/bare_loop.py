"""A peer: aiokafka alone, which sends every record on as it is.

python -m tests.benchmark.peers.bare_loop BROKER FROM_TOPIC TO_TOPIC
"""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def pass_on(broker: str, from_topic: str, to_topic: str) -> None:
    """Consume and produce until the process is ended."""
    consumer = AIOKafkaConsumer(from_topic, bootstrap_servers=broker, auto_offset_reset="latest")
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await consumer.start()
    await producer.start()
    print("ready", flush=True)
    async for record in consumer:
        await producer.send(to_topic, record.value, key=record.key)


if __name__ == "__main__":
    asyncio.run(pass_on(*sys.argv[1:]))
