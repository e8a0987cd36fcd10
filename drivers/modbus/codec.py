"""Points, registers and frames, without any I/O.

The frames are pymodbus's: its RTU framer and its PDUs, imported only here and only when a bus is opened. Its client is
not used: it takes any frame of the right unit for the answer, logs each silent poll as an error, and cannot be told
to drain the line.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from drivers.base import Quality
from drivers.modbus.config import Encoding, ModbusPoint, Register

MAX_REGISTERS = 125
MAX_BITS = 2000
_FUNCTIONS = {Register.COIL: 1, Register.DISCRETE: 2, Register.HOLDING: 3, Register.INPUT: 4}
_LAYOUTS = {Encoding.U16: ">H", Encoding.I16: ">h", Encoding.U32: ">I", Encoding.I32: ">i", Encoding.F32: ">f"}
_EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not answer",
}


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring registers of one type, read in one request."""

    register: Register
    address: int
    count: int
    points: tuple[ModbusPoint, ...]

    @property
    def bits(self) -> bool:
        return self.register in (Register.COIL, Register.DISCRETE)

    @property
    def answer_bytes(self) -> int:
        return 5 + ((self.count + 7) // 8 if self.bits else self.count * 2)

    def __str__(self) -> str:
        last = self.address + self.count - 1
        return f"{self.register} {self.address}" + (f" to {last}" if self.count > 1 else "")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The unit's exception response."""

    code: int

    def __str__(self) -> str:
        return f"{_EXCEPTIONS.get(self.code, 'exception')} ({self.code})"


def plan(points: Sequence[ModbusPoint]) -> tuple[Block, ...]:
    """Fewest requests that read exactly the points' registers: what is adjacent or shared goes together."""
    blocks: list[Block] = []
    ordered = sorted(points, key=lambda p: (p.register_type, p.address, -p.count))
    for register, same in groupby(ordered, key=lambda p: p.register_type):
        limit = MAX_BITS if register in (Register.COIL, Register.DISCRETE) else MAX_REGISTERS
        block: Block | None = None
        for point in same:
            end = point.address + point.count
            if block and point.address <= block.address + block.count and end - block.address <= limit:
                count = max(block.count, end - block.address)
                block = Block(register, block.address, count, (*block.points, point))
                blocks[-1] = block
            else:
                block = Block(register, point.address, point.count, (point,))
                blocks.append(block)
    return tuple(blocks)


def decode(point: ModbusPoint, words: Sequence[int]) -> tuple[bool | float, Quality]:
    """Value of a point from its own registers (or its bit); a float that is no number is BAD."""
    if point.encoding is Encoding.BIT:
        bit = bool(words[0]) if point.register_type in (Register.COIL, Register.DISCRETE) else words[0] >> point.bit & 1
        return bool(bit) is not point.inverted, Quality.GOOD
    raw = struct.unpack(_LAYOUTS[point.encoding], b"".join(word.to_bytes(2, "big") for word in words))[0]
    value = raw * point.scale + point.offset
    if not math.isfinite(value):
        return 0.0, Quality.BAD
    return round(value, 9), Quality.GOOD


class Framing:
    """Requests and answers of the RTU line, as pymodbus builds and takes them apart."""

    def __init__(self) -> None:
        from pymodbus.framer import FramerRTU
        from pymodbus.pdu import DecodePDU

        self._framer = FramerRTU(DecodePDU(is_server=False))

    def request(self, unit: int, block: Block) -> bytes:
        from pymodbus.pdu import bit_message, register_message

        classes = {
            Register.COIL: bit_message.ReadCoilsRequest,
            Register.DISCRETE: bit_message.ReadDiscreteInputsRequest,
            Register.HOLDING: register_message.ReadHoldingRegistersRequest,
            Register.INPUT: register_message.ReadInputRegistersRequest,
        }
        request = classes[block.register](dev_id=unit, address=block.address, count=block.count)
        return self._framer.buildFrame(request)

    def answer(self, unit: int, block: Block, received: bytes) -> list[int] | Refusal | None:
        """Find the answer to the request in what was received since; None while there is none.

        Noise, an echo of the request and frames of others before the answer are passed over.
        """
        function = _FUNCTIONS[block.register]
        for start in range(len(received) - 1):
            if received[start] == unit and received[start + 1] & 0x7F == function:
                found = self._take(unit, block, received[start:])
                if found is not None:
                    return found
        return None

    def _take(self, unit: int, block: Block, frame: bytes) -> list[int] | Refusal | None:
        from pymodbus.exceptions import ModbusException

        try:
            _, pdu = self._framer.handleFrame(frame, unit, 0)
        except (ModbusException, IndexError, struct.error):
            return None
        if pdu is None:
            return None
        if pdu.isError():
            return Refusal(pdu.exception_code)
        words = [int(word) for word in (pdu.bits if block.bits else pdu.registers)]
        expected = (block.count + 7) // 8 * 8 if block.bits else block.count
        return words[: block.count] if len(words) == expected else None
