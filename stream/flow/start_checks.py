"""Whether a saved state and the logs it reads still fit together. Pure."""

from collections.abc import Iterable, Mapping

from faust.types import TP

from stream.errors import ConfigError


def check_partitions(log: Mapping[TP, range], topics: Iterable[str], partitions: int) -> None:
    """Refuse topics whose number of partitions is not what the state was made with: users would move between them.

    Args:
        log: the offsets that each partition holds; topics without any are left to be created.
        topics: to look at.
        partitions: what the state was made with.

    Raises:
        ConfigError: says which topics differ.
    """
    counts = {topic: sum(tp.topic == topic for tp in log) for topic in topics}
    wrong = [f"{topic} has {count}" for topic, count in counts.items() if count not in (0, partitions)]
    if wrong:
        raise ConfigError(
            f"expected {partitions} partitions in each input topic, but {', '.join(wrong)}; the users' records have "
            "moved to other partitions, so start afresh with new topics (--topic-prefix) and another checkpoint_dir"
        )


def starting_offsets(
    saved: Mapping[TP, int], log: Mapping[TP, range], *, accept_gap: bool
) -> tuple[dict[TP, int], list[str]]:
    """Where to read on: at the saved next offset, or at the beginning of a partition that the state has not read.

    Args:
        saved: next offsets of the checkpoint.
        log: the offsets that each partition holds.
        accept_gap: read on at the beginning of what is left where saved offsets are gone.

    Returns:
        Next offsets, and a sentence for each gap that was accepted.

    Raises:
        ConfigError: offsets are gone, and that is not accepted.
    """
    gaps = {tp: gap for tp, held in log.items() if (gap := _gap(saved.get(tp, held.start), held))}
    sentences = [f"{tp.topic}-{tp.partition}: {gap}" for tp, gap in sorted(gaps.items())]
    if sentences and not accept_gap:
        raise ConfigError(
            f"the state cannot go on where it ended: {'; '.join(sentences)}. `interest-stream worker --accept-gap` "
            "goes on without these records; another checkpoint_dir starts afresh"
        )
    offsets = {tp: held.start if tp in gaps else saved.get(tp, held.start) for tp, held in log.items()}
    return {**saved, **offsets}, sentences


def _gap(next_offset: int, held: range) -> str | None:
    if next_offset < held.start:
        return f"{held.start - next_offset} records from offset {next_offset} on have been deleted by retention"
    if next_offset > held.stop:
        return f"the log ends at {held.stop}, before offset {next_offset}: it was made anew or has lost records"
    return None
