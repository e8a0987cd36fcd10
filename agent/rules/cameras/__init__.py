"""Rules on what cameras see: in seconds and in pixels of the camera's declared picture. One rule, one file."""

from collections.abc import Callable, Iterator, Mapping

from agent.rules.cameras.crowd import CrowdRule
from agent.rules.cameras.fire_lane import FireLaneRule
from agent.rules.cameras.intrusion import IntrusionRule
from agent.rules.cameras.line import LineRule
from agent.rules.cameras.loitering import LoiteringRule
from agent.rules.cameras.tailgating import TailgatingRule
from agent.rules.cameras.verification import VerificationRule
from agent.rules.cameras.view import ViewRule
from agent.rules.doors import Calendar
from agent.rules.step import AnyRule
from agent.settings import Camera, SensorKind, Settings, ZoneKind
from agent.settings.cameras import Point
from drivers.base import DeviceId

_IN_ZONE: Mapping[ZoneKind, Callable[..., AnyRule]] = {
    ZoneKind.INTRUSION: IntrusionRule,
    ZoneKind.LOITERING: LoiteringRule,
    ZoneKind.FIRE_LANE: FireLaneRule,
    ZoneKind.CROWD: CrowdRule,
}

__all__ = [
    "CrowdRule",
    "FireLaneRule",
    "IntrusionRule",
    "LineRule",
    "LoiteringRule",
    "TailgatingRule",
    "VerificationRule",
    "ViewRule",
    "camera_rules",
]


def camera_rules(settings: Settings, calendar: Calendar) -> Iterator[AnyRule]:
    cameras = {camera.id: camera for camera in settings.cameras}
    for camera in settings.cameras:
        yield from _drawn(camera, calendar)
        yield ViewRule(camera=DeviceId(camera.id), tampering=camera.tampering)
    for door in settings.doors:
        if door.tailgating is not None and door.camera is not None:
            camera = cameras[door.camera]
            line = next(line for line in camera.lines if line.id == door.tailgating)
            yield TailgatingRule(camera=DeviceId(camera.id), door=door.id, line=line, picture=_size(camera))
    for sensor in settings.sensors:
        if sensor.kind is SensorKind.PERIMETER and sensor.camera is not None:
            camera = cameras[sensor.camera]
            zone = next((zone for zone in camera.zones if zone.id == sensor.zone), None)
            yield VerificationRule(camera=DeviceId(camera.id), sensor=sensor, zone=zone, picture=_size(camera))


def _drawn(camera: Camera, calendar: Calendar) -> Iterator[AnyRule]:
    name, picture = DeviceId(camera.id), _size(camera)
    for zone in camera.zones:
        yield _IN_ZONE[zone.kind](camera=name, zone=zone, picture=picture, calendar=calendar)
    for line in camera.lines:
        yield LineRule(camera=name, line=line, picture=picture, calendar=calendar)


def _size(camera: Camera) -> Point:
    return camera.picture.width, camera.picture.height
