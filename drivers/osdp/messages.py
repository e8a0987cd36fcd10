"""OSDP commands and replies: what stands behind a frame's ID byte. Pure, in plain (decrypted) bytes.

Layouts are drawn at each function; integers little-endian, times in units of 100 ms.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from drivers.base import Card, Cue, FrameError, Keys


class Cmd(IntEnum):
    POLL = 0x60
    ID = 0x61
    CAP = 0x62
    LSTAT = 0x64
    ISTAT = 0x65
    OUT = 0x68
    LED = 0x69
    BUZ = 0x6A
    TEXT = 0x6B
    KEYSET = 0x75
    CHLNG = 0x76
    SCRYPT = 0x77


class Reply(IntEnum):
    ACK = 0x40
    NAK = 0x41
    PDID = 0x45
    PDCAP = 0x46
    LSTATR = 0x48
    ISTATR = 0x49
    RAW = 0x50
    FMT = 0x51
    KEYPAD = 0x53
    CCRYPT = 0x76
    RMAC_I = 0x78
    BUSY = 0x79


class Nak(IntEnum):
    CHECK = 1
    LENGTH = 2
    UNKNOWN_COMMAND = 3
    SEQUENCE = 4
    SECURITY_UNSUPPORTED = 5
    SECURITY_NEEDED = 6
    BIO_TYPE = 7
    BIO_FORMAT = 8
    RECORD = 9


class Capability(IntEnum):
    """Function codes of PDCAP that are used here; what it says of security is never believed."""

    INPUTS = 1
    OUTPUTS = 2


NAK_WORDS: Mapping[int, str] = {
    Nak.CHECK: "bad check bytes",
    Nak.LENGTH: "wrong command length",
    Nak.UNKNOWN_COMMAND: "unknown command",
    Nak.SEQUENCE: "unexpected sequence number",
    Nak.SECURITY_UNSUPPORTED: "no support for the secure channel",
    Nak.SECURITY_NEEDED: "secure channel needed",
    Nak.BIO_TYPE: "biometric type not supported",
    Nak.BIO_FORMAT: "biometric format not supported",
    Nak.RECORD: "cannot carry out the command",
}


@dataclass(frozen=True, slots=True)
class Command:
    code: Cmd
    data: bytes = b""

    def __repr__(self) -> str:
        return f"Command({self.code.name})"


POLL = Command(Cmd.POLL)
IDENTIFY = Command(Cmd.ID, b"\x00")
CAPABILITIES = Command(Cmd.CAP, b"\x00")
LOCAL_STATUS = Command(Cmd.LSTAT)
INPUT_STATUS = Command(Cmd.ISTAT)


# ---------------------------------------------------------------- commands

_MAX_TIMER = 0xFFFF
MAX_PULSE_S = _MAX_TIMER / 10


class _Colour(IntEnum):
    OFF = 0
    RED = 1
    GREEN = 2
    AMBER = 3


def output(number: int, *, on: bool, for_s: float | None = None) -> Command:
    """Switch an output: number[1] control[1] timer[2].

    control: 1 off, 2 on (both for good, ending a running timer), 5 on for `timer`, 6 off for `timer`.
    """
    if for_s is None:
        return Command(Cmd.OUT, bytes((number, 2 if on else 1, 0, 0)))
    timer = min(_MAX_TIMER, max(1, round(for_s * 10)))
    return Command(Cmd.OUT, bytes((number, 5 if on else 6)) + timer.to_bytes(2, "little"))


def text(characters: str, *, for_s: int) -> Command:
    """Reader[1] kind[1] time in s[1] row[1] column[1] length[1] characters, ASCII.

    kind: 2 for good, 4 for `time`, both wrapped at the end of a line; rows and columns count from 1.
    """
    content = characters.encode("ascii")
    return Command(Cmd.TEXT, bytes((0, 4 if for_s else 2, for_s, 1, 1, len(content))) + content)


def keyset(key: bytes) -> Command:
    """Kind[1] length[1] key; kind 1 is the SCBK."""
    return Command(Cmd.KEYSET, bytes((1, len(key))) + key)


def cue_commands(cue: Cue) -> tuple[Command, ...]:
    """LED and buzzer for a cue. Steady red at rest; green for 3 s and one beep; blinking red and three
    beeps; blinking amber and a short beep while the PIN is awaited.
    """
    if cue is Cue.GRANTED:
        return _led(2, on=10, off=0, colour=_Colour.GREEN, timer=30), _buzzer(on=2, off=1, count=1)
    if cue is Cue.DENIED:
        return _led(2, on=2, off=2, colour=_Colour.RED, timer=20), _buzzer(on=1, off=1, count=3)
    if cue is Cue.PIN:
        return _led(2, on=5, off=5, colour=_Colour.AMBER, timer=150), _buzzer(on=1, off=0, count=1)
    return (_led(1, on=0, off=0, colour=_Colour.OFF, timer=0),)


def _led(control: int, *, on: int, off: int, colour: _Colour, timer: int) -> Command:
    """Reader[1] LED[1], temporary: control[1] on[1] off[1] on colour[1] off colour[1] timer[2],
    permanent: control[1] on[1] off[1] on colour[1] off colour[1].

    Temporary control: 1 ends it, 2 starts it; permanent control 1 sets steady red, the colour at rest.
    """
    temporary = bytes((control, on, off, colour, _Colour.OFF)) + timer.to_bytes(2, "little")
    permanent = bytes((1, 10, 0, _Colour.RED, _Colour.RED))
    return Command(Cmd.LED, b"\x00\x00" + temporary + permanent)


def _buzzer(*, on: int, off: int, count: int) -> Command:
    """Reader[1] tone[1] on[1] off[1] count[1]; tone 2 is the reader's own."""
    return Command(Cmd.BUZ, bytes((0, 2, on, off, count)))


# ---------------------------------------------------------------- replies


@dataclass(frozen=True, slots=True)
class Identity:
    """PDID: vendor[3] model[1] version[1] serial[4] firmware[3, most significant first]."""

    vendor: str
    model: int
    version: int
    serial: int
    firmware: str

    @property
    def pin(self) -> str:
        """What the settings pin: vendor, model and serial number; an update of the firmware leaves it as it is."""
        return f"{self.vendor}-{self.model:02x}-{self.serial:08x}"

    def __str__(self) -> str:
        return f"{self.pin}, version {self.version}, firmware {self.firmware}"


@dataclass(frozen=True, slots=True)
class LocalStatus:
    """LSTATR: tamper[1] power[1]; power True means trouble."""

    tamper: bool
    power: bool


@dataclass(frozen=True, slots=True)
class Challenged:
    """CCRYPT: client id[8] RND.B[8] client cryptogram[16]."""

    client: bytes
    random: bytes
    cryptogram: bytes


def parse_identity(data: bytes) -> Identity:
    _need(data, 12, "PDID")
    return Identity(
        vendor=data[:3].hex(),
        model=data[3],
        version=data[4],
        serial=int.from_bytes(data[5:9], "little"),
        firmware=".".join(str(byte) for byte in data[9:12]),
    )


def parse_capabilities(data: bytes) -> dict[int, tuple[int, int]]:
    """PDCAP: triples of function[1] compliance[1] number[1]."""
    return {data[at]: (data[at + 1], data[at + 2]) for at in range(0, len(data) - 2, 3)}


def parse_local_status(data: bytes) -> LocalStatus:
    _need(data, 2, "LSTATR")
    return LocalStatus(tamper=data[0] != 0, power=data[1] != 0)


def parse_inputs(data: bytes) -> tuple[bool, ...]:
    """ISTATR: one byte an input, 0 while it is inactive."""
    return tuple(byte != 0 for byte in data)


def parse_challenged(data: bytes) -> Challenged:
    _need(data, 32, "CCRYPT")
    return Challenged(data[:8], data[8:16], data[16:32])


def parse_raw(data: bytes) -> Card:
    """RAW: reader[1] format[1] bit count[2] bits, first bit in the highest place of the first byte."""
    _need(data, 5, "RAW")
    bits, content = int.from_bytes(data[2:4], "little"), data[4:]
    if not 0 < bits <= 8 * len(content):
        raise FrameError("osdp", "RAW: bit count and data do not fit")
    content = content[: (bits + 7) // 8]
    return Card(bits, int.from_bytes(content, "big") >> (8 * len(content) - bits))


def parse_formatted(data: bytes) -> Card:
    """FMT: reader[1] direction[1] count[1] characters; digits become four bits each."""
    _need(data, 4, "FMT")
    digits = data[3 : 3 + data[2]]
    if data[1]:
        digits = digits[::-1]
    if not digits.isdigit() or len(digits) != data[2]:
        raise FrameError("osdp", "FMT: not a number")
    return Card(4 * len(digits), int(digits, 16))


def parse_keys(data: bytes) -> Keys:
    """KEYPAD: reader[1] count[1] keys, ASCII, `*` as 0x7F and `#` as 0x0D."""
    _need(data, 2, "KEYPAD")
    keys = data[2 : 2 + data[1]].replace(b"\x7f", b"*").replace(b"\r", b"#")
    if len(keys) != data[1] or not keys.isascii() or not keys.decode("ascii").isprintable():
        raise FrameError("osdp", "KEYPAD: not keys")
    return Keys(keys.decode("ascii"))


def nak_words(data: bytes) -> str:
    """Say in words why a command was refused."""
    return NAK_WORDS.get(data[0], f"code {data[0]}") if data else "no reason given"


def _need(data: bytes, length: int, what: str) -> None:
    if len(data) < length:
        raise FrameError("osdp", f"{what}: {len(data)} bytes instead of {length}")
