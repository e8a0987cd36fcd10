"""Cameras: file, RTSP and USB through OpenCV, opened in the vision process only."""

from typing import Annotated

from pydantic import Field

from drivers.base import Confined, Slug


class Picture(Confined):
    width: Annotated[int, Field(ge=64, le=4096)]
    height: Annotated[int, Field(ge=64, le=4096)]


class CameraSource(Confined):
    """Where a camera's pictures come from, at which size they are judged, and how often."""

    id: Slug
    source: str
    """rtsp://… (the sub-stream), /dev/video… (USB), or file:… (a clip, played in a loop at its own speed)."""
    password_file: str | None = None
    picture: Picture
    fps: Annotated[float, Field(gt=0, le=15)] = 5.0
