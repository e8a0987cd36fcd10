"""From a rule's action to the device that carries it out."""

import logging
from collections.abc import Callable, Iterable

from agent.supervisor import BUG_HINT, Boundary
from drivers.base import Clock, Device, DeviceError, DeviceId, DeviceState, Output, Status

_log = logging.getLogger(__name__)


class Outputs:
    """Applies outputs, and reports a device in fault that says it is well and yet refuses, until it accepts again."""

    def __init__(self, devices: Iterable[Device], clock: Clock, report: Callable[[Status], None]) -> None:
        self._owners = {served: device for device in devices for served in device.serves}
        self._clock = clock
        self._report = report
        self.stopped = False
        self._states: dict[DeviceId, DeviceState] = {}
        self._refusals: dict[DeviceId, Status | None] = {}
        """Devices that refuse, with the fault reported for them where they report none themselves."""

    def stop(self) -> None:
        """From now on nothing is moved."""
        self.stopped = True

    def heard(self, status: Status) -> None:
        """Takes note of a device's state; one it says itself ends what was reported for it."""
        self._states[status.device] = status.state
        if status is not self._refusals.get(status.device):
            self._refusals.pop(status.device, None)

    def apply(self, output: Output) -> None:
        """At once; never blocks, never raises."""
        if self.stopped:
            return
        device = self._owners.get(output.device)
        if device is None:
            _log.error("%s: no device takes its outputs", output.device)
            return
        bugs: list[str] = []
        with Boundary(output.device, bugs.append):
            try:
                device.apply(output)
            except DeviceError as err:
                self._refused(output, err.reason, err.hint)
                return
        if bugs:
            self._refused(output, bugs[0], BUG_HINT)
        elif output.device in self._refusals:
            self._accepted(output.device)

    def _refused(self, output: Output, reason: str, hint: str) -> None:
        if output.device in self._refusals:
            return
        state = self._states.get(output.device, DeviceState.STARTING)
        level = logging.INFO if state is DeviceState.STARTING else logging.WARNING
        _log.log(level, "%s: %s not done: %s", output.device, type(output).__name__, reason)
        fault = Status(output.device, DeviceState.FAULT, self._clock.mono_s(), reason, hint)
        self._refusals[output.device] = fault if state is DeviceState.OK else None
        if state is DeviceState.OK:
            self._report(fault)

    def _accepted(self, device: DeviceId) -> None:
        if self._refusals.pop(device) is not None:
            self._report(Status(device, DeviceState.OK, self._clock.mono_s()))
