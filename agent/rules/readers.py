"""What a reader says about itself: tampered with, badly powered, default key, not the one installed, refused."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.events import CATALOGUE, Event, JsonValue, Kind
from agent.rules.step import Group, Input, Moment, Step
from drivers.base import DeviceId, Output, PointId, PointRef, Quality, Reading, point_ref

_KINDS: Mapping[PointId, Kind] = {
    PointId("tamper"): Kind.READER_TAMPER,
    PointId("power"): Kind.READER_POWER,
    PointId("default-key"): Kind.READER_DEFAULT_KEY,
    PointId("identity-changed"): Kind.READER_IDENTITY,
    PointId("auth-failed"): Kind.READER_AUTHENTICATION,
}

ReaderState = frozenset[PointRef]
"""The points that stand in alarm."""


@dataclass(frozen=True, slots=True)
class ReaderRule:
    """`subject` is the door the reader serves, else the reader; `watched` are points that a sensor reports already."""

    reader: DeviceId
    subject: str
    watched: frozenset[PointRef] = frozenset()
    devices: frozenset[DeviceId] = frozenset()
    cameras: frozenset[DeviceId] = frozenset()
    doors: frozenset[str] = frozenset()
    safe: tuple[Output, ...] = ()
    group: Group = Group.READER

    @property
    def id(self) -> str:
        return self.reader

    @property
    def points(self) -> frozenset[PointRef]:
        return frozenset(point_ref(self.reader, point) for point in _KINDS) - self.watched

    def start(self, now: Moment) -> Step[ReaderState]:  # noqa: ARG002 - part of the protocol
        return Step(frozenset())

    def step(self, state: ReaderState, given: Input, now: Moment) -> Step[ReaderState]:
        if not isinstance(given, Reading) or given.ref not in self.points or given.quality is Quality.BAD:
            return Step(state)
        if not isinstance(given.value, bool) or given.value is (given.ref in state):
            return Step(state)
        raised = _KINDS[given.point]
        kind = raised if given.value else CATALOGUE[raised].restored_by
        assert kind is not None, "every kind a reader raises has one that restores it"
        event = Event(kind, self.subject, min(now.mono_s, given.mono_s), {"reader": self.reader})
        return Step(state ^ {given.ref}, (event,))

    def describe(self, state: ReaderState) -> Mapping[str, JsonValue]:
        return {"raised": list[JsonValue](sorted(state))}
