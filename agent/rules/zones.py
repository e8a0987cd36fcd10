"""People, vehicles and animals that stand in a zone of a camera's picture for a time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.events import CATALOGUE, Event, JsonValue, Kind
from agent.observations import Label, Observation, Track
from agent.rules.step import Group, Input, Moment, Step
from agent.settings import Zone
from drivers.base import DeviceId, Output, PointRef

GRACE_S = 2.0
"""A thing may be missed for this long and still be there; and a gap between two looks proves no more than this."""

_KINDS: Mapping[Label, Kind] = {
    Label.PERSON: Kind.ZONE_PERSON,
    Label.VEHICLE: Kind.ZONE_VEHICLE,
    Label.BICYCLE: Kind.ZONE_VEHICLE,
    Label.ANIMAL: Kind.ZONE_ANIMAL,
}


@dataclass(frozen=True, slots=True)
class Presence:
    """Something of one kind is in the zone; `proven_s` is the time that looks have proven."""

    since_s: float
    seen_s: float
    proven_s: float = 0.0
    raised: bool = False
    count: int = 0


ZoneState = Mapping[Kind, Presence]


@dataclass(frozen=True, slots=True)
class ZoneRule:
    """Only an Observation that looked changes anything: a camera that fails clears nothing."""

    zone: Zone
    camera: DeviceId
    picture: tuple[float, float]
    """Width and height in pixels: a box may reach beyond the picture, its foot counts at the edge."""
    points: frozenset[PointRef] = frozenset()
    devices: frozenset[DeviceId] = frozenset()
    doors: frozenset[str] = frozenset()
    safe: tuple[Output, ...] = ()
    group: Group = Group.ZONE

    @property
    def id(self) -> str:
        """`camera/zone`: two cameras may call a zone the same."""
        return f"{self.camera}/{self.zone.id}"

    @property
    def cameras(self) -> frozenset[DeviceId]:
        return frozenset({self.camera})

    def start(self, now: Moment) -> Step[ZoneState]:  # noqa: ARG002 - part of the protocol
        return Step({})

    def step(self, state: ZoneState, given: Input, now: Moment) -> Step[ZoneState]:
        if not isinstance(given, Observation) or not given.looked:
            return Step(state)
        at_s = min(given.mono_s, now.mono_s)
        kept: dict[Kind, Presence] = {}
        events: list[Event] = []
        for kind in dict.fromkeys(_KINDS[label] for label in self.zone.labels):
            inside = self._inside(given, kind)
            presence = _look(state.get(kind), len(inside), at_s)
            if presence is None:
                if kind in state and state[kind].raised:
                    events.append(self._restored(kind, state[kind], at_s))
                continue
            if not presence.raised and inside and presence.proven_s >= self.zone.at_least_s:
                presence = replace(presence, raised=True)
                events.append(self._raised(kind, presence, inside, at_s))
            kept[kind] = presence
        return Step(kept, tuple(events))

    def describe(self, state: ZoneState) -> Mapping[str, JsonValue]:
        return {kind.value: presence.count for kind, presence in state.items() if presence.raised}

    def _inside(self, seen: Observation, kind: Kind) -> tuple[Track, ...]:
        return tuple(
            track
            for track in seen.tracks
            if track.label in self.zone.labels and _KINDS[track.label] is kind and self._holds(track)
        )

    def _holds(self, track: Track) -> bool:
        (x, y), (width, height) = track.box.foot, self.picture
        return contains(self.zone.polygon, (min(max(x, 0.0), width), min(max(y, 0.0), height)))

    def _raised(self, kind: Kind, presence: Presence, inside: tuple[Track, ...], at_s: float) -> Event:
        data: dict[str, JsonValue] = {
            "camera": self.camera,
            "count": len(inside),
            "since_s": round(at_s - presence.since_s, 3),
            "score": round(max(track.score for track in inside), 3),
        }
        return Event(kind, self.id, at_s, data)

    def _restored(self, kind: Kind, presence: Presence, at_s: float) -> Event:
        restored = CATALOGUE[kind].restored_by
        assert restored is not None, "every kind a zone raises has one that restores it"
        data: dict[str, JsonValue] = {"camera": self.camera, "stayed_s": round(presence.seen_s - presence.since_s, 3)}
        return Event(restored, self.id, at_s, data)


def contains(polygon: tuple[tuple[float, float], ...], point: tuple[float, float]) -> bool:
    """Whether the point lies in the polygon or on its edge (even-odd rule: edges crossed by a ray to the right)."""
    x, y = point
    inside = False
    bx, by = polygon[-1]
    for cx, cy in polygon:
        side = (cx - bx) * (y - by) - (cy - by) * (x - bx)
        if side == 0 and min(bx, cx) <= x <= max(bx, cx) and min(by, cy) <= y <= max(by, cy):
            return True
        if (cy > y) != (by > y) and (side > 0) == (cy > by):
            inside = not inside
        bx, by = cx, cy
    return inside


def _look(before: Presence | None, count: int, at_s: float) -> Presence | None:
    """What is known after a look that saw `count` things; None when the zone is empty."""
    if before is None:
        return Presence(at_s, at_s, count=count) if count else None
    gap_s = max(0.0, at_s - before.seen_s)
    if count:
        seen_s = max(at_s, before.seen_s)
        return replace(before, seen_s=seen_s, proven_s=before.proven_s + min(gap_s, GRACE_S), count=count)
    return None if gap_s > GRACE_S else replace(before, count=0)
