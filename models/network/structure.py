"""A Flax NNX module apart from its parameters, so that a step can be a function of plain arrays."""

from typing import Generic, TypeVar

import jax
from flax import nnx

M = TypeVar("M", bound=nnx.Module)

Params = dict[str, jax.Array]


class Structure(Generic[M]):
    """A module's shape; parameters go beside it as a flat dict, which dispatches faster than NNX's own state.

    Attributes:
        initial: the parameters that the module was made with, by their path.
    """

    def __init__(self, module: M) -> None:
        self._graph, state = nnx.split(module)
        leaves, self._tree = jax.tree_util.tree_flatten_with_path(state)
        self._names = [".".join(str(getattr(k, "key", getattr(k, "name", k))) for k in path) for path, _ in leaves]
        self.initial: Params = {name: leaf for name, (_, leaf) in zip(self._names, leaves, strict=True)}

    def build(self, params: Params) -> M:
        """The module with these parameters."""
        return nnx.merge(self._graph, jax.tree.unflatten(self._tree, [params[name] for name in self._names]))
