"""GPIO lines: contacts, buttons and locks, through the kernel's character device (gpiod >= 2)."""

from drivers.gpio.config import Active, Bias, GpioChip, GpioInput, GpioOutput, PulseInput
from drivers.gpio.device import GpioLines, put_outputs_safe

__all__ = ["Active", "Bias", "GpioChip", "GpioInput", "GpioLines", "GpioOutput", "PulseInput", "put_outputs_safe"]
