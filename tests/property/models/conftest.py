"""As strict as the unit tests of the model."""

from tests.unit.models.conftest import strict_jax

__all__ = ["strict_jax"]
