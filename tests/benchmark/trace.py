"""Record a jax.profiler trace of learning: what runs on the device and on the host, call by call.

    .venv/bin/python -m tests.benchmark.trace FOLDER [--events 5120]

Open `FOLDER/plugins/profile/*/perfetto_trace.json.gz` at ui.perfetto.dev, or FOLDER with TensorBoard's profile plugin.
"""

import argparse
import time
from itertools import islice
from pathlib import Path

import jax

from stream.settings import Settings
from tests.benchmark.figures import say
from tests.benchmark.profile_event import drain, fetches, ready_engine
from tests.benchmark.shop import Shop

WARM_UP = 20_480  # events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=int, default=5_120)
    asked = parser.parse_args()
    settings = Settings.load()
    engine = ready_engine(settings)
    records = Shop().records(WARM_UP + asked.events, int(time.time() * 1000))
    drain(engine, settings, fetches(islice(records, WARM_UP), settings))
    traced = fetches(records, settings)
    with jax.profiler.trace(str(asked.folder), create_perfetto_trace=True):
        drain(engine, settings, traced)
    for path in sorted(asked.folder.rglob("perfetto_trace.json.gz")):
        say(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
