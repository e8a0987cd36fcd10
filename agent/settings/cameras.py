"""Cameras, what is watched in their pictures, the detector, and what may be kept of people."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agent.observations import Flaw, Label
from agent.settings.names import Name
from drivers.base import Confined, Slug
from drivers.camera import CameraSource

Point = tuple[float, float]
Polygon = Annotated[tuple[Point, ...], Field(min_length=3)]


class ZoneKind(StrEnum):
    """What is an alarm in a zone."""

    INTRUSION = "intrusion"  # something stands in it
    LOITERING = "loitering"  # the same one stays in it
    FIRE_LANE = "fire-lane"  # a vehicle stands still in it
    CROWD = "crowd"  # more than so many are in it at once


_LABELS: Mapping[ZoneKind, tuple[Label, ...]] = {ZoneKind.FIRE_LANE: (Label.VEHICLE,)}
_LASTS_S: Mapping[ZoneKind, float] = {
    ZoneKind.INTRUSION: 2.0,
    ZoneKind.LOITERING: 120.0,
    ZoneKind.FIRE_LANE: 60.0,
    ZoneKind.CROWD: 10.0,
}


class Zone(Confined):
    """A polygon in pixels of the camera's picture; what stands in it counts by the middle of its lower edge."""

    id: Slug
    name: Name
    polygon: Polygon
    kind: ZoneKind = ZoneKind.INTRUSION
    labels: Annotated[tuple[Label, ...] | None, Field(min_length=1)] = None
    """Left out: persons; in a fire lane vehicles."""
    at_least_s: Annotated[float | None, Field(ge=0, le=3600)] = None
    """So long before it is an alarm. Left out: 2 s, loitering 120 s, in a fire lane 60 s, for a crowd 10 s."""
    more_than: Annotated[int | None, Field(ge=1, le=100)] = None
    """For a crowd, and only there."""
    schedule: str | None = None
    """Alarms only while it holds; left out: always, as while the time is not trusted."""
    grid: str | None = None

    @property
    def wanted(self) -> tuple[Label, ...]:
        return self.labels or _LABELS.get(self.kind, (Label.PERSON,))

    @property
    def lasts_s(self) -> float:
        return _LASTS_S[self.kind] if self.at_least_s is None else self.at_least_s


class Way(StrEnum):
    """Across a line: to the side of its inner point, or away from it."""

    IN = "in"
    OUT = "out"


class Line(Confined):
    """A line across which things are counted in both directions."""

    id: Slug
    name: Name
    ends: tuple[Point, Point]
    inside: Point
    """Any point on the inner side."""
    labels: Annotated[tuple[Label, ...], Field(min_length=1)] = (Label.PERSON,)
    alarm: tuple[Way, ...] = ()
    """Directions in which a crossing is an alarm."""
    schedule: str | None = None
    """Alarms only while it holds; left out: always, as while the time is not trusted."""
    grid: str | None = None


class Tampering(Confined):
    """When a camera that no longer sees what it was put there for is an alarm."""

    watch: tuple[Flaw, ...] = tuple(Flaw)
    """What is watched for; leave "turned" out for a camera that is moved by hand or by itself."""
    after_s: Annotated[float, Field(ge=1, le=3600)] = 10.0
    frozen_s: Annotated[float, Field(ge=5, le=3600)] = 60.0
    """The same picture for so long; a live one has noise."""


class Camera(CameraSource):
    """`purpose`, `owner` and `sign` are the declarations State Council Order 799 asks of every public camera."""

    name: Name
    purpose: Annotated[str, Field(min_length=1)]
    owner: Annotated[str, Field(min_length=1)]
    sign: Annotated[str, Field(min_length=1)]
    """Where the sign that announces the camera hangs."""
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    tampering: Tampering = Tampering()
    privacy: tuple[Polygon, ...] = ()
    """Polygons blacked out before anything looks at the picture."""
    snapshots: bool = False
    """Whether an alarm that concerns this camera takes a picture, with faces blurred."""
    keep_hours: Annotated[float, Field(gt=0, le=72)] = 24.0
    """How long the gateway keeps such a picture, sealed."""
    snapshot_kb: Annotated[int, Field(ge=16, le=96)] = 64
    """A picture is never larger; it is made smaller until it fits."""


class Runtime(StrEnum):
    AUTO = "auto"  # LiteRT where it is installed, else tflite-runtime
    LITERT = "litert"
    TFLITE = "tflite-runtime"


class Profile(StrEnum):
    ECONOMICAL = "economical"  # about every second picture of a busy scene is looked at
    THOROUGH = "thorough"  # every picture: surer and quicker, for twice the work


class Vision(Confined):
    model: Slug = "nanodet-416-fp16"
    model_card: Path | None = None
    """Card of an installer's own model, its file beside it, in place of `model`."""
    runtime: Runtime = Runtime.AUTO
    threads: Annotated[int, Field(ge=1, le=4)] = 1
    min_score: Annotated[float, Field(gt=0, lt=1)] = 0.4
    profile: Profile = Profile.ECONOMICAL
    cpu_cores: Annotated[float, Field(ge=0.1, le=16)] = 1.0
    """CPU of the vision process, in cores: above it the frame rate of all cameras goes down alike."""

    @property
    def chosen(self) -> str:
        """The model's name, or the path of its card."""
        return self.model if self.model_card is None else str(self.model_card)


class Privacy(Confined):
    """What this gateway may keep of people."""

    key_file: Path | None = None
    """Key that snapshots are sealed with; left out, one is made in the storage folder."""
