"""The device: one scheduler asks the bus's units in turn, and only one question is ever on the line."""

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from drivers.base import (
    Backoff,
    Clock,
    DeviceError,
    DeviceFault,
    DeviceId,
    DeviceState,
    Emit,
    FrameError,
    LinkError,
    Output,
    PointId,
    Quality,
    Reading,
    Standing,
)
from drivers.modbus.codec import Block, Framing, Refusal, decode, plan
from drivers.modbus.config import Encoding, ModbusBus, ModbusPoint, ModbusUnit

if TYPE_CHECKING:
    from drivers.line import Line

TRIES = 3
"""Failed polls in a row after which a unit is in fault; noise spoils one now and then."""

REST_S = 0.5
"""A unit that has failed is left alone at least so long: its late answer must not meet the next question."""

CEILING_S = 5.0
"""A unit in fault is tried this often."""

QUIET_S = 0.05
"""Silence after which a disturbed line counts as drained."""

REPEAT_S = 60.0
"""A number is read out this often even if it stays within its deadband."""

_log = logging.getLogger(__name__)


class ModbusLine:
    """Units of one bus. Everything belongs to the loop's thread."""

    def __init__(self, config: ModbusBus, clock: Clock) -> None:
        self.id = DeviceId(config.id)
        self.serves = frozenset({self.id, *(DeviceId(unit.id) for unit in config.units)})
        self._config = config
        self._clock = clock

    async def run(self, emit: Emit) -> None:
        bus = Standing(self.id, self._clock, emit, _log)
        units = [_Unit(unit, self._clock, emit) for unit in self._config.units]
        framing = Framing()
        backoff = Backoff()
        while True:
            try:
                line = self._open()
                try:
                    backoff.reset()
                    bus.become(DeviceState.OK)
                    await _Scheduler(self._config, self._clock, line, framing).serve(units)
                finally:
                    line.close()
            except LinkError as error:
                bus.become(DeviceState.FAULT, error.reason, error.hint)
                for unit in units:
                    unit.lost(error)
            await self._clock.sleep(backoff.next_s())

    def apply(self, output: Output) -> None:
        raise DeviceFault(self.id, f"has no outputs: {output}", hint="name an output of a GPIO chip or a reader")

    def _open(self) -> "Line":
        from drivers.line import SerialLine

        parity = self._config.parity
        return SerialLine(self._config.id, self._config.port, self._config.baud, self._clock, parity=parity)


class _Unit:
    """What is known about one unit."""

    def __init__(self, config: ModbusUnit, clock: Clock, emit: Emit) -> None:
        self.config = config
        self.blocks = plan(config.points)
        self.standing = Standing(DeviceId(config.id), clock, emit, _log)
        self.id = DeviceId(config.id)
        self.due_s = clock.mono_s()
        self._clock = clock
        self._emit = emit
        self._failures = 0
        self._told: dict[str, Reading] = {}

    def succeeded(self, refusals: list[str]) -> None:
        self._failures = 0
        self.due_s = max(self.due_s, self._clock.mono_s() - self.config.poll_s) + self.config.poll_s
        if refusals:
            hint = "compare register type and address with the sensor's manual"
            self.standing.become(DeviceState.FAULT, "; ".join(refusals), hint)
        else:
            self.standing.become(DeviceState.OK)

    def failed(self, error: FrameError, rest_s: float) -> None:
        self._failures += 1
        over = max(0, self._failures - TRIES)
        self.due_s = self._clock.mono_s() + min(max(CEILING_S, rest_s), rest_s * 2 ** min(over, 8))
        if self._failures >= TRIES:
            self.lost(error)

    def lost(self, error: DeviceError) -> None:
        """Be in fault; what is measured afterwards is news, whatever it is."""
        self._told.clear()
        self.standing.become(DeviceState.FAULT, error.reason, error.hint)

    def measured(self, block: Block, words: list[int], mono_s: float) -> None:
        for point in block.points:
            start = point.address - block.address
            value, quality = decode(point, words[start : start + point.count])
            self._tell(point, Reading(self.id, PointId(point.id), value, mono_s, quality))

    def refused(self, block: Block, mono_s: float) -> None:
        """Read the block's points out as BAD, with the last value there was."""
        for point in block.points:
            told = self._told.get(point.id)
            value = told.value if told else False if point.encoding is Encoding.BIT else 0.0
            self._tell(point, Reading(self.id, PointId(point.id), value, mono_s, Quality.BAD))

    def _tell(self, point: ModbusPoint, new: Reading) -> None:
        old = self._told.get(point.id)
        if old is None or old.quality is not new.quality or _differs(point, old, new):
            self._told[point.id] = new
            self._emit(new)


def _differs(point: ModbusPoint, old: Reading, new: Reading) -> bool:
    """Whether a reading of the same quality says something new."""
    if isinstance(new.value, bool) or new.quality is Quality.BAD:
        return new.value != old.value
    assert isinstance(old.value, float)
    assert isinstance(new.value, float)
    return abs(new.value - old.value) >= point.deadband or new.mono_s - old.mono_s >= REPEAT_S


class _Scheduler:
    """Owns the line while it is there: whoever is due longest is asked next."""

    def __init__(self, config: ModbusBus, clock: Clock, line: "Line", framing: Framing) -> None:
        self._config = config
        self._clock = clock
        self._line = line
        self._framing = framing
        self._char_s = 11 / config.baud
        self._gap_s = max(3.5 * self._char_s, 0.00175)

    async def serve(self, units: list[_Unit]) -> None:
        """Poll until the line has gone. Raises: LinkError."""
        now = self._clock.mono_s()
        for unit in units:
            unit.due_s = now
        while True:
            unit = min(units, key=lambda u: u.due_s)
            await self._listen(max(self._gap_s, unit.due_s - self._clock.mono_s()))
            await self._poll(unit)

    async def _poll(self, unit: _Unit) -> None:
        """Read all blocks of a unit; the first that gets no answer ends the turn."""
        refusals = []
        for block in unit.blocks:
            try:
                answer = await self._ask(unit.config.unit, block)
            except FrameError as error:
                await self._drain()
                unit.failed(error, max(REST_S, 2 * self._config.timeout_s))
                return
            if isinstance(answer, Refusal):
                refusals.append(f"{block}: {answer}")
                unit.refused(block, self._line.read_mono_s)
            else:
                unit.measured(block, answer, self._line.read_mono_s)
            await self._listen(self._gap_s)
        unit.succeeded(refusals)

    async def _ask(self, unit: int, block: Block) -> list[int] | Refusal:
        """One question and its answer. Raises: FrameError when none has come in time, LinkError."""
        request = self._framing.request(unit, block)
        received = b""
        self._line.clear()
        self._line.write(request)
        try:
            async with self._clock.timeout(self._config.timeout_s + (len(request) + block.answer_bytes) * self._char_s):
                while True:
                    received += await self._line.read()
                    answer = self._framing.answer(unit, block, received)
                    if answer is not None:
                        return answer
        except TimeoutError as error:
            if received:
                hint = "check baud and parity, the bus's termination, and that no other unit has this address"
                raise FrameError(self._config.id, f"unit {unit} answers {block} with garbage", hint=hint) from error
            hint = "check the unit's power, its address, and the wires A and B"
            raise FrameError(self._config.id, f"unit {unit} does not answer", hint=hint) from error

    async def _listen(self, seconds: float) -> None:
        """Let time pass and forget what arrives. Raises: LinkError at once when the line goes."""
        with suppress(TimeoutError):
            async with self._clock.timeout(seconds):
                while True:
                    await self._line.read()

    async def _drain(self) -> None:
        """Listen until the line is quiet, for one time-out at most."""
        with suppress(TimeoutError):
            async with self._clock.timeout(self._config.timeout_s):
                while await self._hears():
                    pass

    async def _hears(self) -> bool:
        try:
            async with self._clock.timeout(QUIET_S):
                return bool(await self._line.read())
        except TimeoutError:
            return False
