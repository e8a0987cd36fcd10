"""The latest state of every device and of its points, as the retained `device/{id}` messages say it."""

from collections.abc import Callable, Mapping

from agent.contract import DeviceMessage, PointMessage, uptime
from drivers.base import Card, DeviceId, DeviceState, Keys, PointId, PointRef, Reading, Status


class Board:
    """`publish(suffix, payload)` gets a device's message on every change of its state and every reading kept."""

    def __init__(self, boot: str, units: Mapping[PointRef, str], publish: Callable[[str, bytes], None]) -> None:
        self._boot = boot
        self._units = units
        self._publish = publish
        self._states: dict[DeviceId, Status] = {}
        self._points: dict[DeviceId, dict[PointId, PointMessage]] = {}

    def status(self, status: Status) -> None:
        self._states[status.device] = status
        self._tell(status)

    def reading(self, reading: Reading) -> None:
        assert not isinstance(reading.value, Card | Keys), "cards and keys are never published"
        self._points.setdefault(reading.device, {})[reading.point] = PointMessage(
            value=reading.value,
            unit=self._units.get(reading.ref, ""),
            quality=reading.quality,
            uptime=uptime(reading.mono_s),
        )
        self._tell(
            self._states.get(reading.device, Status(reading.device, DeviceState.STARTING, reading.mono_s)),
        )

    def _tell(self, status: Status) -> None:
        message = DeviceMessage(
            device=status.device,
            state=status.state,
            reason=status.reason,
            hint=status.hint,
            boot=self._boot,
            uptime=uptime(status.mono_s),
            points=self._points.get(status.device, {}),
        )
        self._publish(f"device/{status.device}", message.payload())
