"""How a reader that does not answer is looked for: often enough to serve it within a second of its return, and at
little cost to the others on its bus.

A try is a command and the wait for the first byte of a reply. A full wait is the standard's time-out; most tries
wait only as long as a prompt reader takes. One that answers later than that is still found: its reply falls into
another exchange and is overheard, and some tries do wait in full.
"""

TRY_S = 0.65
"""Between two tries."""

_LIGHT_S = 0.007  # a reader takes about 3 ms to its first byte, the kernel and the loop some more
_FIFO_BYTES = 8  # so many a serial port may collect before it hands them over

_FULL_S = 5.0  # between two full waits for a reader that was never heard, or that answers late
_RARE_S = 30.0  # and for one that is known to be prompt


def light_s(byte_s: float) -> float:
    """Time to the first byte that a light try allows."""
    return _LIGHT_S + _FIFO_BYTES * byte_s


class Outage:
    """Belongs to one reader; pure, time is passed in."""

    def __init__(self) -> None:
        self.misses = 0
        """Tries in a row without an answer."""
        self.prompt = False
        """Whether its last answer came soon enough for a light try."""
        self._full_s = float("-inf")

    def over(self) -> None:
        """It has answered, or is to be taken as if it had."""
        self.misses = 0

    def missed(self) -> None:
        self.misses += 1

    def begins(self, now: float) -> None:
        """It has just been given up, after tries that waited in full."""
        self._full_s = now

    def next_try_s(self, now: float) -> float:
        return now + TRY_S

    def answered(self, *, prompt: bool) -> None:
        """Take note of how soon its last answer came."""
        self.prompt = prompt

    def answers_late(self) -> None:
        """A light try was too short for it: the next one waits in full."""
        self.prompt = False
        self._full_s = float("-inf")

    def full_wait(self, now: float) -> bool:
        """Whether this try may cost a full time-out; asked once for each try."""
        if now - self._full_s < (_RARE_S if self.prompt else _FULL_S):
            return False
        self._full_s = now
        return True
