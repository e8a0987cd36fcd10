"""Mutated OSDP frames for the decoder and everything behind it; the bench runs a million, the tests some."""

import random
from collections.abc import Callable
from contextlib import suppress

from drivers.base import FrameError, Report
from drivers.osdp import messages
from drivers.osdp.config import OsdpReader, SecureChannel
from drivers.osdp.frames import MAX_LENGTH, Block, Deframer, Frame, encode
from drivers.osdp.messages import Reply
from drivers.osdp.reader import ReaderLink
from drivers.osdp.secure import SecureSession

GOOD = Frame(5, 1, Reply.RAW, bytes.fromhex("00011a0012345680"), reply=True)
_GOOD_WIRE = encode(GOOD)
_SEEDS = tuple(
    encode(frame)
    for frame in (
        GOOD,
        Frame(5, 0, Reply.PDID, bytes(12), reply=True),
        Frame(5, 1, Reply.PDCAP, bytes(range(48)), reply=True, crc=False),
        Frame(5, 2, Reply.ACK, reply=True, block=Block.REPLY_MAC, mac=b"mac!"),
        Frame(5, 3, Reply.RAW, bytes(16), reply=True, block=Block.REPLY_SEALED, mac=b"mac!"),
        Frame(5, 1, Reply.CCRYPT, bytes(32), reply=True, block=Block.CHALLENGE_REPLY, block_data=b"\x01"),
        Frame(5, 1, Reply.KEYPAD, b"\x00\x041234", reply=True),
        Frame(5, 1, Reply.FMT, b"\x00\x00\x041234", reply=True),
        Frame(5, 1, Reply.NAK, b"\x03", reply=True),
        Frame(5, 1, 0x80, bytes(600), reply=True),
        Frame(5, 2, 0x60),
    )
)
_PARSERS: tuple[Callable[[bytes], object], ...] = (
    messages.parse_identity, messages.parse_capabilities, messages.parse_local_status, messages.parse_inputs,
    messages.parse_challenged, messages.parse_raw, messages.parse_formatted, messages.parse_keys, messages.nak_words,
)  # fmt: skip


def fuzz(count: int, source: random.Random) -> int:
    """Feed so many mutated frames, each followed by the end of a wait and a good frame; returns how many.

    Raises: AssertionError when a good frame is not read or the buffer grows, and whatever the decoder lets escape.
    """
    deframer, link = Deframer(), _Target()
    for _ in range(count):
        for frame in deframer.feed(mutate(source)) + deframer.flush():
            link.take(frame, source)
        assert deframer.feed(_GOOD_WIRE) == [GOOD], "a good frame was not read"
        assert len(deframer._buffer) <= MAX_LENGTH
    return count


def mutate(source: random.Random) -> bytes:
    """A frame with its bytes changed, lost, doubled or joined; often with good check bytes, to get past them."""
    wire = bytearray(source.choice(_SEEDS))
    for _ in range(source.randint(1, 3)):
        kind, at = source.randrange(5), source.randrange(len(wire) or 1)
        if kind == 0 and wire:
            wire[at] ^= 1 << source.randrange(8)
        elif kind == 1:
            del wire[at : at + source.randint(1, 8)]
        elif kind == 2:
            wire[at:at] = source.randbytes(source.randint(1, 8))
        elif kind == 3:
            wire += source.choice(_SEEDS)[: source.randint(1, 30)]
        elif len(wire) > 2:
            wire[source.randrange(min(8, len(wire)))] = source.randrange(256)
    if source.random() < 0.5 and 8 <= len(wire) <= MAX_LENGTH:
        wire[0], wire[2], wire[3], wire[4] = 0x53, len(wire) & 0xFF, len(wire) >> 8, wire[4] & 0xFB
        wire[-1] = -sum(wire[:-1]) & 0xFF
    return bytes(wire)


class _Target:
    """What stands behind the decoder: a reader's state in the clear, an open session, and every parser."""

    def __init__(self) -> None:
        self._link = ReaderLink(OsdpReader(id="reader", address=5, secure_channel=SecureChannel.OFF), _nobody)
        self._session = SecureSession(bytes(16), bytes(8))
        self._now = 0.0

    def take(self, frame: Frame, source: random.Random) -> None:
        self._now += 1.0
        if source.random() < 0.05:
            self._link.start((), self._now)
        if not self._link.unanswered and self._link.next_feedback(self._now) is None:
            self._link.outgoing()
        if self._link.accepts(frame):
            self._link.received(frame, self._now)
        with suppress(FrameError):
            self._session.open(frame)
        with suppress(FrameError):
            source.choice(_PARSERS)(frame.data)


def _nobody(_report: Report) -> None:
    """Nobody listens."""
