"""Users and items as tables of PostgreSQL with the extension pgvector, and an index for the nearest items."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql

from stream.errors import AwayError, ConfigError
from stream.records.updates import InterestUpdate, ItemVector
from stream.sinks.changes import Changes
from stream.sinks.destination import Written

CONNECT_TIMEOUT_S = 10
IDS_A_PAGE = 10_000
MAX_INDEXED_DIM = 2_000  # of pgvector's HNSW over float32
AWAY_STATES = ("08", "25006", "53", "57", "58")  # connection, read-only replica, resources, shutdown, disk

USER_COLUMNS = (
    *("user_id", "version", "time_ms", "model_step", "interest", "long_term", "drift", "num_events"),
    *("top_items", "uncertainty"),
)
# Vectors without a length: a model of another dimension may come, and its items stand beside the old ones for a while.
TABLES = """
CREATE TABLE IF NOT EXISTS {schema}.users (
    user_id text PRIMARY KEY, version bigint NOT NULL, time_ms bigint NOT NULL, model_step bigint NOT NULL,
    interest vector NOT NULL, long_term vector NOT NULL, drift real NOT NULL, num_events bigint NOT NULL,
    top_items jsonb, uncertainty real
);
CREATE TABLE IF NOT EXISTS {schema}.items (
    item_id text PRIMARY KEY, model_step bigint NOT NULL, vector vector NOT NULL
);
CREATE TABLE IF NOT EXISTS {schema}.progress (is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only), progress jsonb);
"""
HAS_SCHEMA = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
PUT_USER = """
INSERT INTO {schema}.users AS there ({columns}) VALUES ({values})
ON CONFLICT (user_id) DO UPDATE SET {settings} WHERE there.version < excluded.version
"""
PUT_ITEM = """
INSERT INTO {schema}.items (item_id, model_step, vector) VALUES (%s, %s, %s)
ON CONFLICT (item_id) DO UPDATE SET model_step = excluded.model_step, vector = excluded.vector
"""
INDEX = """
CREATE INDEX IF NOT EXISTS {name} ON {schema}.items
USING hnsw ((vector::vector({dim})) vector_ip_ops) WHERE vector_dims(vector) = {dim}
"""


class PgvectorDestination:
    """The tables `users`, `items` and `progress` of a schema; makes what is missing.

    Args:
        url: `postgresql://…`, or `host=… dbname=…`.
        schema: of the tables.
        has_index: make an HNSW index of the items, by inner product.
    """

    def __init__(self, url: str, schema: str, has_index: bool = True) -> None:
        self._url, self._schema_name, self._has_index = url, schema, has_index
        self._schema = sql.Identifier(schema)
        self._db: psycopg.Connection | None = None
        self._indexed: set[int] = set()
        self._put_user = sql.SQL(PUT_USER).format(
            schema=self._schema,
            columns=sql.SQL(", ").join(map(sql.Identifier, USER_COLUMNS)),
            values=sql.SQL(", ").join(sql.Placeholder() * len(USER_COLUMNS)),
            settings=sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in USER_COLUMNS[1:]
            ),
        )

    def open(self) -> str | None:
        """See `Destination`."""
        self.close()
        with self._errors():
            self._db = psycopg.connect(
                self._url, connect_timeout=CONNECT_TIMEOUT_S, application_name="interest-stream sink"
            )
            with self._db.transaction():
                self._db.execute(
                    "SELECT pg_advisory_xact_lock(hashtext('interest-stream sink'))"
                )  # IF NOT EXISTS races
                self._db.execute("CREATE EXTENSION IF NOT EXISTS vector")
                if not self._db.execute(HAS_SCHEMA, [self._schema_name]).fetchone():
                    self._db.execute(self._of_schema("CREATE SCHEMA {schema}"))  # asks for the right even if it exists
                self._db.execute(self._of_schema(TABLES))
            register_vector(self._db)
            row = self._db.execute(self._of_schema("SELECT progress::text FROM {schema}.progress")).fetchone()
            self._db.commit()
            return row[0] if row else None

    def write(self, changes: Changes, before: str | None, after: str) -> Written | None:
        """See `Destination`."""
        updates = [update for update in changes.updates if _can_be_held(update.user_id)]
        items = [item for item in changes.vectors if _can_be_held(item.item_id)]
        with self._transaction() as cursor:
            if not self._replace_progress(cursor, before, after):
                return None
            self._delete(cursor, "users", "user_id", changes.erased)
            self._delete(cursor, "items", "item_id", changes.dropped)
            num_users = self._put(cursor, self._put_user, [_user_row(update) for update in updates])
            num_items = self._put(cursor, self._of_schema(PUT_ITEM), [_item_row(item) for item in items])
        self._make_index({len(item.vector) for item in items})
        num_refused = len(changes.updates) - len(updates) + len(changes.vectors) - len(items)
        return Written(num_users, num_items, len(updates) - num_users, num_refused)

    def user_ids(self) -> Iterator[list[str]]:
        """See `Destination`."""
        return self._ids("users", "user_id")

    def item_ids(self) -> Iterator[list[str]]:
        """See `Destination`."""
        return self._ids("items", "item_id")

    def close(self) -> None:
        """Leave."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _replace_progress(self, cursor: psycopg.Cursor, before: str | None, after: str) -> bool:
        if before is None:
            first = "INSERT INTO {schema}.progress (progress) VALUES (%s) ON CONFLICT DO NOTHING"
            return cursor.execute(self._of_schema(first), [after]).rowcount == 1
        then = "UPDATE {schema}.progress SET progress = %s::jsonb WHERE progress = %s::jsonb"
        return cursor.execute(self._of_schema(then), [after, before]).rowcount == 1

    def _delete(self, cursor: psycopg.Cursor, table: str, column: str, ids: list[str]) -> None:
        if held := [one for one in ids if _can_be_held(one)]:
            command = sql.SQL("DELETE FROM {}.{} WHERE {} = ANY(%s)")
            cursor.execute(command.format(self._schema, sql.Identifier(table), sql.Identifier(column)), [held])

    def _put(self, cursor: psycopg.Cursor, command: sql.Composed, rows: list[tuple[object, ...]]) -> int:
        """The number of rows that changed."""
        if not rows:
            return 0
        cursor.executemany(command, rows)
        return cursor.rowcount

    def _make_index(self, dims: set[int]) -> None:
        for dim in dims - self._indexed:
            if self._has_index and dim <= MAX_INDEXED_DIM:
                name = sql.Identifier(f"items_nearest_{dim}")
                with self._transaction() as cursor:
                    cursor.execute(sql.SQL(INDEX).format(name=name, schema=self._schema, dim=sql.Literal(dim)))
            self._indexed.add(dim)

    def _ids(self, table: str, column: str) -> Iterator[list[str]]:
        page = sql.SQL("SELECT {1} FROM {0}.{2} WHERE {1} > %s ORDER BY {1} LIMIT {3}").format(
            self._schema, sql.Identifier(column), sql.Identifier(table), sql.Literal(IDS_A_PAGE)
        )
        last = ""
        while True:
            with self._transaction() as cursor:
                ids = [one for (one,) in cursor.execute(page, [last])]
            if not ids:
                return
            yield ids
            last = ids[-1]

    def _of_schema(self, command: str) -> sql.Composed:
        return sql.SQL(command).format(schema=self._schema)

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Cursor]:
        with self._errors():
            if self._db is None:
                raise psycopg.OperationalError("not connected")
            with self._db.transaction(), self._db.cursor() as cursor:
                yield cursor

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Whose problem it is."""
        try:
            yield
        except psycopg.Error as error:
            is_cut = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
            where = f"PostgreSQL at {_shown(self._url)}"
            why = str(error).strip().replace("\n", "; ")
            if is_cut or (error.sqlstate or "").startswith(AWAY_STATES):
                raise AwayError(where, why) from error
            raise ConfigError(f"{where} refuses: {why}") from error


def _can_be_held(name: str) -> bool:
    """PostgreSQL's text knows no NUL."""
    return "\x00" not in name


def _user_row(update: InterestUpdate) -> tuple[object, ...]:
    """As `USER_COLUMNS`."""
    held = [pair for pair in update.top_items or () if _can_be_held(pair[0])]
    return (
        update.user_id,
        update.version,
        update.time_ms,
        update.model_step,
        np.asarray(update.interest, np.float32),
        np.asarray(update.long_term, np.float32),
        update.drift,
        update.num_events,
        None if update.top_items is None else msgspec.json.encode(held).decode(),
        update.uncertainty,
    )


def _item_row(item: ItemVector) -> tuple[object, ...]:
    return item.item_id, item.model_step, np.asarray(item.vector, np.float32)


def _shown(url: str) -> str:
    """Without its password."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        return "an address that cannot be read"
    return ", ".join(f"{name}={parts[name]}" for name in ("host", "port", "dbname") if name in parts) or "its default"
