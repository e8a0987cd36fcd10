"""What the file is made of, and its history: schema 1 as it was released, and the steps from there.

    about(epoch)                                          one row
    lane(lane, last, digest, confirmed, confirmed_digest) one row a lane
    entry_<lane>(sequence, kind, body, digest)            one table a lane: pages fill in order and empty in order
    dropped(lane, first, last, digest)                    ranges given up; the chain after `last`
                                                          first 0: all up to `last` is released, and the chain there
    mark(day, lane, confirmed)                            what was confirmed on that day (ordinal)

Two numbers stand in the file's header. `user_version` is the oldest schema whose program can go on with the file:
a program refuses one above its own. `application_id` is "GH" and the file's own schema (0 in schema 1).

A step only ever adds: a table or an index, never a column or a constraint of what stands, since the previous release
inserts by position; and what it adds may be found stale, since that release writes without it. It never raises
`user_version` beyond the previous release's number, which is then the oldest that may be installed again.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData

FIRST = 1
_LANES = ("alarm", "fault", "ledger", "access", "telemetry", "media")
MARK = int.from_bytes(b"GH\0\0")


@dataclass(frozen=True, slots=True)
class Step:
    """From the schema before to `schema`; programs of `readable_by` and later go on with the result."""

    schema: int
    readable_by: int
    statements: tuple[str, ...] = ()


STEPS: tuple[Step, ...] = (
    Step(2, readable_by=1),  # the header says what the file is
)


def newest(steps: tuple[Step, ...] = STEPS) -> int:
    return steps[-1].schema if steps else FIRST


def first() -> "MetaData":
    """Schema 1. Never changed again."""
    from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text

    meta = MetaData()
    Table("about", meta, Column("epoch", Text, nullable=False))
    Table(
        "lane",
        meta,
        Column("lane", Text, primary_key=True),
        Column("last", Integer, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("confirmed", Integer, nullable=False),
        Column("confirmed_digest", LargeBinary, nullable=False),
    )
    for lane in _LANES:
        Table(
            f"entry_{lane}",
            meta,
            Column("sequence", Integer, primary_key=True, autoincrement=False),
            Column("kind", Text, nullable=False),
            Column("body", LargeBinary, nullable=False),
            Column("digest", LargeBinary, nullable=False),
        )
    Table(
        "dropped",
        meta,
        Column("lane", Text, primary_key=True),
        Column("first", Integer, primary_key=True),
        Column("last", Integer, nullable=False),
        Column("digest", LargeBinary, nullable=False),
    )
    Table(
        "mark",
        meta,
        Column("day", Integer, primary_key=True),
        Column("lane", Text, primary_key=True),
        Column("confirmed", Integer, nullable=False),
    )
    return meta
