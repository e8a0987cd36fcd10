"""What the vision process says about a picture: plain facts, no pixels, no identity."""

from dataclasses import dataclass
from enum import StrEnum

from drivers.base import DeviceId


class Label(StrEnum):
    PERSON = "person"
    VEHICLE = "vehicle"  # car, bus, truck, motorcycle
    BICYCLE = "bicycle"
    ANIMAL = "animal"


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels of the camera's declared picture, origin top left."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def foot(self) -> tuple[float, float]:
        """Middle of the lower edge: where the thing stands."""
        return (self.left + self.right) / 2, self.bottom


@dataclass(frozen=True, slots=True)
class Track:
    """One thing followed from frame to frame; `id` is a number within this run of the camera, nothing more."""

    id: int
    label: Label
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Observation:
    """Confirmed tracks of one frame; `mono_s` is when the frame was captured.

    `looked` is False for a frame on which no detector ran: then an absent track proves nothing.
    """

    camera: DeviceId
    mono_s: float
    looked: bool
    tracks: tuple[Track, ...] = ()


class Flaw(StrEnum):
    """What keeps a camera from seeing what it was put there for."""

    COVERED = "covered"
    DEFOCUSED = "defocused"
    TURNED = "turned"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class View:
    """What is wrong with a camera's view, said on every change; None: nothing.

    `reference_s` is when the picture began with which it is compared.
    """

    camera: DeviceId
    mono_s: float
    reference_s: float
    flaw: Flaw | None = None
