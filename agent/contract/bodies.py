"""What the journal stores of an event or a reading, and the two events that the contract itself defines."""

from datetime import datetime, timedelta
from typing import Final

from agent.contract.text import dumps, rfc3339, uptime
from agent.events import RESTORES, Event, JsonValue, Kind, Lane
from agent.settings import Name
from drivers.base import Card, Clock, Keys, Reading

_BOOT_CHARS: Final = 8
"""A reading quotes so much of its boot id: enough to tell the boots of one gateway apart."""


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
    attributes |= {"boot": boot, "uptime": uptime(event.mono_s), "severity": info.severity.value}
    if grid:
        attributes["grid"] = grid
    if info.contact_id is not None:
        attributes["contactid"] = f"{'R' if event.kind in RESTORES else 'E'}{info.contact_id}"
    data: dict[str, JsonValue] = {"title_zh": info.title_zh, "title_en": info.title_en}
    if name is not None:
        data["name"] = {"zh": name.zh, "en": name.en}
    data |= {key: value for key, value in event.data.items() if key not in data}
    attributes |= {"datacontenttype": "application/json", "data": data}
    return dumps(attributes)


def reading_body(reading: Reading, unit: str, *, boot: str, at: datetime | None) -> bytes:
    """`["device/point", value, "unit", "quality", "uptime", "time or empty", "boot, 8 characters"]`.

    A number that is none (NaN, infinite) becomes null. Raises: TypeError for cards and keys, which are no telemetry.
    """
    if isinstance(reading.value, Card | Keys):
        raise TypeError(f"{reading.ref}: cards and keys are never telemetry")
    time = "" if at is None else rfc3339(at)
    quality: str = reading.quality.value
    return dumps([reading.ref, reading.value, unit, quality, uptime(reading.mono_s), time, boot[:_BOOT_CHARS]])


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
