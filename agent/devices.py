"""From a device's settings to its driver."""

from typing import assert_never

from agent.settings import DeviceConfig, GpioChip, ModbusBus, OsdpBus, WiegandBus
from drivers.base import Clock, Device


def build_device(config: DeviceConfig, clock: Clock) -> Device:
    """The driver of a device; its library is imported only here, when the file names such a device."""
    match config:
        case OsdpBus():
            from drivers.osdp.cp import OsdpControlPanel

            return OsdpControlPanel(config, clock)
        case ModbusBus():
            from drivers.modbus import ModbusLine

            return ModbusLine(config, clock)
        case WiegandBus():
            from drivers.wiegand import WiegandReaders

            return WiegandReaders(config, clock)
        case GpioChip():
            from drivers.gpio import GpioLines

            return GpioLines(config, clock)
        case _:
            assert_never(config)
