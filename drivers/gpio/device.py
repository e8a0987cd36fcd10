"""The device: inputs become readings as their edges come, outputs act at once and go back to safe."""

import asyncio
import logging

from drivers.base import (
    Backoff,
    Clock,
    DeviceFault,
    DeviceId,
    DeviceState,
    Emit,
    LinkError,
    Output,
    PointId,
    Reading,
    Standing,
    Switch,
)
from drivers.gpio import kernel, server
from drivers.gpio.config import GpioChip
from drivers.gpio.kernel import KernelLines
from drivers.gpio.lines import Edge, Lines
from drivers.gpio.server import ServerLines

_log = logging.getLogger(__name__)


class GpioLines:
    """All lines of one chip in one request. Everything belongs to the loop's thread.

    An output that was switched on for a time is switched off by the loop, and goes to its safe state whenever
    the chip is opened again.
    """

    def __init__(self, config: GpioChip, clock: Clock) -> None:
        self.id = DeviceId(config.id)
        self.serves = frozenset({self.id})
        self._config = config
        self._clock = clock
        self._safe = {line.id: line.safe for line in config.outputs}
        self._lines: Lines | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._reason, self._hint = "not yet open", ""

    async def run(self, emit: Emit) -> None:
        standing = Standing(self.id, self._clock, emit, _log)
        backoff = Backoff()
        while True:
            try:
                lines = await self._open()
                backoff.reset()
                standing.become(DeviceState.OK)
                await self._follow(lines, emit)
            except (LinkError, DeviceFault) as error:
                self._reason, self._hint = error.reason, error.hint
                standing.become(DeviceState.FAULT, error.reason, error.hint)
            await self._clock.sleep(backoff.next_s())

    def apply(self, output: Output) -> None:
        if not isinstance(output, Switch) or output.point not in self._safe:
            raise DeviceFault(self.id, f"has no such output: {output}", hint="name an output of this chip")
        timer = self._timers.pop(output.point, None)
        if timer is not None:
            timer.cancel()
        self._set(output.point, output.on)
        if output.for_s is not None:
            loop = asyncio.get_running_loop()
            self._timers[output.point] = loop.call_later(output.for_s, self._turn_back, output.point, not output.on)

    async def _open(self) -> Lines:
        if self._config.chip.startswith(server.PREFIX):
            return await ServerLines.open(self._config, self._clock)
        return KernelLines(self._config, self._clock)

    async def _follow(self, lines: Lines, emit: Emit) -> None:
        """Emit the inputs' states and then their changes until the chip has gone. Raises: LinkError."""
        loop = asyncio.get_running_loop()
        known: dict[str, bool] = {}
        gone: asyncio.Future[None] = loop.create_future()

        def tell(edge: Edge) -> None:
            if known.get(edge.input) is not edge.on:
                known[edge.input] = edge.on
                emit(Reading(self.id, PointId(edge.input), edge.on, edge.mono_s))

        def readable() -> None:
            try:
                for edge in lines.read():
                    tell(edge)
            except LinkError as error:
                loop.remove_reader(lines.fileno())
                if not gone.done():
                    gone.set_exception(error)

        self._lines = lines
        loop.add_reader(lines.fileno(), readable)
        try:
            now = self._clock.mono_s()
            for name, on in lines.states.items():
                tell(Edge(name, on, now))
            await gone
        finally:
            loop.remove_reader(lines.fileno())
            self._release(lines)

    def _release(self, lines: Lines) -> None:
        self._lines = None
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for output, safe in self._safe.items():
            try:
                lines.set(output, safe)
            except LinkError as error:
                _log.warning("%s: %s not put to its safe state: %s", self.id, output, error.reason)
                break
        lines.close()

    def _set(self, output: str, on: bool) -> None:
        if self._lines is None:
            raise DeviceFault(self.id, self._reason, hint=self._hint)
        try:
            self._lines.set(output, on)
        except LinkError as error:
            raise DeviceFault(self.id, error.reason, hint=error.hint) from error

    def _turn_back(self, output: str, on: bool) -> None:
        del self._timers[output]
        try:
            self._set(output, on)
        except DeviceFault as error:
            _log.warning("%s: %s not turned back: %s", self.id, output, error.reason)


def put_outputs_safe(config: GpioChip) -> None:
    """Put a chip's outputs into their safe state while no agent runs. Raises: LinkError, DeviceFault."""
    if config.outputs:
        (server if config.chip.startswith(server.PREFIX) else kernel).put_safe(config)
