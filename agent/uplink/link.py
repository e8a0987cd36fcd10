"""How the link to the centre stands, for whoever shows it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from agent.settings import Confirm, Protocol

_log = logging.getLogger(__name__)


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


class Link:
    """The state as it is now; `on_change` is told of every other one."""

    def __init__(self, on_change: Callable[[LinkState], None]) -> None:
        self.state = self._normal = LinkState(LinkPhase.CONNECTING)
        self._on_change = on_change

    def up(self, protocol: Protocol, confirm: Confirm, away: str) -> None:
        """`away` says of a broker that it is not the preferred one."""
        self._normal = LinkState(LinkPhase.UP, away, protocol=protocol)
        if protocol is Protocol.MQTT311 and confirm is Confirm.BROKER:
            reason = "the broker speaks MQTT 3.1.1, whose acknowledgement proves nothing: events are sent and kept"
            hint = 'use a broker with MQTT 5, or centre.confirm = "centre"'
            self._normal = LinkState(LinkPhase.LIMITED, reason, hint, protocol)
        self._set(self._normal)

    def limited(self, reason: str, hint: str, *, lasting: bool = False) -> None:
        """The broker refuses something; `lasting`: for as long as the link is up."""
        state = LinkState(LinkPhase.LIMITED, reason, hint, self._normal.protocol)
        if lasting:
            self._normal = state
        self._set(state)

    def well(self) -> None:
        """Nothing is refused any more."""
        self._set(self._normal)

    def down(self, reason: str, hint: str) -> None:
        self._set(LinkState(LinkPhase.DOWN, reason, hint))

    def _set(self, state: LinkState) -> None:
        if state != self.state:
            first = self.state.phase is not state.phase
            _log.log(logging.INFO if first else logging.DEBUG, "uplink %s %s", state.phase, state.reason)
            self.state = state
            self._on_change(state)
