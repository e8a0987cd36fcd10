"""A vehicle that stands in a fire lane (消防通道占用); one that passes, however slowly, does not."""

from dataclasses import dataclass

from agent.events import Kind
from agent.rules.cameras.follow import Patience
from agent.rules.cameras.stay import StayRule

_PATIENCE = Patience(heir_s=30.0, gone_s=10.0, stands=True)
"""People and passing vehicles hide a standing one; it has gone when looks have missed it for ten seconds."""
_CREDIT_S = 40.0
"""The camera process asks its detector about what stands still only every half a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FireLaneRule(StayRule):
    """Alarms until the vehicle has left the lane, even if it moves within it."""

    kind: Kind = Kind.FIRE_LANE
    patience: Patience = _PATIENCE
    credit_s: float = _CREDIT_S
    still: bool = True
