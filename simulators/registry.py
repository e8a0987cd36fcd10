"""What a centre makes of its messages: gateways, their books, and what it answers. Pure: time is passed in."""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from agent.commands.signing import order
from agent.contract import (
    DeviceMessage,
    Presence,
    Receipt,
    Request,
    RequestReply,
    StatusMessage,
    bodies_of,
    body_of,
    split_up,
)
from agent.contract.commands import CommandReply, Handled, Verb, Verdict, expiry_s
from agent.contract.jws import FlawError, Token
from agent.events import CATALOGUE, JsonValue, Kind, Lane
from simulators.books import LaneBook, Proof
from simulators.office import Desk

RECEIPT_EVERY_S: Final = 0.05
GRACE_S: Final = 1.0
"""A gap must stand still for so long before the centre asks for what is missing."""
MAX_REQUESTS: Final = 4
PICTURES: Final = 20
"""Of each gateway so many are kept, the latest."""
NO_COUNTER: Final = 1 << 62
"""A counter so high is nobody's, and must leave room to count on."""
REMINDERS: Final = (Kind.UNACKNOWLEDGED, Kind.UNACKNOWLEDGED_SILENT)
"""Events that tell an alarm again."""
_UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What a message that is none of the contract's may raise; no gateway ends its centre by one."""


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
    boot: str = ""
    time: str | None = None
    """As the gateway wrote it; None while it had no time. `GatewayBook.when` finds its place all the same."""

    @property
    def identity(self) -> str:
        """Below its gateway."""
        return f"{self.epoch}/{self.lane}/{self.sequence}"

    @property
    def alarm(self) -> str:
        """The identity of the alarm that it tells, or tells again."""
        return str(self.data.get("event", "")) if self.kind in REMINDERS else self.identity


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
    pictures: dict[str, bytes] = field(default_factory=dict)
    receipt_s: float = 0.0
    wants_keys: bool = False
    """Its status has said that its key set is older than ours."""
    owes: set[str] = field(default_factory=set)
    """Epochs of which something was heard since their last receipt: a copied gateway lives in another one."""
    ended: dict[str, str] = field(default_factory=dict)
    """Epochs whose gateway has begun another, which is named."""
    replies: dict[str, CommandReply] = field(default_factory=dict)
    """The last word on each order that was given."""
    handled: dict[str, Handled] = field(default_factory=dict)
    """How far each alarm is handled, by `epoch/lane/sequence`, as the gateway has it, whoever gave the order."""
    began: dict[str, datetime] = field(default_factory=dict)
    """When the uptime of each boot was zero, as the gateway last said."""

    def lane(self, epoch: str, lane: Lane) -> LaneBook:
        return self.lanes.setdefault((epoch, lane), LaneBook(epoch, lane))

    def keep(self, picture: str, jpeg: bytes) -> None:
        self.pictures[picture] = jpeg
        while len(self.pictures) > PICTURES:
            del self.pictures[next(iter(self.pictures))]

    def when(self, received: Received) -> datetime | None:
        """The event's own time, or by the offset of its boot; None while neither is known."""
        if received.time is not None:
            return datetime.fromisoformat(received.time)
        began = self.began.get(received.boot)
        return None if began is None else began + timedelta(seconds=received.mono_s)


@dataclass(frozen=True, slots=True)
class Answer:
    topic: str
    payload: bytes
    retain: bool
    expiry_s: int | None = None
    """The broker forgets it then (MQTT 5)."""


class Registry:
    """`on_received` is told of each new event, `on_news` of everything else in words; `judge` may reject an event."""

    def __init__(self, desk: Desk | None = None) -> None:
        self._desk = desk
        self.gateways: dict[str, GatewayBook] = {}
        self._counters: dict[str, int] = {}
        """The highest ever signed for a gateway, also one not heard of yet: retained receipts may come first."""
        self._requests = itertools.count(1)
        self.unreadable = 0
        self.on_received: Callable[[Received], None] = lambda _: None
        self.on_news: Callable[[str], None] = lambda _: None
        self.judge: Callable[[Received], str | None] = lambda _: None

    def proof(self) -> Proof:
        proofs = [
            book.proof(ended=epoch in gateway.ended)
            for gateway in self.gateways.values()
            for (epoch, _), book in gateway.lanes.items()
        ]
        return sum(proofs, Proof())

    def take(self, topic: str, payload: bytes, now: float) -> bool:
        """One message of any topic the centre subscribes to; whether it brought entries that are new."""
        if topic.startswith("gatehouse/1/down/"):
            self._own_receipt(payload)
            return False
        place = split_up(topic)
        if place is None:
            return False
        path, name, suffix = place
        gateway = self.gateways.setdefault(name, GatewayBook(path, counter=self._counters.get(name, 0)))
        gateway.path = path
        try:
            match suffix.split("/"):
                case ["presence"]:
                    gateway.presence = Presence.model_validate_json(payload)
                    self.on_news(f"{name}: {gateway.presence.state}")
                case ["status"]:
                    self._status(gateway, StatusMessage.model_validate_json(payload))
                case ["device", device]:
                    message = gateway.devices[device] = DeviceMessage.model_validate_json(payload)
                    self.on_news(f"{name} {device}: {message.state} {message.reason}".rstrip())
                case ["media", picture]:
                    gateway.keep(picture, payload)
                case ["event", lane, _]:
                    return self._event(name, gateway, Lane(lane), payload, now)
                case ["reply", _] if b'"verb":' in payload:
                    reply = gateway.replies[suffix.partition("/")[2]] = CommandReply.model_validate_json(payload)
                    if reply.verb is Verb.HANDLING and reply.outcome is Verdict.DONE:
                        gateway.handled[reply.data["event"]] = Handled(reply.data["state"])
                    self.on_news(f"{name} {reply.verb}: {reply.outcome} {reply.reason or ''} {reply.message}".rstrip())
                case ["reply", _]:
                    self._reply(name, gateway, RequestReply.model_validate_json(payload))
                case _:
                    pass
        except _UNREADABLE as error:
            self.unreadable += 1
            self.on_news(f"{topic}: unreadable: {type(error).__name__}")
        return False

    def count_on(self, counters: Mapping[str, int]) -> None:
        """The counters of the receipts of an earlier life."""
        self._counters = dict(counters)

    def receipts(self, now: float) -> Iterator[Answer]:
        """Receipts that are due: each gateway gets one at most every 50 ms."""
        for name, gateway in self.gateways.items():
            if not gateway.owes or now - gateway.receipt_s < RECEIPT_EVERY_S:
                continue
            owes, gateway.owes = sorted(gateway.owes, key=lambda epoch: epoch == gateway.epoch), set()
            for epoch in owes:  # the one it lives in last: that is the one the broker retains
                said = {lane: book.receipt() for (other, lane), book in gateway.lanes.items() if other == epoch}
                lanes = {lane: receipt for lane, receipt in said.items() if receipt is not None}
                if lanes:
                    gateway.receipt_s = now
                    gateway.counter += 1
                    receipt = Receipt(gateway=name, epoch=epoch, counter=gateway.counter, lanes=lanes)
                    payload = receipt.payload() if self._desk is None else self._desk.receipt(receipt.payload())
                    yield Answer(f"gatehouse/1/down/{gateway.path}/receipt", payload, retain=True)

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
                        self.on_news(f"{name}: asked again for {lane}/{first}..{last}")
                        number = f"r{next(self._requests)}"
                        request = Request(id=number, epoch=epoch, lane=lane, first=first, last=last)
                        yield Answer(f"gatehouse/1/down/{gateway.path}/request", request.payload(), retain=False)

    def key_sets(self) -> Iterator[Answer]:
        """Ours, for each gateway whose status has said that it has an older one."""
        for gateway in self.gateways.values():
            if self._desk is not None and gateway.wants_keys:
                gateway.wants_keys = False
                yield Answer(f"gatehouse/1/down/{gateway.path}/command/keys", self._desk.keys(), retain=False)

    def order(self, name: str, verb: Verb, args: Mapping[str, JsonValue], order_id: str = "") -> tuple[str, Answer]:
        """Its id, and what to publish. Raises: KeyError for a gateway whose status has not been heard."""
        assert self._desk is not None, "a centre without keys gives no orders"
        gateway = self.gateways[name]
        if gateway.status is None:
            raise KeyError(name)
        found, payload = order(
            self._desk.operator, name, verb, args, challenge=gateway.status.challenge, order_id=order_id
        )
        topic = f"gatehouse/1/down/{gateway.path}/command/{verb}"
        return found, Answer(topic, payload, retain=False, expiry_s=expiry_s(verb))

    def owe_all(self) -> None:
        """The broker may have forgotten the retained receipts."""
        for gateway in self.gateways.values():
            gateway.owes.add(gateway.epoch)

    @property
    def owing(self) -> bool:
        return any(gateway.owes for gateway in self.gateways.values())

    # ------------------------------------------------------------ private

    def _own_receipt(self, payload: bytes) -> None:
        """A retained one of an earlier life: ours must count on from there."""
        try:
            document = payload if payload.startswith(b"{") else Token.parse(payload).payload
            receipt = Receipt.model_validate_json(document)
        except (ValidationError, FlawError):
            return
        if receipt.counter >= NO_COUNTER:
            return
        self._counters[receipt.gateway] = max(receipt.counter, self._counters.get(receipt.gateway, 0))
        gateway = self.gateways.get(receipt.gateway)
        if gateway is not None and receipt.counter > gateway.counter:
            gateway.counter = receipt.counter
            gateway.owes.add(gateway.epoch)

    def _status(self, gateway: GatewayBook, status: StatusMessage) -> None:
        """It names every lane's last entry, so what never came is missed; and our count, if we have lost it."""
        if self._desk is not None:
            gateway.wants_keys = status.challenge is not None and status.keys < self._desk.version
        gateway.status = status
        gateway.epoch = status.epoch
        if status.receipt_counter < NO_COUNTER:
            gateway.counter = max(gateway.counter, status.receipt_counter)
        gateway.owes.add(status.epoch)
        for lane, said in status.lanes.items():
            if not gateway.lane(status.epoch, lane).hear_of(said.last, bytes.fromhex(said.digest)):
                self.on_news(f"{status.gateway} {lane}: went back to {said.last}, an older database")

    def _reply(self, name: str, gateway: GatewayBook, reply: RequestReply) -> None:
        for span in reply.gone:
            self.on_news(f"{name} {reply.lane}/{span.first}..{span.last}: is gone")
            gateway.lane(reply.epoch, reply.lane).forgo(span.first, span.last)
        gateway.owes.add(reply.epoch)

    def _event(self, name: str, gateway: GatewayBook, lane: Lane, payload: bytes, now: float) -> bool:
        """Whether it brought entries that are new."""
        document = json.loads(payload)
        if b"\\u" in payload:
            json.dumps(document, ensure_ascii=False).encode()  # half a character is no text, and no file takes it
        house, sender, epoch = document["source"].split("/")
        if house != "gatehouse" or sender != name or document["id"] != f"{lane}/{document['sequence']}":
            raise ValueError("source or id do not fit the topic")
        sequence, digest = int(document["sequence"]), bytes.fromhex(document["digest"])
        data = document["data"]
        book = gateway.lane(epoch, lane)
        gateway.epoch = epoch
        gateway.ended.pop(epoch, None)
        gateway.owes.add(epoch)
        conflicts = book.conflicts
        if lane is Lane.TELEMETRY:
            news = book.enter(data["from"], sequence, digest, bodies_of(payload))
        else:
            news = book.enter(sequence, sequence, digest, [body_of(payload)])
        if book.conflicts > conflicts:
            self.on_news(f"{name} {lane}/{sequence}: is another entry than the one we have, and refused")
        if not news:
            return False
        kind = str(document["type"]).removeprefix("gatehouse.")
        if kind not in CATALOGUE:
            book.reject(sequence, f"unknown kind {kind[:80]}")
            return True
        try:
            readings = news if lane is Lane.TELEMETRY else 0
            received = _received(name, (epoch, lane, sequence), Kind(kind), document, readings, now)
            self._note(gateway, received)
        except _UNREADABLE as error:  # it has its number, and is said to be of no use
            book.reject(sequence, f"{kind} cannot be read: {type(error).__name__}")
            return True
        if (reason := self.judge(received)) is not None:
            book.reject(sequence, reason)
        self.on_received(received)
        return True

    def _note(self, gateway: GatewayBook, received: Received) -> None:
        """What the gateway says of its own record."""
        data = received.data
        match received.kind:
            case Kind.ENTRIES_DROPPED:  # by the epoch it names: it may have been entered again in a later one
                epoch, lane = data["epoch"], Lane(data["lane"])
                if epoch == received.epoch or (epoch, lane) in gateway.lanes:
                    gateway.lane(epoch, lane).declare(data["from"], data["to"], bytes.fromhex(data["digest"]))
            case Kind.EPOCH_STARTED if "previous" in data:
                gateway.ended[data["previous"]] = received.epoch
            case Kind.CLOCK_OFFSET:
                gateway.began[received.boot] = datetime.fromisoformat(data["began"])
            case _:
                pass


def _received(
    gateway: str, place: tuple[str, Lane, int], kind: Kind, document: Mapping[str, Any], readings: int, now: float
) -> Received:
    """Raises: one of `_UNREADABLE`."""
    time, mono_s = document.get("time"), float(document.get("uptime", 0.0))
    if not math.isfinite(mono_s) or not isinstance(document["data"], dict):
        raise ValueError("no event of the contract")
    epoch, lane, sequence = place
    return Received(
        gateway=gateway,
        epoch=epoch,
        lane=lane,
        sequence=sequence,
        kind=kind,
        subject=str(document.get("subject", "")),
        data=document["data"],
        mono_s=mono_s,
        arrived_s=now,
        readings=readings,
        boot=str(document.get("boot", "")),
        time=None if time is None else str(time),
    )
