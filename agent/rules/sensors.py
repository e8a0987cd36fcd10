"""A point that raises an alarm and restores it, with hysteresis and a time for which it must hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.events import CATALOGUE, Event, JsonValue, Kind
from agent.rules.step import Group, Input, Moment, Step
from agent.settings import Sensor
from drivers.base import DeviceId, Output, PointId, PointRef, Quality, Reading, Value, point_ref


@dataclass(frozen=True, slots=True)
class SensorState:
    """`turning_since` is set while the value asks for the other state but not yet for `for_s`."""

    raised: bool = False
    turning_since: float | None = None
    value: bool | float | None = None


@dataclass(frozen=True, slots=True)
class SensorRule:
    sensor: Sensor
    devices: frozenset[DeviceId] = frozenset()
    cameras: frozenset[DeviceId] = frozenset()
    doors: frozenset[str] = frozenset()
    safe: tuple[Output, ...] = ()
    group: Group = Group.SENSOR

    @property
    def id(self) -> str:
        return self.sensor.id

    @property
    def points(self) -> frozenset[PointRef]:
        return frozenset({PointRef(self.sensor.point)})

    def start(self, now: Moment) -> Step[SensorState]:  # noqa: ARG002 - part of the protocol
        return Step(SensorState())

    def step(self, state: SensorState, given: Input, now: Moment) -> Step[SensorState]:
        happened_s = now.mono_s
        if isinstance(given, Reading) and given.quality is not Quality.BAD:
            value = _number(given.value)
            if value is not None:
                happened_s = min(given.mono_s, now.mono_s)
                state = self._took(replace(state, value=value), now.mono_s)
        return self._settle(state, happened_s, now.mono_s)

    def describe(self, state: SensorState) -> Mapping[str, JsonValue]:
        return {"raised": state.raised, "value": state.value}

    def _took(self, state: SensorState, now_s: float) -> SensorState:
        if not self._asks_to_turn(state):
            return replace(state, turning_since=None)
        return state if state.turning_since is not None else replace(state, turning_since=now_s)

    def _asks_to_turn(self, state: SensorState) -> bool:
        value, above, below = state.value, self.sensor.above, self.sensor.below
        if isinstance(value, bool):
            return value is not state.raised
        if value is None or (above is None and below is None):
            return False
        if not state.raised:
            return (above is not None and value > above) or (below is not None and value < below)
        back = self.sensor.hysteresis
        return (above is None or value <= above - back) and (below is None or value >= below + back)

    def _settle(self, state: SensorState, happened_s: float, now_s: float) -> Step[SensorState]:
        """Turn over once the value has asked for it long enough."""
        if state.turning_since is None:
            return Step(state)
        due_s = state.turning_since + self.sensor.for_s
        if now_s < due_s:
            return Step(state, wake_at=due_s)
        raised = not state.raised
        event = Event(self._kind(raised), self.id, min(happened_s, now_s), self._data(state))
        told = (Reading(*_raised(self.id), raised, event.mono_s),) if self.sensor.camera is not None else ()
        return Step(replace(state, raised=raised, turning_since=None), (event,), tells=told)

    def _kind(self, raised: bool) -> Kind:
        kind = Kind(self.sensor.kind.value)
        restored = CATALOGUE[kind].restored_by
        return kind if raised or restored is None else restored

    def _data(self, state: SensorState) -> Mapping[str, JsonValue]:
        limits: dict[str, JsonValue] = {"point": self.sensor.point, "value": state.value}
        if self.sensor.above is not None:
            limits["above"] = self.sensor.above
        if self.sensor.below is not None:
            limits["below"] = self.sensor.below
        return limits


def raised_ref(sensor: str) -> PointRef:
    """Where a sensor that a camera sees tells that its alarm is raised or restored; no device has such an id."""
    return point_ref(*_raised(sensor))


def _raised(sensor: str) -> tuple[DeviceId, PointId]:
    return DeviceId(f"sensor:{sensor}"), PointId("raised")


def _number(value: Value) -> bool | float | None:
    return value if isinstance(value, (bool, int, float)) else None
