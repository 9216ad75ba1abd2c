import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.records.packed_records import PackedRecords, by_partition
from stream.records.updates import EncodedRecord

texts = st.binary(max_size=9)
headers = st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=5), texts), max_size=2).map(tuple)
records = st.lists(st.builds(EncodedRecord, st.none() | texts, st.none() | texts, headers), max_size=9)


@given(records)
def test_packed_records_are_what_they_were(some):
    packed = PackedRecords.of(some)
    assert len(packed) == len(some)
    assert list(packed) == some


@given(st.lists(records, min_size=1, max_size=4))
def test_what_is_joined_comes_apart_again(several):
    joined = PackedRecords.joined([PackedRecords.of(some) for some in several])
    assert [list(part) for part in joined.parts([len(some) for some in several])] == several


def test_a_partition_gets_its_tombstones_first_and_then_its_own_of_the_others():
    first, second, third = (EncodedRecord(b"%d" % i, b"") for i in range(3))
    gone = EncodedRecord(b"gone", None)

    of = by_partition(np.array([1, 1, 4]), PackedRecords.of([first, second, third]), [(4, gone), (2, gone), (4, gone)])

    assert {partition: list(some) for partition, some in of.items()} == {
        1: [first, second],
        2: [gone],
        4: [gone, gone, third],
    }


def test_no_records_go_nowhere():
    assert by_partition(np.zeros(0, np.int64), PackedRecords.of([])) == {}
