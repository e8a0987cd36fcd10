"""OSDP frames: bytes in, `(used, frame)` out. Pure: no I/O, no keys, no clock.

A frame on the wire (SIA OSDP 2.2, clause 5.9); lengths in bytes, integers little-endian:

    ┌──────┬───────┬─────┬──────┬─────────────────────┬────┬───────┬───────┬───────────┐
    │ SOM  │ ADDR  │ LEN │ CTRL │ security block (SCB) │ ID │ data  │ MAC   │ check     │
    │ 0x53 │ 1     │ 2   │ 1    │ 0 or 2..             │ 1  │ 0..   │ 0, 4  │ 1 or 2    │
    └──────┴───────┴─────┴──────┴─────────────────────┴────┴───────┴───────┴───────────┘

    ADDR   bits 0–6 address (0x7F: every reader), bit 7 set in a reply
    LEN    from SOM to the last check byte
    CTRL   bits 0–1 sequence, bit 2 CRC-16 instead of checksum, bit 3 security block present
    SCB    length (its own byte included), type, data; MAC present for types 0x15–0x18
    check  CRC-16 (poly 0x1021, start 0x1D0F), or the two's complement of the sum of all bytes before it

A mark byte 0xFF may stand before SOM; like every byte that cannot begin a frame it is passed over.
"""

import binascii
from dataclasses import dataclass
from enum import IntEnum

from drivers.base import FrameError

SOM = 0x53
MARK = b"\xff"
MAX_LENGTH = 1440
"""Longest frame the standard allows; anything longer is a false start."""

_HEADER = 5
_SHORTEST = 7  # with a checksum and no data
_REPLY = 0x80
_CRC = 0x04
_SCB = 0x08
_MAC_LENGTH = 4


class Block(IntEnum):
    """Types of security block: even in replies, odd in commands."""

    CHALLENGE = 0x11
    CHALLENGE_REPLY = 0x12
    CRYPTOGRAM = 0x13
    CRYPTOGRAM_REPLY = 0x14
    COMMAND_MAC = 0x15
    REPLY_MAC = 0x16
    COMMAND_SEALED = 0x17  # MAC, and the data encrypted
    REPLY_SEALED = 0x18


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `data` as on the wire, thus encrypted in a sealed frame. Its repr shows no data."""

    address: int
    sequence: int
    code: int
    data: bytes = b""
    reply: bool = False
    block: int | None = None
    block_data: bytes = b""
    mac: bytes = b""
    crc: bool = True

    def __repr__(self) -> str:
        kind = "reply" if self.reply else "command"
        return (
            f"Frame({kind} 0x{self.code:02x}, address {self.address}, sequence {self.sequence}, {len(self.data)} bytes)"
        )

    @property
    def secured(self) -> bool:
        """Whether a MAC belongs to it."""
        return self.block is not None and Block.COMMAND_MAC <= self.block <= Block.REPLY_SEALED


def covered(frame: Frame) -> bytes:
    """Return the bytes a MAC covers: SOM to the end of the data, with LEN already final."""
    control = frame.sequence | (_CRC if frame.crc else 0)
    security = b""
    if frame.block is not None:
        control |= _SCB
        security = bytes((2 + len(frame.block_data), frame.block)) + frame.block_data
    body = security + bytes((frame.code,)) + frame.data
    length = _HEADER + len(body) + (_MAC_LENGTH if frame.secured else 0) + (2 if frame.crc else 1)
    address = frame.address | (_REPLY if frame.reply else 0)
    return bytes((SOM, address, length & 0xFF, length >> 8, control)) + body


def encode(frame: Frame) -> bytes:
    """Return the frame as it goes on the wire, without a mark byte. Raises: FrameError when it is too long."""
    return checked(covered(frame) + frame.mac, crc=frame.crc)


def checked(content: bytes, *, crc: bool = True) -> bytes:
    """Return the bytes of a frame with their check bytes. Raises: FrameError when they are too many."""
    if len(content) + 2 > MAX_LENGTH:
        raise FrameError("osdp", f"a frame of {len(content)} bytes is too long")
    return content + (_crc16(content) if crc else _checksum(content))


def decode(buffer: bytes | bytearray) -> tuple[int, Frame | None]:
    """Take one frame, or bytes that cannot begin one, from the front of `buffer`.

    Returns bytes used (0 = need more) and the frame, if there was one.
    Raises: FrameError when the bytes only looked like a frame; the caller drops one byte.
    """
    start = buffer.find(SOM)
    if start:
        return (len(buffer) if start < 0 else start), None
    if len(buffer) < _HEADER:
        return 0, None
    length = _length(buffer)
    if not length:
        raise FrameError("osdp", "length is impossible")
    if len(buffer) < length:
        return 0, None
    return length, _parse(bytes(buffer[:length]))


def missing(buffer: bytes | bytearray) -> int:
    """Count the bytes still to come of the frame at the front of `buffer`; 0 when no plausible frame has begun.

    Until the header is there the shortest frame is meant.
    """
    if not buffer or buffer[0] != SOM:
        return 0
    if len(buffer) < _HEADER:
        return _SHORTEST - len(buffer)
    return max(0, _length(buffer) - len(buffer))


class Deframer:
    """Finds frames in a stream; its buffer never exceeds one frame and what was fed at once."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def missing(self) -> int:
        return missing(self._buffer)

    def clear(self) -> None:
        self._buffer.clear()

    def feed(self, data: bytes) -> list[Frame]:
        """Return every frame complete by now; damaged ones are passed over."""
        self._buffer += data
        frames = []
        while self._buffer:
            try:
                used, frame = decode(self._buffer)
            except FrameError:
                used, frame = 1, None
            if not used:
                break
            del self._buffer[:used]
            if frame is not None:
                frames.append(frame)
        return frames

    def flush(self) -> list[Frame]:
        """Return frames that stood behind a false start; nothing is kept. For the end of a wait."""
        frames = []
        while self._buffer:
            del self._buffer[:1]
            frames += self.feed(b"")
        return frames


def _length(buffer: bytes | bytearray) -> int:
    """Return the length the header announces, or 0 when no frame can have it."""
    length = buffer[2] | buffer[3] << 8
    shortest = _HEADER + 1 + (2 if buffer[4] & _CRC else 1) + (2 if buffer[4] & _SCB else 0)
    return length if shortest <= length <= MAX_LENGTH else 0


def _parse(raw: bytes) -> Frame:
    crc = bool(raw[4] & _CRC)
    content, check = (raw[:-2], raw[-2:]) if crc else (raw[:-1], raw[-1:])
    if check != (_crc16(content) if crc else _checksum(content)):
        raise FrameError("osdp", "check bytes differ")
    body, block, block_data, mac = content[_HEADER:], None, b"", b""
    if raw[4] & _SCB:
        if not 2 <= body[0] < len(body):
            raise FrameError("osdp", "security block does not fit")
        block, block_data, body = body[1], body[2 : body[0]], body[body[0] :]
        if Block.COMMAND_MAC <= block <= Block.REPLY_SEALED:
            body, mac = body[:-_MAC_LENGTH], body[-_MAC_LENGTH:]
            if not body:
                raise FrameError("osdp", "no room for the MAC")
    return Frame(
        address=raw[1] & ~_REPLY,
        sequence=raw[4] & 0x03,
        code=body[0],
        data=body[1:],
        reply=bool(raw[1] & _REPLY),
        block=block,
        block_data=block_data,
        mac=mac,
        crc=crc,
    )


def _crc16(content: bytes) -> bytes:
    return binascii.crc_hqx(content, 0x1D0F).to_bytes(2, "little")


def _checksum(content: bytes) -> bytes:
    return bytes((-sum(content) & 0xFF,))
