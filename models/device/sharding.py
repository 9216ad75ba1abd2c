"""How a model's arrays lie on the devices of this host: on one, or table and batch divided over several by XLA."""

import functools
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

T = TypeVar("T")

_AXIS = "devices"


class DevicesError(ValueError):
    """This host has fewer devices than the model is to lie on."""


class Placement(Protocol):
    """Where arrays lie.

    Attributes:
        rows: of the table: each device has as many, one after the other.
        whole: of everything small: each device has all of it.
    """

    rows: Any
    whole: Any

    def put(self, arrays: Any, where: Any) -> Any:
        """A tree of arrays on the devices; `where` is a tree of `rows` and `whole`, as deep as they differ."""
        ...

    def divided(self, examples: T) -> T:
        """In a traced function: each device works on its part of the examples, where they can be shared out evenly."""
        ...

    def jit(self, function: Callable[..., Any], where: Any, **options: Any) -> Callable[..., Any]:
        """Compile a function whose results shall lie as `where` says; `options` as of `jax.jit`."""
        ...


def placement(num_devices: int) -> Placement:
    """On so many devices of this host.

    Raises:
        DevicesError: there are fewer.
    """
    return OneDevice() if num_devices == 1 else SeveralDevices(devices_of_host(num_devices))


def devices_of_host(count: int) -> list[jax.Device]:
    """The first so many.

    Raises:
        DevicesError: there are fewer.
    """
    found = jax.local_devices()
    if len(found) < count:
        kind = f"{found[0].platform}: {found[0].device_kind}"
        raise DevicesError(
            f"num_devices={count}: expected as many devices on this host, got {len(found)} ({kind}); set num_devices "
            "to at most that, or make more visible (CUDA_VISIBLE_DEVICES)"
        )
    return found[:count]


class OneDevice:
    """All on the device that jax takes by itself; see `Placement`."""

    rows = whole = None

    def put(self, arrays: Any, where: Any) -> Any:
        """See `Placement`."""
        return jax.tree.map(jnp.asarray, arrays)

    def divided(self, examples: T) -> T:
        """See `Placement`."""
        return examples

    def jit(self, function: Callable[..., Any], where: Any, **options: Any) -> Callable[..., Any]:
        """See `Placement`."""
        return jax.jit(function, **options)


class SeveralDevices:
    """The table by rows, a batch by examples, the rest on each; see `Placement`.

    Who calls decides what lies where; XLA finds out what each device computes and what they tell each other: of the
    table, the rows that a call touches.
    """

    def __init__(self, devices: list[jax.Device]) -> None:
        mesh = Mesh(np.array(devices), (_AXIS,))
        self.rows = NamedSharding(mesh, PartitionSpec(_AXIS))  # type: ignore[no-untyped-call]
        self.whole = NamedSharding(mesh, PartitionSpec())  # type: ignore[no-untyped-call]
        self._num_devices = len(devices)
        self._launching = threading.Lock()

    def put(self, arrays: Any, where: Any) -> Any:
        """See `Placement`."""
        return jax.device_put(arrays, where)

    def divided(self, examples: T) -> T:
        """See `Placement`."""
        return jax.tree.map(self._divided, examples)

    def jit(self, function: Callable[..., Any], where: Any, **options: Any) -> Callable[..., Any]:
        """See `Placement`. One call begins after the other.

        Two that began at once, as of a step and of an answer, could wait for each other for ever: each on the devices
        that the other reached first.
        """
        compiled = jax.jit(function, out_shardings=where, **options)

        @functools.wraps(compiled)
        def launched(*args: Any) -> Any:
            with self._launching:
                return compiled(*args)

        return launched

    def _divided(self, array: jax.Array) -> jax.Array:
        if len(array) % self._num_devices:
            return array
        divided: jax.Array = jax.lax.with_sharding_constraint(array, self.rows)  # type: ignore[no-untyped-call]
        return divided
