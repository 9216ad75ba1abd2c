import pytest
from faust.types import TP

from stream.errors import ConfigError
from stream.flow.start_checks import check_partitions, starting_offsets

A, B = TP("clicks", 0), TP("clicks", 1)


def test_the_saved_offset_decides_and_what_was_never_read_is_read_from_its_beginning():
    assert starting_offsets({A: 7}, {A: range(7, 9), B: range(3, 5)}, accept_gap=False) == ({A: 7, B: 3}, [])


def test_a_state_at_the_very_end_of_the_log_goes_on_there():
    assert starting_offsets({A: 9}, {A: range(2, 9)}, accept_gap=False) == ({A: 9}, [])


@pytest.mark.parametrize(
    ("held", "sentence"),
    [(range(8, 9), "1 records from offset 7 on have been deleted"), (range(6), "the log ends at 6, before offset 7")],
)
def test_offsets_that_are_gone_are_refused_with_the_command_that_accepts_the_gap(held, sentence):
    with pytest.raises(ConfigError, match=f"clicks-0: {sentence}.*--accept-gap"):
        starting_offsets({A: 7}, {A: held}, accept_gap=False)


@pytest.mark.parametrize("held", [range(8, 9), range(6)])
def test_an_accepted_gap_is_said_and_reading_begins_at_what_is_left(held):
    offsets, sentences = starting_offsets({A: 7}, {A: held}, accept_gap=True)

    assert offsets == {A: held.start}
    assert len(sentences) == 1


def test_another_number_of_partitions_is_refused_by_name():
    with pytest.raises(ConfigError, match="expected 1 partitions in each input topic, but clicks has 2"):
        check_partitions({A: range(1), B: range(1)}, ["clicks"], 1)


def test_a_topic_that_does_not_exist_yet_is_left_to_be_created():
    check_partitions({A: range(1)}, ["clicks", "searches"], 1)
