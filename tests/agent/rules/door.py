"""A door for tests: its rule stepped as compound does, by hand."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from agent.events import Event, Kind
from agent.rules.doors import DoorRule, DoorState
from agent.rules.doors.turn import busy_ref
from agent.rules.step import Input, Moment, Order, Step, Tick, Verb
from agent.settings import Door
from drivers.base import (
    Card,
    Cue,
    DeviceId,
    Keys,
    Output,
    PointId,
    Quality,
    Reading,
    Signal,
    Switch,
)

KNOWN, STRANGER, SLOW, EXEMPT, NO_PIN = (Card(26, number) for number in (4711, 815, 1234, 2222, 3333))
PIN, DURESS_PIN = "2580", "2581"
UNLOCK_S, EXTENDED_S, HELD_S = 3.0, 12.0, 8.0
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MORNING = NOON.replace(hour=8)
READER = DeviceId("reader-1")


@dataclass(frozen=True)
class Answer:
    reference: str
    reason: str | None = None
    extended: bool = False
    exempt: bool = False
    pin: str = "required"

    @property
    def granted(self) -> bool:
        return self.reason is None


class Cards:
    """Knows a few cards; one of them is bound to a schedule nobody can judge without a clock."""

    answers: ClassVar = {
        KNOWN: Answer("aa11"),
        SLOW: Answer("cc33", extended=True),
        EXEMPT: Answer("dd44", exempt=True),
        NO_PIN: Answer("ee55", pin="none"),
    }

    def decide(self, card: Card, door: str, now_utc: datetime | None, no_clock: str) -> Answer:
        if card == KNOWN and now_utc is None and no_clock == "deny":
            return Answer("aa11", "no_clock")
        return self.answers.get(card, Answer("bb22", "unknown_card", pin="none"))

    def check_pin(self, reference: str, digits: str) -> str:
        return {PIN: "ok", DURESS_PIN: "duress"}.get(digits, "wrong")


class Noon:
    """A calendar in which every schedule holds from 12:00 to 13:00 UTC."""

    def active(self, schedule_id: str, utc: datetime) -> bool:
        return utc.hour == 12

    def next_change(self, schedule_id: str, utc: datetime) -> datetime:
        hour = utc.replace(minute=0, second=0, microsecond=0)
        return hour + timedelta(hours=1 if utc.hour == 12 else 12 - utc.hour if utc.hour < 12 else 36 - utc.hour)


def door(**changes: object) -> Door:
    return Door.model_validate(
        {
            "id": "north",
            "name": {"zh": "北门", "en": "North"},
            "reader": "reader-1",
            "lock": "gpio/lock",
            "contact": "gpio/contact",
            "rex": "gpio/rex",
            "unlock_s": UNLOCK_S,
            "extended_s": EXTENDED_S,
            "held_s": HELD_S,
            **changes,
        }
    )


DOOR = door()
LOCK = Switch(DeviceId("gpio"), PointId("lock"), on=False)
GRANTED, DENIED = Signal(READER, Cue.GRANTED), Signal(READER, Cue.DENIED)


def unlock(for_s: float = UNLOCK_S) -> Switch:
    return Switch(DeviceId("gpio"), PointId("lock"), on=True, for_s=for_s)


@dataclass
class Run:
    """Steps the rule as compound does: a Tick whenever the rule asked for one."""

    rule: DoorRule = field(default_factory=lambda: DoorRule(DOOR, Cards(), Noon()))
    now_s: float = 100.0
    utc: datetime | None = MORNING
    events: list[Event] = field(default_factory=list)
    actions: list[Output] = field(default_factory=list)
    told: list[Reading] = field(default_factory=list)
    history: list[tuple[float, Output]] = field(default_factory=list)
    """Every action ever, with its moment."""

    def __post_init__(self) -> None:
        self._set_s = self.now_s
        self._take(self.rule.start(self._moment()))

    @classmethod
    def of(cls, **changes: object) -> "Run":
        """At rest: closed, nobody wants to go out."""
        run = cls(DoorRule(door(**changes), Cards(), Noon()))
        if run.rule.door.interlock is not None:
            run.read(busy_ref(run.rule.door.interlock), False)
        run.contact(False)
        run.rex(False)
        run.take()
        return run

    @property
    def state(self) -> DoorState:
        return self.last.state

    def is_unlocked(self) -> bool:
        return self.rule.describe(self.state)["unlocked"] is True

    def set_utc(self, utc: datetime | None) -> None:
        self.utc, self._set_s = utc, self.now_s

    def _moment(self) -> Moment:
        return Moment(self.now_s, self.utc and self.utc + timedelta(seconds=self.now_s - self._set_s))

    def give(self, given: Input) -> None:
        self._take(self.rule.step(self.state, given, self._moment()))

    def _take(self, step: Step[DoorState]) -> None:
        self.last = step
        self.events += step.events
        self.actions += step.actions
        self.told += step.tells
        self.history += [(self.now_s, action) for action in step.actions]
        assert step.wake_at is None or step.wake_at > self.now_s, "a wish in the past would spin"

    def wait(self, seconds: float) -> None:
        target = self.now_s + seconds
        while self.last.wake_at is not None and self.last.wake_at <= target:
            self.now_s = self.last.wake_at
            self.give(Tick())
        self.now_s = target

    def read(self, ref: str, value: bool | float | str | Card | Keys, quality: Quality = Quality.GOOD) -> None:
        device, point = ref.split("/")
        self.give(Reading(DeviceId(device), PointId(point), value, self.now_s, quality))

    def present(self, card: Card) -> None:
        self.read("reader-1/card", card)

    def press(self, digits: str) -> None:
        self.read("reader-1/keys", Keys(digits))

    def contact(self, is_open: bool) -> None:
        self.read("gpio/contact", is_open)

    def rex(self, wanted: bool) -> None:
        self.read("gpio/rex", wanted)

    def fire(self, on: bool) -> None:
        self.read("gpio/fire", on)

    def order(self, verb: Verb, for_s: float | None = None, *, local: bool = False) -> None:
        self.give(Order(self.rule.id, verb, "guard", for_s, local))

    def pass_through(self) -> None:
        self.contact(True)
        self.contact(False)

    def take(self) -> tuple[list[Kind], list[Output]]:
        """Kinds and actions since the last time."""
        kinds, actions = [event.kind for event in self.events], self.actions
        self.events, self.actions = [], []
        return kinds, actions

    def reason(self) -> object:
        """Of the last denial or refused order."""
        return next(
            event.data["reason"]
            for event in reversed(self.events)
            if event.kind in (Kind.ACCESS_DENIED, Kind.ORDER_REFUSED)
        )
