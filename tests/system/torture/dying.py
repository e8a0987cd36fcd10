"""Steps between publishing and releasing, at which a process can be made to die as by kill -9.

What dies between two calls that change the journal's files is the business of `tests/disk_shim`.
"""

import functools
import inspect
import os
import signal
from collections.abc import Callable
from typing import Any, Final

from agent.journal import Journal
from agent.uplink.receipts import Receipts
from agent.uplink.uplink import Uplink
from agent.uplink.wire import Wire

STEPS: Final[dict[str, tuple[type, str]]] = {
    "publish": (Uplink, "_send"),
    "write to the socket": (Wire, "flush"),
    "take a PUBACK": (Uplink, "_acked"),
    "take a receipt": (Receipts, "_apply"),
    "release": (Journal, "confirm_all"),
}


def die_at(step: str, *, before: bool, times: int) -> None:
    """From now on the process dies right before, or right after, it has taken the step so often."""
    owner, name = STEPS[step]
    inner: Callable[..., Any] = getattr(owner, name)
    left = times

    def counted(*, now: bool) -> None:
        nonlocal left
        left -= now
        if now and left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(inner)
    def plain(*given: Any, **named: Any) -> Any:
        counted(now=before)
        done = inner(*given, **named)
        counted(now=not before)
        return done

    @functools.wraps(inner)
    async def awaited(*given: Any, **named: Any) -> Any:
        counted(now=before)
        done = await inner(*given, **named)
        counted(now=not before)
        return done

    setattr(owner, name, awaited if inspect.iscoroutinefunction(inner) else plain)
