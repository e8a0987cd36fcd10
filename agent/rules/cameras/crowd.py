"""More things in a zone at once than it may hold, for a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.events import Event, JsonValue, Kind
from agent.observations import Observation
from agent.rules.cameras.base import ZoneRule
from agent.rules.cameras.presence import Presence, look
from agent.rules.cameras.sight import Sight
from agent.rules.step import Input, Moment, Step


@dataclass(frozen=True, slots=True)
class CrowdState:
    """`peak` is the most that a look has seen since there were too many, `count` what the last look saw."""

    sight: Sight = field(default_factory=Sight)
    crowd: Presence | None = None
    peak: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdRule(ZoneRule):
    def start(self, now: Moment) -> Step[CrowdState]:  # noqa: ARG002 - part of the protocol
        return Step(CrowdState())

    def step(self, state: CrowdState, given: Input, now: Moment) -> Step[CrowdState]:
        state = replace(state, sight=state.sight.after(given))
        if not isinstance(given, Observation) or not given.looked:
            return Step(state)
        assert self.zone.more_than is not None, "the settings' checks demand it"
        at_s, armed = min(given.mono_s, now.mono_s), self.armed(now)
        count = sum(track.label in self.zone.wanted and self.holds(track.box) for track in given.tracks)
        over = count > self.zone.more_than
        if armed and not over and state.sight.blind:
            return Step(state)
        crowd = look(state.crowd, count if over else 0, at_s) if armed else None
        if crowd is None:
            ended = state.crowd is not None and state.crowd.raised
            events = (self.restored(Kind.CROWD, at_s, state.crowd.stayed_s),) if ended and state.crowd else ()
            return Step(CrowdState(state.sight, count=count), events)
        state = replace(state, crowd=crowd, peak=max(state.peak, count), count=count)
        if crowd.raised or not over or crowd.proven_s < self.zone.lasts_s:
            return Step(state)
        data: dict[str, JsonValue] = {"count": count, "peak": state.peak, "more_than": self.zone.more_than}
        event: Event = self.raised(Kind.CROWD, at_s, data)
        return Step(replace(state, crowd=replace(crowd, raised=True)), (event,))

    def describe(self, state: CrowdState) -> Mapping[str, JsonValue]:
        raised = state.crowd is not None and state.crowd.raised
        return {"raised": {Kind.CROWD.value: state.count} if raised else {}, "blind": state.sight.blind}
