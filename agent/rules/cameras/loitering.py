"""Somebody who stays in a zone for long (徘徊): the same one, not one after the other."""

from dataclasses import dataclass

from agent.events import Kind
from agent.rules.cameras.follow import Patience
from agent.rules.cameras.stay import StayRule

_PATIENCE = Patience(heir_s=3.0, gone_s=5.0, speed=0.8)
"""Who is hidden for longer begins anew; a person walks some 0.8 of its height a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoiteringRule(StayRule):
    kind: Kind = Kind.LOITERING
    patience: Patience = _PATIENCE
