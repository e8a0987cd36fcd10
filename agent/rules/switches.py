"""An output that belongs to no door: a beacon, a floodlight. On or off by order, for a time if the order says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from agent.events import Event, JsonValue, Kind
from agent.rules.doors.access import Denial
from agent.rules.step import Group, Input, Moment, Order, Step, Verb
from drivers.base import DeviceId, DeviceState, Output, PointId, PointRef, Status, Switch


@dataclass(frozen=True, slots=True)
class SwitchState:
    on: bool = False
    until_s: float = inf


@dataclass(frozen=True, slots=True)
class SwitchRule:
    """`id` is the output, `device/point`; orders name it as they name a door."""

    id: str
    group: Group = Group.SWITCH
    points: frozenset[PointRef] = frozenset()
    cameras: frozenset[DeviceId] = frozenset()

    @property
    def devices(self) -> frozenset[DeviceId]:
        return frozenset({self._device})

    @property
    def doors(self) -> frozenset[str]:
        return frozenset({self.id})

    @property
    def safe(self) -> tuple[Output, ...]:
        return (self._switch(on=False),)

    def start(self, now: Moment) -> Step[SwitchState]:
        del now
        return Step(SwitchState(), actions=self.safe)

    def step(self, state: SwitchState, given: Input, now: Moment) -> Step[SwitchState]:
        events: tuple[Event, ...] = ()
        moved = False
        if isinstance(given, Order):
            facts: dict[str, JsonValue] = {"verb": given.verb.value, "origin": given.origin}
            if given.verb in (Verb.ON, Verb.OFF):
                until_s = inf if given.for_s is None else now.mono_s + given.for_s
                state, moved = SwitchState(given.verb is Verb.ON, until_s), True
                events = (Event(Kind.ORDER_DONE, self.id, now.mono_s, facts),)
            else:
                events = (Event(Kind.ORDER_REFUSED, self.id, now.mono_s, {"reason": Denial.NO_DOOR.value, **facts}),)
        elif isinstance(given, Status):
            moved = given.device == self._device and given.state is DeviceState.OK
        if state.on and state.until_s <= now.mono_s:
            state, moved = SwitchState(), True
        actions = (self._switch(on=state.on),) if moved else ()
        wake_at = state.until_s if state.on and state.until_s < inf else None
        return Step(state, events, actions, wake_at)

    def describe(self, state: SwitchState) -> Mapping[str, JsonValue]:
        return {"on": state.on}

    @property
    def _device(self) -> DeviceId:
        return DeviceId(self.id.partition("/")[0])

    def _switch(self, *, on: bool) -> Output:
        return Switch(self._device, PointId(self.id.partition("/")[2]), on)
