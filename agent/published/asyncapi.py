"""The AsyncAPI 3 document: everything in one file, from the gateway's point of view."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from agent.contract.commands import expiry_s
from agent.contract.messages import VERSION
from agent.contract.samples import Sample
from agent.contract.table import JOSE, MESSAGES, Direction, MessageType
from agent.contract.topics import Suffix
from agent.events import CATALOGUE, Kind
from agent.published.kinds import Schema, data_schema, envelope_schema, kind_schema, sample
from agent.published.schemas import document_schemas

Node: TypeAlias = dict[str, Any]

_PATH: Final = ("city", "county", "street", "community", "gateway")
_PARAMETERS: Final[Mapping[str, str]] = {
    "city": "City (市), 6 digits of GB/T 2260, or a configured code.",
    "county": "County or district (区县), 6 digits of GB/T 2260, or a configured code.",
    "street": "Street or township (街道/乡镇), 9 digits: county and 3 of GB/T 10114, or a configured code.",
    "community": "Community (社区/村), 12 digits: street and 3 of the statistical code, or a configured code.",
    "gateway": "The gateway's permanent, opaque id.",
    "lane": "An ordered stream of its own.",
    "kind": "What happened; see events.md.",
    "device": "Id of a device.",
    "snapshot": "Name of a picture, as snapshot.taken gives it.",
    "request": "Id of the request or order that is answered.",
}
_ABOUT: Final = (
    "What a Gatehouse gateway and the governance centre (综治中心) say to each other over MQTT 5 or 3.1.1. "
    "`send` is what a gateway publishes, `receive` what it subscribes to. Begin with README.md beside this file."
)


def document() -> Node:
    channels, operations = {}, {}
    for message in MESSAGES:
        channels[message.name] = _channel(message.direction, message.address, {message.name: message.name})
        operations[message.name] = _operation(
            message.direction,
            message.name,
            retain=message.retain,
            qos=message.qos,
            summary=message.words.en,
            expiry=None if message.verb is None else expiry_s(message.verb),
        )
    channels["event"] = _channel(Direction.UP, Suffix.EVENT, {kind.value: f"event.{kind}" for kind in Kind})
    operations["event"] = _operation(Direction.UP, "event", retain=False, qos=1, summary="Something happened")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Gatehouse: gateway and centre",
            "version": f"{VERSION}.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"centre": _server()},
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": dict(_messages()),
            "schemas": dict(_schemas()),
            "parameters": {name: {"description": words} for name, words in _PARAMETERS.items()},
            "securitySchemes": {"certificate": {"type": "X509", "description": "Common name: the gateway's path."}},
        },
    }


def _server() -> Node:
    return {
        "host": "broker.example:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5.0",
        "description": "The broker of the city; 3.1.1 is spoken where it knows no 5.",
        "security": [{"$ref": "#/components/securitySchemes/certificate"}],
    }


def _channel(direction: Direction, suffix: str, messages: Mapping[str, str]) -> Node:
    path = "/".join(f"{{{level}}}" for level in _PATH)
    levels = (*_PATH, *_levels(suffix))
    return {
        "address": f"gatehouse/1/{direction}/{path}/{suffix}",
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in levels},
        "messages": {name: {"$ref": f"#/components/messages/{there}"} for name, there in messages.items()},
    }


def _operation(
    direction: Direction, channel: str, *, retain: bool, qos: int, summary: str, expiry: int | None = None
) -> Node:
    expires = {} if expiry is None else {"messageExpiryInterval": expiry}
    return {
        "action": "send" if direction is Direction.UP else "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "bindings": {"mqtt": {"qos": qos, "retain": retain, **expires, "bindingVersion": "0.2.0"}},
    }


def _messages() -> Iterator[tuple[str, Node]]:
    for message in MESSAGES:
        yield message.name, _message(message)
    for kind in Kind:
        info = CATALOGUE[kind]
        yield (
            f"event.{kind}",
            {
                "name": kind.value,
                "title": f"{info.title_en} {info.title_zh}",
                "contentType": "application/cloudevents+json",
                "payload": {"$ref": f"#/components/schemas/event.{kind}"},
                "examples": [_example(sample(kind))],
            },
        )


def _message(message: MessageType) -> Node:
    payload: Schema = {"$ref": f"#/components/schemas/{message.name}"}
    if message.content_type == JOSE:
        payload = {"type": "string", "description": "A compact JWS that carries:", "x-carries": payload}
    elif message.model is None:
        payload = {"type": "string", "contentMediaType": message.content_type}
    return {
        "name": message.name,
        "title": message.words.en,
        "summary": message.words.zh,
        "contentType": message.content_type,
        "payload": payload,
        "examples": [_example(made) for made in message.samples()],
    }


def _example(made: Sample) -> Node:
    return {"summary": made.topic, "payload": made.content()}


def _schemas() -> Iterator[tuple[str, Schema]]:
    for message, schema in document_schemas():
        for name, part in schema.pop("$defs", {}).items():
            yield name, _draft7(part)
        yield message, _draft7(schema)
    yield "event", _draft7(envelope_schema())
    for kind in Kind:
        rest = kind_schema(kind, data_schema(kind))
        yield f"event.{kind}", _draft7({"allOf": [{"$ref": "#/components/schemas/event"}, rest]})


def _draft7(node: Any) -> Any:
    """The same schema for AsyncAPI's own dialect: tuples are `items`, definitions are components."""
    if isinstance(node, list):
        return [_draft7(item) for item in node]
    if not isinstance(node, dict):
        return node
    renamed = {"items" if key == "prefixItems" else key: _draft7(value) for key, value in node.items()}
    if isinstance(there := renamed.get("$ref"), str):
        renamed["$ref"] = there.replace("#/$defs/", "#/components/schemas/")
    return renamed


def _levels(suffix: str) -> tuple[str, ...]:
    return tuple(part[1:-1] for part in suffix.split("/") if part.startswith("{"))
