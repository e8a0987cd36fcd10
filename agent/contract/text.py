"""How values stand in JSON: times, seconds, and what JSON itself cannot say."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime

from agent.events import JsonValue


def uptime(mono_s: float) -> str:
    """Seconds since boot as a decimal string with milliseconds."""
    return f"{mono_s:.3f}"


def rfc3339(at: datetime) -> str:
    """UTC with milliseconds and `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dumps(value: JsonValue) -> bytes:
    """Compact UTF-8; what JSON cannot say (NaN, infinity, lone surrogates) is replaced."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode(errors="replace")


def finite(value: JsonValue) -> JsonValue:
    """NaN and infinity become None, however deep they stand."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    return value
