"""A simulated shop: who looks at, buys and searches for what. Pure: the seed and the given times decide everything.

Knows nothing of the model. What makes the next item predictable: a session stays near a category that the user is
interested in; a user keeps a taste (a style) across categories; some items lead to certain others; a search names what
comes next; a purchase follows clicks; popularity is skewed. What makes it hard: interests drift to other categories,
new items keep coming, and a share of the events is noise.
"""

import random
from bisect import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from stream.records.events import Click, Event, Purchase, Search

DEPARTMENTS = (
    ("trail running shoe", "running sock", "sports watch", "water bottle"),
    ("hiking boot", "rain jacket", "sleeping bag", "camping stove"),
    ("road bike helmet", "bike light", "cycling glove", "bike lock"),
    ("espresso machine", "coffee grinder", "milk jug", "coffee cup"),
    ("chef knife", "frying pan", "cutting board", "apron"),
    ("desk lamp", "office chair", "notebook", "fountain pen"),
    ("mechanical keyboard", "mouse pad", "monitor arm", "headphone"),
    ("toy train", "board game", "jigsaw puzzle", "picture book"),
    ("garden hose", "flower pot", "pruning shear", "bird feeder"),
    ("yoga mat", "dumbbell", "jump rope", "foam roller"),
)
NUM_LINKS = 3  # items that an item leads to, the first in seven of ten cases
STYLES = ("classic", "minimal", "vintage", "sporty", "premium", "colourful")


@dataclass(frozen=True)
class ShopConfig:
    """What the shop is like. The shares of a step's ways to the next item need not add up: the rest is noise."""

    seed: int = 0
    event_id_prefix: str = ""
    """Of every event's id: a shop of the same seed that opens again sends other events."""
    num_users: int = 1_000
    items_per_category: int = 40
    open_sessions: int = 150
    """Sessions that go on at the same time."""
    events_per_session: float = 5.0
    events_per_new_item: int = 400
    sessions_per_drift: int = 6
    """Sessions after which a user turns to another category."""
    drift_ratio: float = 0.35
    """How far a session moves the interest towards the category that the user has turned to."""
    search_ratio: float = 0.6
    """Sessions that begin with a search; a tenth of it again at each step."""
    styled_query_ratio: float = 0.5
    purchase_ratio: float = 0.08
    """Clicks that the item's purchase follows."""
    taste_ratio: float = 0.9
    """Choices within a category that follow the user's own style."""
    follow_share: float = 0.20
    """Steps to an item that the current one leads to."""
    browse_share: float = 0.40
    """Steps within the category, by popularity and taste."""
    related_share: float = 0.25
    """Steps to another category of the department, which becomes the session's."""
    repeat_share: float = 0.08
    """Steps back to an item of the same session."""
    skew: float = 0.9
    """Exponent of the popularity among items of equal category and style."""


@dataclass
class _Shelf:
    """Items of one category and style, with their popularity."""

    items: list[str] = field(default_factory=list)
    cumulative: list[float] = field(default_factory=list)

    def add(self, item: str, popularity: float) -> None:
        self.items.append(item)
        self.cumulative.append(popularity + (self.cumulative[-1] if self.cumulative else 0.0))

    def pick(self, rng: random.Random) -> str:
        return self.items[bisect(self.cumulative, rng.random() * self.cumulative[-1])]


@dataclass
class _User:
    user_id: str
    style: int
    interest: list[float]
    """Weight of each category, sums to 1."""
    turned_to: int
    num_sessions: int = 0


@dataclass
class _Session:
    user: _User
    session_id: str
    category: int
    seen: list[str] = field(default_factory=list)
    bought: bool = False
    """Whether the newest item was bought: it is bought once."""
    searched: bool = False


class SimulatedShop:
    """Yields events for given times; two shops with equal configs yield the same.

    Attributes:
        categories: their names.
        items: everything on sale, oldest first. An item's name, which is its id, says its style and category.
    """

    def __init__(self, config: ShopConfig | None = None) -> None:
        self.config = config or ShopConfig()
        self._rng = random.Random(self.config.seed)  # noqa: S311 - a simulation, no secret
        self.categories = [category for department in DEPARTMENTS for category in department]
        self.items: list[str] = []
        self._shelves = [[_Shelf() for _ in STYLES] for _ in self.categories]
        self._items_of_department: list[list[str]] = [[] for _ in DEPARTMENTS]
        self._category_of: dict[str, int] = {}
        self._leads_to: dict[str, list[str]] = {}
        for _ in range(self.config.items_per_category):
            for category in range(len(self.categories)):
                self._add_item(category)
        for item in self.items:
            self._link(item)
        self._users = [self._new_user(f"user-{number:04d}") for number in range(self.config.num_users)]
        self._user_weights = list(accumulate((rank + 10) ** -0.5 for rank in range(self.config.num_users)))
        self._num_sessions = 0
        self._num_events = 0
        self._sessions = [self._new_session() for _ in range(self.config.open_sessions)]

    def category_of(self, item_id: str) -> str:
        """The category of an item."""
        return self.categories[self._category_of[item_id]]

    def true_interest(self, user_id: str) -> dict[str, float]:
        """The weight of each category in what the user is interested in now; sums to 1."""
        user = self._users[int(user_id.removeprefix("user-"))]
        return dict(zip(self.categories, user.interest, strict=True))

    def true_style(self, user_id: str) -> str:
        """The style that the user prefers, which stays."""
        return STYLES[self._users[int(user_id.removeprefix("user-"))].style]

    def sessions_since_turn(self, user_id: str) -> int | None:
        """Sessions that the user began since turning to another category, that one included; None before the first."""
        user = self._users[int(user_id.removeprefix("user-"))]
        since = user.num_sessions % self.config.sessions_per_drift
        return since if user.num_sessions >= self.config.sessions_per_drift else None

    def turn_over(self) -> None:
        """Everything is different from now on: what leads where, what is popular, what each user likes."""
        rng = self._rng
        for item in self.items:
            self._link(item)
        for shelf in (shelf for shelves in self._shelves for shelf in shelves):
            rng.shuffle(shelf.items)
        for user in self._users:
            user.style, user.turned_to = rng.randrange(len(STYLES)), rng.randrange(len(self.categories))
            rng.shuffle(user.interest)

    def events(self, times_ms: Iterable[int]) -> Iterator[Event]:
        """One event for each of the times, which should not decrease."""
        for time_ms in times_ms:
            yield self.event_at(time_ms)

    def event_at(self, time_ms: int) -> Event:
        """The next event, which happens at `time_ms`."""
        config, rng = self.config, self._rng
        self._num_events += 1
        if self._num_events % config.events_per_new_item == 0:
            self._link(self._add_item(rng.randrange(len(self.categories)), popular=True))
        place = rng.randrange(len(self._sessions))
        session = self._sessions[place]
        if session.seen and rng.random() < 1 / config.events_per_session:
            session = self._sessions[place] = self._new_session()
        if session.seen and not session.bought and rng.random() < config.purchase_ratio:
            return self._purchase(session, time_ms)
        if not session.searched and rng.random() < config.search_ratio / (10 if session.seen else 1):
            return self._search(session, time_ms)
        return self._click(session, time_ms)

    def _click(self, session: _Session, time_ms: int) -> Click:
        item = self._next_item(session)
        session.seen.append(item)
        session.bought = session.searched = False
        dwell_s = round(self._rng.lognormvariate(2.0, 0.8), 1)
        return Click(
            session.user.user_id,
            item,
            time_ms,
            event_id=self._event_id(),
            session_id=session.session_id,
            category=self.category_of(item),
            value=dwell_s,
        )

    def _purchase(self, session: _Session, time_ms: int) -> Purchase:
        session.bought = True
        item = session.seen[-1]
        return Purchase(
            session.user.user_id,
            item,
            time_ms,
            event_id=self._event_id(),
            session_id=session.session_id,
            category=self.category_of(item),
            quantity=1,
            price=round(self._rng.lognormvariate(3.5, 0.7), 2),
        )

    def _search(self, session: _Session, time_ms: int) -> Search:
        session.searched = True
        query = self.categories[session.category]
        if self._rng.random() < self.config.styled_query_ratio:
            query = f"{STYLES[session.user.style]} {query}"
        return Search(session.user.user_id, query, time_ms, event_id=self._event_id(), session_id=session.session_id)

    def _next_item(self, session: _Session) -> str:
        config, rng = self.config, self._rng
        if not session.seen or session.searched:
            return self._browse(session)
        choice = rng.random()
        for share, way in (
            (config.follow_share, self._follow),
            (config.browse_share, self._browse),
            (config.related_share, self._relate),
            (config.repeat_share, self._repeat),
        ):
            if choice < share:
                return way(session)
            choice -= share
        return rng.choice(self.items)

    def _follow(self, session: _Session) -> str:
        successors = self._leads_to[session.seen[-1]]
        return successors[min(int(self._rng.expovariate(1.2)), len(successors) - 1)]

    def _browse(self, session: _Session) -> str:
        rng = self._rng
        own = rng.random() < self.config.taste_ratio
        shelves = self._shelves[session.category]
        shelf = shelves[session.user.style if own else rng.randrange(len(STYLES))]
        return (shelf if shelf.items else next(shelf for shelf in shelves if shelf.items)).pick(rng)

    def _relate(self, session: _Session) -> str:
        size = len(DEPARTMENTS[0])
        session.category = _department(session.category) * size + self._rng.randrange(size)
        return self._browse(session)

    def _repeat(self, session: _Session) -> str:
        return self._rng.choice(session.seen)

    def _new_session(self) -> _Session:
        rng = self._rng
        user = self._users[bisect(self._user_weights, rng.random() * self._user_weights[-1])]
        self._drift(user)
        self._num_sessions += 1
        category = rng.choices(range(len(self.categories)), user.interest)[0]
        return _Session(user, f"session-{self._num_sessions}", category)

    def _drift(self, user: _User) -> None:
        user.num_sessions += 1
        if user.num_sessions % self.config.sessions_per_drift == 0:
            user.turned_to = self._rng.randrange(len(self.categories))
        ratio = self.config.drift_ratio
        user.interest = [weight * (1 - ratio) for weight in user.interest]
        user.interest[user.turned_to] += ratio

    def _new_user(self, user_id: str) -> _User:
        rng = self._rng
        weights = [rng.random() ** 12 for _ in self.categories]  # two or three categories stand out
        total = sum(weights)
        turned_to = max(range(len(weights)), key=weights.__getitem__)
        return _User(user_id, rng.randrange(len(STYLES)), [weight / total for weight in weights], turned_to)

    def _add_item(self, category: int, popular: bool = False) -> str:
        department = self._items_of_department[_department(category)]
        shelves = self._shelves[category]
        style = self._rng.randrange(len(STYLES))
        number = 1 + sum(len(shelf.items) for shelf in shelves)
        item = f"{STYLES[style]} {self.categories[category]} {number}"
        rank = 0 if popular else len(shelves[style].items)
        shelves[style].add(item, (rank + 1.0) ** -self.config.skew)
        self._category_of[item] = category
        self.items.append(item)
        department.append(item)
        return item

    def _link(self, item: str) -> None:
        department = self._items_of_department[_department(self._category_of[item])]
        self._leads_to[item] = self._rng.sample(department, min(NUM_LINKS, len(department)))

    def _event_id(self) -> str:
        return f"{self.config.event_id_prefix}{self.config.seed}-{self._num_events}"


def _department(category: int) -> int:
    return category // len(DEPARTMENTS[0])
