"""Every message between a gateway and its centre: topics, payloads, and the models that read them back.

Pure functions and frozen models; nothing here does I/O. Entries of the journal are stored as bodies and wrapped
for sending, so that what is hashed never changes:

    body      {"type":"gatehouse.door.forced","subject":"north-gate", … ,"data":{ … }}
    payload   {"specversion":"1.0","id":"alarm/17","source":"gatehouse/<gateway>/<epoch>",
               "sequence":"17","digest":"<hex>", + the body without its first brace

A consumer recomputes the chain from the payload's bytes from `"type":` on, with `{` put before them. A telemetry
entry is one compact array (`reading_body`); many contiguous ones travel in one CloudEvent whose `sequence` and
`digest` are those of the last.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field

from agent.events import RESTORES, Event, JsonValue, Kind, Lane
from agent.settings import Gateway, Name
from drivers.base import Card, Clock, DeviceState, Keys, Quality, Reading

MAX_MESSAGE_BYTES: Final = 128 * 1024
"""A document is never larger; bigger things are chunked."""
MAX_BATCH_BYTES: Final = 64 * 1024
MAX_BATCH_READINGS: Final = 1000

_TYPE: Final = b'"type":'
_READINGS: Final = b'"readings":['
_DECODER: Final = json.JSONDecoder()
_BOOT_CHARS: Final = 8
"""A reading quotes so much of its boot id: enough to tell the boots of one gateway apart."""


# ---------------------------------------------------------------- topics


@dataclass(frozen=True, slots=True)
class Topics:
    """Where one gateway speaks and listens."""

    path: str
    """`city/county/street/community/gateway`, also the common name of its certificate."""

    @classmethod
    def of(cls, gateway: Gateway) -> Self:
        return cls(f"{gateway.city}/{gateway.county}/{gateway.street}/{gateway.community}/{gateway.id}")

    def up(self, suffix: str) -> str:
        return f"gatehouse/1/up/{self.path}/{suffix}"

    def down(self, suffix: str) -> str:
        return f"gatehouse/1/down/{self.path}/{suffix}"

    @property
    def presence(self) -> str:
        return self.up("presence")

    @property
    def status(self) -> str:
        return self.up("status")

    def event(self, lane: Lane, kind: str) -> str:
        return self.up(f"event/{lane}/{kind}")

    def device(self, device: str) -> str:
        return self.up(f"device/{device}")

    def reply(self, request_id: str) -> str:
        return self.up(f"reply/{request_id}")

    @property
    def receipt(self) -> str:
        return self.down("receipt")

    @property
    def request(self) -> str:
        return self.down("request")


def split_up(topic: str) -> tuple[str, str, str] | None:
    """`(path, gateway, suffix)` of a topic a gateway publishes on; None for any other topic."""
    parts = topic.split("/")
    if len(parts) < 9 or parts[:3] != ["gatehouse", "1", "up"]:
        return None
    return "/".join(parts[3:8]), parts[7], "/".join(parts[8:])


# ---------------------------------------------------------------- bodies: what the journal stores


def wall_time(clock: Clock, mono_s: float) -> datetime | None:
    """The UTC of a moment of this boot, or None while the wall clock is not trusted."""
    now = clock.utc()
    return None if now is None else now - timedelta(seconds=clock.mono_s() - mono_s)


def event_body(event: Event, *, boot: str, at: datetime | None, name: Name | None, grid: str | None) -> bytes:
    """The stored form of an event; `time`, `grid` and `contactid` are left out where there is none."""
    info = event.info
    attributes: dict[str, JsonValue] = {"type": f"gatehouse.{event.kind}", "subject": event.subject or "gateway"}
    if at is not None:
        attributes["time"] = rfc3339(at)
    attributes |= {"boot": boot, "uptime": _seconds(event.mono_s), "severity": info.severity.value}
    if grid:
        attributes["grid"] = grid
    if info.contact_id is not None:
        attributes["contactid"] = f"{'R' if event.kind in RESTORES else 'E'}{info.contact_id}"
    data: dict[str, JsonValue] = {"title_zh": info.title_zh, "title_en": info.title_en}
    if name is not None:
        data["name"] = {"zh": name.zh, "en": name.en}
    data |= {key: value for key, value in event.data.items() if key not in data}
    attributes |= {"datacontenttype": "application/json", "data": data}
    return _dumps(attributes)


def reading_body(reading: Reading, unit: str, *, boot: str, at: datetime | None) -> bytes:
    """`["device/point", value, "unit", "quality", "uptime", "time or empty", "boot, 8 characters"]`.

    A number that is none (NaN, infinite) becomes null. Raises: TypeError for cards and keys, which are no telemetry.
    """
    if isinstance(reading.value, Card | Keys):
        raise TypeError(f"{reading.ref}: cards and keys are never telemetry")
    time = "" if at is None else rfc3339(at)
    quality: str = reading.quality.value
    return _dumps([reading.ref, reading.value, unit, quality, _seconds(reading.mono_s), time, boot[:_BOOT_CHARS]])


def tombstone(
    *, epoch: str, lane: Lane, first: int, last: int, count: int, reason: str, digest: bytes, mono_s: float
) -> Event:
    """Declares that `first..last` of `lane` are gone; `digest` is the chain value at `last`.

    It names its epoch: entered again in a later one, it still speaks of the numbers of its own.
    """
    data = {"epoch": epoch, "lane": lane.value, "from": first, "to": last, "count": count, "reason": reason}
    return Event(Kind.ENTRIES_DROPPED, lane.value, mono_s, data | {"digest": digest.hex()})


def clock_offset(*, began: datetime, mono_s: float, step_s: float | None) -> Event:
    """Says when the uptime of this boot was zero, so that what was recorded without a time finds its place.

    `step_s` is by how much the clock was set since it was last said; None the first time.
    """
    data: dict[str, JsonValue] = {"began": rfc3339(began)}
    if step_s is not None:
        data["step_s"] = round(step_s, 3)
    return Event(Kind.CLOCK_OFFSET, "clock", mono_s, data)


# ---------------------------------------------------------------- payloads: what travels up


def event_payload(gateway: str, epoch: str, lane: Lane, sequence: int, digest: bytes, body: bytes) -> bytes:
    """The CloudEvent of one entry (structured mode, JSON)."""
    head = (
        f'{{"specversion":"1.0","id":"{lane}/{sequence}","source":"gatehouse/{gateway}/{epoch}",'
        f'"sequence":"{sequence}","digest":"{digest.hex()}",'
    )
    return head.encode() + body[1:]


def batch_payload(gateway: str, epoch: str, first: int, bodies: Sequence[bytes], digest: bytes) -> bytes:
    """The CloudEvent of the contiguous telemetry entries from `first` on; `digest` is the chain value at the last."""
    last = first + len(bodies) - 1
    body = b'{"type":"gatehouse.%s","subject":"%s","datacontenttype":"application/json","data":{"from":%d,"to":%d,' % (
        Kind.READINGS.encode(),
        gateway.encode(),
        first,
        last,
    )
    return event_payload(
        gateway, epoch, Lane.TELEMETRY, last, digest, b'%s"readings":[%s]}}' % (body, b",".join(bodies))
    )


def body_of(payload: bytes) -> bytes:
    """The body inside a CloudEvent of ours, byte for byte. Raises: ValueError when there is none."""
    return b"{" + payload[payload.index(_TYPE) :]


def bodies_of(payload: bytes) -> list[bytes]:
    """The bodies inside a batch of ours, byte for byte. Raises: ValueError when it is none."""
    text = payload[payload.index(_READINGS) + len(_READINGS) :].decode()
    found, place = [], 0
    while text[place] == "[":
        _, end = _DECODER.raw_decode(text, place)
        found.append(text[place:end].encode())
        place = end + (text[end] == ",")
    return found


# ---------------------------------------------------------------- models


class _Message(BaseModel):
    """Immutable; unknown fields of a newer peer are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    def payload(self) -> bytes:
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


Sequence0 = Annotated[int, Field(ge=0, lt=2**63)]
Sequence1 = Annotated[int, Field(ge=1, lt=2**63)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Rejected(_Message):
    """An entry the centre cannot use; it is released, kept locally and reported."""

    sequence: Sequence1
    reason: Annotated[str, Field(max_length=500)]


class LaneReceipt(_Message):
    """The centre has stored, or been told the loss of, everything up to `upto`; `digest` is the chain value there."""

    upto: Sequence0
    digest: Digest
    rejected: tuple[Rejected, ...] = ()


class Receipt(_Message):
    """The centre's word, for one gateway and epoch; `counter` rises with each.

    A centre that has lost its count goes on from `receipt_counter` of the gateway's status.
    """

    gateway: str
    epoch: str
    counter: Sequence0
    lanes: Mapping[Lane, LaneReceipt] = {}


RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]
"""A level of a topic; the centre's own."""


class Request(_Message):
    """The centre asks for entries of an epoch again; `id` names the reply. It may ask as often as it likes."""

    id: RequestId
    epoch: str
    lane: Lane
    first: Annotated[Sequence1, Field(alias="from")]
    last: Annotated[Sequence1, Field(alias="to")]


class Span(_Message):
    first: Annotated[Sequence1, Field(alias="from")]
    last: Annotated[Sequence1, Field(alias="to")]


class Outcome(StrEnum):
    ANSWERED = "answered"  # what is kept is on its way again, what is gone is named
    UNKNOWN_EPOCH = "unknown_epoch"  # nothing of that epoch is kept; `epoch` of the reply is the one that runs


class RequestReply(_Message):
    """Answers a request, at `reply/{id}`, for `from..to`; a centre that asked for more asks again from there.

    `gone` will never come again: it was confirmed and released long ago, or declared dropped.
    """

    id: RequestId
    gateway: str
    epoch: str
    outcome: Outcome
    lane: Lane
    first: Annotated[Sequence1, Field(alias="from")]
    last: Annotated[Sequence1, Field(alias="to")]
    gone: tuple[Span, ...] = ()


class Online(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"


class Presence(_Message):
    """Retained; the broker publishes the offline one when the link dies (LWT), the gateway when it stops."""

    gateway: str
    state: Online
    boot: str
    stopped: bool = False
    """Offline because it was stopped, not because it was lost."""


class LaneStatus(_Message):
    last: Sequence0
    confirmed: Sequence0
    oldest: Sequence0
    digest: Digest


class StatusMessage(_Message):
    """Retained; sent after each connect and with every heartbeat."""

    gateway: str
    version: str
    boot: str
    epoch: str
    uptime: str
    time: str | None = None
    configuration: str
    """SHA-256 in hex of the settings in force, written as JSON without comments."""
    name: Name
    grid: str | None = None
    lanes: Mapping[Lane, LaneStatus]
    receipt_counter: Sequence0 = 0
    """The highest that was taken from a receipt since the agent started or the epoch began; a lower one is stale."""


class PointMessage(_Message):
    value: bool | int | float | str | None
    unit: str = ""
    quality: Quality = Quality.GOOD
    uptime: str


class DeviceMessage(_Message):
    """Retained; the state of one device and of its points."""

    device: str
    state: DeviceState
    reason: str = ""
    hint: str = ""
    boot: str
    uptime: str
    points: Mapping[str, PointMessage] = {}


def uptime(mono_s: float) -> str:
    """Seconds since boot as a decimal string with milliseconds."""
    return _seconds(mono_s)


# ---------------------------------------------------------------- JSON


def _seconds(mono_s: float) -> str:
    return f"{mono_s:.3f}"


def rfc3339(at: datetime) -> str:
    """UTC with milliseconds and `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _dumps(value: JsonValue) -> bytes:
    """Compact UTF-8; what JSON cannot say (NaN, infinity, lone surrogates) is replaced."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode(errors="replace")


def _finite(value: JsonValue) -> JsonValue:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return value
