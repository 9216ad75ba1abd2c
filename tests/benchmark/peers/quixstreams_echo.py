"""A peer: quixstreams, which sends every record on as it is. Prints how many it has sent.

.peers/quixstreams/bin/python tests/benchmark/peers/quixstreams_echo.py BROKER TO_TOPIC FROM_TOPIC…
"""

import sys
import threading
import time
from collections.abc import Sequence
from itertools import count

from quixstreams import Application

SAYS_EVERY_S = 0.05


def echo(broker: str, to_topic: str, from_topics: Sequence[str]) -> None:
    """Consume and produce until the process is ended."""
    app = Application(
        broker, consumer_group=f"quixstreams-{time.time_ns()}", auto_offset_reset="earliest", loglevel="ERROR"
    )
    as_it_is = {"key_serializer": "bytes", "value_serializer": "bytes"}
    out = app.topic(to_topic, **as_it_is)
    counter = count()
    for name in from_topics:
        topic = app.topic(name, key_deserializer="bytes", value_deserializer="bytes")
        app.dataframe(topic).update(lambda _: next(counter)).to_topic(out)
    threading.Thread(target=say, args=(counter,), daemon=True).start()
    app.run()


def say(counter: "count[int]") -> None:
    """Tell the count now and then; itertools' counter shows it without counting on."""
    while True:
        print("count", time.monotonic(), int(repr(counter)[len("count(") : -1]), flush=True)
        time.sleep(SAYS_EVERY_S)


if __name__ == "__main__":
    echo(sys.argv[1], sys.argv[2], sys.argv[3:])
