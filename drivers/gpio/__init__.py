"""GPIO lines: contacts, buttons and locks, through the kernel's character device (gpiod >= 2)."""

from drivers.gpio.config import Active, Bias, GpioChip, GpioInput, GpioOutput
from drivers.gpio.device import GpioLines, put_outputs_safe

__all__ = ["Active", "Bias", "GpioChip", "GpioInput", "GpioLines", "GpioOutput", "put_outputs_safe"]
