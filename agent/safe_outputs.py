"""Every output into its safe state while no agent runs: what the service calls after each end of the agent.

A file that has become wrong since the agent started must not leave a lock open: then each device is read by itself,
and the outputs of those that can be read are put safe all the same.
"""

import logging
import tomllib
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agent.configuration import in_force
from agent.settings import DeviceConfig, GpioChip, SettingsError, WiegandBus
from drivers.base import DeviceError
from drivers.gpio import put_outputs_safe
from drivers.wiegand import lines_of

_log = logging.getLogger(__name__)
_DEVICE: TypeAdapter[DeviceConfig] = TypeAdapter(DeviceConfig)


def put_all_safe(file: Path) -> bool:
    """False when an output could not be reached; the others are in their safe state.

    Raises: SettingsError when the file is wrong, after what can be done in spite of it.
    """
    try:
        return _put(list(in_force(file).devices))
    except SettingsError:
        _put(list(_readable(file)))
        raise


def _put(devices: list[DeviceConfig]) -> bool:
    reached = True
    for device in devices:
        for chip in _chips(device):
            try:
                put_outputs_safe(chip)
            except DeviceError as error:
                reached = False
                _log.error("%s: outputs not put safe: %s; %s", chip.id, error.reason, error.hint)
    return reached


def _chips(device: DeviceConfig) -> tuple[GpioChip, ...]:
    if isinstance(device, GpioChip):
        return (device,)
    return tuple(lines_of(device, reader) for reader in device.readers) if isinstance(device, WiegandBus) else ()


def _readable(file: Path) -> Iterator[DeviceConfig]:
    """Devices that are right by themselves, in a file that is not."""
    try:
        devices = tomllib.loads(file.read_text(encoding="utf-8")).get("devices", [])
    except (OSError, ValueError):
        return
    for device in devices if isinstance(devices, list) else []:
        try:
            yield _DEVICE.validate_python(device)
        except ValidationError:
            _log.warning("a device of %s cannot be read", file)
