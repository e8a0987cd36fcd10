"""What a centre makes of its messages: gateways, their books, and what it answers. Pure: time is passed in."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from agent.contract import DeviceMessage, Presence, Receipt, Request, StatusMessage, body_of, split_up
from agent.events import CATALOGUE, Kind, Lane
from simulators.books import LaneBook, Proof

RECEIPT_EVERY_S: Final = 0.05
GRACE_S: Final = 1.0
"""A gap must stand still for so long before the centre asks for what is missing."""
MAX_REQUESTS: Final = 4


@dataclass(frozen=True, slots=True)
class Received:
    """One event, stored for the first time; a batch of readings is one, `readings` counts those that are new.

    `mono_s` is the gateway's uptime when it happened, `arrived_s` the centre's monotonic time: on one machine their
    difference is the latency.
    """

    gateway: str
    epoch: str
    lane: Lane
    sequence: int
    kind: Kind
    subject: str
    data: Mapping[str, Any]
    mono_s: float
    arrived_s: float
    readings: int = 0


@dataclass(slots=True)
class GatewayBook:
    """What the centre knows of one gateway; `epoch` is the one it last heard of."""

    path: str
    epoch: str = ""
    counter: int = 0
    presence: Presence | None = None
    status: StatusMessage | None = None
    devices: dict[str, DeviceMessage] = field(default_factory=dict)
    lanes: dict[tuple[str, Lane], LaneBook] = field(default_factory=dict)
    stuck: dict[tuple[str, Lane], tuple[int, float]] = field(default_factory=dict)
    """For each lane with a gap: where it stands, and since when."""
    receipt_s: float = 0.0
    owes_receipt: bool = False

    def lane(self, epoch: str, lane: Lane) -> LaneBook:
        return self.lanes.setdefault((epoch, lane), LaneBook(epoch, lane))


@dataclass(frozen=True, slots=True)
class Answer:
    topic: str
    payload: bytes
    retain: bool


class Registry:
    """`on_received` is told of each new event, `on_news` of everything else in words; `judge` may reject an event."""

    def __init__(self) -> None:
        self.gateways: dict[str, GatewayBook] = {}
        self._counters: dict[str, int] = {}
        """The highest ever signed for a gateway, also one not heard of yet: retained receipts may come first."""
        self.unreadable = 0
        self.on_received: Callable[[Received], None] = lambda _: None
        self.on_news: Callable[[str], None] = lambda _: None
        self.judge: Callable[[Received], str | None] = lambda _: None

    def proof(self) -> Proof:
        books = [book for gateway in self.gateways.values() for book in gateway.lanes.values()]
        return sum((book.proof() for book in books), Proof())

    def take(self, topic: str, payload: bytes, now: float) -> None:
        """One message of any topic the centre subscribes to."""
        if topic.startswith("gatehouse/1/down/"):
            self._own_receipt(payload)
            return
        place = split_up(topic)
        if place is None:
            return
        path, name, suffix = place
        gateway = self.gateways.setdefault(name, GatewayBook(path, counter=self._counters.get(name, 0)))
        gateway.path = path
        try:
            match suffix.split("/"):
                case ["presence"]:
                    gateway.presence = Presence.model_validate_json(payload)
                    self.on_news(f"{name} is {gateway.presence.state}")
                case ["status"]:
                    self._status(gateway, StatusMessage.model_validate_json(payload))
                case ["device", device]:
                    message = gateway.devices[device] = DeviceMessage.model_validate_json(payload)
                    self.on_news(f"{name} {device}: {message.state} {message.reason}")
                case ["event", lane, _]:
                    self._event(name, gateway, Lane(lane), payload, now)
                case _:
                    pass
        except (ValidationError, ValueError, KeyError, TypeError) as error:
            self.unreadable += 1
            self.on_news(f"{topic}: unreadable: {type(error).__name__}")

    def receipts(self, now: float) -> Iterator[Answer]:
        """Receipts that are due: each gateway gets one at most every 50 ms."""
        for name, gateway in self.gateways.items():
            if not gateway.owes_receipt or now - gateway.receipt_s < RECEIPT_EVERY_S:
                continue
            gateway.owes_receipt = False
            said = {lane: book.receipt() for (epoch, lane), book in gateway.lanes.items() if epoch == gateway.epoch}
            lanes = {lane: receipt for lane, receipt in said.items() if receipt is not None}
            if lanes:
                gateway.receipt_s = now
                gateway.counter += 1
                receipt = Receipt(gateway=name, epoch=gateway.epoch, counter=gateway.counter, lanes=lanes)
                yield Answer(f"gatehouse/1/down/{gateway.path}/receipt", receipt.payload(), retain=True)

    def requests(self, now: float) -> Iterator[Answer]:
        """Ranges that are missing from a lane that has not moved on for a while."""
        for name, gateway in self.gateways.items():
            for (epoch, lane), book in gateway.lanes.items():
                if epoch != gateway.epoch:
                    continue
                missing = list(itertools.islice(book.missing(), MAX_REQUESTS))
                if not missing:
                    gateway.stuck.pop((epoch, lane), None)
                    continue
                upto, since = gateway.stuck.setdefault((epoch, lane), (book.upto, now))
                if upto != book.upto:
                    gateway.stuck[epoch, lane] = (book.upto, now)
                elif now - since >= GRACE_S:
                    gateway.stuck[epoch, lane] = (book.upto, now)
                    for first, last in missing:
                        self.on_news(f"{name} is asked again for {lane}/{first}..{last}")
                        request = Request(lane=lane, first=first, last=last)
                        yield Answer(f"gatehouse/1/down/{gateway.path}/request", request.payload(), retain=False)

    def owe_all(self) -> None:
        """The broker may have forgotten the retained receipts."""
        for gateway in self.gateways.values():
            gateway.owes_receipt = True

    @property
    def owing(self) -> bool:
        return any(gateway.owes_receipt for gateway in self.gateways.values())

    # ------------------------------------------------------------ private

    def _own_receipt(self, payload: bytes) -> None:
        """A retained one of an earlier life: ours must count on from there."""
        try:
            receipt = Receipt.model_validate_json(payload)
        except ValidationError:
            return
        self._counters[receipt.gateway] = max(receipt.counter, self._counters.get(receipt.gateway, 0))
        gateway = self.gateways.get(receipt.gateway)
        if gateway is not None and receipt.counter > gateway.counter:
            gateway.counter = receipt.counter
            gateway.owes_receipt = True

    def _status(self, gateway: GatewayBook, status: StatusMessage) -> None:
        gateway.status = status
        gateway.epoch = status.epoch
        for lane, said in status.lanes.items():
            book = gateway.lane(status.epoch, lane)
            if said.oldest - 1 <= said.confirmed:
                book.begin(said.oldest)
            book.hear_of(said.last)

    def _event(self, name: str, gateway: GatewayBook, lane: Lane, payload: bytes, now: float) -> None:
        document = json.loads(payload)
        house, sender, epoch = document["source"].split("/")
        if house != "gatehouse" or sender != name or document["id"] != f"{lane}/{document['sequence']}":
            raise ValueError("source or id do not fit the topic")
        sequence, digest = int(document["sequence"]), bytes.fromhex(document["digest"])
        data = document["data"]
        book = gateway.lane(epoch, lane)
        gateway.epoch = epoch
        gateway.owes_receipt = True
        if lane is Lane.TELEMETRY:
            news = book.enter(data["from"], sequence, digest, None)
        else:
            news = book.enter(sequence, sequence, digest, body_of(payload))
        if not news:
            return
        kind = str(document["type"]).removeprefix("gatehouse.")
        if kind not in CATALOGUE:
            book.reject(sequence, f"unknown kind {kind}")
            return
        received = Received(
            gateway=name,
            epoch=epoch,
            lane=lane,
            sequence=sequence,
            kind=Kind(kind),
            subject=str(document.get("subject", "")),
            data=data,
            mono_s=float(document.get("uptime", 0.0)),
            arrived_s=now,
            readings=news if lane is Lane.TELEMETRY else 0,
        )
        if received.kind is Kind.ENTRIES_DROPPED:
            dropped = gateway.lane(epoch, Lane(data["lane"]))
            dropped.declare(data["from"], data["to"], bytes.fromhex(data["digest"]))
        if (reason := self.judge(received)) is not None:
            book.reject(sequence, reason)
        self.on_received(received)
