"""Whether a camera sees: what every rule on a camera must know before it says that something is not there."""

from dataclasses import dataclass, replace
from math import inf

from agent.observations import Observation, View
from agent.rules.step import Input
from drivers.base import DeviceState, Status

STALE_S = 3.0
"""Pictures in which something moves and that nobody has looked at for so long prove nothing."""


@dataclass(frozen=True, slots=True)
class Sight:
    """`blind` says why the camera proves nothing now; empty: it sees. `comes`: pictures do, whatever they show."""

    fault: str = ""
    comes: bool = False
    flaw: str = ""
    unlooked: str = ""
    looked_s: float = -inf

    @property
    def away(self) -> str:
        """What the camera itself says is wrong, or that it has said nothing yet."""
        return self.fault or ("" if self.comes else "starting")

    @property
    def blind(self) -> str:
        return self.away or self.flaw or self.unlooked

    @property
    def lost(self) -> bool:
        """No pictures come: what follows has another run's numbers."""
        return not self.comes

    def after(self, given: Input) -> "Sight":
        """What is known once the camera's state, view or observation is taken in; other inputs change nothing.

        Black pictures and those of another shape are looked at, and things seen in them are there; that nothing else is
        they prove no more than before: only the camera's own word ends a fault.
        """
        match given:
            case Status(state=DeviceState.OK):
                return replace(self, fault="", comes=True)
            case Status():
                return replace(self, fault=given.reason or given.state.value, comes=False)
            case View():
                return replace(self, flaw=given.flaw.value if given.flaw else "")
            case Observation(looked=True):
                return replace(self, comes=True, unlooked="", looked_s=given.mono_s)
            case Observation():
                late = given.mono_s - self.looked_s > STALE_S
                return replace(self, unlooked="more pictures than can be looked at" if late else "")
            case _:
                return self
