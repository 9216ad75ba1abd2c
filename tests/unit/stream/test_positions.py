import pytest
from faust.types import TP

from stream.broker.positions import RUNS_A_SEEK, Accept, Drop, Positions, SeekTo

TP0 = TP("clicks", 0)


def positions_at(offset: int) -> Positions:
    positions = Positions()
    positions.start_at({TP0: offset})
    return positions


def arrive(positions: Positions, *runs: tuple[int, int, int | None]) -> list[Accept | Drop | SeekTo]:
    """Verdicts on runs `(first, last + 1, read from)`."""
    return [positions.arrive(TP0, range(first, stop), read_from) for first, stop, read_from in runs]


def test_an_unknown_partition_starts_where_its_first_run_does():
    positions = Positions()

    assert arrive(positions, (5, 8, None)) == [Accept(0)]
    assert positions.seek_offsets() == {TP0: 5}


def test_a_partition_whose_beginning_was_noted_misses_its_first_run():
    positions = Positions()
    positions.begin_at({TP0: 2})

    assert arrive(positions, (5, 8, None)) == [SeekTo(2)]


def test_a_noted_beginning_moves_no_partition_that_is_known():
    positions = positions_at(5)
    positions.begin_at({TP0: 2})

    assert positions.seek_offsets() == {TP0: 5}


@pytest.mark.parametrize("read_from", [None, 5])
def test_a_run_that_continues_is_accepted(read_from):
    assert arrive(positions_at(5), (5, 8, read_from)) == [Accept(0)]


def test_what_is_known_of_a_run_is_skipped():
    assert arrive(positions_at(7), (5, 8, 5)) == [Accept(2)]


def test_a_run_that_is_known_to_its_end_is_dropped():
    assert arrive(positions_at(8), (5, 8, 5)) == [Drop()]


@pytest.mark.parametrize(("read_from", "verdict"), [(3, Accept(0)), (2, Accept(0)), (4, SeekTo(3)), (None, SeekTo(3))])
def test_a_hole_is_the_logs_own_where_the_run_was_read_across_it(read_from, verdict):
    assert arrive(positions_at(3), (5, 8, read_from)) == [verdict]


def test_a_run_that_gets_lost_however_often_is_never_believed_to_be_a_hole():
    lost_again_and_again = [(5, 8, 5)] * 100

    assert Accept(0) not in arrive(positions_at(3), *lost_again_and_again)


def test_runs_fetched_before_the_seek_are_dropped_and_a_seek_that_gets_lost_is_repeated():
    runs = [(first, first + 1, first) for first in range(5, 5 + RUNS_A_SEEK + 1)]

    assert arrive(positions_at(3), *runs) == [SeekTo(3), *[Drop()] * (RUNS_A_SEEK - 1), SeekTo(3)]


def test_missing_records_that_arrive_after_the_seek_close_the_hole():
    assert arrive(positions_at(3), (5, 8, 5), (3, 8, 3)) == [SeekTo(3), Accept(0)]


def test_a_rewound_partition_is_read_from_what_was_taken():
    positions = positions_at(3)
    positions.queued(TP0, 9)
    positions.taken(TP0, 6)

    positions.rewind([TP0, TP("searches", 1)])

    assert positions.seek_offsets() == {TP0: 6}
