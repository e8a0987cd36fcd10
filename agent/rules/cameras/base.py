"""What the rules on a camera's picture have in common."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.events import CATALOGUE, Event, JsonValue, Kind
from agent.observations import Box
from agent.rules.cameras.geometry import contains
from agent.rules.doors import Calendar
from agent.rules.step import Group, Moment
from agent.settings.cameras import Point, Zone
from drivers.base import DeviceId, Output, PointRef

GRACE_S = 2.0
"""A thing may be missed for this long and still be there; and a gap between two looks proves no more than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraRule:
    """What the camera says and its state reach it; it moves no output."""

    camera: DeviceId
    doors: frozenset[str] = frozenset()
    safe: tuple[Output, ...] = ()

    @property
    def points(self) -> frozenset[PointRef]:
        return frozenset()

    @property
    def cameras(self) -> frozenset[DeviceId]:
        return frozenset({self.camera})

    @property
    def devices(self) -> frozenset[DeviceId]:
        return frozenset({self.camera})


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneRule(CameraRule):
    """`picture` is width and height in pixels."""

    zone: Zone
    picture: Point
    calendar: Calendar
    group: Group = Group.ZONE

    @property
    def id(self) -> str:
        """`camera/zone`: two cameras may call a zone the same."""
        return f"{self.camera}/{self.zone.id}"

    def holds(self, box: Box) -> bool:
        return contains(self.zone.polygon, foot(box, self.picture))

    def armed(self, now: Moment) -> bool:
        return armed(self.zone.schedule, self.calendar, now)

    def raised(self, kind: Kind, at_s: float, data: Mapping[str, JsonValue]) -> Event:
        return Event(kind, self.id, at_s, {"camera": self.camera, **data})

    def restored(self, kind: Kind, at_s: float, stayed_s: float) -> Event:
        restored = CATALOGUE[kind].restored_by
        assert restored is not None, "every kind a zone raises has one that restores it"
        return Event(restored, self.id, at_s, {"camera": self.camera, "stayed_s": round(stayed_s, 3)})


def foot(box: Box, picture: Point) -> Point:
    """Where the thing stands; a box may reach beyond the picture, its foot counts at the edge."""
    (x, y), (width, height) = box.foot, picture
    return min(max(x, 0.0), width), min(max(y, 0.0), height)


def armed(schedule: str | None, calendar: Calendar, now: Moment) -> bool:
    """Without a trusted time it is armed: rather an alarm too many."""
    return schedule is None or now.utc is None or calendar.active(schedule, now.utc)
