"""Avro and Protobuf records whose schemas are in a schema registry, as JSON. Knows no format of events and no Kafka.

A record names its schema in front (Confluent's wire format); a schema is asked for once.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import msgspec
from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError, dual_schema_id_deserializer
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.common._httpx_compat import httpx  # whichever of the two the client uses
from confluent_kafka.schema_registry.serde import SchemaId
from confluent_kafka.serialization import SerializationError
from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from stream.errors import AwayError, ConfigError, EventError
from stream.foreign.protos import message_type

RegistryEncoding = Literal["avro", "protobuf"]
NOT_FOUND = 404
ANSWERS_WITHIN_S = 10  # whoever asks tries again, and says meanwhile that it waits
# What the libraries let out for bytes that are not what their schema says.
DAMAGE = (
    *(DecodeError, SerializeToJsonError, EOFError, ValueError, IndexError, KeyError, TypeError, OverflowError),
    *(RecursionError, struct.error),
)


class RegistryDecoder:
    """From a record's bytes to JSON. A context manager.

    Args:
        url: of the registry, as `http://user:password@host:8081`; Apicurio's ends with `/apis/ccompat/v7`.
        encoding: of the records.

    Raises:
        ConfigError: no registry answers there.
    """

    def __init__(self, url: str, encoding: RegistryEncoding) -> None:
        self._where = f"the schema registry at {_without_user(url)}"
        self._encoding = encoding
        try:
            self._registry = SchemaRegistryClient({"url": url, "timeout": ANSWERS_WITHIN_S, "max.retries": 0})
            with self._errors():
                self._registry.get_subjects()
        except (ValueError, EventError, AwayError) as error:
            raise ConfigError(f"{self._where}: {error}; say where it is with --schema-registry") from error
        self._avro: Callable[[bytes], Any] = AvroDeserializer(self._registry)
        self._message_classes: dict[tuple[object, ...], type[Message]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._registry.__exit__()

    def to_json(self, value: bytes) -> bytes:
        """The record as a JSON object. Times become ISO 8601, bytes base64.

        Raises:
            EventError: it is not what its schema says, or the registry does not know its schema.
            AwayError: the registry does not answer, and its schema is new to us.
        """
        with self._errors():
            whole = self._from_avro(value) if self._encoding == "avro" else self._from_protobuf(value)
        return msgspec.json.encode(whole)

    def _from_avro(self, value: bytes) -> Any:
        try:
            return self._avro(value)
        except DAMAGE as error:
            raise EventError("not_avro", f"expected what its schema says, got {error!r}") from None

    def _from_protobuf(self, value: bytes) -> Any:
        try:
            schema_id = SchemaId("PROTOBUF")
            body = dual_schema_id_deserializer(value, None, schema_id)
            message = self._message_class(schema_id)()
            message.ParseFromString(body.read())
            return MessageToDict(message, preserving_proto_field_name=True)
        except DAMAGE as error:
            raise EventError("not_protobuf", f"expected what its schema says, got {error!r}") from None

    def _message_class(self, schema_id: SchemaId) -> type[Message]:
        path = tuple(schema_id.message_indexes or [0])
        key = (schema_id.id, schema_id.guid, path)
        if key not in self._message_classes:
            schema = (
                self._registry.get_schema(schema_id.id)
                if schema_id.id is not None
                else self._registry.get_schema_by_guid(str(schema_id.guid))
            )
            files = {"schema.proto": _text_or_serialized(schema.schema_str or "")}
            for name, text in self._references(schema):
                files[name] = _text_or_serialized(text)
            self._message_classes[key] = GetMessageClass(message_type(files, "schema.proto", path))
        return self._message_classes[key]

    def _references(self, schema: Any) -> Iterator[tuple[str, str]]:
        """The files that a schema imports, and those that they import."""
        for reference in schema.references or ():
            found = self._registry.get_version(reference.subject, reference.version).schema
            yield reference.name, found.schema_str or ""
            yield from self._references(found)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SerializationError as error:
            raise EventError(f"not_{self._encoding}", str(error)) from None
        except SchemaRegistryError as error:
            if error.http_status_code == NOT_FOUND:
                raise EventError("no_schema", str(error)) from None
            raise AwayError(self._where, str(error)) from error
        except httpx.HTTPError as error:
            raise AwayError(self._where, str(error)) from error


def _text_or_serialized(schema: str) -> str | bytes:
    """Some clients register a file's descriptor in base64 instead of its text, and some registries hand it out so."""
    try:
        return base64.b64decode(schema, validate=True)
    except binascii.Error:
        return schema


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
