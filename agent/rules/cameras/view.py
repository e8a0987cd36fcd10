"""A camera that no longer sees what it was put there for: covered, out of focus, turned away, frozen.

The camera process says what it sees wrong; here it must last. A camera that goes away keeps its alarms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.events import CATALOGUE, Event, JsonValue, Kind
from agent.observations import Flaw, View
from agent.rules.cameras.base import CameraRule
from agent.rules.cameras.sight import Sight
from agent.rules.step import Group, Input, Moment, Step
from agent.settings import Tampering

_KINDS: Mapping[Flaw, Kind] = {
    Flaw.COVERED: Kind.CAMERA_COVERED,
    Flaw.DEFOCUSED: Kind.CAMERA_DEFOCUSED,
    Flaw.TURNED: Kind.CAMERA_TURNED,
    Flaw.FROZEN: Kind.CAMERA_FROZEN,
}


@dataclass(frozen=True, slots=True)
class ViewState:
    """`flaw` has been said since `since_s`; `raised` holds the time and the reference of each alarm that stands."""

    sight: Sight = field(default_factory=Sight)
    flaw: Flaw | None = None
    since_s: float = 0.0
    reference_s: float | None = None
    raised: Mapping[Flaw, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRule(CameraRule):
    tampering: Tampering
    group: Group = Group.VIEW

    @property
    def id(self) -> str:
        return self.camera

    def start(self, now: Moment) -> Step[ViewState]:  # noqa: ARG002 - part of the protocol
        return Step(ViewState())

    def step(self, state: ViewState, given: Input, now: Moment) -> Step[ViewState]:
        was_lost = state.sight.lost
        state = replace(state, sight=state.sight.after(given))
        events: list[Event] = []
        if isinstance(given, View):
            state = self._viewed(state, given, now.mono_s, events)
        elif was_lost and not state.sight.lost:
            state = replace(state, since_s=now.mono_s)  # what it showed before it went away proves no time
        due_s = self._due_s(state)
        if due_s is None or state.sight.lost:
            return Step(state, tuple(events))
        if now.mono_s < due_s:
            return Step(state, tuple(events), wake_at=due_s)
        assert state.flaw is not None, "only a flaw is ever due"
        data: dict[str, JsonValue] = {"since_s": round(now.mono_s - state.since_s, 3)}
        events.append(Event(_KINDS[state.flaw], self.camera, now.mono_s, data))
        mark = (now.mono_s, state.reference_s or 0.0)
        return Step(replace(state, raised={**state.raised, state.flaw: mark}), tuple(events))

    def describe(self, state: ViewState) -> Mapping[str, JsonValue]:
        return {"raised": [flaw.value for flaw in state.raised], "blind": state.sight.away}

    def _viewed(self, state: ViewState, view: View, now_s: float, events: list[Event]) -> ViewState:
        """An alarm ends when another flaw, or none, is said in its place."""
        if view.flaw is not state.flaw:
            state = replace(state, flaw=view.flaw, since_s=min(view.mono_s, now_s))
        state = replace(state, reference_s=view.reference_s)
        for flaw, (raised_s, reference_s) in state.raised.items():
            if flaw is view.flaw:
                continue
            restored = CATALOGUE[_KINDS[flaw]].restored_by
            assert restored is not None, "every flaw has a kind that restores it"
            data: dict[str, JsonValue] = {"lasted_s": round(now_s - raised_s, 3)}
            if view.reference_s != reference_s:
                data["reason"] = "compared with a new picture"
            events.append(Event(restored, self.camera, now_s, data))
        return replace(state, raised={flaw: mark for flaw, mark in state.raised.items() if flaw is view.flaw})

    def _due_s(self, state: ViewState) -> float | None:
        flaw, tampering = state.flaw, self.tampering
        if flaw is None or flaw in state.raised or flaw not in tampering.watch:
            return None
        return state.since_s + (tampering.frozen_s if flaw is Flaw.FROZEN else tampering.after_s)
