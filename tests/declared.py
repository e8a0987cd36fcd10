"""Holds events to what config/contract/ publishes of their kind; fixtures ask it of every event."""

import functools
import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it publishes no type information

from agent.events import Event, Kind
from agent.published.kinds import data_schema


def check_event(event: Event) -> None:
    """Raises: AssertionError when the event says what is not declared, or does not say what is."""
    titles = {"title_zh": event.info.title_zh, "title_en": event.info.title_en}
    check_data(event.kind, titles | dict(event.data))


def check_message(topic: str, payload: bytes) -> None:
    """The same for what a gateway has published; topics of other messages pass."""
    levels = topic.split("/")
    if "event" in levels:
        document = json.loads(payload)
        check_data(Kind(levels[-1]), document["data"])


def check_data(kind: Kind, data: Any) -> None:
    wrong = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in _closed(kind).iter_errors(data)]
    assert not wrong, f"{kind}: {'; '.join(wrong)}. Declare it in agent/published/facts.py, then: make contract"


@functools.cache
def _closed(kind: Kind) -> Any:
    return jsonschema.Draft202012Validator(data_schema(kind, closed=True))
