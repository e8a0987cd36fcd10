"""Wiegand readers: pulses on two GPIO lines each, counted by the kernel."""

from drivers.wiegand.config import FormatName, LampLine, WiegandBus, WiegandReader, lines_of
from drivers.wiegand.device import WiegandReaders

__all__ = ["FormatName", "LampLine", "WiegandBus", "WiegandReader", "WiegandReaders", "lines_of"]
