"""The OSDP secure channel: session keys, mutual proof, and the chain of MACs (SIA OSDP 2.2, annex D).

    CP                                                  reader (PD)
    CHLNG   SCB 0x11, RND.A[8]                 ──►
                                               ◄──      CCRYPT  SCB 0x12, cUID[8] RND.B[8] client cryptogram[16]
    SCRYPT  SCB 0x13, server cryptogram[16]    ──►
                                               ◄──      RMAC_I  SCB 0x14, R-MAC[16]

    S-ENC, S-MAC1, S-MAC2  = AES(SCBK, 01 82 | 01 01 | 01 02 ‖ RND.A[0:6] ‖ 00…)
    client cryptogram      = AES(S-ENC, RND.A ‖ RND.B)      server cryptogram = AES(S-ENC, RND.B ‖ RND.A)
    first R-MAC            = AES(S-MAC2, AES(S-MAC1, server cryptogram))

Each MAC is a CBC-MAC (last block with S-MAC2, the others with S-MAC1) that starts from the last MAC of the other
direction; its first four bytes travel. Data is AES-CBC with S-ENC from the complement of that same MAC, padded with
0x80 00…. So every message proves that nothing before it was lost, repeated or changed.

`cryptography` is imported on first use. No key and no plain text ever enters a log, an exception or a repr.
"""

import hmac
import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from drivers.base import FrameError
from drivers.osdp.frames import Block, Frame, checked, covered
from drivers.osdp.messages import Reply

SCBK_D = bytes(range(0x30, 0x40))
"""The default key, printed in the standard: whoever uses it has no secret."""

KEY_LENGTH = 16
_BLOCK = 16
_SHOWN = 4  # bytes of a MAC that travel

_Cipher: TypeAlias = Callable[[bytes], bytes]


class Mismatch(Exception):
    """The other side does not hold the same key."""


class SecureSession:
    """One session from challenge to proof, then `seal` and `open`; thrown away after any doubt.

    `random` is RND.A; tests give the standard's example.
    """

    def __init__(self, scbk: bytes, random: bytes | None = None) -> None:
        self.random = secrets.token_bytes(8) if random is None else random
        encrypt, _ = _aes(scbk)
        tail = self.random[:6] + bytes(8)
        self._encrypt, self._decrypt = _aes(encrypt(b"\x01\x82" + tail))
        self._mac1, _ = _aes(encrypt(b"\x01\x01" + tail))
        self._mac2, _ = _aes(encrypt(b"\x01\x02" + tail))
        self._command_mac = bytes(_BLOCK)
        self._reply_mac = bytes(_BLOCK)

    def verify_reader(self, reader_random: bytes, cryptogram: bytes) -> bytes:
        """Check the reader's proof and return ours, the server cryptogram. Raises: Mismatch."""
        if not hmac.compare_digest(cryptogram, self._encrypt(self.random + reader_random)):
            raise Mismatch
        ours = self._encrypt(reader_random + self.random)
        self._reply_mac = self._mac2(self._mac1(ours))
        return ours

    def verify_start(self, reply_mac: bytes) -> None:
        """Check the first R-MAC: from now on both sides share the chain. Raises: Mismatch."""
        if not hmac.compare_digest(reply_mac, self._reply_mac):
            raise Mismatch

    def seal(self, address: int, sequence: int, code: int, data: bytes = b"") -> bytes:
        """Return a command as it goes on the wire, its data encrypted and with its MAC.

        The chain moves, so a retransmit must send the same bytes.
        """
        if data:
            content = covered(Frame(address, sequence, code, self._encipher(data), block=Block.COMMAND_SEALED))
            self._command_mac = self._mac(content, self._reply_mac)
        else:
            content, block = _bare(address, sequence, code, reply=False)
            self._command_mac = self._mac2(_mixed(self._reply_mac, block))
        return checked(content + self._command_mac[:_SHOWN])

    def acknowledged(self, wire: bytes, address: int, sequence: int) -> bool:
        """Whether these bytes are an ACK to the last command and nothing else; then the chain moves."""
        content, block = _bare(address, sequence, Reply.ACK, reply=True)
        if not wire.startswith(content):
            return False
        mac = self._mac2(_mixed(self._command_mac, block))
        if not hmac.compare_digest(wire, checked(content + mac[:_SHOWN])):
            return False
        self._reply_mac = mac
        return True

    def open(self, frame: Frame) -> Frame:
        """Check a reply's MAC and decrypt its data; the chain moves only when it is good. Raises: FrameError."""
        if frame.block not in (Block.REPLY_MAC, Block.REPLY_SEALED):
            raise FrameError("osdp", "the reply is not secured")
        mac = self._mac(covered(frame), self._command_mac)
        if not hmac.compare_digest(mac[:_SHOWN], frame.mac):
            raise FrameError("osdp", "the reply's MAC is wrong")
        data = frame.data
        if frame.block == Block.REPLY_SEALED and data:
            data = self._decipher(data)
        self._reply_mac = mac
        return Frame(frame.address, frame.sequence, frame.code, data, frame.reply, crc=frame.crc)

    def _mac(self, content: bytes, start: bytes) -> bytes:
        if len(content) % _BLOCK:
            content = _pad(content)
        state = start
        for at in range(0, len(content) - _BLOCK, _BLOCK):
            state = self._mac1(_xor(state, content[at : at + _BLOCK]))
        return self._mac2(_xor(state, content[-_BLOCK:]))

    def _encipher(self, data: bytes) -> bytes:
        data, state, out = _pad(data), _complement(self._reply_mac), b""
        for at in range(0, len(data), _BLOCK):
            state = self._encrypt(_xor(state, data[at : at + _BLOCK]))
            out += state
        return out

    def _decipher(self, data: bytes) -> bytes:
        if len(data) % _BLOCK:
            raise FrameError("osdp", "encrypted data is not whole blocks")
        plain = _xor(self._decrypt(data), _complement(self._command_mac) + data[:-_BLOCK]).rstrip(b"\x00")
        if not plain.endswith(b"\x80"):
            raise FrameError("osdp", "encrypted data is not padded")
        return plain[:-1]


@lru_cache(maxsize=1024)
def _bare(address: int, sequence: int, code: int, *, reply: bool) -> tuple[bytes, int]:
    """What the MAC of a frame without data covers, such as a poll or its ACK, as bytes and as the one padded block."""
    block = Block.REPLY_MAC if reply else Block.COMMAND_MAC
    content = covered(Frame(address, sequence, code, reply=reply, block=block))
    return content, int.from_bytes(_pad(content), "big")


def _aes(key: bytes) -> tuple[_Cipher, _Cipher]:
    """Return AES-128 of whole blocks, each on its own, forward and back."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    cipher = Cipher(AES(key), ECB())  # noqa: S305 - the standard builds its modes from single blocks
    return cipher.encryptor().update, cipher.decryptor().update


def _pad(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % _BLOCK)


def _xor(left: bytes, right: bytes) -> bytes:
    return _mixed(left, int.from_bytes(right, "big"))


def _mixed(left: bytes, right: int) -> bytes:
    return (int.from_bytes(left, "big") ^ right).to_bytes(len(left), "big")


def _complement(block: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in block)
