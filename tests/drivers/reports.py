"""What a device under test has reported, to wait for and to look back at."""

import asyncio
from collections.abc import Callable

from drivers.base import DeviceState, Reading, Report, Status, Value

WAIT_S = 10.0


class Reports:
    """`emit` takes reports; each wait consumes up to and with the report it waited for."""

    def __init__(self) -> None:
        self.all: list[Report] = []
        self._waiting: asyncio.Queue[Report] = asyncio.Queue()

    def emit(self, report: Report) -> None:
        self.all.append(report)
        self._waiting.put_nowait(report)

    async def until(self, wanted: Callable[[Report], bool]) -> Report:
        async with asyncio.timeout(WAIT_S):
            while True:
                report = await self._waiting.get()
                if wanted(report):
                    return report

    async def status(self, state: DeviceState, device: str | None = None) -> Status:
        found = await self.until(
            lambda r: isinstance(r, Status) and r.state is state and (device is None or r.device == device)
        )
        assert isinstance(found, Status)
        return found

    async def reading(self, point: str, value: Value | None = None, device: str | None = None) -> Reading:
        """Wait for a reading of a point, of this value if one is given."""
        found = await self.until(
            lambda r: (
                isinstance(r, Reading)
                and r.point == point
                and (value is None or r.value == value)
                and (device is None or r.device == device)
            )
        )
        assert isinstance(found, Reading)
        return found

    def values(self, point: str) -> list[Value]:
        return [r.value for r in self.all if isinstance(r, Reading) and r.point == point]
