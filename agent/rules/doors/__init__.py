"""Doors: small pure parts, and the rule that puts them together."""

from agent.rules.doors.access import Access, Calendar, Denial, Verdict
from agent.rules.doors.lock import GRACE_S, PULSE_S, RENEW_S
from agent.rules.doors.release import RELOCK_S
from agent.rules.doors.rule import DoorRule
from agent.rules.doors.state import DoorState, Standing

__all__ = [
    "GRACE_S",
    "PULSE_S",
    "RELOCK_S",
    "RENEW_S",
    "Access",
    "Calendar",
    "Denial",
    "DoorRule",
    "DoorState",
    "Standing",
    "Verdict",
]
