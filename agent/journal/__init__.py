from agent.journal.chain import first_digest, next_digest
from agent.journal.entry import (
    Birth,
    Bodies,
    ClosedError,
    ConfirmError,
    Draft,
    Dropped,
    Entry,
    Health,
    JournalError,
    LaneState,
    Limits,
    Origin,
    RefusedError,
    Storing,
)
from agent.journal.journal import Journal

__all__ = [
    "Birth",
    "Bodies",
    "ClosedError",
    "ConfirmError",
    "Draft",
    "Dropped",
    "Entry",
    "Health",
    "Journal",
    "JournalError",
    "LaneState",
    "Limits",
    "Origin",
    "RefusedError",
    "Storing",
    "first_digest",
    "next_digest",
]
