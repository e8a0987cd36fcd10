"""Lines of a chip, opened by its address, and their edges on the event loop."""

import asyncio
from collections.abc import Callable

from drivers.base import Clock, LinkError
from drivers.gpio import server
from drivers.gpio.config import GpioChip
from drivers.gpio.kernel import KernelLines
from drivers.gpio.lines import Edge, Lines
from drivers.gpio.server import ServerLines


async def open_lines(config: GpioChip, clock: Clock) -> Lines:
    """Request the lines of a chip of the kernel or of a line server. Raises: LinkError, DeviceFault."""
    if config.chip.startswith(server.PREFIX):
        return await ServerLines.open(config, clock)
    return KernelLines(config, clock)


async def follow(lines: Lines, take: Callable[[list[Edge]], None]) -> None:
    """Hand over the edges as they come, until the chip has gone. Raises: LinkError."""
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        try:
            take(lines.read())
        except LinkError as error:
            loop.remove_reader(lines.fileno())
            if not gone.done():
                gone.set_exception(error)

    loop.add_reader(lines.fileno(), readable)
    try:
        await gone
    finally:
        loop.remove_reader(lines.fileno())
