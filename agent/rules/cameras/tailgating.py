"""More persons cross a door's line inwards than cards were granted while the door was open (尾随).

The door tells what it grants and when it is open; the camera tells who crosses. A passage begins when the door is
unlocked or opened and ends a little after it is closed and locked again. Whoever crosses outwards does not count, nor
does a request to exit; a door that stands open to all, or that a person opened by order, is not judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from agent.events import Event, JsonValue, Kind
from agent.observations import Observation
from agent.rules.cameras.base import CameraRule
from agent.rules.cameras.sight import Sight
from agent.rules.cameras.walks import Crossing, Walks, walk
from agent.rules.passage import FREE, GRANTED, ORDERED, Fact, fact_ref
from agent.rules.step import Group, Input, Moment, Step
from agent.settings.cameras import Line, Point
from drivers.base import PointRef, Reading

SETTLE_S = 4.0
"""The line lies some steps behind the door: who passed it is counted so long after it has closed."""


class Verdict(StrEnum):
    ALONE = "alone"  # no more persons than cards
    TAILGATING = "tailgating"
    UNKNOWN = "unknown"  # the camera did not see all of it
    NOT_JUDGED = "not judged"  # open to all, or opened by order


@dataclass(frozen=True, slots=True)
class Passage:
    """`came_in` holds the keys of those who crossed inwards and have not gone back; `blind` why not all was seen."""

    begun_s: float
    granted: int = 0
    came_in: frozenset[int] = frozenset()
    opened: bool = False
    excused: str = ""
    blind: str = ""
    raised: bool = False

    @property
    def verdict(self) -> Verdict:
        if self.raised:
            return Verdict.TAILGATING
        if self.excused:
            return Verdict.NOT_JUDGED
        return Verdict.UNKNOWN if self.blind else Verdict.ALONE


@dataclass(frozen=True, slots=True)
class TailgatingState:
    """`ends_s` is set while the door is closed and locked again, `said_blind` until it is restored."""

    sight: Sight = field(default_factory=Sight)
    walks: Walks = field(default_factory=Walks)
    free: bool = False
    passage: Passage | None = None
    ends_s: float | None = None
    last: Verdict | None = None
    said_blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TailgatingRule(CameraRule):
    door: str
    line: Line
    picture: Point
    group: Group = Group.PASSAGE

    @property
    def id(self) -> str:
        return self.door

    @property
    def points(self) -> frozenset[PointRef]:
        return frozenset(self.facts)

    @property
    def facts(self) -> Mapping[PointRef, Fact]:
        return {fact_ref(self.door, fact): fact for fact in Fact}

    def start(self, now: Moment) -> Step[TailgatingState]:  # noqa: ARG002 - part of the protocol
        return Step(TailgatingState())

    def step(self, state: TailgatingState, given: Input, now: Moment) -> Step[TailgatingState]:
        events: list[Event] = []
        state = replace(state, sight=state.sight.after(given))
        if state.sight.lost:
            state = replace(state, walks=state.walks.forgotten())
        if isinstance(given, Reading):
            state = self._heard(state, given, now.mono_s)
        elif isinstance(given, Observation) and given.looked:
            at_s = min(given.mono_s, now.mono_s)
            walks, crossings = walk(state.walks, self.line, self.picture, given.tracks, at_s)
            state = self._crossed(replace(state, walks=walks), crossings, at_s, events)
        if state.passage is not None and state.sight.blind and state.passage.opened:
            state = replace(state, passage=replace(state.passage, blind=state.passage.blind or state.sight.blind))
        if state.said_blind and not state.sight.blind:
            state = replace(state, said_blind=False)
            events.append(self._event(Kind.TAILGATING_BLIND_RESTORED, now.mono_s, {}))
        state = self._ended(state, now.mono_s, events)
        return Step(state, tuple(events), wake_at=state.ends_s)

    def describe(self, state: TailgatingState) -> Mapping[str, JsonValue]:
        passage = state.passage
        return {
            "under_way": passage is not None,
            "granted": passage.granted if passage else 0,
            "entered": len(passage.came_in) if passage else 0,
            "last": state.last.value if state.last else None,
            "blind": state.sight.blind,
        }

    def _heard(self, state: TailgatingState, told: Reading, now_s: float) -> TailgatingState:
        """The door says something of itself."""
        fact, value = self.facts.get(told.ref), told.value
        if fact is Fact.FREE:
            state = replace(state, free=bool(value))
        passage, ends_s = state.passage, state.ends_s
        if fact is Fact.BUSY and not value:
            return replace(state, ends_s=now_s + SETTLE_S) if passage is not None else state
        if fact is Fact.BUSY or (fact is Fact.LET_IN and value in (GRANTED, ORDERED)):
            passage, ends_s = passage or Passage(now_s), None
        if passage is None:
            return state
        if fact is Fact.LET_IN and value == GRANTED:
            passage = replace(passage, granted=passage.granted + 1)
        elif fact is Fact.LET_IN and value == ORDERED:
            passage = replace(passage, excused=ORDERED)
        elif fact is Fact.OPEN and value:
            passage = replace(passage, opened=True)
        if state.free:
            passage = replace(passage, excused=FREE)
        return replace(state, passage=passage, ends_s=ends_s)

    def _crossed(
        self, state: TailgatingState, crossings: list[Crossing], at_s: float, events: list[Event]
    ) -> TailgatingState:
        passage = state.passage
        if passage is None:
            return state
        for crossing in crossings:
            came_in = passage.came_in | {crossing.key} if crossing.inwards else passage.came_in - {crossing.key}
            passage = replace(passage, came_in=came_in)
            if len(came_in) > passage.granted and not passage.excused and not passage.raised:
                passage = replace(passage, raised=True)
                data: dict[str, JsonValue] = {"granted": passage.granted, "entered": len(came_in)}
                events.append(self._event(Kind.TAILGATING, at_s, data))
        return replace(state, passage=passage)

    def _ended(self, state: TailgatingState, now_s: float, events: list[Event]) -> TailgatingState:
        passage = state.passage
        if passage is None or state.ends_s is None or now_s < state.ends_s:
            return state
        state = replace(state, passage=None, ends_s=None)
        if not passage.opened:
            return state
        if passage.verdict is Verdict.UNKNOWN and not state.said_blind:
            state = replace(state, said_blind=True)
            events.append(self._event(Kind.TAILGATING_BLIND, now_s, {"reason": passage.blind}))
        return replace(state, last=passage.verdict)

    def _event(self, kind: Kind, at_s: float, data: Mapping[str, JsonValue]) -> Event:
        return Event(kind, self.door, at_s, {"camera": self.camera, "line": self.line.id, **data})
