"""The thread that ends an output's time, whatever the event loop does meanwhile."""

import logging
import threading
from collections.abc import Iterable

from drivers.base import Clock, DeviceId, LinkError
from drivers.gpio.config import GpioOutput
from drivers.gpio.lines import Lines

_log = logging.getLogger(__name__)
_AGAIN_S = 1.0  # until the next try to turn an output back that could not be


class Guard:
    """Sets the outputs of an open chip and alone turns them back; the thread lives from `__init__` to `close`.

    `switch` and `close` are called by the loop's thread. One lock covers lines and deadlines, so that an order and the
    end of the one before it never cross. Only a stopped process stops the guard too: then the watchdog bounds it.
    """

    def __init__(self, device: DeviceId, lines: Lines, outputs: Iterable[GpioOutput], clock: Clock) -> None:
        self._device = device
        self._lines = lines
        self._max_on_s = {output.id: output.max_on_s for output in outputs}
        self._clock = clock
        self._changed = threading.Condition()
        self._ends: dict[str, tuple[float, bool]] = {}
        """Until when an output keeps its state, and the state that follows."""
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"gpio-guard:{device}", daemon=True)
        self._thread.start()

    def switch(self, output: str, on: bool, for_s: float | None = None) -> None:
        """Raises: LinkError, and the output keeps the time it had."""
        with self._changed:
            self._lines.set(output, on)
            self._limit(output, on, for_s)
            self._changed.notify()

    def close(self) -> None:
        """No deadline is kept any more; the outputs stay as they are."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _limit(self, output: str, on: bool, for_s: float | None) -> None:
        self._ends.pop(output, None)
        limits = [for_s, self._max_on_s[output] if on else None]
        given = [limit for limit in limits if limit is not None]
        if given:
            self._ends[output] = (self._clock.mono_s() + min(given), not on)

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                now = self._clock.mono_s()
                for output, (ends_s, then) in list(self._ends.items()):
                    if ends_s <= now:
                        self._turn_back(output, then)
                ends = [ends_s for ends_s, _ in self._ends.values()]
                self._changed.wait(max(0.0, min(ends) - self._clock.mono_s()) if ends else None)

    def _turn_back(self, output: str, on: bool) -> None:
        del self._ends[output]
        try:
            self._lines.set(output, on)
        except LinkError as error:
            _log.warning("%s: %s not turned back: %s", self._device, output, error.reason)
            self._ends[output] = (self._clock.mono_s() + _AGAIN_S, on)
        else:
            self._limit(output, on, None)
