"""How a reader that does not answer is looked for: often enough to serve it within a second of its return, and at
little cost to the others on its bus.

A try is a command and the wait for the first byte of a reply: a light one waits as long as a prompt reader takes, a
full one for the standard's time-out. What tries cost the others is counted against a credit that earns one time-out
in five seconds. Light tries go on all the time and take most of it at 9600 baud; what they leave is saved for a full
one, for a reader known to be prompt only now and then. A reader known to be late gets full ones alone, as often as
the credit allows. Late answers to a light try are overheard. A reader with nobody else to serve on its bus is always
waited for in full.
"""

TIMEOUT_S = 0.2
"""The standard's longest time to the first byte of a reply."""

TRY_S = 0.65
"""Between two tries, at least."""

_LIGHT_S = 0.006  # a reader takes about 3 ms to its first byte, the kernel and the loop some more
_FIFO_BYTES = 8  # so many a serial port may collect before it hands them over

_EARNED = TIMEOUT_S / 5.0  # seconds a second
_ROUNDING_S = 1e-6
_MOST_S = 1.1 * TIMEOUT_S  # a full wait and its command
_RARE_S = 30.0  # between full waits for a reader known to be prompt


def light_s(byte_s: float) -> float:
    """Time to the first byte that a light try allows."""
    return _LIGHT_S + _FIFO_BYTES * byte_s


class Outage:
    """Belongs to one reader; pure, time is passed in."""

    def __init__(self) -> None:
        self.misses = 0
        """Tries in a row without an answer."""
        self.prompt: bool | None = None
        """Whether it is known to answer soon enough for a light try; None before its first answer."""
        self._credit_s = 0.0
        self._earned_until_s = 0.0
        self._full_s = 0.0

    def over(self) -> None:
        """It has answered, or is to be taken as if it had."""
        self.misses = 0

    def missed(self) -> None:
        self.misses += 1

    def begins(self, now: float) -> None:
        """It has just been given up, after tries that waited in full."""
        self._credit_s, self._earned_until_s, self._full_s = 0.0, now, now

    def answered(self, *, prompt: bool) -> None:
        """Take note of how soon an answer came: who was prompt once is, whatever the machine was busy with since."""
        self.prompt = prompt or bool(self.prompt)

    def answers_late(self) -> None:
        """A light try was too short for it: the next one waits in full."""
        self.prompt, self._credit_s = False, _MOST_S

    def full_wait(self, now: float) -> bool:
        """Whether this try may cost a full time-out."""
        self._earn(now)
        due = not self.prompt or now - self._full_s >= _RARE_S
        return due and self._credit_s >= TIMEOUT_S - _ROUNDING_S

    def tried(self, now: float, spent_s: float, *, full: bool) -> float:
        """A try has cost the others so much; the moment of the next one."""
        self._earn(now)
        self._credit_s -= spent_s
        if full:
            self._full_s = now
        saving_s = (TIMEOUT_S - self._credit_s) / _EARNED if self.prompt is False else 0.0
        return now + max(TRY_S, saving_s)

    def _earn(self, now: float) -> None:
        self._credit_s = min(_MOST_S, self._credit_s + (now - self._earned_until_s) * _EARNED)
        self._earned_until_s = now
