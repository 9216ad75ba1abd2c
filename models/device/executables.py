"""Functions of arrays, compiled ahead of time, and kept in a file between processes of the same model and code.

jax's own cache keeps what XLA compiles; tracing and lowering, which it does anew in every process, take far longer
than to load what came of them.
"""

import hashlib
import logging
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.experimental.compilation_cache import compilation_cache
from jax.experimental.serialize_executable import deserialize_and_load, serialize

Shapes = tuple[tuple[int, ...], ...]
Key = tuple[str, Shapes]


class Entry(NamedTuple):
    """One executable as it is kept.

    Attributes:
        code: as jax writes it.
        arguments: something of their structure, which itself cannot be pickled for all kinds of nodes.
        results: the same.
    """

    code: bytes
    arguments: Any
    results: Any


PREFIX = "executables-"  # of the file's name
KEPT_FILES = 16  # of 5 to 10 MB each: for other settings, and of versions before
LOADED_AT_ONCE = 2  # threads: XLA links without the interpreter's lock, beside what imports and calls go on
DIGEST_BYTES = hashlib.sha256().digest_size

logger = logging.getLogger(__name__)


class Executables:
    """What was compiled for one model on one device. Its functions may be called by several threads."""

    def __init__(self) -> None:
        self._compiled: dict[Key, jax.stages.Compiled] = {}
        self._entries: dict[Key, Entry] | None = None
        self._loading: dict[Key, Future[jax.stages.Compiled]] = {}

    def function(self, name: str, jitted: Any) -> Callable[..., Any]:
        """`jitted`, compiled when it is first called with arrays of these shapes, unless it was kept.

        The last argument's shapes decide: those of the others are always the same, and a call is faster if it need
        not look at them.
        """
        compiled_of = self._compiled

        def call(*args: Any) -> Any:
            key = name, tuple([leaf.shape for leaf in jax.tree.leaves(args[-1])])
            compiled = compiled_of.get(key)
            if compiled is None:
                compiled = compiled_of[key] = self._compile(key, jitted, args)
            return compiled(*args)

        return call

    @contextmanager
    def kept(self, file: Path) -> Iterator[None]:
        """Have what `file` holds; what is compiled meanwhile is kept there for the next process.

        Args:
            file: of this model, code and machine only, see `runtime.executables_file`; run as it is found.
        """
        entries = self._entries = _read(file)
        before = dict(entries)
        with ThreadPoolExecutor(LOADED_AT_ONCE, "loading") as threads:
            self._loading = {key: threads.submit(_executable, entry) for key, entry in entries.items()}
            try:
                yield
            except BaseException:
                file.unlink(missing_ok=True)  # in case that it was the file's fault: the next process compiles anew
                raise
        if entries != before:
            _save(file, entries)
        self._entries, self._loading = None, {}

    def _compile(self, key: Key, jitted: Any, args: tuple[Any, ...]) -> jax.stages.Compiled:
        if loading := self._loading.get(key):
            try:
                return loading.result()
            except Exception as error:
                logger.warning("compiling %s anew, for what was kept of it cannot be used: %r", key[0], error)
        lowered: jax.stages.Lowered = jitted.lower(*args)
        if self._entries is None:
            return lowered.compile()
        with _without_cache():
            compiled = lowered.compile()
        try:
            self._entries[key] = _entry(compiled)  # now: after its first call XLA cannot write a sort down any more
        except (jax.errors.JaxRuntimeError, NotImplementedError, ValueError) as error:
            logger.warning("the next start compiles %s anew, for it cannot be kept: %r", key[0], error)
        return compiled


@contextmanager
def _without_cache() -> Iterator[None]:
    """Without jax's own, since XLA writes down nothing of use about what it did not compile itself."""
    before = jax.config.values["jax_enable_compilation_cache"]
    jax.config.update("jax_enable_compilation_cache", False)  # type: ignore[no-untyped-call]
    compilation_cache.reset_cache()  # jax asks once whether there is one
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)  # type: ignore[no-untyped-call]
        compilation_cache.reset_cache()


def _read(file: Path) -> dict[Key, Entry]:
    """A file that cannot be used is as none."""
    if not file.exists():
        return {}
    try:
        entries = _entries(file.read_bytes())
        file.touch()
    except Exception as error:
        logger.warning("compiling anew, for what was kept in %s cannot be used: %r", file, error)
        return {}
    return entries


def _entry(compiled: jax.stages.Compiled) -> Entry:
    code, *trees = serialize(compiled)
    return Entry(code, *(jax.tree.unflatten(tree, range(tree.num_leaves)) for tree in trees))


def _executable(entry: Entry) -> jax.stages.Compiled:
    trees = jax.tree.structure(entry.arguments), jax.tree.structure(entry.results)
    device = jax.local_devices()[:1]
    compiled: jax.stages.Compiled = deserialize_and_load(entry.code, trees[0], trees[1], execution_devices=device)
    return compiled


def _content(entries: dict[Key, Entry]) -> bytes:
    content = pickle.dumps(entries)
    return hashlib.sha256(content).digest() + content


def _entries(content: bytes) -> dict[Key, Entry]:
    """Raises whatever goes wrong with what is not as `_content` made it."""
    digest, pickled = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(pickled).digest() != digest:
        raise ValueError("it is not as it was written")
    entries: dict[Key, Entry] = pickle.loads(pickled)  # noqa: S301 (as safe as jax's own cache in the same directory)
    return entries


def _save(file: Path, entries: dict[Key, Entry]) -> None:
    try:
        _write(file, _content(entries))
        _drop_oldest(file.parent)
    except OSError as error:
        logger.warning("the next start compiles anew, for %s cannot be written: %s", file, error)


def _write(file: Path, content: bytes) -> None:
    """At once or not at all."""
    descriptor, name = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as unfinished:
            unfinished.write(content)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink()
        raise


def _drop_oldest(directory: Path) -> None:
    """Leave the `KEPT_FILES` that were used last."""
    files = sorted(directory.glob(f"{PREFIX}*"), key=lambda file: file.stat().st_mtime)
    for file in files[:-KEPT_FILES]:
        file.unlink(missing_ok=True)
