"""The files of config/contract/ that are made from the code."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from agent.contract.table import MESSAGES
from agent.events import Kind
from agent.published import asyncapi, pages, schemas
from agent.published.kinds import sample


def files() -> Mapping[str, str]:
    """Name -> text."""
    made = {f"schemas/{name}": _json(schema) for name, schema in schemas.files().items()}
    return made | {
        "asyncapi.json": _json(asyncapi.document()),
        "examples.json": _json(list(examples())),
        "events.md": pages.events_page(),
        "standards.md": pages.standards_page(),
    }


def examples() -> Iterator[Mapping[str, object]]:
    """Every sort of message once or more, as it travels; `payload` is the text byte for byte."""
    for message in MESSAGES:
        for made in message.samples():
            yield {
                "schema": f"{message.name}.schema.json",
                "topic": made.topic,
                "qos": message.qos,
                "retain": message.retain,
                "payload": made.payload.decode(),
            }
    for kind in Kind:
        made = sample(kind)
        yield {
            "schema": "event.schema.json",
            "topic": made.topic,
            "qos": 1,
            "retain": False,
            "payload": made.payload.decode(),
        }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
