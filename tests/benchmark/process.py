"""The process of a benchmark that measures what a worker does, without being one."""

from models.device import runtime
from stream.memory import keep_what_is_free
from stream.settings import Settings


def set_up_as_worker(settings: Settings) -> None:
    """Memory and jax as a worker has them; call once, before anything is computed."""
    keep_what_is_free()
    runtime.configure(preallocate=False, compilation_cache=settings.compilation_cache)
