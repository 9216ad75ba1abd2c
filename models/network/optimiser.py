"""From gradients to steps: Optax directions, what pulls weights to zero, and how the learning rate runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax

from models.config import ModelConfig, OptimiserName
from models.network.structure import M, Params, Structure
from models.network.table import EmbeddingTable

P = TypeVar("P")

LONG_AGO = 1_000_000_000  # a count of steps beyond which moments need no correction for having started at zero
LOWEST_FACTOR = 0.1  # an endless stream must always be followed


def direction(name: OptimiserName) -> optax.GradientTransformation:
    """Where a gradient points to; all of its moments start at zero."""
    match name:
        case "adam" | "adamw":
            return optax.scale_by_adam()
        case "adagrad":
            return optax.scale_by_rss(initial_accumulator_value=0.0)
        case "sgd":
            return optax.identity()


def rate_factor(config: ModelConfig, step: jax.Array) -> jax.Array:
    """What the learning rates are multiplied by: float32 scalar in (0, 1].

    Args:
        config: names the schedule and its number of steps.
        step: int32, steps taken.
    """
    progress = step.astype(jnp.float32) / config.schedule_steps
    match config.schedule:
        case "constant":
            return jnp.float32(1.0)
        case "warmup":
            return jnp.clip(progress, LOWEST_FACTOR, 1.0)
        case "cosine":  # restarts (Loshchilov and Hutter 2017)
            return LOWEST_FACTOR + (1 - LOWEST_FACTOR) * 0.5 * (1 + jnp.cos(jnp.pi * (progress % 1.0)))
        case "inverse_sqrt":
            return jnp.maximum(jax.lax.rsqrt(jnp.maximum(progress, 1.0)), LOWEST_FACTOR)


@dataclass(frozen=True)
class Optimiser:
    """One step down the gradient, for a tree of parameters or for some rows of the table.

    Attributes:
        direction: of Optax.
        decay: share of every weight that a step takes away, times the learning rate (AdamW).
        l1: weight of the sum of absolute weights in the loss.
        l2: weight of half the sum of squared weights in the loss.
    """

    direction: optax.GradientTransformation
    decay: float = 0.0
    l1: float = 0.0
    l2: float = 0.0

    def begin(self, params: object) -> Any:
        """Moments before any step."""
        return jax.tree.map(jnp.copy, self.direction.init(params))  # type: ignore[arg-type]

    def step(self, params: P, gradient: P, moments: Any, rate: jax.Array | float) -> tuple[P, Any]:
        """One step; returns parameters and moments after it."""
        regular = jax.tree.map(self._with_penalties, gradient, params)
        with jax.numpy_dtype_promotion("standard"):  # Optax raises a float to the power of its integer count
            directions, after = self.direction.update(regular, moments)
        decay = self.decay
        moved: P = jax.tree.map(lambda p, d: p - rate * (d + decay * p if _is_weight(p) else d), params, directions)
        return moved, after

    def begin_rows(self, vectors: jax.Array) -> dict[str, jax.Array]:
        """Moments of rows that have not moved yet, by Optax's names: all zero, each like `vectors`."""
        leaves = jax.tree_util.tree_leaves_with_path(self.direction.init(vectors))
        return {_name(path): jnp.zeros_like(leaf) for path, leaf in leaves if leaf.shape == vectors.shape}

    def step_rows(self, rows: EmbeddingTable, gradient: jax.Array, rate: jax.Array | float) -> EmbeddingTable:
        """One step of gathered rows; each began at a time of its own, so no shared count corrects their moments."""
        leaves, tree = jax.tree_util.tree_flatten_with_path(self.direction.init(rows.vectors))
        names = [_name(path) for path, _ in leaves]
        before = jax.tree.unflatten(tree, [rows.moments.get(name, jnp.int32(LONG_AGO)) for name in names])
        vectors, state = self.step(rows.vectors, gradient, before, rate)
        after = dict(zip(names, jax.tree.leaves(state), strict=True))
        return EmbeddingTable(vectors, {name: after[name] for name in rows.moments})

    def _with_penalties(self, gradient: jax.Array, param: jax.Array) -> jax.Array:
        if not (self.l1 or self.l2) or not _is_weight(param):
            return gradient
        return gradient + self.l1 * jnp.sign(param) + self.l2 * param


def optimiser(config: ModelConfig) -> Optimiser:
    """The optimiser that the settings name."""
    decay = config.weight_decay if config.optimiser == "adamw" else 0.0
    return Optimiser(direction(config.optimiser), decay, config.l1, config.l2)


def is_finite(loss: jax.Array, *gradients: object) -> jax.Array:
    """Whether a step may be applied: bool scalar."""
    return jnp.isfinite(loss + sum((optax.tree.norm(g) for g in gradients), jnp.float32(0.0)))


def apply_if(condition: jax.Array, after: P, before: P) -> P:
    """`after` where the condition holds, else `before`, leaf by leaf."""
    chosen: P = jax.tree.map(lambda new, old: jnp.where(condition, new, old), after, before)
    return chosen


def averaged(before: Params, params: Params, num_steps: jax.Array, over: int) -> Params:
    """The moving average of parameters, by which to judge (Polyak and Juditsky 1992).

    Small batches make parameters waver at any rate that lets them follow the stream; their average wavers less.

    Args:
        before: the average so far.
        params: after one more step.
        num_steps: int32, steps before that one.
        over: about so many of the latest steps count; of the first ones, a tenth or so.
    """
    taken = num_steps.astype(jnp.float32) + 1
    kept = jnp.minimum(1 - 1 / over, (1 + taken) / (10 + taken))
    after: Params = jax.tree.map(lambda old, new: kept * old + (1 - kept) * new, before, params)
    return after


class AdamState(NamedTuple):
    """Parameters of something small.

    Attributes:
        params: learned from.
        moments: what Adam keeps for them.
        average: of the parameters after each of the latest steps, to judge by.
    """

    params: Params
    moments: Any
    average: Params


class AdamLearner(Generic[M]):
    """Teaches something small by Adam, at one rate.

    Args:
        module: what learns.
        rate: of Adam.
        steps: over how many it is averaged, see `averaged`.
    """

    def __init__(self, module: Structure[M], rate: float, steps: int) -> None:
        self._module, self._rate, self._steps = module, rate, steps
        self._adam = Optimiser(direction("adam"))

    def begin(self, module: M) -> AdamState:
        """The state of a module before any step."""
        params = self._module.params_of(module)
        return AdamState(params, self._adam.begin(params), jax.tree.map(jnp.copy, params))

    def step(self, state: AdamState, loss_of: Callable[[M], jax.Array]) -> tuple[AdamState, jax.Array]:
        """The state after a step, unchanged if the loss is not finite, and the loss."""
        loss, gradient = jax.value_and_grad(lambda params: loss_of(self._module.build(params)))(state.params)
        params, moments = self._adam.step(state.params, gradient, state.moments, self._rate)
        average = averaged(state.average, params, state.moments.count, self._steps)
        after = AdamState(params, moments, average)
        return apply_if(is_finite(loss, gradient), after, state), loss


def _is_weight(param: jax.Array) -> bool:
    """Matrices are pulled to zero, biases and scales are not."""
    return param.ndim > 1


def _name(path: tuple[Any, ...]) -> str:
    return str(path[-1].name)
