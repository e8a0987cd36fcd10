"""A Wiegand reader: pulse trains with a reader's timing on two lines of a simulated chip.

Pulses are 50 µs long and 1 to 2 ms apart; each is driven when its moment comes, and its edges carry that moment as the
kernel's time stamp, however late the loop was.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeAlias

from drivers.base import Card, Clock
from simulators.gpio_lines import SimGpioLines

PULSE_S = 50e-6
REST_S = 0.06
"""Silence after each train."""
_KEYS = "0123456789*#"
_Train: TypeAlias = list[tuple[float, tuple[int, ...]]]
"""Moments after its start, and the lines that go low then."""


class SimWiegandReader:
    """Trains are sent one after another.

    `last_s` is the stamp of the last pulse of all, `driven_s` when it was really driven: later if the loop was busy.
    """

    def __init__(
        self,
        lines: SimGpioLines,
        data0: int | str,
        data1: int | str,
        clock: Clock,
        *,
        interval_s: float = 0.0015,
        key_bits: int = 4,
    ) -> None:
        self._lines = lines
        self._data = (data0, data1)
        self._clock = clock
        self._interval_s = interval_s
        self._key_bits = key_bits
        self._trains: asyncio.Queue[_Train] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.last_s = self.driven_s = 0.0

    async def __aenter__(self) -> Self:
        for line in self._data:
            self._lines.drive(line, level=True)
        name = f"sim-wiegand:{self._data[0]}"
        self._task = asyncio.get_running_loop().create_task(self._play(), name=name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def present_card(self, card: Card) -> None:
        """Send all bits of a card, the first being the most significant."""
        self.send(card.number >> place & 1 for place in reversed(range(card.bits)))

    def press(self, keys: str) -> None:
        """Send each key as a train of its own."""
        for key in keys:
            code = _KEYS.index(key)
            if self._key_bits == 8:
                code |= (code ^ 0xF) << 4
            self.send(code >> place & 1 for place in reversed(range(self._key_bits)))

    def send(self, bits: Iterable[int]) -> None:
        self._put([(n * self._interval_s, (bit,)) for n, bit in enumerate(bits)])

    def crosstalk(self, count: int = 3) -> None:
        """Pulses on both lines at once, as a cable beside a motor picks them up."""
        self._put([(n * self._interval_s, (0, 1)) for n in range(count)])

    def stray(self) -> None:
        """One pulse on one line."""
        self.send((1,))

    def hold_low(self, on: bool) -> None:
        """Short the line D0, as a cable does that is squeezed in a door."""
        self._lines.drive(self._data[0], level=not on)

    async def rest(self) -> None:
        """Until every train has been sent."""
        await self._trains.join()

    def _put(self, pulses: _Train) -> None:
        self._trains.put_nowait(pulses)

    async def _play(self) -> None:
        while True:
            train = await self._trains.get()
            begun_s = self._clock.mono_s()
            for after_s, low in train:
                at_s = begun_s + after_s
                await self._clock.sleep(max(0.0, at_s - self._clock.mono_s()))
                for number in low:
                    self._lines.drive(self._data[number], level=False, at_s=at_s)
                for number in low:
                    self._lines.drive(self._data[number], level=True, at_s=at_s + PULSE_S)
                self.last_s, self.driven_s = at_s, self._clock.mono_s()
            await self._clock.sleep(REST_S)
            self._trains.task_done()
