from faust.types import TP

from stream.broker.positions import Accept, Drop, Positions, SeekTo

TP0 = TP("clicks", 0)


def positions_at(offset: int) -> Positions:
    positions = Positions()
    positions.start_at({TP0: offset})
    return positions


def test_an_unknown_partition_starts_where_its_first_run_does():
    positions = Positions()

    assert positions.arrive(TP0, range(5, 8)) == Accept(0)
    assert positions.seek_offsets() == {TP0: 5}


def test_a_partition_whose_beginning_was_noted_misses_its_first_run():
    positions = Positions()
    positions.begin_at({TP0: 2})

    assert positions.arrive(TP0, range(5, 8)) == SeekTo(2)


def test_a_noted_beginning_moves_no_partition_that_is_known():
    positions = positions_at(5)
    positions.begin_at({TP0: 2})

    assert positions.seek_offsets() == {TP0: 5}


def test_a_run_that_continues_is_accepted():
    assert positions_at(5).arrive(TP0, range(5, 8)) == Accept(0)


def test_what_is_known_of_a_run_is_skipped():
    assert positions_at(7).arrive(TP0, range(5, 8)) == Accept(2)


def test_a_run_that_is_known_to_its_end_is_dropped():
    assert positions_at(8).arrive(TP0, range(5, 8)) == Drop()


def test_a_run_after_a_hole_is_read_again_from_the_expected_offset():
    assert positions_at(3).arrive(TP0, range(5, 8)) == SeekTo(3)


def test_runs_fetched_before_the_seek_are_dropped_without_another_seek():
    positions = positions_at(3)
    positions.arrive(TP0, range(5, 8))

    assert positions.arrive(TP0, range(8, 9)) == Drop()


def test_a_hole_that_comes_again_is_the_logs_own():
    positions = positions_at(3)
    positions.arrive(TP0, range(5, 8))

    assert positions.arrive(TP0, range(5, 8)) == Accept(0)


def test_missing_records_that_arrive_after_the_seek_close_the_hole():
    positions = positions_at(3)
    positions.arrive(TP0, range(5, 8))

    assert positions.arrive(TP0, range(3, 8)) == Accept(0)


def test_a_rewound_partition_is_read_from_what_was_taken():
    positions = positions_at(3)
    positions.queued(TP0, 9)
    positions.taken(TP0, 6)

    positions.rewind([TP0, TP("searches", 1)])

    assert positions.seek_offsets() == {TP0: 6}
