"""What a backend for GPIO lines offers, and how a chip's refusals read."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from drivers.base import LinkError
from drivers.gpio.config import GpioChip

EVENT_BUFFER = 256
"""Edges the kernel keeps for us: more than a reader on two lines sends for a card."""

CONSUMER = "gatehouse"


@dataclass(frozen=True, slots=True)
class Edge:
    """An input has come to rest at a new state; `mono_s` is the kernel's time stamp.

    `after_gap`: edges before it were lost, of this input or another of the request.
    """

    input: str
    on: bool
    mono_s: float
    after_gap: bool = False


class Lines(Protocol):
    """All configured lines of one chip, requested at once: outputs at their safe state, inputs with edge events.

    States are logical (on is the active level). Every method may raise LinkError when the chip has gone.
    """

    @property
    def states(self) -> Mapping[str, bool]:
        """The inputs' states at the moment of the request."""
        ...

    def fileno(self) -> int:
        """A descriptor that becomes readable with the next edge."""
        ...

    def read(self) -> list[Edge]:
        """Take the edges that are waiting; after a gap in their sequence, every input's present state."""
        ...

    def set(self, output: str, on: bool) -> None: ...

    def close(self) -> None:
        """Release the lines."""
        ...


def explain(config: GpioChip, error: OSError, who: str = "") -> LinkError:
    """Say in words what the chip's refusal means and what to do; `who` holds the lines we want."""
    chip = config.chip
    reasons = {
        errno.ENOENT: (f"there is no GPIO chip {chip}", "list the chips with: gpiodetect"),
        errno.ENOTTY: (f"{chip} is no GPIO chip", "list the chips with: gpiodetect"),
        errno.ECONNREFUSED: (f"nobody serves {chip}", "start the line server"),
        errno.ENODEV: (f"GPIO chip {chip} is gone", "check its plug and power; it is opened again by itself"),
        errno.EACCES: (
            f"no permission for GPIO chip {chip}",
            "add the agent's user to the group gpio, then start it again",
        ),
        errno.EBUSY: (f"in use by others: {who or chip}", "stop the program that gpioinfo names as consumer"),
        errno.E2BIG: ("too many different line settings", "let lines share debounce, bias and active level"),
        errno.EINVAL: ("the chip refuses these line settings", "try bias as-is, or debounce_ms = 0"),
    }
    number = _SAME.get(error.errno or 0, error.errno or 0)
    reason, hint = reasons.get(number, (f"GPIO chip {chip}: {os.strerror(number)}", "see: dmesg, gpioinfo"))
    return LinkError(config.id, reason, hint=hint)


_SAME = {
    errno.EPERM: errno.EACCES,
    errno.EPIPE: errno.ENODEV,
    errno.ECONNRESET: errno.ENODEV,
    errno.ENXIO: errno.ENODEV,
}
