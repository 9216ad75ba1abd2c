"""Queries that mean the same share a slot; their words are hashed to rows."""

import numpy as np

from models.items.queries import QueryVocabulary, normalise, token_rows
from models.saving import state_of
from tests.unit.models.builders import a_config


def test_case_spaces_and_punctuation_do_not_matter():
    assert normalise("  Rote SCHUHE, (Größe 42)! ") == "rote schuhe grösse 42"


def test_words_beyond_the_limit_are_dropped():
    config = a_config(tokens_per_query=2)
    assert np.array_equal(token_rows("a b c", config), token_rows("a b", config))


def test_query_without_words_has_a_slot_but_no_tokens():
    queries = QueryVocabulary(a_config())
    slot = queries.resolve(["?!"]).slots[0]
    assert slot > 0
    assert not queries.tokens[slot].any()


def test_same_normal_form_same_slot():
    queries = QueryVocabulary(a_config())
    slots = queries.resolve(["Red Shoe", "red  shoe!", "hat"]).slots
    assert slots.tolist() == [1, 1, 2]
    assert queries.query_of(1) == "red shoe"


def test_tokens_of_a_recycled_slot_are_those_of_the_new_query():
    config = a_config(max_queries=1)
    queries = QueryVocabulary(config)
    queries.resolve(["one two three"])
    resolved = queries.resolve(["four"])
    assert resolved.evicted.tolist() == resolved.slots.tolist() == [1]
    assert np.array_equal(queries.tokens[1], token_rows("four", config))


def test_restored_queries_have_the_same_tokens():
    queries, other = QueryVocabulary(a_config()), QueryVocabulary(a_config())
    queries.resolve(["one two", "three"])
    other.restore(state_of(queries.parts()))
    assert np.array_equal(queries.tokens, other.tokens)
