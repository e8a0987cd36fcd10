"""JSON Schema and a sample of every event kind, from the catalogue and the table of facts."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, TypeAlias, assert_never

from agent.contract import batch_payload, event_body, event_payload, reading_body, samples
from agent.contract.samples import Sample
from agent.events import CATALOGUE, RESTORES, Event, Kind, Lane, Severity
from agent.journal.chain import first_digest, next_digest
from agent.published.facts import SAYS, SNAPSHOT, Fact, Shape, some
from agent.settings import Name
from drivers.base import DeviceId, PointId, Quality, Reading

Schema: TypeAlias = dict[str, Any]

_UUID: Final = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_DIGEST: Final = "^[0-9a-f]{64}$"
_SECONDS: Final = r"^[0-9]+\.[0-9]{3}$"
_NAME: Final[Schema] = {
    "type": "object",
    "description": "What people call the thing.",
    "properties": {"zh": {"type": "string"}, "en": {"type": "string"}},
    "required": ["zh", "en"],
}
_READING: Final[Schema] = {
    "type": "array",
    "description": '"device/point", value, unit, quality, uptime in seconds, time or "", boot (8 characters).',
    "prefixItems": [
        {"type": "string"},
        {"type": ["boolean", "number", "string", "null"]},
        {"type": "string"},
        {"type": "string", "enum": [quality.value for quality in Quality]},
        {"type": "string", "pattern": _SECONDS},
        {"type": "string"},
        {"type": "string"},
    ],
    "minItems": 7,
}


def says(kind: Kind) -> tuple[Fact, ...]:
    """An alarm may name the picture that belongs to it, besides what its kind says."""
    pictured = CATALOGUE[kind].lane is Lane.ALARM and kind not in RESTORES
    return (*SAYS.get(kind, ()), *((some(SNAPSHOT),) if pictured else ()))


def data_schema(kind: Kind, *, closed: bool = False) -> Schema:
    """Of an event's `data`. `closed` refuses whatever is not declared: for our own tests, never for consumers."""
    if kind is Kind.READINGS:
        return _readings(closed=closed)
    info = CATALOGUE[kind]
    properties: Schema = {
        "title_zh": {"type": "string", "description": info.title_zh},
        "title_en": {"type": "string", "description": info.title_en},
        "name": _NAME,
    }
    properties |= {fact.name: _fact(fact, closed=closed) for fact in says(kind)}
    needed = ["title_zh", "title_en", *(fact.name for fact in says(kind) if fact.always)]
    schema: Schema = {"type": "object", "title": info.title_en, "properties": properties, "required": needed}
    return schema | ({"additionalProperties": False} if closed else {})


def envelope_schema() -> Schema:
    """What all events share: CloudEvents 1.0 in structured mode, with the attributes of ours."""
    return {
        "type": "object",
        "title": "Event",
        "description": "A CloudEvent. Its identity is gateway, epoch, lane and sequence; its order is the sequence.",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "pattern": "^[a-z]+/[1-9][0-9]*$", "description": "lane/sequence"},
            "source": {
                "type": "string",
                "pattern": "^gatehouse/[^/]+/[^/]+$",
                "description": "gatehouse/gateway/epoch",
            },
            "sequence": {
                "type": "string",
                "pattern": "^[1-9][0-9]*$",
                "description": "Gapless in its lane and epoch; 64 bits, so a decimal string.",
            },
            "digest": {
                "type": "string",
                "pattern": _DIGEST,
                "description": "The lane's hash chain here: SHA-256 of the digest before and this entry's body.",
            },
            "type": {"type": "string", "pattern": r"^gatehouse\.", "description": "gatehouse.KIND"},
            "subject": {"type": "string", "description": "The door, sensor, device or zone it is about."},
            "time": {
                "type": "string",
                "format": "date-time",
                "description": "Left out while the clock is not trusted: see clock.offset.",
            },
            "boot": {"type": "string", "pattern": _UUID, "description": "The gateway's boot; left out of batches."},
            "uptime": {
                "type": "string",
                "pattern": _SECONDS,
                "description": "Seconds since boot; left out of batches.",
            },
            "severity": {"enum": [severity.value for severity in Severity]},
            "grid": {"type": "string", "description": "Grid cell (网格) whose worker is sent."},
            "contactid": {
                "type": "string",
                "pattern": "^[ER][0-9]{3}$",
                "description": "Code of SIA DC-05, with E for an event and R for its restore.",
            },
            "datacontenttype": {"const": "application/json"},
            "data": {"type": "object"},
        },
        "required": ["specversion", "id", "source", "sequence", "digest", "type", "subject", "datacontenttype", "data"],
    }


def kind_schema(kind: Kind, data: Schema) -> Schema:
    """What an event of one kind has beyond the envelope; `data` is its schema or a reference to it."""
    info = CATALOGUE[kind]
    properties: Schema = {"type": {"const": f"gatehouse.{kind}"}, "data": data}
    required = ["type", "data"]
    if kind is not Kind.READINGS:
        properties["severity"] = {"const": info.severity.value}
        required += ["severity", "boot", "uptime"]
    if (code := contact_id(kind)) is not None:
        properties["contactid"] = {"const": code}
        required.append("contactid")
    return {"type": "object", "properties": properties, "required": required}


def contact_id(kind: Kind) -> str | None:
    code = CATALOGUE[kind].contact_id
    return None if code is None else f"{'R' if kind in RESTORES else 'E'}{code}"


def sample(kind: Kind) -> Sample:
    """An event of the kind that says all it can, as the first entry of its lane, with the digest that belongs there."""
    lane = CATALOGUE[kind].lane
    topic = samples.TOPICS.event(lane, kind)
    digest = first_digest(samples.EPOCH, lane)
    if kind is Kind.READINGS:
        bodies = [_reading(value, ago_s) for value, ago_s in ((21.5, 10.0), (21.75, 0.0))]
        for body in bodies:
            digest = next_digest(digest, body)
        return Sample(topic, batch_payload(samples.GATEWAY.id, samples.EPOCH, 1, bodies, digest))
    data = {fact.name: fact.example for fact in says(kind)}
    subject, name = _about(kind)
    happened = Event(kind, subject, samples.MONO_S, data)
    body = event_body(happened, boot=samples.BOOT, at=samples.AT, name=name, grid=samples.GATEWAY.grid)
    payload = event_payload(samples.GATEWAY.id, samples.EPOCH, lane, 1, next_digest(digest, body), body)
    return Sample(topic, payload)


def _about(kind: Kind) -> tuple[str, Name | None]:
    """A subject such as the kind has, and its name."""
    match kind.split(".")[0]:
        case "zone":
            return "camera-west/lawn", Name(zh="西侧草坪", en="West lawn")
        case "line":
            return "camera-west/gate-line", Name(zh="西门门线", en="Line of the west gate")
        case "camera":
            return "camera-west", Name(zh="西侧摄像机", en="West camera")
        case "smoke" | "fire" | "water" | "temperature" | "perimeter" | "tamper" | "power":
            return "pump-room-sensor", Name(zh="泵房探测器", en="Pump room detector")
        case "door" | "reader" | "duress" | "access" | "order" | "rule":
            return "north-gate", Name(zh="北门", en="North gate")
        case "device":
            return "modbus-1", None
        case "entries":
            return Lane.ACCESS, None
        case "epoch":
            return "journal", None
        case "receipt":
            return "uplink", None
        case "agent" | "gateway" | "disk" | "memory":
            return "gateway", None
        case other:  # journal, uplink, clock, credentials, audit: named as their subjects
            return other, None


def _reading(value: float, ago_s: float) -> bytes:
    reading = Reading(DeviceId("pump-room"), PointId("temperature"), value, samples.MONO_S - ago_s)
    return reading_body(reading, "°C", boot=samples.BOOT, at=samples.AT - timedelta(seconds=ago_s))


def _fact(fact: Fact, *, closed: bool) -> Schema:
    schema = _shape(fact.shape)
    if closed:
        return schema | ({"enum": list(fact.known)} if fact.known else {})
    known = f" One of: {', '.join(fact.known)}; later versions may add others." if fact.known else ""
    return schema | {"description": f"{fact.words.en} ({fact.words.zh}).{known}"}


def _shape(shape: Shape) -> Schema:
    match shape:
        case Shape.TEXT | Shape.WHOLE | Shape.NUMBER | Shape.TRUTH:
            return {"type": shape.value}
        case Shape.VALUE:
            return {"type": ["boolean", "number", "null"]}
        case Shape.DIGEST:
            return {"type": "string", "pattern": _DIGEST}
        case Shape.TIME:
            return {"type": "string", "format": "date-time"}
        case Shape.TAILS:
            whole: Mapping[str, str] = {"type": "integer"}
            names = ("last", "confirmed", "entered")
            properties = dict.fromkeys(names, whole) | {"centre": {"type": ["integer", "null"]}}
            return {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": properties, "required": list(properties)},
            }
        case _:
            assert_never(shape)


def _readings(*, closed: bool) -> Schema:
    whole = {"type": "integer", "minimum": 1}
    schema: Schema = {
        "type": "object",
        "title": CATALOGUE[Kind.READINGS].title_en,
        "description": "Contiguous telemetry entries; sequence and digest of the event are those of the last.",
        "properties": {"from": whole, "to": whole, "readings": {"type": "array", "items": _READING, "minItems": 1}},
        "required": ["from", "to", "readings"],
    }
    return schema | ({"additionalProperties": False} if closed else {})
