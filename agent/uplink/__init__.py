from agent.uplink.dial import Cause, LinkDownError, Target
from agent.uplink.link import LinkPhase, LinkState
from agent.uplink.receipts import CONFIRM_WITHIN_S, Trouble, TroubleCode
from agent.uplink.session import Message, Session
from agent.uplink.uplink import Uplink

__all__ = [
    "CONFIRM_WITHIN_S",
    "Cause",
    "LinkDownError",
    "LinkPhase",
    "LinkState",
    "Message",
    "Session",
    "Target",
    "Trouble",
    "TroubleCode",
    "Uplink",
]
