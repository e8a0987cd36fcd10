"""PUBLISH and PUBACK as the standard draws them, however the bytes are cut."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.uplink.packets import IDENTIFIERS, MOST_BYTES, Acks, identifiers, publish


def test_a_publish_is_as_the_standard_draws_it() -> None:
    assert publish("a/b", b"hi", 0x0102, five=False) == bytes.fromhex("32 09 0003 612f62 0102") + b"hi"
    assert publish("a/b", b"hi", 0x0102, retain=True) == bytes.fromhex("33 0a 0003 612f62 0102 00") + b"hi"
    expiring = bytes.fromhex("32 0f 0003 612f62 0102 05 02 0000003c") + b"hi"
    assert publish("a/b", b"hi", 0x0102, expiry_s=60) == expiring
    assert publish("门", b"", 0x0102, five=False) == bytes.fromhex("32 07 0003 e997a8 0102")


@pytest.mark.parametrize(
    ("length", "written"),
    [(127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001"), (2_097_151, "ffff7f"), (2_097_152, "80808001")],
)
def test_the_remaining_length_is_written_in_as_many_bytes_as_it_needs(length: int, written: str) -> None:
    packet = publish("t", b"x" * (length - 5), 2000, five=False)
    assert packet[1:].startswith(bytes.fromhex(written))
    assert len(packet) == 1 + len(written) // 2 + length


def test_identifiers_are_not_those_of_paho_and_never_zero() -> None:
    numbers = identifiers()
    seen = [next(numbers) for _ in range(len(IDENTIFIERS) + 1)]
    assert (seen[0], seen[-1], len(set(seen))) == (1024, 1024, len(IDENTIFIERS))


PUBACKS = st.tuples(st.integers(1, 65535), st.sampled_from([0, 0x10, 0x87, 0x97])).flatmap(
    lambda ack: st.sampled_from(
        [
            bytes((0x40, 3)) + ack[0].to_bytes(2, "big") + bytes((ack[1],)),
            bytes((0x40, 7)) + ack[0].to_bytes(2, "big") + bytes((ack[1], 3, 0x1F, 0, 0)),
            *([bytes((0x40, 2)) + ack[0].to_bytes(2, "big")] * (ack[1] == 0)),
        ]
    ).map(lambda packet: (ack, packet))
)
OTHERS = st.tuples(st.sampled_from([0x20, 0x30, 0x32, 0x90, 0xD0, 0xE0]), st.binary(max_size=300)).map(
    lambda other: (None, bytes((other[0], *_varint(len(other[1])))) + other[1])
)


def _varint(length: int) -> Sequence[int]:
    return (length,) if length < 128 else (length & 127 | 128, length >> 7)


@given(st.lists(PUBACKS | OTHERS, max_size=12), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_acknowledgements_are_found_and_the_rest_is_left_in_order_however_it_is_cut(
    packets: Sequence[tuple[tuple[int, int] | None, bytes]], cuts: Sequence[int]
) -> None:
    acks, stream = Acks(), b"".join(packet for _, packet in packets)
    found, rest, at = list[tuple[int, int]](), b"", 0
    for turn in range(len(stream)):
        piece = stream[at : at + cuts[turn % len(cuts)]]
        at += len(piece)
        more, others = acks.feed(piece)
        found += more
        rest += others
    assert found == [ack for ack, _ in packets if ack is not None]
    assert rest == b"".join(packet for ack, packet in packets if ack is None)


@pytest.mark.parametrize("cut", [1021, 65536, 1 << 30])
def test_a_packet_that_is_too_large_is_passed_over_and_what_follows_is_read(cut: int) -> None:
    largest = publish("t", b"x" * (MOST_BYTES - 5), 7, five=False)
    too_large = publish("t", b"x" * (MOST_BYTES - 4), 7, five=False)
    puback = bytes((0x40, 2, 4, 1))
    stream = puback + too_large + largest + puback
    acks, found, rest = Acks(), list[tuple[int, int]](), b""
    for at in range(0, len(stream), cut):
        more, others = acks.feed(stream[at : at + cut])
        found += more
        rest += others
    assert (found, acks.skipped) == ([(1025, 0)] * 2, 1)
    assert rest == largest


@given(st.lists(st.binary(max_size=30), max_size=30))
def test_what_is_malformed_raises_nothing_and_is_not_multiplied(pieces: Sequence[bytes]) -> None:
    acks, given, taken = Acks(), 0, 0
    for piece in pieces:
        found, others = acks.feed(piece)
        given += len(piece)
        taken += len(others) + 4 * len(found)
    assert taken <= given
