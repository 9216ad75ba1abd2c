"""A peer: aiokafka alone, which sends every record on as it is.

python -m tests.benchmark.peers.bare_loop BROKER TO_TOPIC FROM_TOPIC…
"""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer


async def pass_on(broker: str, to_topic: str, *from_topics: str) -> None:
    """Consume and produce until the process is ended."""
    consumer = AIOKafkaConsumer(*from_topics, bootstrap_servers=broker, auto_offset_reset="latest")
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await consumer.start()
    await producer.start()
    for partition in consumer.assignment():
        await consumer.position(partition)  # what is sent from now on is not missed
    print("ready", flush=True)
    async for record in consumer:
        await producer.send(to_topic, record.value, key=record.key)


if __name__ == "__main__":
    asyncio.run(pass_on(*sys.argv[1:]))
