"""Bodies wrapped for sending as CloudEvents, and taken out again byte for byte."""

import json
from collections.abc import Sequence
from typing import Final

from agent.events import Kind, Lane

MAX_MESSAGE_BYTES: Final = 128 * 1024
"""A document is never larger; bigger things are chunked."""
MAX_BATCH_BYTES: Final = 64 * 1024
MAX_BATCH_READINGS: Final = 1000

_TYPE: Final = b'"type":'
_READINGS: Final = b'"readings":['
_DECODER: Final = json.JSONDecoder()


def event_payload(gateway: str, epoch: str, lane: Lane, sequence: int, digest: bytes, body: bytes) -> bytes:
    """The CloudEvent of one entry (structured mode, JSON)."""
    head = (
        f'{{"specversion":"1.0","id":"{lane}/{sequence}","source":"gatehouse/{gateway}/{epoch}",'
        f'"sequence":"{sequence}","digest":"{digest.hex()}",'
    )
    return head.encode() + body[1:]


def batch_payload(gateway: str, epoch: str, first: int, bodies: Sequence[bytes], digest: bytes) -> bytes:
    """The CloudEvent of the contiguous telemetry entries from `first` on; `digest` is the chain value at the last."""
    last = first + len(bodies) - 1
    body = b'{"type":"gatehouse.%s","subject":"%s","datacontenttype":"application/json","data":{"from":%d,"to":%d,' % (
        Kind.READINGS.encode(),
        gateway.encode(),
        first,
        last,
    )
    return event_payload(
        gateway, epoch, Lane.TELEMETRY, last, digest, b'%s"readings":[%s]}}' % (body, b",".join(bodies))
    )


def body_of(payload: bytes) -> bytes:
    """The body inside a CloudEvent of ours, byte for byte. Raises: ValueError when there is none."""
    return b"{" + payload[payload.index(_TYPE) :]


def bodies_of(payload: bytes) -> list[bytes]:
    """The bodies inside a batch of ours, byte for byte. Raises: ValueError when it is none."""
    text = payload[payload.index(_READINGS) + len(_READINGS) :].decode()
    found, place = [], 0
    while text[place] == "[":
        _, end = _DECODER.raw_decode(text, place)
        found.append(text[place:end].encode())
        place = end + (text[end] == ",")
    return found
