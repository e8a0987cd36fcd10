"""A device's fault and recovery as events."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.events import Event, JsonValue, Kind
from agent.rules.step import Group, Input, Moment, Step
from drivers.base import DeviceId, DeviceState, Output, PointRef, Status

SETTLE_S = 3.0
"""A device that has not been well yet may fail for this long: ports and readers come up one after another."""


@dataclass(frozen=True, slots=True)
class DeviceRuleState:
    """`failing_since` is set while a fault of a device that was never well is not yet reported."""

    ever_ok: bool = False
    reported: bool = False
    failing_since: float | None = None
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class DeviceRule:
    device: DeviceId
    points: frozenset[PointRef] = frozenset()
    cameras: frozenset[DeviceId] = frozenset()
    doors: frozenset[str] = frozenset()
    safe: tuple[Output, ...] = ()
    group: Group = Group.DEVICE

    @property
    def id(self) -> str:
        return self.device

    @property
    def devices(self) -> frozenset[DeviceId]:
        return frozenset({self.device})

    def start(self, now: Moment) -> Step[DeviceRuleState]:  # noqa: ARG002 - part of the protocol
        return Step(DeviceRuleState())

    def step(self, state: DeviceRuleState, given: Input, now: Moment) -> Step[DeviceRuleState]:
        if isinstance(given, Status):
            if given.state is DeviceState.OK:
                return self._ok(state, given, now)
            if given.state is DeviceState.FAULT:
                state = replace(state, reason=given.reason, hint=given.hint)
                if not state.reported and state.failing_since is None:
                    state = replace(state, failing_since=now.mono_s)
        return self._settle(state, now)

    def describe(self, state: DeviceRuleState) -> Mapping[str, JsonValue]:
        return {"reported": state.reported}

    def _ok(self, state: DeviceRuleState, given: Status, now: Moment) -> Step[DeviceRuleState]:
        events: tuple[Event, ...] = ()
        if state.reported:
            events = (Event(Kind.DEVICE_RESTORED, self.device, min(given.mono_s, now.mono_s)),)
        return Step(DeviceRuleState(ever_ok=True), events)

    def _settle(self, state: DeviceRuleState, now: Moment) -> Step[DeviceRuleState]:
        if state.failing_since is None:
            return Step(state)
        due_s = state.failing_since + (0.0 if state.ever_ok else SETTLE_S)
        if now.mono_s < due_s:
            return Step(state, wake_at=due_s)
        data = {"reason": state.reason, "hint": state.hint}
        event = Event(Kind.DEVICE_FAULT, self.device, state.failing_since, data)
        return Step(replace(state, reported=True, failing_since=None), (event,))
