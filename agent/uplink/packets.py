"""The two packets of MQTT that travel by the thousand: PUBLISH of QoS 1, and the PUBACK that answers it.

paho would spend as much on each of them as the journal, the chain and the envelope take together; all others are its.
Source: OASIS MQTT 3.1.1 and 5.0, sections 2, 3.3 and 3.4.

    PUBLISH  0x32 (| 1 retain), remaining length, topic length, topic, identifier, [5: properties], payload
    PUBACK   0x40, remaining length, identifier, [5: reason code, properties]
"""

from collections.abc import Sequence
from itertools import cycle
from typing import Final, TypeAlias

IDENTIFIERS: Final = range(1024, 65536)
"""Of our messages; paho numbers its own packets from 1."""
_PUBACK: Final = 0x40
_LONGEST: Final = 4  # bytes of a remaining length
_LARGEST: Final = 65_535  # of a PUBACK, its properties included: what claims more is not kept waiting for
_EXPIRY: Final = 0x02  # Message Expiry Interval
MOST_BYTES: Final = 1 << 20
"""Of a packet that comes down: eight times the largest document of the contract. What is larger is not read at all, or
a message left on the broker would take the memory from the doors, again with every connection.
"""

Ack: TypeAlias = tuple[int, int]
"""Identifier and reason code; 0 where none is given."""


def identifiers() -> "cycle[int]":
    """Never one that is in flight, as the window is smaller by far."""
    return cycle(IDENTIFIERS)


def publish(
    topic: str, payload: bytes, mid: int, *, retain: bool = False, five: bool = True, expiry_s: int | None = None
) -> bytes:
    """`expiry_s` is left out in 3.1.1, which does not know it."""
    name = topic.encode()
    properties = b""
    if five:
        properties = b"\0" if expiry_s is None else bytes((5, _EXPIRY)) + expiry_s.to_bytes(4, "big")
    length = 4 + len(name) + len(properties) + len(payload)
    head = bytearray((0x32 | retain,))
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    head.append(length)
    return b"".join((head, len(name).to_bytes(2, "big"), name, mid.to_bytes(2, "big"), properties, payload))


class Acks:
    """Takes PUBACKs out of what a broker sends, however it is cut into pieces; `skipped` counts what is too large."""

    def __init__(self) -> None:
        self.skipped = 0
        self._begun = b""
        self._passing = 0
        self._skips = False

    def feed(self, data: bytes) -> tuple[Sequence[Ack], bytes]:
        """The PUBACKs, and all else that is not too large in order, for paho. What is malformed is for paho to find."""
        data, at = self._begun + data, 0
        acks: list[Ack] = []
        others: list[bytes] = []
        while at < len(data):
            if self._passing:
                part = data[at : at + self._passing]
                at, self._passing = at + len(part), self._passing - len(part)
                if not self._skips:
                    others.append(part)
                continue
            body, length = _remaining(data, at + 1)
            if not body:
                break
            if data[at] != _PUBACK or not 2 <= length <= _LARGEST:
                self._passing, self._skips = body - at + length, length > MOST_BYTES
                self.skipped += self._skips
            elif len(data) < body + length:
                break
            else:
                acks.append((data[body] << 8 | data[body + 1], data[body + 2] if length > 2 else 0))
                at = body + length
        self._begun = data[at:]
        return acks, b"".join(others)


def _remaining(data: bytes, at: int) -> tuple[int, int]:
    """(where the body begins, its length); (0, 0) while that is not known."""
    length = 0
    for shift, byte in enumerate(data[at : at + _LONGEST]):
        length |= (byte & 127) << 7 * shift
        if byte < 128:
            return at + shift + 1, length
    return (0, 0) if len(data) < at + _LONGEST else (at + _LONGEST, 0)
