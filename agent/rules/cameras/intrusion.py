"""People, vehicles and animals that stand in a zone for a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.events import Event, JsonValue, Kind
from agent.observations import Label, Observation, Track
from agent.rules.cameras.base import ZoneRule
from agent.rules.cameras.presence import Presence, look
from agent.rules.cameras.sight import Sight
from agent.rules.step import Input, Moment, Step

_KINDS: Mapping[Label, Kind] = {
    Label.PERSON: Kind.ZONE_PERSON,
    Label.VEHICLE: Kind.ZONE_VEHICLE,
    Label.BICYCLE: Kind.ZONE_VEHICLE,
    Label.ANIMAL: Kind.ZONE_ANIMAL,
}


@dataclass(frozen=True, slots=True)
class IntrusionState:
    sight: Sight = field(default_factory=Sight)
    there: Mapping[Kind, Presence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrusionRule(ZoneRule):
    """Only an Observation that looked changes anything, and of a blind camera only what it sees: it clears nothing."""

    def start(self, now: Moment) -> Step[IntrusionState]:  # noqa: ARG002 - part of the protocol
        return Step(IntrusionState())

    def step(self, state: IntrusionState, given: Input, now: Moment) -> Step[IntrusionState]:
        state = replace(state, sight=state.sight.after(given))
        if not isinstance(given, Observation) or not given.looked:
            return Step(state)
        at_s, armed = min(given.mono_s, now.mono_s), self.armed(now)
        kept: dict[Kind, Presence] = {}
        events: list[Event] = []
        for kind in dict.fromkeys(_KINDS[label] for label in self.zone.wanted):
            inside = self._inside(given, kind) if armed else ()
            before = state.there.get(kind)
            if armed and not inside and state.sight.blind:
                presence = before
            else:
                presence = look(before, len(inside), at_s) if armed else None
            if presence is None:
                if before is not None and before.raised:
                    events.append(self.restored(kind, at_s, before.stayed_s))
                continue
            if not presence.raised and inside and presence.proven_s >= self.zone.lasts_s:
                presence = replace(presence, raised=True)
                events.append(self._alarm(kind, presence, inside, at_s))
            kept[kind] = presence
        return Step(replace(state, there=kept), tuple(events))

    def describe(self, state: IntrusionState) -> Mapping[str, JsonValue]:
        raised: dict[str, JsonValue] = {
            kind.value: presence.count for kind, presence in state.there.items() if presence.raised
        }
        return {"raised": raised, "blind": state.sight.blind}

    def _inside(self, seen: Observation, kind: Kind) -> tuple[Track, ...]:
        return tuple(
            track
            for track in seen.tracks
            if track.label in self.zone.wanted and _KINDS[track.label] is kind and self.holds(track.box)
        )

    def _alarm(self, kind: Kind, presence: Presence, inside: tuple[Track, ...], at_s: float) -> Event:
        data: dict[str, JsonValue] = {
            "count": len(inside),
            "since_s": round(at_s - presence.since_s, 3),
            "score": round(max(track.score for track in inside), 3),
        }
        return self.raised(kind, at_s, data)
