"""Recommendations for users from what `interest-stream sink redis` keeps: the items nearest to a user's interest.

python examples/serve_from_redis.py ann bob
"""

import argparse
import json

import numpy as np
import redis


class Items:
    """All item vectors in memory, read once: 100,000 of 64 numbers are 26 MB."""

    def __init__(self, store: redis.Redis, prefix: str) -> None:
        keys = list(store.scan_iter(f"{prefix}item:*", count=1_000))
        pipeline = store.pipeline(transaction=False)
        for key in keys:
            pipeline.hget(key, "vector")
        vectors = {key: value for key, value in zip(keys, pipeline.execute(), strict=True) if value}
        self.ids = [key.decode().removeprefix(f"{prefix}item:") for key in vectors]
        self.vectors = np.array([np.frombuffer(value, "<f4") for value in vectors.values()])

    def nearest(self, interest: np.ndarray, count: int) -> list[tuple[str, float]]:
        """The dot product of two vectors of length 1 is the cosine that the model ranks by."""
        scores = self.vectors @ interest
        best = np.argsort(-scores)[:count]
        return [(self.ids[row], round(float(scores[row]), 4)) for row in best]


def main() -> None:
    """One JSON line for each user; a user nobody knows has no items."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("users", nargs="+", metavar="USER")
    parser.add_argument("--url", default="redis://localhost:6379/0")
    parser.add_argument("--prefix", default="interest:")
    parser.add_argument("--count", type=int, default=10)
    said = parser.parse_args()

    with redis.Redis.from_url(said.url) as store:
        items = Items(store, said.prefix)
        for user in said.users:
            interest = store.hget(f"{said.prefix}user:{user}", "interest")
            found = items.nearest(np.frombuffer(interest, "<f4"), said.count) if interest else []
            print(json.dumps({"user": user, "items": found}))


if __name__ == "__main__":
    main()
