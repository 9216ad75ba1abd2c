"""Answers about users and items, from a real engine through the real server."""

import asyncio

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from yarl import URL

from models.saving import state_of
from stream.flow.engine import Engine
from stream.web.openapi import document
from stream.web.view import WorkerView
from tests.unit.stream.web.conftest import ITEMS, Client, a_client

ANSWERED = {
    "/users/{id}/interest": "/users/u1/interest",
    "/users/{id}/recommendations": "/users/u1/recommendations?k=3",
    "/items/{id}/similar": "/items/i1/similar?k=3",
    "/livez": "/livez",
}


async def test_an_interest_is_of_unit_length_beside_its_long_term_course(client: Client):
    body = await (await client.get("/users/u1/interest")).json()
    assert body["user_id"] == "u1"
    assert body["num_events"] == 10
    assert np.linalg.norm(body["interest"]) == pytest.approx(1, abs=1e-4)
    assert body["drift"] == pytest.approx(1 - np.dot(body["interest"], body["long_term"]), abs=1e-4)


async def test_recommendations_are_what_the_engine_recommends_the_likeliest_first(client: Client, engine: Engine):
    while engine.learner.num_pending:
        engine.teacher.learn_batch()
    body = await (await client.get("/users/u1/recommendations?k=3")).json()

    expected = engine.recommend("u1", 3) or []
    assert [(item["item_id"], item["score"]) for item in body["items"]] == expected
    assert len({item for item, _ in expected}) == 3
    assert 0 < sum(score for _, score in expected) <= 1


async def test_similar_items_are_all_others_when_more_are_asked_for(client: Client):
    body = await (await client.get("/items/i0/similar")).json()
    assert {item["item_id"] for item in body["items"]} == set(ITEMS) - {"i0"}


@pytest.mark.parametrize(
    "path", ["/users/u%2F1%20%C3%BC/interest", "/items/a%2Fb%20c/similar", "/items/%C3%A9/similar"]
)
async def test_ids_may_hold_anything_that_can_be_escaped(client: Client, path: str):
    assert (await client.get(URL(path, encoded=True))).status == 200


@pytest.mark.parametrize("path", ["/users/nobody/interest", "/users/nobody/recommendations", "/items/nothing/similar"])
async def test_an_unknown_id_is_404_and_says_of_what(client: Client, path: str):
    response = await client.get(path)
    error = (await response.json())["error"]
    assert (response.status, error["code"]) == (404, "not_found")
    assert "no such" in error["message"]


@pytest.mark.parametrize(
    ("k", "status"), [("1", 200), ("1000", 200), ("0", 422), ("1001", 422), ("many", 422), ("", 422)]
)
async def test_a_parameter_out_of_range_is_422_and_names_it(client: Client, k: str, status: int):
    response = await client.get(f"/users/u1/recommendations?k={k}")
    assert response.status == status
    if status == 422:
        assert "$.k" in (await response.json())["error"]["message"]


async def test_an_unknown_parameter_is_422(client: Client):
    response = await client.get("/users/u1/recommendations?limit=5")
    assert response.status == 422
    assert "limit" in (await response.json())["error"]["message"]


async def test_questions_before_there_is_a_state_are_503(view: WorkerView):
    async with a_client(view) as client:
        response = await client.get("/users/u1/interest")
        assert (response.status, (await response.json())["error"]["code"]) == (503, "not_ready")


async def test_asking_changes_nothing_that_is_saved(client: Client, engine: Engine):
    await asyncio.gather(*(client.get(path) for path in ANSWERED.values()))
    before, compilations = state_of(engine.parts()), engine.learner.compilations
    await asyncio.gather(*(client.get(path) for path in ANSWERED.values() for _ in range(5)))
    after = state_of(engine.parts())
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_equal(after[name], before[name])
    assert engine.learner.compilations == compilations


async def test_too_many_questions_at_once_are_refused_and_the_others_answered(client: Client):
    responses = await asyncio.gather(*(client.get("/users/u1/interest") for _ in range(90)))
    assert {response.status for response in responses} <= {200, 503}
    assert sum(response.status == 200 for response in responses) >= 64


@pytest.mark.parametrize(("described", "asked"), ANSWERED.items())
async def test_answers_are_as_the_openapi_document_describes_them(client: Client, described: str, asked: str):
    document = await (await client.get("/openapi.json")).json()
    schema = document["paths"][described]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    body = await (await client.get(asked)).json()
    Draft202012Validator({**schema, "components": document["components"]}).validate(body)


def test_the_openapi_document_is_one():
    validate(document())
