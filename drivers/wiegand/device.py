"""The device: each reader's two lines are one request of their own, so that no reader disturbs another."""

import asyncio
import logging
import select
from collections.abc import Callable, Mapping

from drivers.base import (
    Backoff,
    Card,
    Clock,
    Cue,
    DeviceError,
    DeviceFault,
    DeviceId,
    DeviceState,
    Emit,
    FrameError,
    Keys,
    LinkError,
    Output,
    PointId,
    Reading,
    Signal,
    Standing,
)
from drivers.gpio.device import put_back
from drivers.gpio.guard import Guard
from drivers.gpio.lines import Edge, Lines
from drivers.gpio.opening import follow, open_lines
from drivers.wiegand.config import WiegandBus, WiegandReader, lines_of
from drivers.wiegand.formats import FORMATS, read
from drivers.wiegand.frames import Assembler, Burst

REFUSED_IN_A_ROW = 5
"""Frames after which a reader is in fault: its wires or its declared format are wrong. A good frame heals it."""

_LAMPS: Mapping[str, Mapping[Cue, tuple[float, ...]]] = {
    "led": {Cue.GRANTED: (3.0,), Cue.DENIED: (0.2,) * 9, Cue.PIN: (0.5,) * 29},
    "buzzer": {Cue.GRANTED: (0.2,), Cue.DENIED: (0.1,) * 5, Cue.PIN: (0.1,)},
}
"""What a cue does: seconds on, off, on, …"""

_log = logging.getLogger(__name__)


class WiegandReaders:
    """Readers of one chip. Everything belongs to the loop's thread, the end of a lamp's time apart.

    The device itself is in fault while none of its readers can be opened. Readings of a reader: `card`, `keys` (one
    at a time), and `rejected`, the number of frames refused since the start.
    """

    def __init__(self, config: WiegandBus, clock: Clock) -> None:
        self.id = DeviceId(config.id)
        self._clock = clock
        self._readers = {DeviceId(reader.id): _Reader(config, reader, clock) for reader in config.readers}
        self.serves = frozenset({self.id, *self._readers})

    async def run(self, emit: Emit) -> None:
        standing = Standing(self.id, self._clock, emit, _log)

        def changed() -> None:
            problems = [reader.problem for reader in self._readers.values()]
            first = problems[0]
            if first is None or None in problems:
                standing.become(DeviceState.OK)
            elif all(reader.tried for reader in self._readers.values()):
                standing.become(DeviceState.FAULT, first.reason, first.hint)

        async with asyncio.TaskGroup() as group:
            for reader in self._readers.values():
                group.create_task(reader.run(emit, changed), name=f"wiegand:{reader.id}")

    def apply(self, output: Output) -> None:
        reader = self._readers.get(output.device)
        if reader is None or not isinstance(output, Signal):
            raise DeviceFault(self.id, f"cannot do that: {output}", hint="a Wiegand reader shows cues and nothing else")
        reader.show(output.cue)


class _Reader:
    """`problem` is why it cannot be opened; None once it is open."""

    def __init__(self, bus: WiegandBus, config: WiegandReader, clock: Clock) -> None:
        self.id = DeviceId(config.id)
        self.problem: DeviceError | None = DeviceFault(config.id, "not yet open", hint="it is opened by itself")
        self.tried = False
        self._config = config
        self._chip = lines_of(bus, config)
        self._clock = clock
        self._lamps: dict[str, _Lamp] = {}
        self._rejected = self._in_a_row = 0

    async def run(self, emit: Emit, changed: Callable[[], None]) -> None:
        standing = Standing(self.id, self._clock, emit, _log)
        backoff = Backoff()
        while True:
            try:
                lines = await open_lines(self._chip, self._clock)
                try:
                    self._check_rest(lines)
                    backoff.reset()
                    self.problem = None
                    standing.become(DeviceState.OK)
                    changed()
                    await self._serve(lines, emit, standing)
                finally:
                    lines.close()
            except (LinkError, DeviceFault) as error:
                self.problem, self.tried = error, True
                standing.become(DeviceState.FAULT, error.reason, error.hint)
                changed()
            await self._clock.sleep(backoff.next_s())

    def show(self, cue: Cue) -> None:
        """Raises: DeviceFault while the lines are not open, where there are lamps to light."""
        if self.problem is not None and self._chip.outputs:
            raise DeviceFault(self.id, self.problem.reason, hint=self.problem.hint)
        for name, lamp in self._lamps.items():
            try:
                lamp.show(_LAMPS[name].get(cue, ()))
            except LinkError as error:
                raise DeviceFault(self.id, error.reason, hint=error.hint) from error

    def _check_rest(self, lines: Lines) -> None:
        for name, held in lines.states.items():
            if held:
                hint = "check the reader's power and the data wires for a short; both lines rest high"
                raise LinkError(self.id, f"{name} is held low", hint=hint)

    async def _serve(self, lines: Lines, emit: Emit, standing: Standing) -> None:
        """Read frames and light lamps until the chip has gone. Raises: LinkError."""
        decoder = _Decoder(self._config, lines.fileno(), self._clock, lambda burst: self._take(burst, emit, standing))
        guard = Guard(self.id, lines, self._chip.outputs, self._clock)
        self._lamps = {lamp.id: _Lamp(lamp.id, guard) for lamp in self._chip.outputs}
        self._in_a_row = 0
        try:
            await follow(lines, decoder.edges)
        finally:
            decoder.stop()
            for lamp in self._lamps.values():
                lamp.stop()
            self._lamps = {}
            guard.close()
            put_back(self._chip, lines)

    def _take(self, burst: Burst, emit: Emit, standing: Standing) -> None:
        try:
            value = self._read(burst)
        except FrameError as error:
            self._rejected += 1
            self._in_a_row += 1
            _log.info("%s: refused: %s", self.id, error.reason)
            emit(Reading(self.id, PointId("rejected"), self._rejected, burst.mono_s))
            if self._in_a_row >= REFUSED_IN_A_ROW:
                hint = error.hint or "compare formats with the reader's manual, and check data0, data1 and the cable"
                standing.become(DeviceState.FAULT, f"it sends what is no card: {error.reason}", hint)
            return
        self._in_a_row = 0
        standing.become(DeviceState.OK)
        point = "keys" if isinstance(value, Keys) else "card"
        emit(Reading(self.id, PointId(point), value, burst.mono_s))

    def _read(self, burst: Burst) -> Card | Keys:
        if burst.spoilt is not None:
            raise FrameError(self.id, burst.spoilt.value, hint="check shield, ground and the length of the cable")
        return read(self.id, burst.bits, burst.number, self._config.formats)


class _Decoder:
    """Feeds edges to the assembler, and has it look again when a burst is due to end."""

    def __init__(self, config: WiegandReader, fd: int, clock: Clock, take: Callable[[Burst], None]) -> None:
        self._waiting = select.poll()
        self._waiting.register(fd, select.POLLIN)
        lengths = (FORMATS[name].bits for name in config.formats)
        self._assembler = Assembler(lengths, config.gap_ms / 1000)
        self._clock = clock
        self._take = take
        self._timer: asyncio.TimerHandle | None = None

    def edges(self, edges: list[Edge]) -> None:
        for edge in edges:
            if edge.on:
                self._give(self._assembler.bit(edge.input == "data1", edge.mono_s, after_gap=edge.after_gap))
        self._plan()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """End the burst, unless edges that the loop was too busy to read say that it goes on."""
        if not self._waiting.poll(0):
            self._give(self._assembler.expire(self._clock.mono_s()))
        self._plan()

    def _plan(self) -> None:
        """The loop reads its descriptors before it looks at its timers, so what waits comes first."""
        self.stop()
        due_s = self._assembler.due_s
        if due_s is not None:
            wait_s = max(0.0, due_s - self._clock.mono_s())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _give(self, burst: Burst | None) -> None:
        if burst is not None:
            self._take(burst)


class _Lamp:
    """A LED or a buzzer. Each time it is on, the guard ends it: no hung loop leaves a buzzer sounding."""

    def __init__(self, name: str, guard: Guard) -> None:
        self._name = name
        self._guard = guard
        self._timer: asyncio.TimerHandle | None = None

    def show(self, beat: tuple[float, ...]) -> None:
        """Seconds on, off, on, …; nothing puts it off. Raises: LinkError."""
        self.stop()
        if not beat:
            self._guard.switch(self._name, on=False)
            return
        self._guard.switch(self._name, on=True, for_s=beat[0])
        if len(beat) > 2:
            self._timer = asyncio.get_running_loop().call_later(beat[0] + beat[1], self._go_on, beat[2:])

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self, beat: tuple[float, ...]) -> None:
        try:
            self.show(beat)
        except LinkError as error:
            _log.warning("%s: its light or sound is cut off: %s", self._name, error.reason)
