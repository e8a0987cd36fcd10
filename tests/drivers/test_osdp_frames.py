"""The frame codec: published examples, and every way a wire can cut, join and spoil them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import FrameError
from drivers.osdp.frames import MARK, MAX_LENGTH, Block, Deframer, Frame, covered, decode, encode, missing

# SIA OSDP 2.2, annex E (check bytes), and traces published with OSDP.Net.
PUBLISHED = (
    ("537f0d00046e00802500006e38", Frame(0x7F, 0, 0x6E, bytes.fromhex("0080250000"))),
    ("53000900046100c066", Frame(0, 0, 0x61, b"\x00")),
    ("537f0c00006e00802500000f", Frame(0x7F, 0, 0x6E, bytes.fromhex("0080250000"), crc=False)),
    ("5300080000610044", Frame(0, 0, 0x61, b"\x00", crc=False)),
    ("53000d00066a00020202015992", Frame(0, 2, 0x6A, bytes.fromhex("0002020201"))),
    ("538014000645000ee31010000074972306061b88", Frame(0, 2, 0x45, bytes.fromhex("000ee3101000007497230606"), True)),
    ("53000800066089cc", Frame(0, 2, 0x60)),
    ("53000700026044", Frame(0, 2, 0x60, crc=False)),
)  # fmt: skip

POLL = Frame(5, 3, 0x60)
SEALED = Frame(5, 1, 0x50, bytes(16), reply=True, block=Block.REPLY_SEALED, mac=b"\x53\x53\x53\x53")

frames = st.builds(
    Frame,
    address=st.integers(0, 0x7F),
    sequence=st.integers(0, 3),
    code=st.integers(0, 0xFF),
    data=st.binary(max_size=300),
    reply=st.booleans(),
    crc=st.booleans(),
)
blocks = st.sampled_from([None, *Block])


@st.composite
def any_frames(draw: st.DrawFn) -> Frame:
    plain, block = draw(frames), draw(blocks)
    if block is None:
        return plain
    mac = draw(st.binary(min_size=4, max_size=4)) if Block.COMMAND_MAC <= block <= Block.REPLY_SEALED else b""
    return Frame(
        plain.address, plain.sequence, plain.code, plain.data, plain.reply,
        block, draw(st.binary(max_size=4)), mac, plain.crc,
    )  # fmt: skip


@pytest.mark.parametrize(("wire", "frame"), PUBLISHED)
def test_published_examples_both_ways(wire: str, frame: Frame) -> None:
    assert encode(frame) == bytes.fromhex(wire)
    assert decode(bytes.fromhex(wire)) == (len(wire) // 2, frame)


@given(any_frames())
@settings(max_examples=100, deadline=None)
def test_every_frame_survives_the_wire(frame: Frame) -> None:
    wire = encode(frame)
    assert decode(wire) == (len(wire), frame)
    assert wire.startswith(covered(frame))


@pytest.mark.parametrize("frame", [POLL, SEALED])
def test_a_frame_cut_at_any_byte_is_read_once(frame: Frame) -> None:
    wire = MARK + encode(frame)
    for cut in range(1, len(wire)):
        deframer = Deframer()
        assert deframer.feed(wire[:cut]) == []
        assert deframer.feed(wire[cut:]) == [frame]


def test_bytes_that_come_one_by_one_and_frames_that_come_together() -> None:
    wire = MARK + encode(POLL) + encode(SEALED)
    deframer = Deframer()
    assert [frame for byte in wire for frame in deframer.feed(bytes((byte,)))] == [POLL, SEALED]
    assert deframer.feed(wire) == [POLL, SEALED]


@given(st.binary(max_size=60), any_frames(), st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_the_good_frame_is_found_whatever_stands_around_it(before: bytes, frame: Frame, after: bytes) -> None:
    deframer = Deframer()
    assert frame in deframer.feed(before + encode(frame) + after) + deframer.flush()


@given(st.lists(st.binary(max_size=80), max_size=8))
@settings(max_examples=100, deadline=None)
def test_noise_never_raises_and_the_next_frame_is_read(noise: list[bytes]) -> None:
    deframer = Deframer()
    for piece in noise:
        deframer.feed(piece)
    deframer.flush()
    assert deframer.feed(encode(POLL)) == [POLL]


@given(st.binary(max_size=120))
@settings(max_examples=100, deadline=None)
def test_decode_raises_nothing_but_frame_error(data: bytes) -> None:
    try:
        used, frame = decode(b"\x53" + data)
    except FrameError:
        return
    assert 0 <= used <= len(data) + 1
    assert frame is None or used > 0


def test_every_spoilt_bit_is_noticed() -> None:
    wire = encode(SEALED)
    for bit in range(8, 8 * len(wire)):
        spoilt = bytearray(wire)
        spoilt[bit // 8] ^= 1 << bit % 8
        deframer = Deframer()
        assert SEALED not in deframer.feed(bytes(spoilt)) + deframer.flush()


@pytest.mark.parametrize("header", ["5305070004", "5305ffff04", "530508000c", "530500000c"])
def test_an_impossible_length_is_refused_at_the_header(header: str) -> None:
    with pytest.raises(FrameError):
        decode(bytes.fromhex(header))


@pytest.mark.parametrize("scb", ["00", "01", "0f15", "0215"])
def test_a_security_block_that_does_not_fit_is_refused(scb: str) -> None:
    content = bytes.fromhex(scb) + b"\x60"
    inner = Frame(5, 0, content[0], content[1:])
    raw = bytearray(encode(inner))
    raw[4] |= 0x08
    whole = encode_raw(bytes(raw[:-2]))
    with pytest.raises(FrameError):
        decode(whole)


def encode_raw(content: bytes) -> bytes:
    import binascii

    return content + binascii.crc_hqx(content, 0x1D0F).to_bytes(2, "little")


def test_a_reply_of_the_longest_length_is_read_and_a_longer_frame_refused() -> None:
    longest = Frame(0, 1, 0x80, bytes(MAX_LENGTH - 8), reply=True)
    assert Deframer().feed(encode(longest)) == [longest]
    with pytest.raises(FrameError):
        encode(Frame(0, 1, 0x80, bytes(MAX_LENGTH)))


def test_missing_counts_the_rest_of_a_frame_that_has_begun() -> None:
    wire = encode(POLL)
    assert missing(wire[:4]) == 3
    assert missing(wire[:5]) == 3
    assert missing(wire) == 0
    assert missing(b"\x00" + wire) == 0


def test_the_buffer_stays_bounded() -> None:
    deframer = Deframer()
    for _ in range(200):
        deframer.feed(b"\x53\x00\x9f\x05\x04" * 20)
        assert len(deframer._buffer) < MAX_LENGTH + 100


def test_repr_shows_no_data() -> None:
    assert "1234" not in repr(Frame(0, 1, 0x50, b"\x12\x34", reply=True))
    assert "b'" not in repr(SEALED)
