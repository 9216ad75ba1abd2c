"""A token is asked for when there is none that lasts, and an endpoint that gives none is said in one sentence."""

import asyncio

import pytest

from stream.broker.oauth import RENEWED_BEFORE_S, AiokafkaTokens, KafkaPythonTokens, TokenRequest, TokenSource
from stream.errors import TokenError
from tests.support.token_endpoint import TokenEndpoint


@pytest.mark.parametrize(("lifetime_s", "asked"), [(600, 1), (RENEWED_BEFORE_S, 2)])
def test_a_token_is_renewed_before_it_runs_out_and_not_earlier(lifetime_s: int, asked: int):
    with TokenEndpoint("shop", "hunter2", lifetime_s) as endpoint:
        source = TokenSource(TokenRequest(endpoint.url, "shop", "hunter2"))
        tokens = KafkaPythonTokens(source).token(), asyncio.run(AiokafkaTokens(source).token())

    assert all(token.count(".") == 2 for token in tokens)
    assert endpoint.num_given == asked


def test_no_token_is_one_sentence_without_the_secret():
    with TokenEndpoint("shop", "another") as endpoint, pytest.raises(TokenError, match="for shop") as refused:
        TokenSource(TokenRequest(endpoint.url, "shop", "hunter2")).token()

    assert "hunter2" not in f"{refused.value!r} {TokenRequest(endpoint.url, 'shop', 'hunter2')}"


def test_clients_try_again_after_it_as_after_a_lost_connection():
    assert issubclass(TokenError, ConnectionError)
