"""What stands behind an ID byte, in and out."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Card, Cue, FrameError, Keys
from drivers.osdp import messages
from drivers.osdp.messages import Cmd

PARSERS: tuple[Callable[[bytes], object], ...] = (
    messages.parse_identity,
    messages.parse_capabilities,
    messages.parse_local_status,
    messages.parse_challenged,
    messages.parse_raw,
    messages.parse_formatted,
    messages.parse_keys,
    messages.nak_words,
)


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary(max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_reply_raises_anything_but_frame_error(parse: Callable[[bytes], object], data: bytes) -> None:
    with suppress(FrameError):
        parse(data)


@given(st.integers(1, 128).flatmap(lambda bits: st.tuples(st.just(bits), st.integers(0, 2**bits - 1))))
@settings(max_examples=100, deadline=None)
def test_a_card_of_any_length_keeps_its_bits(card: tuple[int, int]) -> None:
    bits, number = card
    length = (bits + 7) // 8
    content = (number << (8 * length - bits)).to_bytes(length, "big")
    found = messages.parse_raw(b"\x00\x01" + bits.to_bytes(2, "little") + content)
    assert found == Card(bits, number)


def test_wiegand_26_by_hand() -> None:
    assert messages.parse_raw(bytes.fromhex("00011a0012345680")) == Card(26, 0x12345680 >> 6)


def test_a_card_that_promises_more_bits_than_it_has_is_refused_without_showing_it() -> None:
    with pytest.raises(FrameError) as caught:
        messages.parse_raw(bytes.fromhex("0001ff0012345680"))
    assert "12345680" not in str(caught.value)


def test_formatted_digits_forward_and_reversed() -> None:
    assert messages.parse_formatted(b"\x00\x00\x041234") == Card(16, 0x1234)
    assert messages.parse_formatted(b"\x00\x01\x044321") == Card(16, 0x1234)
    with pytest.raises(FrameError):
        messages.parse_formatted(b"\x00\x00\x0412x4")


def test_keys_star_and_hash() -> None:
    assert messages.parse_keys(b"\x00\x0412\x7f\r") == Keys("12*#")


def test_identity_and_capabilities() -> None:
    identity = messages.parse_identity(bytes.fromhex("000ee3101000007497230606"))
    assert (identity.vendor, identity.model, identity.version, identity.firmware) == ("000ee3", 16, 16, "35.6.6")
    assert messages.parse_capabilities(bytes.fromhex("020102040401ff")) == {2: (1, 2), 4: (4, 1)}


@pytest.mark.parametrize(
    ("command", "data"),
    [
        (messages.output(1, on=True), "01020000"),
        (messages.output(1, on=False), "01010000"),
        (messages.output(0, on=True, for_s=3), "00051e00"),
        (messages.output(0, on=False, for_s=0.01), "00060100"),
        (messages.output(0, on=True, for_s=6553.5), "0005ffff"),
    ],
)
def test_outputs(command: messages.Command, data: str) -> None:
    assert (command.code, command.data.hex()) == (Cmd.OUT, data)


def test_every_cue_fits_the_standards_layout_and_differs() -> None:
    cues = {cue: messages.cue_commands(cue) for cue in Cue}
    for commands in cues.values():
        assert [len(command.data) for command in commands] in ([14, 5], [14])
    assert len({commands[0].data for commands in cues.values()}) == len(Cue)


def test_refusals_have_words() -> None:
    assert messages.nak_words(b"\x04") == "unexpected sequence number"
    assert messages.nak_words(b"\xee") == "code 238"
    assert messages.nak_words(b"") == "no reason given"
