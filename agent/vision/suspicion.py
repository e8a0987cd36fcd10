"""Finds the camera whose stream ends the vision process again and again, so that the others are watched meanwhile.

A process that was killed inside a decoder cannot say by whom. After DEATHS quick deaths in a row the cameras are left
out in turn, one at a time; where the process then lives, that one is kept out for a while, and for twice as long if it
does the same again. Where it dies without any of them, none is kept out: the cause is another.
"""

from collections.abc import Sequence
from typing import Final

from drivers.base import DeviceId

QUICK_S: Final = 30.0
"""A process that lives for so long without its suspect is the proof; a life that ends sooner is a quick death."""
DEATHS: Final = 3
_OUT_S, _LONGEST_S = 600.0, 3600.0


class Suspicion:
    """Of the lives of one process after another; times are monotonic seconds."""

    def __init__(self, cameras: Sequence[DeviceId]) -> None:
        self._cameras = tuple(cameras)
        self._deaths = 0
        self._suspects: list[DeviceId] = []
        """Still to be left out, the present one first."""
        self._kept_out: dict[DeviceId, float] = {}
        """Until when."""
        self._terms: dict[DeviceId, float] = {}
        """For how long a camera was kept out the last time."""
        self._begun_s = 0.0

    def begin(self, now_s: float) -> frozenset[DeviceId]:
        """A life begins; the cameras it is not given."""
        self._begun_s = now_s
        self._kept_out = {camera: until_s for camera, until_s in self._kept_out.items() if until_s > now_s}
        return frozenset((*self._kept_out, *self._suspects[:1]))

    def back_s(self, camera: DeviceId) -> float | None:
        """When a camera that is kept out may come back; None for one that is not."""
        return self._kept_out.get(camera)

    def over(self, now_s: float) -> bool:
        """Whether this life is to be ended, for a camera to come back."""
        return any(until_s <= now_s for until_s in self._kept_out.values())

    def died(self, now_s: float) -> None:
        """The life that began last is over, by itself."""
        if now_s - self._begun_s >= QUICK_S:
            self._prove(now_s)
            self._deaths = 0
            return
        self._deaths += 1
        if self._suspects:
            del self._suspects[0]
            if not self._suspects:
                self._deaths = 0
        elif self._deaths >= DEATHS and len(self._cameras) > len(self._kept_out) + 1:
            before = sorted(self._cameras, key=lambda camera: -self._terms.get(camera, 0.0))
            self._suspects = [camera for camera in before if camera not in self._kept_out]

    def lives(self, now_s: float) -> bool:
        """The life goes on; whether that has just proved a suspect."""
        return now_s - self._begun_s >= QUICK_S and self._prove(now_s)

    def _prove(self, now_s: float) -> bool:
        if not self._suspects:
            return False
        camera, self._deaths = self._suspects[0], 0
        self._suspects.clear()
        self._terms[camera] = min(_LONGEST_S, 2 * self._terms.get(camera, _OUT_S / 2))
        self._kept_out[camera] = now_s + self._terms[camera]
        return True
