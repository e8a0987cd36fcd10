"""What the camera process's sums say of each camera, as readings: points `fps`, `looked` and `slowed`."""

from collections.abc import Iterator
from typing import Final

from agent.vision.wire import CameraStats, Stats
from drivers.base import DeviceId, PointId, Reading

EVERY_S: Final = 60.0
"""Numbers are told this often, and when a camera is slowed or no longer."""
FULL_PACE: Final = 0.95
MOST_MISSED: Final = 0.3
"""Share of pictures that may be left out although something moved in them."""


def slowed(stats: Stats, camera: CameraStats) -> bool:
    """Whether a camera gets less than its settings ask for, because the machine has no more to give."""
    return stats.pace < FULL_PACE or camera.missed > MOST_MISSED


class Rates:
    """`readings` of the Stats of one life after the other."""

    def __init__(self) -> None:
        self._told: dict[DeviceId, tuple[bool, float]] = {}

    def readings(self, stats: Stats, mono_s: float) -> Iterator[Reading]:
        for camera in stats.cameras:
            slow = slowed(stats, camera)
            before = self._told.get(camera.camera)
            if before is not None and before[0] == slow and mono_s - before[1] < EVERY_S:
                continue
            self._told[camera.camera] = slow, mono_s
            for point, value in (("fps", camera.fps), ("looked", camera.looked), ("slowed", slow)):
                yield Reading(camera.camera, PointId(point), value, mono_s)
