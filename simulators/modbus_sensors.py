"""Modbus sensors on a wire: pymodbus's own server behind a pty, with the faults of real buses.

Every unit of the configuration has exactly the registers its points name; other addresses are refused, other unit
numbers stay silent.
"""

import asyncio
import os
import struct
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from drivers.modbus import Encoding, ModbusBus, ModbusPoint, ModbusUnit, Register
from simulators.wire import Wire

if TYPE_CHECKING:
    from pymodbus.constants import ExcCodes
    from pymodbus.pdu import ModbusPDU
    from pymodbus.server.requesthandler import ServerRequestHandler
    from pymodbus.simulator import SimData, SimDevice

_FUNCTIONS = {1: Register.COIL, 2: Register.DISCRETE, 3: Register.HOLDING, 4: Register.INPUT}
_FORMATS = {Encoding.U16: ">H", Encoding.I16: ">h", Encoding.U32: ">L", Encoding.I32: ">l", Encoding.F32: ">f"}
_GARBAGE = bytes(range(0x55, 0x65))


class _WireTransport(asyncio.Transport):
    """What the server writes to; each answer passes through the bus's faults."""

    def __init__(self, bus: "SimModbusBus") -> None:
        super().__init__()
        self._bus = bus

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._bus.answer(bytes(data))

    def close(self) -> None:
        """The wire belongs to the bus."""


class SimModbusBus:
    """The units of `config` at the other end of `wire`; plugged in on entry."""

    def __init__(self, wire: Wire, config: ModbusBus) -> None:
        self._wire = wire
        self._units = {unit.id: unit for unit in config.units}
        self._words: dict[tuple[int, Register, int], int] = {}
        self._silent: set[int] = set()
        self._refused: dict[int, int] = {}
        self._garbage: dict[int, int] = {}
        self._late: dict[int, tuple[float, int]] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._handler: ServerRequestHandler | None = None
        self._asked: dict[int, int] = dict.fromkeys((unit.unit for unit in config.units), 0)
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.plug()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.unplug()

    # ------------------------------------------------------------ what the world does

    def set(self, unit: str, point: str, value: float) -> None:
        """Let a sensor measure a value, in engineering units. Raises: ValueError when it does not fit."""
        found = self._units[unit]
        described = next(p for p in found.points if p.id == point)
        for i, (word, mask) in enumerate(_encode(described, value)):
            key = found.unit, described.register_type, described.address + i
            self._words[key] = self._words.get(key, 0) & ~mask | word

    def silence(self, unit: str, on: bool) -> None:
        """Let a unit hear and not answer."""
        (self._silent.add if on else self._silent.discard)(self._units[unit].unit)

    def refuse(self, unit: str, code: int | None) -> None:
        """Let a unit answer everything with an exception code; None ends it."""
        if code is None:
            self._refused.pop(self._units[unit].unit, None)
        else:
            self._refused[self._units[unit].unit] = code

    def garbage(self, unit: str, answers: int) -> None:
        """Let noise replace so many of a unit's next answers."""
        self._garbage[self._units[unit].unit] = answers

    def late(self, unit: str, seconds: float, answers: int = 1) -> None:
        """Let a unit send so many of its next answers so late."""
        self._late[self._units[unit].unit] = (seconds, answers)

    def noise(self, data: bytes = _GARBAGE) -> None:
        """Put bytes on the line that nobody asked for."""
        self._write(data)

    def asked(self, unit: str) -> int:
        """How many questions a unit has heard."""
        return self._asked[self._units[unit].unit]

    async def wait_asked(self, unit: str, more: int = 1) -> None:
        """Wait until a unit has heard so many more questions."""
        goal = self.asked(unit) + more
        while self.asked(unit) < goal:
            self._news.clear()
            await self._news.wait()

    async def unplug(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._wire.plugged:
            asyncio.get_running_loop().remove_reader(self._wire.fd)
        if self._handler is not None:
            self._handler.close()
            self._handler = None
        self._wire.unplug()

    async def plug(self) -> None:
        from pymodbus.server import ModbusSerialServer

        await self.unplug()
        self._wire.plug()
        server = ModbusSerialServer([self._device(unit) for unit in self._units.values()], trace_pdu=self._heard)
        self._handler = server.callback_new_connection()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
        self._handler.connection_made(_WireTransport(self))
        asyncio.get_running_loop().add_reader(self._wire.fd, self._readable)

    # ------------------------------------------------------------ the server's side

    def answer(self, frame: bytes) -> None:
        """Put the server's answer on the wire, as the unit's faults have it."""
        unit = frame[0]
        if self._garbage.get(unit, 0):
            self._garbage[unit] -= 1
            frame = _GARBAGE
        seconds, answers = self._late.get(unit, (0.0, 0))
        if answers:
            self._late[unit] = (seconds, answers - 1)
            self._timers.add(asyncio.get_running_loop().call_later(seconds, self._write, frame))
        else:
            self._write(frame)

    def _heard(self, sending: bool, pdu: "ModbusPDU") -> "ModbusPDU":
        """Hide from the server what no unit here answers."""
        if sending:
            return pdu
        self._news.set()
        if pdu.dev_id in self._asked:
            self._asked[pdu.dev_id] += 1
        if pdu.dev_id in self._asked and pdu.dev_id not in self._silent:
            return pdu
        return None  # type: ignore[return-value]  # the server takes it as no request

    def _readable(self) -> None:
        try:
            data = os.read(self._wire.fd, 1024)
        except BlockingIOError:
            return
        if self._handler is not None:
            self._handler.data_received(data)

    def _write(self, data: bytes) -> None:
        """Bytes that find no room are lost: nobody listens at the other end."""
        with suppress(BlockingIOError):
            os.write(self._wire.fd, data)

    async def _serve(
        self,
        unit: int,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        _written: list[int] | list[bool] | None,
    ) -> "ExcCodes | None":
        """Bring the server's registers up to date before it answers from them."""
        from pymodbus.constants import ExcCodes

        if unit in self._refused:
            return ExcCodes(self._refused[unit])
        register = _FUNCTIONS[function]
        if register in (Register.HOLDING, Register.INPUT):
            for i in range(count):
                registers[address - start + i] = self._words.get((unit, register, address + i), 0)
        else:
            first = address // 16
            for i in range(first, first + count):
                bits = (self._words.get((unit, register, i * 16 + n), 0) << n for n in range(16))
                registers[i - start] = sum(bits)
        return None

    def _device(self, unit: ModbusUnit) -> "SimDevice":
        from pymodbus.simulator import SimDevice

        blocks = tuple(_block(unit, register) for register in _FUNCTIONS.values())
        assert len(blocks) == 4
        return SimDevice(id=unit.unit, simdata=blocks, action=partial(self._serve, unit.unit))


def _block(unit: ModbusUnit, register: Register) -> "list[SimData]":
    """The registers of one type that the unit's points name; pymodbus wants at least one."""
    from pymodbus.simulator import DataType, SimData

    named = {p.address + i for p in unit.points if p.register_type is register for i in range(p.count)}
    if register in (Register.HOLDING, Register.INPUT):
        kind = DataType.REGISTERS if named else DataType.INVALID
        return [SimData(address, datatype=kind) for address in sorted(named or {0})]
    return [SimData(address, values=[False], datatype=DataType.BITS) for address in sorted(named or {65535})]


def _encode(point: ModbusPoint, value: float) -> list[tuple[int, int]]:
    """Words that mean a value, each with the mask of its own bits."""
    if point.encoding is Encoding.BIT:
        on = int(bool(value) is not point.inverted)
        alone = point.register_type in (Register.COIL, Register.DISCRETE)
        return [(on, 1) if alone else (on << point.bit, 1 << point.bit)]
    raw = (value - point.offset) / point.scale
    try:
        packed = struct.pack(_FORMATS[point.encoding], raw if point.encoding is Encoding.F32 else round(raw))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{value} does not fit {point.id} ({point.encoding})") from error
    return [(word, 0xFFFF) for word in struct.unpack(f">{len(packed) // 2}H", packed)]
