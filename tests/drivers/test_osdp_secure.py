"""The secure channel against the standard's example and an independent reader built on CBC mode."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import FrameError
from drivers.osdp.frames import Block, Deframer, Frame, covered, decode, encode
from drivers.osdp.secure import SCBK_D, Mismatch, SecureSession

# SIA OSDP 2.2, annex E.
RANDOM_A = bytes.fromhex("b0b1b2b3b4b5b6b7")
RANDOM_B = bytes.fromhex("a0a1a2a3a4a5a6a7")
S_ENC = bytes.fromhex("bf8dc2a8329acb8c67c6d0cd9a451682")
S_MAC1 = bytes.fromhex("5e86c676603bdee2d8beafe178637332")
S_MAC2 = bytes.fromhex("6fda86e857777e81132035758239172e")
CLIENT = bytes.fromhex("fde5d2f428ec16312471ea3c02bd7796")
SERVER = bytes.fromhex("26d3356e07762d262801fc8e6665a891")
R_MAC_I = bytes.fromhex("b2a30057eb98ba2229ec1f875662b524")


class ReferenceReader:
    """The reader's half, written from the standard with whole modes instead of single blocks."""

    def __init__(self) -> None:
        self.reply_mac = R_MAC_I
        self.command_mac = bytes(16)

    def mac(self, content: bytes, start: bytes) -> bytes:
        if len(content) % 16:
            content = (content + b"\x80").ljust((len(content) + 16) // 16 * 16, b"\x00")
        if len(content) > 16:
            start = Cipher(AES(S_MAC1), CBC(start)).encryptor().update(content[:-16])[-16:]
        return Cipher(AES(S_MAC2), CBC(start)).encryptor().update(content[-16:])

    def open(self, wire: bytes) -> bytes:
        _, frame = decode(wire)
        assert frame is not None
        start = bytes(byte ^ 0xFF for byte in self.reply_mac)
        self.command_mac = self.mac(covered(frame), self.reply_mac)
        assert frame.mac == self.command_mac[:4]
        if frame.block == Block.COMMAND_MAC:
            return b""
        plain = Cipher(AES(S_ENC), CBC(start)).decryptor().update(frame.data).rstrip(b"\x00")
        assert plain[-1:] == b"\x80"
        return plain[:-1]

    def reply(self, code: int, data: bytes, address: int = 0, sequence: int = 1) -> Frame:
        block, start = Block.REPLY_MAC, bytes(byte ^ 0xFF for byte in self.command_mac)
        if data:
            block, data = Block.REPLY_SEALED, (data + b"\x80").ljust((len(data) + 16) // 16 * 16, b"\x00")
            data = Cipher(AES(S_ENC), CBC(start)).encryptor().update(data)
        frame = Frame(address, sequence, code, data, reply=True, block=block)
        self.reply_mac = self.mac(covered(frame), self.command_mac)
        return replace(frame, mac=self.reply_mac[:4])


def established() -> SecureSession:
    session = SecureSession(SCBK_D, RANDOM_A)
    session.verify_reader(RANDOM_B, CLIENT)
    session.verify_start(R_MAC_I)
    return session


def test_the_standards_example() -> None:
    session = SecureSession(SCBK_D, RANDOM_A)
    for key, cipher in ((S_ENC, session._encrypt), (S_MAC1, session._mac1), (S_MAC2, session._mac2)):
        assert cipher(bytes(16)) == Cipher(AES(key), ECB()).encryptor().update(bytes(16))
    assert session.verify_reader(RANDOM_B, CLIENT) == SERVER
    session.verify_start(R_MAC_I)


def test_another_key_is_noticed_at_either_proof() -> None:
    with pytest.raises(Mismatch):
        SecureSession(bytes(16), RANDOM_A).verify_reader(RANDOM_B, CLIENT)
    session = SecureSession(SCBK_D, RANDOM_A)
    session.verify_reader(RANDOM_B, CLIENT)
    with pytest.raises(Mismatch):
        session.verify_start(bytes(16))


def test_each_session_has_its_own_random() -> None:
    assert SecureSession(SCBK_D).random != SecureSession(SCBK_D).random


@given(st.lists(st.tuples(st.binary(max_size=50), st.binary(max_size=400)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_a_conversation_of_any_lengths_is_understood_on_both_sides(exchanges: list[tuple[bytes, bytes]]) -> None:
    session, reader = established(), ReferenceReader()
    for command, reply in exchanges:
        assert reader.open(session.seal(0, 1, 0x60, command)) == command
        opened = session.open(reader.reply(0x50, reply))
        assert opened.data == reply
        assert not opened.secured


@pytest.mark.parametrize("spoil", ["mac", "data", "code", "block", "plain"])
def test_a_changed_reply_is_refused_and_the_true_one_still_accepted(spoil: str) -> None:
    session, reader = established(), ReferenceReader()
    reader.open(session.seal(0, 1, 0x60))
    true = reader.reply(0x50, b"card")
    changed = {
        "mac": Frame(0, 1, true.code, true.data, True, true.block, b"", bytes(4)),
        "data": Frame(0, 1, true.code, bytes(16), True, true.block, b"", true.mac),
        "code": Frame(0, 1, 0x40, true.data, True, true.block, b"", true.mac),
        "block": Frame(0, 1, true.code, true.data, True, Block.COMMAND_SEALED, b"", true.mac),
        "plain": Frame(0, 1, true.code, b"card", True),
    }[spoil]
    with pytest.raises(FrameError):
        session.open(changed)
    assert session.open(true).data == b"card"


def test_a_bare_acknowledgement_is_known_by_its_bytes_and_only_once() -> None:
    session, reader = established(), ReferenceReader()
    for sequence in (1, 2, 3):
        reader.open(session.seal(5, sequence, 0x60))
        wire = encode(reader.reply(0x40, b"", 5, sequence))
        spoilt = [wire[:at] + bytes((wire[at] ^ 1,)) + wire[at + 1 :] for at in range(len(wire))]
        for other in (*spoilt, wire[:-1], wire + b"\xff", b""):
            assert not session.acknowledged(other, 5, sequence)
        assert not session.acknowledged(wire, 5, sequence % 3 + 1)
        assert session.acknowledged(wire, 5, sequence)
        session.seal(5, sequence % 3 + 1, 0x60)
        assert not session.acknowledged(wire, 5, sequence)
        session, reader = established(), ReferenceReader()


def test_after_an_acknowledgement_known_by_its_bytes_both_sides_still_understand_each_other() -> None:
    session, reader = established(), ReferenceReader()
    for command in (b"", b"light", b""):
        assert reader.open(session.seal(0, 1, 0x60, command)) == command
        assert session.acknowledged(encode(reader.reply(0x40, b"")), 0, 1)
        reader.open(session.seal(0, 1, 0x60))
        assert session.open(reader.reply(0x50, b"card")).data == b"card"


def test_a_replayed_reply_is_refused() -> None:
    session, reader = established(), ReferenceReader()
    reader.open(session.seal(0, 1, 0x60))
    old = reader.reply(0x50, b"card")
    session.open(old)
    session.seal(0, 1, 0x60)
    with pytest.raises(FrameError):
        session.open(old)


def test_badly_padded_data_with_a_good_mac_is_refused() -> None:
    session, reader = established(), ReferenceReader()
    for data in (b"\x01" * 15, bytes(16)):
        reader.open(session.seal(0, 1, 0x60))
        plain = Cipher(AES(S_ENC), CBC(bytes(byte ^ 0xFF for byte in reader.command_mac))).encryptor()
        sealed = data if len(data) % 16 else plain.update(data)
        frame = Frame(0, 1, 0x50, sealed, reply=True, block=Block.REPLY_SEALED)
        mac = reader.mac(covered(frame), reader.command_mac)
        with pytest.raises(FrameError):
            session.open(Frame(0, 1, 0x50, sealed, True, Block.REPLY_SEALED, b"", mac[:4]))


@pytest.mark.parametrize("length", [255, 256, 300, 1400])
def test_a_reply_longer_than_a_byte_can_count_is_opened(length: int) -> None:
    session, reader = established(), ReferenceReader()
    reader.open(session.seal(0, 1, 0x60))
    sealed = reader.reply(0x80, bytes(index % 251 for index in range(length)))
    found = Deframer().feed(encode(sealed))
    assert len(encode(sealed)) > 255
    assert session.open(found[0]).data == bytes(index % 251 for index in range(length))
