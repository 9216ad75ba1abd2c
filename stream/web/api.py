"""Answers about users and items: read-only, from the live state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from aiohttp import web

from stream.flow.answers import ScoredItem, current_interest, recommended_items, similar_items
from stream.flow.engine import Engine
from stream.records.updates import rounded
from stream.web.errors import fault, json_response
from stream.web.view import NotReadyError, WorkerView

MOST_ITEMS = 1_000


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes no parameters."""


class HowMany(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many items are asked for.

    Attributes:
        k: items at the most.
    """

    k: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS, description="Items at the most.")] = 20


class UserInterest(msgspec.Struct, frozen=True):
    """Where a user's interest is now; fields as in the records of the topic of updates."""

    user_id: str
    time_ms: int
    model_step: int
    interest: list[float]
    long_term: list[float]
    drift: float
    num_events: int


class Item(msgspec.Struct, frozen=True):
    """An item and its cosine with what was asked about."""

    item_id: str
    score: float


class Recommendations(msgspec.Struct, frozen=True):
    """Items for a user, the best first."""

    user_id: str
    items: list[Item]


class SimilarItems(msgspec.Struct, frozen=True):
    """Items like another, the most similar first."""

    item_id: str
    items: list[Item]


@dataclass(frozen=True)
class Endpoint:
    """One path.

    Attributes:
        path: with `{id}` where the id of a user or item goes.
        summary: one sentence.
        query: the type of its parameters.
        answer: the type of its body.
        look_up: the body for an id and parameters, None where there is none.
        missing: what 404 says.
    """

    path: str
    summary: str
    query: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    look_up: Callable[[Engine, str, Any], msgspec.Struct | None]
    missing: str


def _interest(engine: Engine, user_id: str, _: NoQuery) -> UserInterest | None:
    current = current_interest(engine, user_id)
    if current is None:
        return None
    return UserInterest(
        user_id,
        time_ms=current.time_ms,
        model_step=current.model_step,
        interest=rounded(current.interest[None])[0],
        long_term=rounded(current.long_term[None])[0],
        drift=current.drift,
        num_events=current.num_events,
    )


def _recommendations(engine: Engine, user_id: str, query: HowMany) -> Recommendations | None:
    found = recommended_items(engine, user_id, query.k)
    return None if found is None else Recommendations(user_id, _items(found))


def _similar(engine: Engine, item_id: str, query: HowMany) -> SimilarItems | None:
    found = similar_items(engine, item_id, query.k)
    return None if found is None else SimilarItems(item_id, _items(found))


def _items(found: list[ScoredItem]) -> list[Item]:
    return [Item(*scored) for scored in found]


NO_USER = "no such user: none of its events is known, or it was forgotten"
NO_ITEM = "no such item: none of its events is known, it left, or it was not admitted yet"

ENDPOINTS = (
    Endpoint("/users/{id}/interest", "A user's interest now.", NoQuery, UserInterest, _interest, NO_USER),
    Endpoint("/users/{id}/recommendations", "Items for a user.", HowMany, Recommendations, _recommendations, NO_USER),
    Endpoint("/items/{id}/similar", "Items like another.", HowMany, SimilarItems, _similar, NO_ITEM),
)


def routes(view: WorkerView) -> list[web.RouteDef]:
    """All endpoints."""
    return [web.get(endpoint.path, _handler(view, endpoint)) for endpoint in ENDPOINTS]


def _handler(view: WorkerView, endpoint: Endpoint) -> Callable[[web.Request], Any]:
    async def handler(request: web.Request) -> web.Response:
        subject = request.match_info["id"]
        try:
            query = msgspec.convert(dict(request.query), endpoint.query, strict=False)
            found = await view.ask(lambda engine: endpoint.look_up(engine, subject, query))
        except msgspec.ValidationError as error:
            return fault(422, str(error))
        except NotReadyError as error:
            return fault(503, str(error))
        return fault(404, endpoint.missing) if found is None else json_response(found)

    return handler
