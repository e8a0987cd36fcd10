"""How much the camera process may say, so that one that was taken over delays no door: a bucket that fills with time.

A message costs by its size, and a camera's state, its view or the sums much more: they are kept, told upward and never
left out of the queue before the rules.
"""

from typing import Final

PER_S: Final = 60.0
"""For each camera: fifteen observations a second of a crowd, and more."""
SAVED_S: Final = 10.0
"""So much time's worth may be said at once, after the main process was busy."""
STATE: Final = 30.0
_BYTES: Final = 8192
"""Of a message, for each of which it costs one more."""


class Allowance:
    """Of one life of the process; times are monotonic seconds."""

    def __init__(self, cameras: int, now_s: float) -> None:
        self._per_s = PER_S * cameras
        self._left = SAVED_S * self._per_s
        self._at_s = now_s

    def spend(self, length: int, now_s: float, *, state: bool) -> bool:
        """Whether a message of so many bytes is still allowed."""
        self._left = min(SAVED_S * self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        self._left -= (STATE if state else 1.0) + length // _BYTES
        return self._left >= 0
