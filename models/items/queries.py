"""Search queries: normalised, split into hashed tokens, the distinct ones kept in slots."""

import re
import unicodedata
import zlib
from collections.abc import Sequence

import numpy as np

from models.config import ModelConfig
from models.items.vocabulary import Resolved, SlotTable
from models.saving import Saved, State, part_of

_WORD = re.compile(r"\w+")


def normalise(query: str) -> str:
    """The query as its words, compatibility-normalised and case-folded, joined by single spaces."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", query).casefold()))


def token_rows(normalised: str, config: ModelConfig) -> np.ndarray:
    """The hashed tokens of a normalised query.

    Returns:
        `[tokens_per_query]` int32 in `[1, num_query_tokens]` for its first words, 0 beyond them.
    """
    words = normalised.split()[: config.tokens_per_query]
    rows = np.zeros(config.tokens_per_query, np.int32)
    rows[: len(words)] = [1 + zlib.crc32(word.encode()) % config.num_query_tokens for word in words]
    return rows


class QueryVocabulary:
    """Queries to query slots `1 .. max_queries`, with the tokens of each; the least recently used leave.

    Attributes:
        tokens: `[1 + max_queries, tokens_per_query]` int32, the hashed tokens of each slot, 0 where there is none.
    """

    def __init__(self, config: ModelConfig) -> None:
        self._config = config
        self._table = SlotTable(config.max_queries)
        self.tokens = np.zeros((1 + config.max_queries, config.tokens_per_query), np.int32)

    def resolve(self, queries: Sequence[str]) -> Resolved:
        """The slot of each query; queries with the same normal form share one."""
        keys = [normalise(query) for query in queries]
        is_new = {key for key in keys if key not in self._table}
        resolved = self._table.resolve(keys)
        self.tokens[resolved.evicted] = 0
        for key in is_new:
            self.tokens[self._table.get(key)] = token_rows(key, self._config)
        return resolved

    def query_of(self, slot: int) -> str:
        """The normalised query in a slot; raises KeyError where there is none."""
        return self._table.key_of(slot)

    def parts(self) -> dict[str, Saved]:
        """What it is saved as; tokens follow from the queries."""
        return {"table": self._table}

    def restore(self, state: State) -> None:
        """Become what the parts' state came from."""
        self._table.restore(part_of(state, "table"))
        self.tokens[:] = 0
        for slot in range(self._table.first, self._table.end):
            try:
                self.tokens[slot] = token_rows(self._table.key_of(slot), self._config)
            except KeyError:
                continue
