"""A perimeter sensor's alarm takes the verdict of the camera that sees the place (周界报警复核).

The alarm itself never waits: it has been recorded before this rule hears of it, and the verdict is an event of its
own. Nobody in the picture is said only when the camera has looked all the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf

from agent.events import Event, JsonValue, Kind
from agent.observations import Label, Observation, Track
from agent.rules.cameras.base import CameraRule, foot
from agent.rules.cameras.geometry import contains
from agent.rules.cameras.sight import STALE_S, Sight
from agent.rules.sensors import raised_ref
from agent.rules.step import Group, Input, Moment, Step
from agent.settings import Sensor, Zone
from agent.settings.cameras import Point
from drivers.base import PointRef, Reading

BEFORE_S = 5.0
"""Somebody seen so long before the alarm counts: a fence trembles after the hand has let go."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alarm without a verdict; `gap_s` is the longest time since it in which nobody looked."""

    alarm_s: float
    looked_s: float
    gap_s: float = 0.0
    blind: str = ""


@dataclass(frozen=True, slots=True)
class VerificationState:
    sight: Sight = field(default_factory=Sight)
    waiting: Waiting | None = None
    seen_s: float = -inf
    count: int = 0
    last: Kind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRule(CameraRule):
    """`zone` None is the whole picture, and persons in it."""

    sensor: Sensor
    zone: Zone | None
    picture: Point
    group: Group = Group.VERDICT

    @property
    def id(self) -> str:
        return self.sensor.id

    @property
    def points(self) -> frozenset[PointRef]:
        return frozenset({raised_ref(self.sensor.id)})

    def start(self, now: Moment) -> Step[VerificationState]:  # noqa: ARG002 - part of the protocol
        return Step(VerificationState())

    def step(self, state: VerificationState, given: Input, now: Moment) -> Step[VerificationState]:
        state = replace(state, sight=state.sight.after(given))
        if isinstance(given, Observation) and given.looked:
            at_s = min(given.mono_s, now.mono_s)
            count = sum(self._counts(track) for track in given.tracks)
            state = replace(state, seen_s=at_s, count=count) if count else state
            if (waiting := state.waiting) is not None and at_s > waiting.looked_s:
                gap_s = max(waiting.gap_s, at_s - waiting.looked_s)
                state = replace(state, waiting=replace(waiting, looked_s=at_s, gap_s=gap_s))
        elif isinstance(given, Reading) and given.value is True and state.waiting is None:
            alarm_s = min(given.mono_s, now.mono_s)
            state = replace(state, waiting=Waiting(alarm_s, alarm_s))
        if state.waiting is not None and state.sight.blind:
            state = replace(state, waiting=replace(state.waiting, blind=state.sight.blind))
        return self._judge(state, now.mono_s)

    def describe(self, state: VerificationState) -> Mapping[str, JsonValue]:
        return {
            "waiting": state.waiting is not None,
            "last": state.last.value if state.last else None,
            "blind": state.sight.blind,
        }

    def _judge(self, state: VerificationState, now_s: float) -> Step[VerificationState]:
        waiting = state.waiting
        if waiting is None:
            return Step(state)
        due_s = waiting.alarm_s + self.sensor.verify_s
        data: dict[str, JsonValue] = {"camera": self.camera, "after_s": round(max(0.0, now_s - waiting.alarm_s), 3)}
        if self.zone is not None:
            data["zone"] = self.zone.id
        if state.seen_s >= waiting.alarm_s - BEFORE_S:
            kind, data = Kind.PERIMETER_VERIFIED, data | {"count": state.count}
        elif now_s < due_s:
            return Step(state, wake_at=due_s)
        elif waiting.blind or max(waiting.gap_s, due_s - waiting.looked_s) > STALE_S:
            kind, data = Kind.PERIMETER_UNKNOWN, data | {"reason": waiting.blind or "the camera did not look"}
        else:
            kind = Kind.PERIMETER_NOT_SEEN
        event = Event(kind, self.sensor.id, now_s, data)
        return Step(replace(state, waiting=None, last=kind), (event,))

    def _counts(self, track: Track) -> bool:
        if self.zone is None:
            return track.label is Label.PERSON
        return track.label in self.zone.wanted and contains(self.zone.polygon, foot(track.box, self.picture))
