"""What travels is a valid CloudEvent, and its bytes prove the chain."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.contract import (
    DeviceMessage,
    LaneReceipt,
    Receipt,
    Request,
    Topics,
    batch_payload,
    bodies_of,
    body_of,
    event_body,
    event_payload,
    reading_body,
    split_up,
    tombstone,
    wall_time,
)
from agent.events import CATALOGUE, Event, Kind, Lane
from agent.settings import Gateway, Name
from drivers.base import Card, DeviceId, DeviceState, Keys, PointId, Quality, Reading

GATEWAY = Gateway(
    id="gh-demo01",
    city="610200",
    county="610202",
    street="610202001",
    community="610202001001",
    name=Name(zh="示范", en="Demonstration"),
)
EPOCH = "6f1c2f0e-6c5b-4a51-8a34-111111111111"
BOOT = "0b7b6f1e-2222-4c6e-9f6c-222222222222"
AT = datetime(2025, 3, 1, 8, 30, 15, 250000, tzinfo=UTC)

keys = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
events = st.builds(
    Event,
    kind=st.sampled_from(list(Kind)),
    subject=st.text(max_size=20),
    mono_s=st.floats(min_value=0, max_value=1e9),
    data=st.dictionaries(keys, values, max_size=4),
)
readings = st.builds(
    Reading,
    device=st.just(DeviceId("pump-room")),
    point=st.just(PointId("temperature")),
    value=st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    mono_s=st.floats(min_value=0, max_value=1e9),
    quality=st.sampled_from(list(Quality)),
)


def is_cloud_event(document: Mapping[str, object]) -> None:
    """CloudEvents 1.0, JSON format, section 2 and 3: names, required attributes, types."""
    assert document["specversion"] == "1.0"
    for name, value in document.items():
        assert re.fullmatch(r"[a-z0-9]+", name), name
        if name != "data":
            assert isinstance(value, str), name
            assert value, name
    assert {"id", "source", "type"} <= document.keys()
    if "time" in document:
        assert datetime.fromisoformat(str(document["time"])).utcoffset() == timedelta(0)


@settings(max_examples=100, deadline=None)
@given(event=events, at=st.none() | st.just(AT), grid=st.none() | st.just("03"), sequence=st.integers(1, 2**63 - 1))
def test_every_event_is_a_cloud_event_whose_bytes_hold_its_body(
    event: Event, at: datetime | None, grid: str | None, sequence: int
) -> None:
    body = event_body(event, boot=BOOT, at=at, name=GATEWAY.name, grid=grid)
    assert body.startswith(b'{"type":"gatehouse.')
    digest = hashlib.sha256(body).digest()
    payload = event_payload(GATEWAY.id, EPOCH, event.info.lane, sequence, digest, body)
    document = json.loads(payload)
    is_cloud_event(document)
    assert document["id"] == f"{event.info.lane}/{sequence}"
    assert document["sequence"] == str(sequence)
    assert ("time" in document) == (at is not None)
    assert body_of(payload) == body
    assert hashlib.sha256(body_of(payload)).hexdigest() == document["digest"]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Kind.DOOR_FORCED, "E423"),
        (Kind.DOOR_FORCED_RESTORED, "R423"),
        (Kind.ACCESS_DENIED, "E421"),
        (Kind.ZONE_PERSON, None),
    ],
)
def test_contact_id_has_its_qualifier(kind: Kind, code: str | None) -> None:
    document = json.loads(event_body(Event(kind, "north-gate", 1.0), boot=BOOT, at=None, name=None, grid=None))
    assert document.get("contactid") == code
    assert document["data"]["title_zh"] == CATALOGUE[kind].title_zh


def test_event_data_cannot_replace_the_title() -> None:
    event = Event(Kind.SMOKE, "stairwell-1-smoke", 12.0, {"title_en": "Nothing", "value": True})
    data = json.loads(event_body(event, boot=BOOT, at=None, name=None, grid=None))["data"]
    assert data == {"title_zh": "烟雾报警", "title_en": "Smoke", "value": True}


def test_text_that_is_no_unicode_still_makes_a_message() -> None:
    event = Event(Kind.DEVICE_FAULT, "modbus-1", 1.0, {"reason": "/dev/tty\udcff"})
    assert json.loads(event_body(event, boot=BOOT, at=None, name=None, grid=None))["data"]["reason"] == "/dev/tty?"


@settings(max_examples=50, deadline=None)
@given(batch=st.lists(readings, min_size=1, max_size=5), first=st.integers(1, 2**40))
def test_a_batch_is_one_cloud_event_with_every_reading(batch: list[Reading], first: int) -> None:
    bodies = [reading_body(reading, "°C", boot=BOOT, at=AT) for reading in batch]
    document = json.loads(batch_payload(GATEWAY.id, EPOCH, first, bodies, bytes(32)))
    is_cloud_event(document)
    last = first + len(batch) - 1
    assert (document["id"], document["type"]) == (f"telemetry/{last}", "gatehouse.readings")
    assert (document["data"]["from"], document["data"]["to"]) == (first, last)
    assert [row[0] for row in document["data"]["readings"]] == ["pump-room/temperature"] * len(batch)
    assert document["data"]["readings"] == [json.loads(body) for body in bodies]


def test_a_reading_says_unit_quality_time_and_boot() -> None:
    reading = Reading(DeviceId("pump-room"), PointId("temperature"), 21.5, 3.25)
    body = json.loads(reading_body(reading, "°C", boot=BOOT, at=AT))
    assert body == ["pump-room/temperature", 21.5, "°C", "good", "3.250", "2025-03-01T08:30:15.250Z", "0b7b6f1e"]
    assert json.loads(reading_body(reading, "°C", boot=BOOT, at=None))[5] == ""


@pytest.mark.parametrize("secret", [Card(26, 0x3FFABC), Keys("4711")])
def test_cards_and_keys_are_refused_as_telemetry_without_being_named(secret: Card | Keys) -> None:
    reading = Reading(DeviceId("reader-north"), PointId("card"), secret, 1.0)
    with pytest.raises(TypeError) as caught:
        reading_body(reading, "", boot=BOOT, at=None)
    assert "4711" not in str(caught.value)
    assert str(0x3FFABC) not in str(caught.value)


def test_a_tombstone_declares_its_range() -> None:
    event = tombstone(
        epoch="e", lane=Lane.TELEMETRY, first=5, last=9, count=5, reason="room", digest=b"\1" * 32, mono_s=7.0
    )
    document = json.loads(event_body(event, boot=BOOT, at=None, name=None, grid=None))
    assert document["type"] == "gatehouse.entries.dropped"
    assert {key: document["data"][key] for key in ("lane", "from", "to", "count", "reason", "digest")} == {
        "lane": "telemetry", "from": 5, "to": 9, "count": 5, "reason": "room", "digest": "01" * 32,
    }  # fmt: skip


def test_topics_follow_the_four_levels_and_read_back() -> None:
    topics = Topics.of(GATEWAY)
    base = "gatehouse/1/up/610200/610202/610202001/610202001001/gh-demo01"
    assert topics.presence == f"{base}/presence"
    assert topics.event(Lane.ALARM, Kind.DOOR_FORCED) == f"{base}/event/alarm/door.forced"
    assert topics.receipt == base.replace("/up/", "/down/") + "/receipt"
    assert split_up(topics.device("osdp-1")) == (topics.path, "gh-demo01", "device/osdp-1")
    assert split_up(topics.receipt) is None
    assert split_up("gatehouse/1/up/610200") is None


def test_time_is_reckoned_back_to_the_moment_and_left_out_while_untrusted() -> None:
    class FixedClock:
        def __init__(self, now: datetime | None) -> None:
            self.now = now

        def mono_s(self) -> float:
            return 100.0

        def utc(self) -> datetime | None:
            return self.now

        async def sleep(self, seconds: float) -> None:
            raise AssertionError

        def timeout(self, seconds: float) -> object:
            raise AssertionError

    assert wall_time(FixedClock(AT), 98.0) == AT - timedelta(seconds=2)  # type: ignore[arg-type]  # sleeps never
    assert wall_time(FixedClock(None), 98.0) is None  # type: ignore[arg-type]  # sleeps never


def test_a_receipt_reads_back_and_passes_over_what_a_newer_centre_adds() -> None:
    receipt = Receipt(
        gateway=GATEWAY.id, epoch=EPOCH, counter=4, lanes={Lane.ALARM: LaneReceipt(upto=17, digest="ab" * 32)}
    )
    document = json.loads(receipt.payload())
    assert Receipt.model_validate(document | {"signature": "…"}) == receipt


@pytest.mark.parametrize(
    "lane", [{"upto": -1, "digest": "ab" * 32}, {"upto": 1, "digest": "AB"}, {"upto": 2**63, "digest": "ab" * 32}]
)
def test_an_impossible_receipt_is_refused(lane: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Receipt.model_validate({"gateway": "g", "epoch": "e", "counter": 1, "lanes": {"alarm": lane}})


def test_a_request_names_its_epoch_and_range() -> None:
    wanted = {"id": "r-1", "epoch": "e", "lane": "access", "from": 3, "to": 9}
    request = Request.model_validate_json(json.dumps(wanted))
    assert (request.lane, request.first, request.last) == (Lane.ACCESS, 3, 9)
    assert json.loads(request.payload()) == wanted
    with pytest.raises(ValidationError):
        Request.model_validate(wanted | {"id": "a/b"})


def test_a_device_message_says_its_state() -> None:
    message = DeviceMessage(device="osdp-1", state=DeviceState.FAULT, reason="unplugged", boot=BOOT, uptime="1.000")
    assert json.loads(message.payload())["state"] == "fault"


def test_the_bodies_of_a_batch_come_out_byte_for_byte() -> None:
    bodies = [b'["a/b",1.50,"\xc2\xb0C","good","1.000","","b"]', b'["a/c","],[\\"",null,"bad","2.000","","b"]', b"[]"]
    payload = batch_payload("gh", "e", 5, bodies, bytes(32))
    assert bodies_of(payload) == bodies
    with pytest.raises(ValueError, match="not found"):
        bodies_of(b'{"type":"gatehouse.smoke","data":{}}')
