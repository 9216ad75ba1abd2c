"""What several devices tell each other, by the size of the table: bytes that each gets in a step, a read and a ranking.

    .venv/bin/python -m tests.benchmark.devices

Read off the code that XLA makes, for as many CPUs as it is told to have.
"""

import argparse
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

DEVICES, ITEMS = 4, (100_000, 200_000)
EXCHANGES = re.compile(r" = (.*?) (?:all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?\(")
ARRAYS = re.compile(r"\b(pred|[a-z]+)(\d*)\[([\d,]*)\]")


def num_bytes(shapes: str) -> int:
    """Of the arrays in `f32[4,64]{1,0}` or `(f32[64], s32[])`."""
    total = 0
    for _, bits, sizes in ARRAYS.findall(shapes):
        count = 1
        for size in filter(None, sizes.split(",")):
            count *= int(size)
        total += count * int(bits or 8) // 8
    return total


def exchanged(compiled: str) -> int:
    """Bytes that come out of all exchanges of a compiled function."""
    return sum(num_bytes(shapes) for shapes in EXCHANGES.findall(compiled))


def code_of(function: Callable[..., Any], *args: Any) -> str:
    """The text of a function of a device, as XLA compiled it."""
    return str(function.__wrapped__.lower(*args).compile().as_text())  # type: ignore[attr-defined]


def figures(num_items: int) -> Iterator[tuple[str, int]]:
    """The table's bytes, and those exchanged."""
    import numpy as np  # noqa: PLC0415 - XLA reads its flags when jax is imported

    from models.config import ModelConfig  # noqa: PLC0415
    from models.device.device import FEW  # noqa: PLC0415
    from models.device.empty_inputs import nobody  # noqa: PLC0415
    from models.inputs.batches import rooms  # noqa: PLC0415
    from models.inputs.examples import empty_examples  # noqa: PLC0415
    from models.inputs.features import WindowBatch  # noqa: PLC0415
    from models.learner import OnlineLearner  # noqa: PLC0415
    from models.mixture.ranking import num_at_once  # noqa: PLC0415

    config = ModelConfig(num_devices=DEVICES, max_items=num_items)
    device = OnlineLearner(config)._device
    builder, functions, live, window = device._builder, device._functions, device.live, config.encoder_window
    usual = rooms(config.batch_size, window)[1]
    soft = np.zeros((config.batch_size, config.num_soft_targets), np.int32)
    batch = builder.step(empty_examples(config.batch_size, window), soft, nobody(config.num_negatives), usual)
    yield "table", live.vectors.nbytes
    yield "step", exchanged(code_of(functions.learn, device._state, np.float32(1), batch))
    read = live.network, live.vectors, builder.positions(WindowBatch.empty(256, window), 256)
    yield "read", exchanged(code_of(functions.read, *read))
    few = live.network, live.vectors, builder.positions(WindowBatch.empty(FEW, window), FEW)
    context, _, scaled, _ = functions.read(*few)
    everything = device._empty.ranking(num_at_once(device._num_item_rows), device._num_item_rows)
    compared = live.vectors, scaled, everything
    ranked = live.judges, live.vectors, context, functions.logits(*compared), everything
    yield "ranking", exchanged(code_of(functions.logits, *compared)) + exchanged(code_of(functions.rank, *ranked))


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={DEVICES}"
    os.environ["JAX_PLATFORMS"] = "cpu"
    for num_items in ITEMS:
        line = ", ".join(f"{name} {count / 1e6:.1f} MB" for name, count in figures(num_items))
        print(f"{num_items:,} items on {DEVICES} devices: {line}")


if __name__ == "__main__":
    main()
