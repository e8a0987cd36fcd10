"""One document of each sort, made by the code that makes the real ones; `agent.published` adds events."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from agent.contract.health import (
    BoardHealth,
    CameraHealth,
    DeviceHealth,
    DiskHealth,
    HealthMessage,
    JournalHealth,
    LinkHealth,
    QueueHealth,
)
from agent.contract.messages import (
    DeviceMessage,
    Document,
    LaneReceipt,
    LaneStatus,
    Online,
    Outcome,
    PointMessage,
    Presence,
    Receipt,
    Rejected,
    Request,
    RequestReply,
    Span,
    StatusMessage,
    areas_of,
)
from agent.contract.text import rfc3339, uptime
from agent.contract.topics import Suffix, Topics
from agent.events import Kind, Lane
from agent.settings import AreaNames, Gateway, Name
from drivers.base import DeviceState

GATEWAY: Final = Gateway(
    id="gh-demo01",
    city="610200",
    county="610202",
    street="610202001",
    community="610202001001",
    areas=AreaNames(city="铜川市", county="王益区", street="示范街道", community="示范社区"),
    name=Name(zh="示范小区", en="Demonstration compound"),
    grid="610202001001-03",
)
TOPICS: Final = Topics.of(GATEWAY)
BOOT: Final = "0b7b6f1e-2222-4c6e-9f6c-222222222222"
EPOCH: Final = "6f1c2f0e-6c5b-4a51-8a34-111111111111"
AT: Final = datetime(2026, 3, 1, 8, 30, 15, 250_000, tzinfo=UTC)
MONO_S: Final = 3_725.5


@dataclass(frozen=True, slots=True)
class Sample:
    topic: str
    payload: bytes

    def content(self) -> Any:
        """The payload as JSON, or as text where it is none (a JWS)."""
        text = self.payload.decode()
        return json.loads(text) if text.startswith("{") else text


def digest(text: str) -> bytes:
    """Stands for the chain value of an entry; the events that are published as samples carry real ones."""
    return hashlib.sha256(text.encode()).digest()


def up(suffix: Suffix, document: Document, **levels: str) -> Sample:
    return Sample(TOPICS.up(suffix.filled(**levels)), document.payload())


def down(suffix: Suffix, document: Document, **levels: str) -> Sample:
    return Sample(TOPICS.down(suffix.filled(**levels)), document.payload())


def presence() -> Iterator[Sample]:
    for state, stopped in ((Online.ONLINE, False), (Online.OFFLINE, True)):
        yield up(Suffix.PRESENCE, Presence(gateway=GATEWAY.id, state=state, boot=BOOT, stopped=stopped))


def status() -> Iterator[Sample]:
    lanes = {
        lane: LaneStatus(last=last, confirmed=confirmed, oldest=1, digest=digest(lane).hex())
        for lane, last, confirmed in ((Lane.ALARM, 17, 16), (Lane.ACCESS, 204, 204))
    }
    yield up(
        Suffix.STATUS,
        StatusMessage(
            gateway=GATEWAY.id,
            version="0.1.0",
            boot=BOOT,
            epoch=EPOCH,
            uptime=uptime(MONO_S),
            time=rfc3339(AT),
            configuration=digest("configuration").hex(),
            name=GATEWAY.name,
            areas=areas_of(GATEWAY),
            grid=GATEWAY.grid,
            lanes=lanes,
            receipt_counter=41,
        ),
    )


def device() -> Iterator[Sample]:
    yield up(
        Suffix.DEVICE,
        DeviceMessage(
            device="pump-room",
            state=DeviceState.OK,
            boot=BOOT,
            uptime=uptime(MONO_S),
            points={"temperature": PointMessage(value=21.75, unit="°C", uptime=uptime(MONO_S))},
        ),
        device="pump-room",
    )


def health() -> Iterator[Sample]:
    yield up(
        Suffix.HEALTH,
        HealthMessage(
            gateway=GATEWAY.id,
            boot=BOOT,
            uptime=uptime(MONO_S),
            time=rfc3339(AT),
            clock_trusted=True,
            certificate_days=212,
            conditions=(Kind.GATEWAY_HOT,),
            board=BoardHealth(
                temperature_c=81.3, undervoltage=False, throttled=True, throttled_before=True, load_1m=0.42, cores=4,
                memory_total_kib=948_304, memory_available_kib=612_884, agent_memory_kib=51_200,
            ),
            disk=DiskHealth(
                total_kib=30_000_000, free_kib=24_500_000, written_kib=184_320, agent_written_kib=20_480,
                written_per_day_kib=1_048_576, lifetime_written_kib=94_371_840, worn_percent=10,
            ),
            link=LinkHealth(phase="up", protocol="5"),
            journal=JournalHealth(state="ok", refused=0, pending=0, waiting={Lane.ALARM: 1, Lane.ACCESS: 0}),
            queue=QueueHealth(waiting=0, dropped=0),
            devices={
                "reader-north": DeviceHealth(state=DeviceState.OK, for_s=86_400.5),
                "modbus-1": DeviceHealth(state=DeviceState.FAULT, reason="no answer", for_s=40.0, seen_s=41.2),
            },
            cameras={"camera-west": CameraHealth(fps=7.9, wanted_fps=8.0, looked=0.12, missed=0.0)},
        ),
    )  # fmt: skip


def request_reply() -> Iterator[Sample]:
    yield up(
        Suffix.REPLY,
        RequestReply(
            id="r-1",
            gateway=GATEWAY.id,
            epoch=EPOCH,
            outcome=Outcome.ANSWERED,
            lane=Lane.ACCESS,
            first=3,
            last=9,
            gone=(Span(first=3, last=5),),
        ),
        request="r-1",
    )


def receipt() -> Iterator[Sample]:
    rejected = (Rejected(sequence=12, reason="no such kind"),)
    lanes = {
        Lane.ALARM: LaneReceipt(upto=16, digest=digest("alarm/16").hex()),
        Lane.ACCESS: LaneReceipt(upto=204, digest=digest("access/204").hex(), rejected=rejected),
    }
    yield down(Suffix.RECEIPT, Receipt(gateway=GATEWAY.id, epoch=EPOCH, counter=42, lanes=lanes))


def request() -> Iterator[Sample]:
    yield down(Suffix.REQUEST, Request(id="r-1", epoch=EPOCH, lane=Lane.ACCESS, first=3, last=9))
