"""Points and frames without a wire."""

import math
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Quality
from drivers.modbus import Encoding, ModbusPoint, Register
from drivers.modbus.codec import Block, Framing, Refusal, decode, plan

BOUNDED = settings(max_examples=100, deadline=None)
FRAMING = Framing()
WORDS = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=125)


def point(encoding: Encoding = Encoding.U16, register: Register = Register.INPUT, **given: object) -> ModbusPoint:
    fields = {"id": "p", "register": register, "address": 0, "encoding": encoding}
    return ModbusPoint.model_validate(fields | given)


def crc(data: bytes) -> bytes:
    """CRC of the Modbus specification, bit by bit, low byte first."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def frame(unit: int, function: int, body: bytes) -> bytes:
    head = bytes([unit, function]) + body
    return head + crc(head)


def registers_frame(unit: int, function: int, words: Sequence[int]) -> bytes:
    return frame(unit, function, bytes([2 * len(words)]) + struct.pack(f">{len(words)}H", *words))


@pytest.mark.parametrize(
    ("encoding", "words", "value"),
    [
        (Encoding.U16, [0], 0.0),
        (Encoding.U16, [0xFFFF], 65535.0),
        (Encoding.I16, [0x7FFF], 32767.0),
        (Encoding.I16, [0x8000], -32768.0),
        (Encoding.I16, [0xFFFF], -1.0),
        (Encoding.U32, [0xFFFF, 0xFFFF], 4294967295.0),
        (Encoding.U32, [0x0001, 0x0000], 65536.0),
        (Encoding.I32, [0x8000, 0x0000], -2147483648.0),
        (Encoding.I32, [0xFFFF, 0xFFFE], -2.0),
        (Encoding.F32, [0x41BC, 0x0000], 23.5),
        (Encoding.F32, [0x8000, 0x0000], 0.0),
    ],
)
def test_boundary_values(encoding: Encoding, words: list[int], value: float) -> None:
    assert decode(point(encoding), words) == (value, Quality.GOOD)


@pytest.mark.parametrize("words", [[0x7FC0, 0], [0x7F80, 0], [0xFF80, 0]])
def test_a_float_that_is_no_number_is_bad(words: list[int]) -> None:
    assert decode(point(Encoding.F32), words) == (0.0, Quality.BAD)


def test_scale_and_offset_give_clean_decimals() -> None:
    assert decode(point(scale=0.1), [3]) == (0.3, Quality.GOOD)
    assert decode(point(scale=0.1, offset=-40), [415]) == (1.5, Quality.GOOD)


@pytest.mark.parametrize("bit", range(16))
def test_a_bit_of_a_register(bit: int) -> None:
    assert decode(point(Encoding.BIT, bit=bit), [1 << bit]) == (True, Quality.GOOD)
    assert decode(point(Encoding.BIT, bit=bit), [0xFFFF ^ 1 << bit]) == (False, Quality.GOOD)
    assert decode(point(Encoding.BIT, bit=bit, inverted=True), [1 << bit]) == (False, Quality.GOOD)


def test_a_coil_ignores_bit_numbers() -> None:
    assert decode(point(Encoding.BIT, Register.COIL, bit=3), [1]) == (True, Quality.GOOD)


@BOUNDED
@given(st.sampled_from([e for e in Encoding if e is not Encoding.BIT]), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_any_registers_decode_to_a_finite_number(encoding: Encoding, high: int, low: int) -> None:
    value, _ = decode(point(encoding, scale=0.01, offset=-3), [high, low][: point(encoding).count])
    assert math.isfinite(value)


def spans(points: Sequence[ModbusPoint]) -> list[tuple[str, int, int]]:
    return [(b.register.value, b.address, b.count) for b in plan(points)]


def test_neighbours_and_shared_registers_go_in_one_request() -> None:
    points = [
        point(Encoding.U32, address=2),
        point(address=0),
        point(address=1),
        point(Encoding.BIT, address=1, bit=4),
        point(address=6),
        point(Encoding.BIT, Register.DISCRETE, address=4),
    ]
    assert spans(points) == [("discrete", 4, 1), ("input", 0, 4), ("input", 6, 1)]


def test_a_request_is_never_longer_than_the_protocol_allows() -> None:
    assert spans([point(address=n) for n in range(126)]) == [("input", 0, 125), ("input", 125, 1)]
    bits = [point(Encoding.BIT, Register.COIL, address=n) for n in range(2001)]
    assert spans(bits) == [("coil", 0, 2000), ("coil", 2000, 1)]


@BOUNDED
@given(st.lists(st.tuples(st.sampled_from(Register), st.integers(0, 300), st.booleans()), min_size=1, max_size=40))
def test_a_plan_reads_every_point_and_nothing_else(drawn: list[tuple[Register, int, bool]]) -> None:
    points = []
    for register, address, wide in drawn:
        single = register in (Register.COIL, Register.DISCRETE)
        encoding = Encoding.BIT if single else Encoding.U32 if wide else Encoding.U16
        points.append(point(encoding, register, address=address))
    blocks = plan(points)
    read = {(b.register, b.address + i) for b in blocks for i in range(b.count)}
    assert read == {(p.register_type, p.address + i) for p in points for i in range(p.count)}
    assert sorted(map(id, points)) == sorted(id(p) for b in blocks for p in b.points)
    for block in blocks:
        assert all(block.address <= p.address <= block.address + block.count - p.count for p in block.points)


@pytest.mark.parametrize(
    ("register", "function"),
    [(Register.COIL, 1), (Register.DISCRETE, 2), (Register.HOLDING, 3), (Register.INPUT, 4)],
)
def test_requests_are_those_of_the_specification(register: Register, function: int) -> None:
    assert FRAMING.request(17, Block(register, 0x6B, 3, ())) == frame(17, function, bytes([0, 0x6B, 0, 3]))


@BOUNDED
@given(WORDS, st.integers(1, 247))
def test_an_answer_is_taken_at_its_last_byte_and_not_before(words: list[int], unit: int) -> None:
    block = Block(Register.INPUT, 0, len(words), ())
    whole = registers_frame(unit, 4, words)
    for end in range(len(whole)):
        assert FRAMING.answer(unit, block, whole[:end]) is None
    assert FRAMING.answer(unit, block, whole) == words
    assert block.answer_bytes == len(whole)


@BOUNDED
@given(st.lists(st.booleans(), min_size=1, max_size=64))
def test_bits_come_lowest_first(bits: list[bool]) -> None:
    packed = sum(bit << n for n, bit in enumerate(bits)).to_bytes((len(bits) + 7) // 8, "little")
    block = Block(Register.DISCRETE, 0, len(bits), ())
    whole = frame(9, 2, bytes([len(packed)]) + packed)
    assert FRAMING.answer(9, block, whole) == [int(bit) for bit in bits]
    assert block.answer_bytes == len(whole)


@BOUNDED
@given(st.binary(max_size=40), st.binary(max_size=40), WORDS)
def test_noise_around_an_answer_is_passed_over(before: bytes, after: bytes, words: list[int]) -> None:
    block = Block(Register.HOLDING, 0, len(words), ())
    assert FRAMING.answer(200, block, before + registers_frame(200, 3, words)) == words
    assert FRAMING.answer(200, block, registers_frame(200, 3, words) + after) == words


@BOUNDED
@given(WORDS, st.data())
def test_a_flipped_bit_is_no_answer(words: list[int], data: st.DataObject) -> None:
    whole = bytearray(registers_frame(5, 4, words))
    place = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[place // 8] ^= 1 << place % 8
    assert FRAMING.answer(5, Block(Register.INPUT, 0, len(words), ()), bytes(whole)) is None


@BOUNDED
@given(st.integers(1, 247), st.sampled_from(Register), st.binary(max_size=300))
def test_noise_alone_never_raises(unit: int, register: Register, noise: bytes) -> None:
    head = bytes([unit, {"coil": 1, "discrete": 2, "holding": 3, "input": 4}[register]])
    answer = FRAMING.answer(unit, Block(register, 0, 3, ()), head + noise)
    assert answer is None or isinstance(answer, Refusal) or len(answer) == 3


@pytest.mark.parametrize("code", [1, 2, 3, 4, 6, 11, 99])
def test_exceptions_are_refusals(code: int) -> None:
    answer = FRAMING.answer(5, Block(Register.INPUT, 0, 1, ()), frame(5, 0x84, bytes([code])))
    assert answer == Refusal(code)
    assert f"({code})" in str(answer)


def test_frames_that_answer_another_question_are_not_taken() -> None:
    block = Block(Register.INPUT, 0, 2, ())
    for other in (
        registers_frame(6, 4, [1, 2]),
        registers_frame(5, 3, [1, 2]),
        registers_frame(5, 4, [1]),
        registers_frame(5, 4, [1, 2, 3]),
        frame(5, 0x83, b"\x02"),
        FRAMING.request(5, block),
    ):
        assert FRAMING.answer(5, block, other) is None
        assert FRAMING.answer(5, block, other + registers_frame(5, 4, [7, 8])) == [7, 8]


def test_a_block_reads_as_people_write_it() -> None:
    assert str(Block(Register.INPUT, 5, 1, ())) == "input 5"
    assert str(Block(Register.COIL, 5, 4, ())) == "coil 5 to 8"
