"""A request that carries a batch for each of some partitions, joined in one step.

aiokafka's own copies every batch once for each level that the protocol nests: five times a megabyte, by the thread that
has the interpreter.
"""

import struct
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from aiokafka.protocol.produce import ProduceRequest
from faust.types import TP

from stream.records.record_batch import RecordBatch

ANSWER_WITHIN_MS = 40_000  # of all replicas, as aiokafka has it
ALL_REPLICAS = -1
_NO_TRANSACTION = -1  # length of its id

_head = struct.Struct(">hhii").pack
_topic_head = struct.Struct(">h").pack
_count = struct.Struct(">i").pack
_batch_head = struct.Struct(">ii").pack


class BatchesRequest(ProduceRequest):
    """To be sent to the leader of all `batches`; of version 3 at least: brokers that know such batches speak it."""

    def __init__(self, batches: Mapping[TP, RecordBatch]) -> None:
        of_topic = defaultdict[str, list[tuple[int, Any]]](list)
        for tp, batch in batches.items():
            of_topic[tp.topic].append((tp.partition, batch.content))
        super().__init__(None, ALL_REPLICAS, ANSWER_WITHIN_MS, list(of_topic.items()))

    def build(self, request_struct_class: Any) -> Any:
        """As the broker's version has it."""
        built: Any = super().build(request_struct_class)
        built.encode = self._encode
        return built

    def _encode(self) -> bytes:
        parts: list[Any] = [_head(_NO_TRANSACTION, ALL_REPLICAS, ANSWER_WITHIN_MS, len(self._topics))]
        for topic, batches in self._topics:
            name = topic.encode()
            parts += _topic_head(len(name)), name, _count(len(batches))
            for partition, content in batches:
                parts += _batch_head(partition, len(content)), content
        return b"".join(parts)
