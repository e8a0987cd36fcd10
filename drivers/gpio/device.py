"""The device: inputs become readings as their edges come, outputs act at once and go back to safe."""

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
from drivers.gpio.guard import Guard
from drivers.gpio.lines import Edge, Lines
from drivers.gpio.opening import follow, open_lines

_log = logging.getLogger(__name__)


class GpioLines:
    """All lines of one chip in one request. Everything belongs to the loop's thread, the end of an output's time apart.

    An output goes to its safe state whenever the chip is opened again.
    """

    def __init__(self, config: GpioChip, clock: Clock) -> None:
        self.id = DeviceId(config.id)
        self.serves = frozenset({self.id})
        self._config = config
        self._clock = clock
        self._outputs = {line.id: line for line in config.outputs}
        self._guard: Guard | None = None
        self._reason, self._hint = "not yet open", "it is opened by itself"

    async def run(self, emit: Emit) -> None:
        standing = Standing(self.id, self._clock, emit, _log)
        backoff = Backoff()
        while True:
            try:
                lines = await open_lines(self._config, self._clock)
                backoff.reset()
                standing.become(DeviceState.OK)
                await self._follow(lines, emit)
            except (LinkError, DeviceFault) as error:
                self._reason, self._hint = error.reason, error.hint
                standing.become(DeviceState.FAULT, error.reason, error.hint)
            await self._clock.sleep(backoff.next_s())

    def apply(self, output: Output) -> None:
        if not isinstance(output, Switch) or output.device != self.id or output.point not in self._outputs:
            raise DeviceFault(self.id, f"has no such output: {output}", hint="name an output of this chip")
        if self._guard is None:
            raise DeviceFault(self.id, self._reason, hint=self._hint)
        try:
            self._guard.switch(output.point, output.on, output.for_s)
        except LinkError as error:
            raise DeviceFault(self.id, error.reason, hint=error.hint) from error

    async def _follow(self, lines: Lines, emit: Emit) -> None:
        """Emit the inputs' states and then their changes until the chip has gone. Raises: LinkError."""
        known: dict[str, bool] = {}

        def tell(edges: list[Edge]) -> None:
            for edge in edges:
                if known.get(edge.input) is not edge.on:
                    known[edge.input] = edge.on
                    emit(Reading(self.id, PointId(edge.input), edge.on, edge.mono_s))

        guard = self._guard = Guard(self.id, lines, self._config.outputs, self._clock)
        try:
            now = self._clock.mono_s()
            tell([Edge(name, on, now) for name, on in lines.states.items()])
            await follow(lines, tell)
        finally:
            self._guard = None
            guard.close()
            put_back(self._config, lines)
            lines.close()


def put_back(config: GpioChip, lines: Lines) -> None:
    """Put the outputs of open lines into their safe state, as long as the chip is there."""
    for output in config.outputs:
        try:
            lines.set(output.id, output.safe)
        except LinkError as error:
            _log.warning("%s: %s not put to its safe state: %s", config.id, output.id, error.reason)
            return


def put_outputs_safe(config: GpioChip) -> None:
    """Put a chip's outputs into their safe state while no agent runs. Raises: LinkError, DeviceFault."""
    if config.outputs:
        (server if config.chip.startswith(server.PREFIX) else kernel).put_safe(config)
