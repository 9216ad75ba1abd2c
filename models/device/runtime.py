"""How jax is set up in a process: before the first array is made, and once."""

import contextlib
import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

import jax

from models.device.executables import PREFIX

CPU_THREADS = {  # of XLA on a CPU: two make our small steps no faster, cost more, and stand in the way of all others
    "NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
PACKAGES = "jax", "jaxlib", "flax", "optax", "numpy"  # that have a say in what is compiled
CACHE_MODE = 0o700  # compiled code is run as it is found: nobody else may write it


def configure(*, preallocate: bool, compilation_cache: Path) -> None:
    """Set up jax.

    Args:
        preallocate: let XLA take 75 % of a GPU's memory at the first operation.
        compilation_cache: where compiled steps are kept between processes; made private.

    Raises:
        OSError: the cache cannot be made.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", str(preallocate).lower())
    for name, value in CPU_THREADS.items():
        os.environ.setdefault(name, value)
    directory = compilation_cache.expanduser()
    directory.mkdir(parents=True, exist_ok=True, mode=CACHE_MODE)
    directory.chmod(CACHE_MODE)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(directory / "numba"))
    jax.config.update("jax_compilation_cache_dir", str(directory))  # type: ignore[no-untyped-call]
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)  # type: ignore[no-untyped-call]


def executables_file(compilation_cache: Path, model: object) -> Path:
    """Where what is compiled of a model is kept: another file for other code, another jax or another machine.

    Args:
        compilation_cache: as of `configure`.
        model: its `repr` says all that decides what is compiled, but for the code.
    """
    device = jax.devices()[0]
    versions = [version(package) for package in PACKAGES]
    where = device.platform, device.device_kind, device.client.platform_version, _processor()
    options = sorted(jax.config.values.items()), os.environ.get("XLA_FLAGS"), os.environ.get("NPROC")
    digest = hashlib.sha256(repr((model, versions, where, options)).encode())
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.read_bytes())
    return compilation_cache.expanduser() / f"{PREFIX}{digest.hexdigest()}"


def _processor() -> str:
    """What the processor is and can do, where Linux says it."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))
    return platform.processor()


def device_name() -> str:
    """The device that the model runs on, in words."""
    device = jax.devices()[0]
    return f"{device.platform}: {device.device_kind}"


def device_memory_bytes() -> int | None:
    """Memory in use on that device; None where it does not say, as a CPU."""
    stats = jax.devices()[0].memory_stats()
    return int(stats["bytes_in_use"]) if stats else None
