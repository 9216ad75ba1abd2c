from aiokafka.protocol.produce import ProduceRequest_v3, ProduceRequest_v7
from faust.types import TP

from stream.broker.produce_request import ALL_REPLICAS, ANSWER_WITHIN_MS, BatchesRequest
from stream.records.packed_records import PackedRecords
from stream.records.record_batch import Origin, record_batch
from stream.records.updates import EncodedRecord

SPOKEN = {0: (0, 7)}


def test_a_request_is_to_the_byte_what_aiokafka_makes():
    batches = {
        TP(topic, partition): record_batch(PackedRecords.of([EncodedRecord(b"key", b"%d" % partition)]), origin, 0, 999)
        for origin in [Origin(7, 1, 3)]
        for topic, partition in [("updates", 0), ("ünicode", 2), ("updates", 5)]
    }
    of_topic = [
        (topic, [(tp.partition, bytes(batch.content)) for tp, batch in batches.items() if tp.topic == topic])
        for topic in ("updates", "ünicode")
    ]

    built = BatchesRequest(batches).prepare(SPOKEN)

    assert isinstance(built, ProduceRequest_v7)
    for version in (ProduceRequest_v3, ProduceRequest_v7):
        assert built.encode() == version(None, ALL_REPLICAS, ANSWER_WITHIN_MS, of_topic).encode()


def test_a_request_without_batches_is_one():
    expected = ProduceRequest_v7(None, ALL_REPLICAS, ANSWER_WITHIN_MS, []).encode()
    assert BatchesRequest({}).prepare(SPOKEN).encode() == expected
