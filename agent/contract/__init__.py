"""Every message between a gateway and its centre: topics, payloads, and the models that read them back.

Pure functions and frozen models; nothing here does I/O. `table.MESSAGES` is the closed list of all of them, from which
the published documents are made. Entries of the journal are stored as bodies and wrapped for sending, so that what is
hashed never changes:

    body      {"type":"gatehouse.door.forced","subject":"north-gate", … ,"data":{ … }}
    payload   {"specversion":"1.0","id":"alarm/17","source":"gatehouse/<gateway>/<epoch>",
               "sequence":"17","digest":"<hex>", + the body without its first brace

A consumer recomputes the chain from the payload's bytes from `"type":` on, with `{` put before them. A telemetry
entry is one compact array (`reading_body`); many contiguous ones travel in one CloudEvent whose `sequence` and
`digest` are those of the last.
"""

from agent.contract.bodies import clock_offset, event_body, reading_body, tombstone, wall_time
from agent.contract.messages import (
    Area,
    DeviceMessage,
    Digest,
    Document,
    LaneReceipt,
    LaneStatus,
    Online,
    Outcome,
    PointMessage,
    Presence,
    Receipt,
    Rejected,
    Request,
    RequestId,
    RequestReply,
    Sequence0,
    Sequence1,
    Span,
    StatusMessage,
    areas_of,
)
from agent.contract.payloads import (
    MAX_BATCH_BYTES,
    MAX_BATCH_READINGS,
    MAX_MESSAGE_BYTES,
    batch_payload,
    bodies_of,
    body_of,
    event_payload,
)
from agent.contract.text import rfc3339, uptime
from agent.contract.topics import Suffix, Topics, split_up

__all__ = [
    "MAX_BATCH_BYTES",
    "MAX_BATCH_READINGS",
    "MAX_MESSAGE_BYTES",
    "Area",
    "DeviceMessage",
    "Digest",
    "Document",
    "LaneReceipt",
    "LaneStatus",
    "Online",
    "Outcome",
    "PointMessage",
    "Presence",
    "Receipt",
    "Rejected",
    "Request",
    "RequestId",
    "RequestReply",
    "Sequence0",
    "Sequence1",
    "Span",
    "StatusMessage",
    "Suffix",
    "Topics",
    "areas_of",
    "batch_payload",
    "bodies_of",
    "body_of",
    "clock_offset",
    "event_body",
    "event_payload",
    "reading_body",
    "rfc3339",
    "split_up",
    "tombstone",
    "uptime",
    "wall_time",
]
