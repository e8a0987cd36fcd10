"""Owns the lifetimes of devices, and the one boundary at which a bug of a part stops that part only.

`Exception` is met here and nowhere else: what comes through is written to the log with its traceback, and
whoever set the boundary makes it visible.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from drivers.base import Backoff, Clock, Device, DeviceState, Emit, Status

_log = logging.getLogger(__name__)

WELL_AFTER_S = 60.0
"""A device that ran this long was well: the next failure is a first one again."""
BUG_HINT = "a bug in Gatehouse, not in the installation: it is tried again by itself; send the log to the maintainers"


class Boundary:
    """Ends its block at an unexpected exception, logs it, and tells `on_bug` in one line what it was."""

    def __init__(self, part: str, on_bug: Callable[[str], None]) -> None:
        self._part = part
        self._on_bug = on_bug

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, err: BaseException | None, __: object) -> bool:
        if not isinstance(err, Exception):
            return False
        _log.error("%s: bug", self._part, exc_info=err)
        self._on_bug(f"bug: {type(err).__name__}: {err}")
        return True


class Supervisor:
    """Runs every device in a task of its own, and again when it has failed by a bug.

    `on_status` hears of such failures, for every id the device serves; what devices say themselves goes to the
    `emit` of `run`. All on the loop's thread.
    """

    def __init__(self, clock: Clock, on_status: Emit) -> None:
        self._clock = clock
        self._on_status = on_status

    async def run(self, devices: Iterable[Device], emit: Emit) -> None:
        """Runs until cancelled; every device has then closed itself."""
        async with asyncio.TaskGroup() as group:
            for device in devices:
                group.create_task(self._keep(device, emit), name=f"device:{device.id}")

    async def _keep(self, device: Device, emit: Emit) -> None:
        backoff = Backoff(first_s=0.5, ceiling_s=30.0)
        while True:
            begun_s = self._clock.mono_s()
            self._failed(device, await self._run_once(device, emit))
            if self._clock.mono_s() - begun_s >= WELL_AFTER_S:
                backoff.reset()
            await self._clock.sleep(backoff.next_s())

    async def _run_once(self, device: Device, emit: Emit) -> str:
        """Run it until it ends, which it never should; returns what happened."""
        problems: list[str] = []
        try:
            with Boundary(device.id, problems.append):
                await device.run(emit)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            _log.error("%s: bug: cancelled from inside", device.id)
            return "bug: cancelled from inside"
        if not problems:
            _log.error("%s: bug: ended by itself", device.id)
        return problems[0] if problems else "bug: ended by itself"

    def _failed(self, device: Device, reason: str) -> None:
        for served in sorted(device.serves):
            self._on_status(Status(served, DeviceState.FAULT, self._clock.mono_s(), reason, BUG_HINT))
