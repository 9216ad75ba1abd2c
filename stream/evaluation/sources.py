"""Past events as stretches of a stream, of which some are judged. Knows nothing of models."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from stream.errors import ConfigError
from stream.event_logs import Line, Refused, Unmapped
from stream.records.events import Click, Event

WEEK_MS = 7 * 86_400_000


@dataclass(frozen=True)
class Stretch:
    """Events in the order of the stream.

    Attributes:
        number: of the stretch; stretches before it were learned.
        events: are read once.
        is_judged: whether its events are predicted.
        known_only: by ADER's protocol: only items known before the stretch are predicted, and not a user's first of
            the stretch.
    """

    number: int
    events: Iterable[Event]
    is_judged: bool
    known_only: bool = False


def period_stretches(folder: Path, num_judged: int | None) -> list[Stretch]:
    """Stretches of a folder with `period_0.txt`, `period_1.txt`, …: a session and an item a line, all of it clicks.

    Sessions are users. The files have no clock times: all events of a period happen at once, a week after the last.

    Raises:
        ConfigError: there are no such files, or too few.
    """
    paths: list[Path] = []
    while (path := folder / f"period_{len(paths)}.txt").exists():
        paths.append(path)
    if len(paths) < 2:
        raise ConfigError(f"{folder}: expected period_0.txt, to learn from, and period_1.txt, … to be predicted")
    if num_judged is not None and num_judged >= len(paths):
        raise ConfigError(f"--periods {num_judged}: {folder} has {len(paths) - 1} periods after the first")
    kept = paths[: None if num_judged is None else 1 + num_judged]
    return [Stretch(n, _clicks(path, n), is_judged=n > 0, known_only=True) for n, path in enumerate(kept)]


def fold_stretches(events: Iterable[Event], num_events: int, num_folds: int) -> Iterator[Stretch]:
    """A stream cut into equal stretches: the first is only learned, each later one is judged by what precedes it."""
    rest = iter(events)
    ends = [num_events * n // (num_folds + 1) for n in range(num_folds + 2)]
    for number in range(num_folds + 1):
        yield Stretch(number, islice(rest, ends[number + 1] - ends[number]), is_judged=number > 0)


def usable(lines: Iterable[Line]) -> Iterator[Event]:
    """The events among the lines of a log."""
    return (line for line in lines if not isinstance(line, Unmapped | Refused))


def _clicks(path: Path, number: int) -> Iterator[Event]:
    with path.open() as file:
        for count, line in enumerate(file, 1):
            try:
                session, item = line.split()
            except ValueError:
                raise ConfigError(f"{path}:{count}: expected a session and an item, got {line[:40]!r}") from None
            yield Click(session, item, number * WEEK_MS)
