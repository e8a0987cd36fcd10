"""Keeps the camera process within its CPU budget by slowing all cameras alike, and lets them recover."""

from typing import Final

LEAST_PACE: Final = 0.1
"""Cameras are never held to less than a tenth of their rate: what is seen that seldom is hardly watched."""
_EVERY_S = 1.0
_ROOM = 0.85
"""Below this share of the budget the pace goes up again; between it and the budget it stays."""
_STEP_UP = 1.1
_STEP_DOWN = 0.6
"""One step takes away no more than this leaves, because one second may be a bad one."""
_BUSY = 0.95
"""The main thread, which does the looking, is at its end when it waits less than this leaves."""


class Budget:
    """`pace` is the share of its frame rate that every camera is held to."""

    def __init__(self, cores: float, *, mono_s: float, cpu_s: float) -> None:
        self._cores = cores
        self._mono_s, self._cpu_s, self._busy_s = mono_s, cpu_s, 0.0
        self.pace = 1.0

    def account(self, mono_s: float, cpu_s: float, busy_s: float) -> bool:
        """Given the process's CPU time and how long its main thread has been at work, all since the start.

        Whether the pace has been considered anew, about once a second.
        """
        passed_s = mono_s - self._mono_s
        if passed_s < _EVERY_S:
            return False
        load = max((cpu_s - self._cpu_s) / passed_s / self._cores, (busy_s - self._busy_s) / passed_s / _BUSY)
        self._mono_s, self._cpu_s, self._busy_s = mono_s, cpu_s, busy_s
        if load > 1:
            self.pace = max(LEAST_PACE, self.pace * max(_STEP_DOWN, 1 / load))
        elif load < _ROOM:
            self.pace = min(1.0, self.pace * _STEP_UP)
        return True
