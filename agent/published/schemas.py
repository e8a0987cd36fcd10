"""JSON Schema (2020-12) of every message, one file each; events share one."""

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel

from agent.contract.table import JOSE, MESSAGES
from agent.events import Kind
from agent.published.kinds import Schema, data_schema, envelope_schema, kind_schema
from agent.settings.schema import describe, models_within

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def files() -> Mapping[str, Schema]:
    """File name -> schema."""
    documents = {f"{name}.schema.json": {"$schema": DIALECT, **schema} for name, schema in document_schemas()}
    return documents | {"event.schema.json": event_schema()}


def document_schemas() -> Iterator[tuple[str, Schema]]:
    """Name and schema of every message that is JSON, or carries it, and is no event."""
    for message in MESSAGES:
        if message.model is not None:
            yield message.name, described(message.model, closed=message.content_type == JOSE) | {"title": message.name}


def event_schema() -> Schema:
    """Any event: the envelope, and for each kind what its `data` says. Kinds that are not known pass."""
    rules = []
    for kind in Kind:
        rest = kind_schema(kind, {"$ref": f"#/$defs/{kind}"})
        rules.append({"if": {"properties": {"type": rest["properties"].pop("type")}}, "then": rest})
    return {
        "$schema": DIALECT,
        **envelope_schema(),
        "allOf": rules,
        "$defs": {kind.value: data_schema(kind) for kind in Kind},
    }


def described(model: type[BaseModel], *, closed: bool = False) -> Schema:
    """The model's schema with the docstrings below its fields; what is not known is left out, never null.

    Where it is `closed`, unknown fields are refused: in orders and key sets.
    """
    schema: Schema = model.model_json_schema()
    owners = models_within(model)
    for part, owner in [(schema, model), *((part, owners.get(name)) for name, part in schema.get("$defs", {}).items())]:
        part.pop("title", None)
        if part.get("additionalProperties") is False and not closed:
            del part["additionalProperties"]
        properties = part.get("properties", {})
        for name, entry in properties.items():
            properties[name] = _never_null(entry)
        if owner is not None:
            describe(owner, properties)
    return schema


def _never_null(entry: Schema) -> Schema:
    plain = {key: value for key, value in entry.items() if key != "title" and (key, value) != ("default", None)}
    others = [choice for choice in plain.pop("anyOf", ()) if choice != {"type": "null"}]
    return plain | (others[0] if len(others) == 1 else {"anyOf": others} if others else {})
