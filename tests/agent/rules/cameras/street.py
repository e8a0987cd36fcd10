"""A camera's street for tests of rules: looks in, events out."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Generic, TypeVar

from agent.events import Event, JsonValue, Kind
from agent.observations import Box, Flaw, Label, Observation, Track, View
from agent.rules.step import Input, Moment, Rule, Step, Tick
from agent.settings import Zone
from drivers.base import DeviceId, DeviceState, Reading, Status

CAMERA = DeviceId("cam")
PICTURE = (320, 200)
SQUARE = [[0, 0], [100, 0], [100, 100], [0, 100]]
INSIDE, OUTSIDE = (50.0, 50.0), (250.0, 50.0)

State = TypeVar("State")


class Always:
    """A calendar in which the schedules of `off` never hold."""

    def __init__(self, *off: str) -> None:
        self.off = set(off)

    def active(self, schedule_id: str, utc: datetime) -> bool:
        return schedule_id not in self.off

    def next_change(self, schedule_id: str, utc: datetime) -> datetime:
        raise NotImplementedError


def zone(**more: object) -> Zone:
    shape = {"id": "lane", "name": {"zh": "通道", "en": "Lane"}, "polygon": SQUARE}
    return Zone.model_validate(shape | more)


def track(
    where: tuple[float, float], label: Label = Label.PERSON, score: float = 0.8, *, number: int = 1, height: float = 20
) -> Track:
    x, y = where
    return Track(number, label, Box(x - height / 4, y - height, x + height / 4, y), score)


class Run(Generic[State]):
    """Steps one rule; the clock is trusted unless `utc` is None."""

    def __init__(self, rule: Rule[State], utc: datetime | None = datetime(2026, 3, 1, tzinfo=UTC)) -> None:
        self.rule = rule
        self.now_s = 20.0
        self.utc = utc
        self.last: Step[State] = rule.start(self.now)
        self.events: list[Event] = []
        self.readings: list[Reading] = []
        self.give(Status(CAMERA, DeviceState.OK, self.now_s))

    @property
    def now(self) -> Moment:
        return Moment(self.now_s, self.utc)

    def look(self, *tracks: Track, after_s: float = 0.5, looked: bool = True) -> None:
        self.wait(after_s)
        self.give(Observation(CAMERA, self.now_s, looked, tracks))

    def fail(self, reason: str = "no pictures for 3 s") -> None:
        self.give(Status(CAMERA, DeviceState.FAULT, self.now_s, reason))

    def recover(self) -> None:
        self.give(Status(CAMERA, DeviceState.OK, self.now_s))

    def blinded(self, how: str) -> None:
        """From now on its pictures come and are looked at, and show nothing: `covered` or `black`."""
        if how == "covered":
            self.view(View(CAMERA, self.now_s, 0.0, Flaw.COVERED))
        else:
            self.fail("the pictures are black")
        self.look()

    def sees_again(self) -> None:
        self.view(View(CAMERA, self.now_s, 0.0))
        self.recover()

    def view(self, view: View) -> None:
        self.give(view)

    def wait(self, seconds: float) -> None:
        """Time passes; the rule gets the ticks it asked for."""
        until_s = self.now_s + seconds
        while (wake_at := self.last.wake_at) is not None and wake_at <= until_s:
            self.now_s = max(self.now_s, wake_at)
            self.give(Tick())
        self.now_s = until_s

    def give(self, given: Input) -> None:
        self.last = self.rule.step(self.last.state, given, self.now)
        self.events += self.last.events
        self.readings += self.last.readings

    def take(self) -> list[Kind]:
        kinds, self.events = [event.kind for event in self.events], []
        return kinds

    @property
    def described(self) -> Mapping[str, JsonValue]:
        return self.rule.describe(self.last.state)


def straight(start: tuple[float, float], end: tuple[float, float], steps: int) -> Iterable[tuple[float, float]]:
    """Places on the way, both ends included."""
    for number in range(steps + 1):
        share = number / steps
        yield start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
