"""Mutated answers for the Modbus decoder; the bench runs a million, the tests some."""

import logging
import random

from drivers.base import Quality
from drivers.modbus.codec import Framing, Refusal, decode, plan
from drivers.modbus.config import Encoding, ModbusPoint

UNIT = 9
_POINTS = tuple(
    ModbusPoint.model_validate({"id": f"p{n}", "register": register, "address": n * 10, "encoding": encoding})
    for n, (register, encoding) in enumerate(
        [
            ("coil", "bit"),
            ("discrete", "bit"),
            ("holding", "u16"),
            ("input", "i16"),
            ("input", "i32"),
            ("holding", "f32"),
        ]
    )
)
_BLOCKS = tuple(block for point in _POINTS for block in plan([point]))


def fuzz(count: int, source: random.Random) -> int:
    """Give so many mutated answers, alone and before a good one, which must be read; returns how many.

    Raises: AssertionError when a good answer is not read, and whatever the decoder lets escape.
    """
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    framing = Framing()
    for _ in range(count):
        block = source.choice(_BLOCKS)
        words = [source.randrange(2 if block.bits else 65536) for _ in range(block.count)]
        good = answer(block.bits, _FUNCTIONS[block.register.value], words)
        bad = mutate(good, source)
        for received in (bad, bad + good):
            found = framing.answer(UNIT, block, received)
            assert found is None or isinstance(found, Refusal) or len(found) == block.count
            if isinstance(found, list):
                _, quality = decode(block.points[0], found)
                assert quality is Quality.GOOD or block.points[0].encoding is Encoding.F32
        assert found is not None, "a good answer after noise was not read"
        assert framing.answer(UNIT, block, good) == words, "a good answer was not read"
    return count


_FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}


def answer(bits: bool, function: int, words: list[int]) -> bytes:
    """Unit[1] function[1] bytes[1] data CRC[2]."""
    if bits:
        packed = sum(word << n for n, word in enumerate(words))
        data = packed.to_bytes((len(words) + 7) // 8, "little")
    else:
        data = b"".join(word.to_bytes(2, "big") for word in words)
    return sealed(bytes((UNIT, function, len(data))) + data)


def sealed(frame: bytes) -> bytes:
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return frame + crc.to_bytes(2, "little")


def mutate(good: bytes, source: random.Random) -> bytes:
    """An answer with its bytes changed, lost, doubled or joined; often with a good CRC, to get past it."""
    wire = bytearray(good)
    for _ in range(source.randint(1, 3)):
        kind, at = source.randrange(5), source.randrange(len(wire) or 1)
        if kind == 0 and wire:
            wire[at] ^= 1 << source.randrange(8)
        elif kind == 1:
            del wire[at : at + source.randint(1, 4)]
        elif kind == 2:
            wire[at:at] = source.randbytes(source.randint(1, 8))
        elif kind == 3:
            wire += good[: source.randint(1, len(good))]
        elif len(wire) > 2:
            wire[source.randrange(3)] = source.randrange(256)
    if source.random() < 0.5 and len(wire) > 4:
        wire[0] = UNIT
        return sealed(bytes(wire[:-2]))
    return bytes(wire)
