"""A Flax NNX module apart from its parameters, so that a step can be a function of plain arrays."""

from typing import Generic, TypeVar

import jax
from flax import nnx

M = TypeVar("M", bound=nnx.Module)

Params = dict[str, jax.Array]


class Structure(Generic[M]):
    """A module's shape; parameters go beside it as a flat dict, which dispatches faster than NNX's own state.

    Args:
        module: one of that shape; its parameters need not be there, see `nnx.eval_shape`.
    """

    def __init__(self, module: M) -> None:
        self._graph, state = nnx.split(module)
        leaves, self._tree = jax.tree_util.tree_flatten_with_path(state)
        self._names = [".".join(str(getattr(k, "key", getattr(k, "name", k))) for k in path) for path, _ in leaves]

    def params_of(self, module: M) -> Params:
        """The parameters of a module of this shape, by their path."""
        return dict(zip(self._names, jax.tree.leaves(nnx.state(module)), strict=True))

    def build(self, params: Params) -> M:
        """The module with these parameters."""
        return nnx.merge(self._graph, jax.tree.unflatten(self._tree, [params[name] for name in self._names]))
