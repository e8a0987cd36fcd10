"""Cameras, what is watched in their pictures, the detector, and what may be kept of people."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agent.observations import Label
from agent.settings.names import Name
from drivers.base import Confined, Slug
from drivers.camera import CameraSource


class Zone(Confined):
    """A polygon in pixels of the camera's picture, in which a thing may not stand for `at_least_s`."""

    id: Slug
    name: Name
    polygon: Annotated[tuple[tuple[float, float], ...], Field(min_length=3)]
    labels: Annotated[tuple[Label, ...], Field(min_length=1)] = (Label.PERSON,)
    at_least_s: Annotated[float, Field(ge=0, le=3600)] = 2.0
    grid: str | None = None


class Camera(CameraSource):
    """`purpose`, `owner` and `sign` are the declarations State Council Order 799 asks of every public camera."""

    name: Name
    purpose: Annotated[str, Field(min_length=1)]
    owner: Annotated[str, Field(min_length=1)]
    sign: Annotated[str, Field(min_length=1)]
    """Where the sign that announces the camera hangs."""
    zones: tuple[Zone, ...] = ()
    privacy: tuple[Annotated[tuple[tuple[float, float], ...], Field(min_length=3)], ...] = ()
    """Polygons blacked out before anything looks at the picture."""


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
    """What this gateway may keep of people. Snapshots come with a later release and are off."""

    snapshots: Literal[False] = False
