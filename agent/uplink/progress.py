"""Whether the link gets anywhere: told of what is sent and acknowledged, asked what that means. Times are monotonic."""

from typing import Final

from agent.uplink.schedule import BATCH_BYTES

PROGRESS_S: Final = 5.0
"""Something is in flight and nothing has been acknowledged for so long: the link is a black hole."""
SLOWEST_BYTES_S: Final = 4096
"""A line this slow is still waited for while it carries a large message."""
PROMPT_S: Final = 2.0
"""A close so soon after a message may be its fault."""
PROVEN_S: Final = 10.0
"""An acknowledgement so long after CONNECT proves the link; two gateways with one id kick each other out sooner."""


class Progress:
    def __init__(self) -> None:
        self._up_s = self._acked_s = self._sent_s = self._patient_s = 0.0

    def up(self, now_s: float) -> None:
        """Another link, with nothing in flight."""
        self._up_s = self._acked_s = self._patient_s = now_s

    def sent(self, now_s: float, size: int = 0, *, alone: bool) -> None:
        """`alone`: nothing else is in flight, so that only now an acknowledgement is waited for."""
        if size > BATCH_BYTES:
            self._patient_s = max(now_s, self._patient_s) + size / SLOWEST_BYTES_S
        self._sent_s = now_s
        if alone:
            self._acked_s = now_s

    def acked(self, now_s: float) -> None:
        self._acked_s = now_s

    def is_silent(self, now_s: float) -> bool:
        """Whether what is in flight should have been acknowledged by now."""
        return now_s >= max(self._acked_s + PROGRESS_S, self._patient_s)

    def is_proven(self, now_s: float) -> bool:
        return now_s - self._up_s >= PROVEN_S

    def is_prompt(self, now_s: float) -> bool:
        """Whether what was sent last may be why the link is closed now."""
        return self.quiet_s(now_s) <= PROMPT_S

    def quiet_s(self, now_s: float) -> float:
        """So long nothing was sent."""
        return now_s - self._sent_s
