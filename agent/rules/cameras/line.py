"""A line in the picture: who crosses it which way is counted, and an alarm where that is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf

from agent.events import Event, JsonValue, Kind
from agent.observations import Observation
from agent.rules.cameras.base import CameraRule, armed
from agent.rules.cameras.sight import Sight
from agent.rules.cameras.walks import Walks, walk
from agent.rules.doors import Calendar
from agent.rules.step import Group, Input, Moment, Step
from agent.settings.cameras import Line, Point, Way
from drivers.base import PointId, Reading

COUNTED_EVERY_S = 60.0
"""A count that has changed is a reading at most this often."""


@dataclass(frozen=True, slots=True)
class LineState:
    """`counts` since the rule began, in the order of `Way`; `told_s` is when they last were a reading."""

    sight: Sight = field(default_factory=Sight)
    walks: Walks = field(default_factory=Walks)
    counts: Mapping[Way, int] | None = None
    changed: bool = False
    told_s: float = -inf


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRule(CameraRule):
    line: Line
    picture: Point
    calendar: Calendar
    group: Group = Group.LINE

    @property
    def id(self) -> str:
        return f"{self.camera}/{self.line.id}"

    def start(self, now: Moment) -> Step[LineState]:  # noqa: ARG002 - part of the protocol
        return Step(LineState(counts=dict.fromkeys(Way, 0)))

    def step(self, state: LineState, given: Input, now: Moment) -> Step[LineState]:
        state = replace(state, sight=state.sight.after(given))
        events: list[Event] = []
        if state.sight.lost:
            state = replace(state, walks=state.walks.forgotten())
        elif isinstance(given, Observation) and given.looked:
            at_s = min(given.mono_s, now.mono_s)
            walks, crossings = walk(state.walks, self.line, self.picture, given.tracks, at_s)
            counts = dict(state.counts or {})
            for crossing in crossings:
                way = Way.IN if crossing.inwards else Way.OUT
                counts[way] += 1
                if way in self.line.alarm and armed(self.line.schedule, self.calendar, now):
                    data: dict[str, JsonValue] = {
                        "camera": self.camera,
                        "way": way.value,
                        "label": crossing.label.value,
                    }
                    events.append(Event(Kind.LINE_CROSSED, self.id, at_s, data))
            state = replace(state, walks=walks, counts=counts, changed=state.changed or bool(crossings))
        return self._tell_counts(state, tuple(events), now.mono_s)

    def describe(self, state: LineState) -> Mapping[str, JsonValue]:
        return {**{way.value: count for way, count in (state.counts or {}).items()}, "blind": state.sight.blind}

    def _tell_counts(self, state: LineState, events: tuple[Event, ...], now_s: float) -> Step[LineState]:
        if not state.changed:
            return Step(state, events)
        due_s = state.told_s + COUNTED_EVERY_S
        if now_s < due_s:
            return Step(state, events, wake_at=due_s)
        readings = tuple(
            Reading(self.camera, PointId(f"{self.line.id}-{way.value}"), count, now_s)
            for way, count in (state.counts or {}).items()
        )
        return Step(replace(state, changed=False, told_s=now_s), events, readings=readings)
