"""Recommendations for users from what `interest-stream sink pgvector` keeps: the items nearest to a user's interest.

python examples/serve_from_pgvector.py ann bob --url postgresql://localhost/postgres
"""

import argparse
import json

import psycopg
from psycopg import sql

# The cast to a length and the condition on it are those of the index, which is used because of them.
NEAREST = """
SELECT item_id, round(-(vector::vector({dim}) <#> (SELECT interest FROM {schema}.users WHERE user_id = %s))::numeric, 4)
FROM {schema}.items WHERE vector_dims(vector) = {dim}
ORDER BY vector::vector({dim}) <#> (SELECT interest FROM {schema}.users WHERE user_id = %s) LIMIT %s
"""
DIM = "SELECT vector_dims(interest) FROM {schema}.users WHERE user_id = %s"


def nearest(db: psycopg.Connection, schema: str, user: str, count: int) -> list[tuple[str, float]]:
    """The items with the largest inner product, largest first; `<#>` is its negative. Empty for an unknown user."""
    names = {"schema": sql.Identifier(schema)}
    known = db.execute(sql.SQL(DIM).format(**names), [user]).fetchone()
    if known is None:
        return []
    query = sql.SQL(NEAREST).format(dim=sql.Literal(known[0]), **names)
    return [(item, float(score)) for item, score in db.execute(query, [user, user, count])]


def main() -> None:
    """One JSON line for each user; a user nobody knows has no items."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("users", nargs="+", metavar="USER")
    parser.add_argument("--url", default="postgresql://localhost/postgres")
    parser.add_argument("--schema", default="interest")
    parser.add_argument("--count", type=int, default=10)
    said = parser.parse_args()

    with psycopg.connect(said.url, autocommit=True) as db:
        for user in said.users:
            print(json.dumps({"user": user, "items": nearest(db, said.schema, user, said.count)}))


if __name__ == "__main__":
    main()
