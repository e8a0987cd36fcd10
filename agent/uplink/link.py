"""How the link to the centre stands, for whoever shows it."""

from dataclasses import dataclass
from enum import StrEnum

from agent.settings import Protocol


class LinkPhase(StrEnum):
    CONNECTING = "connecting"
    UP = "up"
    LIMITED = "limited"  # up, and the broker refuses some of our messages
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class LinkState:
    """`protocol` is the version of MQTT in use; `reason` and `hint` say why it is not simply up."""

    phase: LinkPhase
    reason: str = ""
    hint: str = ""
    protocol: Protocol | None = None
