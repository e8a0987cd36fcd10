"""A door that swings: a leaf with mass, a closer that shuts it, a spring latch, a lock and a contact.

The leaf leaves the frame only while the lock releases the latch, or when somebody is stronger than it; it takes its
time to open and to close, and a leaf that slams against a released latch bounces.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType
from typing import Self

from drivers.base import Clock

STEP_S = 0.02
WIDE_DEG = 80.0
CONTACT_DEG = 3.0
"""The contact opens when the leaf has left the frame by so much."""
PATIENCE_S = 1.5
"""How long a person pulls at a door that does not give."""
PASSING_S = 0.4
_HAND, _CLOSER = 700.0, 300.0  # degrees per second, per second
_DAMPING = 1.5  # part of its speed that the leaf loses in a second
_BOUNCE = 0.25
_SLOW = 20.0  # degrees per second at which nothing bounces any more


class _Hand(Enum):
    """What the person at the door does."""

    OFF = auto()
    PULLS = auto()
    FORCES = auto()
    HOLDS = auto()


class SimDoor:
    """`unlocked` asks the lock, `report` is told by the contact whether the door is open."""

    def __init__(self, name: str, unlocked: Callable[[], bool], report: Callable[[bool], None], clock: Clock) -> None:
        self._name = name
        self._unlocked = unlocked
        self._report = report
        self._clock = clock
        self._hand = _Hand.OFF
        self._let_go_s = 0.0
        self._angle = self._speed = 0.0
        self._open = False
        self._touched, self._changed = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._swing(), name=f"sim-door:{self._name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    def open(self) -> bool:
        """What the contact says."""
        return self._open

    def push(self) -> None:
        """Somebody tries the door, passes if it gives, and lets it fall shut."""
        self._lay(_Hand.PULLS)

    def hold_open(self) -> None:
        """Somebody opens the door, by force if need be, and keeps it open."""
        self._lay(_Hand.FORCES)

    def let_go(self) -> None:
        """The closer shuts the door."""
        self._lay(_Hand.OFF)

    async def wait(self, *, is_open: bool) -> None:
        while self._open is not is_open:
            self._changed.clear()
            await self._changed.wait()

    async def wait_rest(self) -> None:
        """Until the leaf stands still and nobody has a hand on it, or it is held open."""
        while not self._rests():
            self._changed.clear()
            await self._changed.wait()

    def _lay(self, hand: _Hand) -> None:
        self._hand = hand
        self._let_go_s = self._clock.mono_s() + PATIENCE_S
        self._touched.set()

    async def _swing(self) -> None:
        while True:
            await self._touched.wait()
            self._touched.clear()
            while not self._rests():
                await self._clock.sleep(STEP_S)
                self._move()
            self._changed.set()

    def _rests(self) -> bool:
        if self._hand is _Hand.HOLDS:
            return True
        return self._hand is _Hand.OFF and self._angle == 0 and self._speed == 0

    def _move(self) -> None:
        """One step of the leaf's motion."""
        latched = self._angle == 0 and not self._unlocked() and self._hand is not _Hand.FORCES
        pulled = self._hand in (_Hand.PULLS, _Hand.FORCES)
        if latched:
            self._speed = 0.0
        else:
            torque = (_HAND if pulled else 0.0) - (_CLOSER if self._angle > 0 else 0.0)
            self._speed += (torque - _DAMPING * self._speed) * STEP_S
            self._angle += self._speed * STEP_S
        if self._angle >= WIDE_DEG:
            self._angle, self._speed = WIDE_DEG, 0.0
            self._arrived_wide()
        elif self._angle <= 0:
            bounces = self._unlocked() and self._speed < -_SLOW
            self._angle, self._speed = 0.0, -self._speed * _BOUNCE if bounces else 0.0
        if self._hand is _Hand.PULLS and self._clock.mono_s() >= self._let_go_s:
            self._hand = _Hand.OFF
        self._tell()

    def _arrived_wide(self) -> None:
        if self._hand is _Hand.FORCES:
            self._hand = _Hand.HOLDS
        elif self._hand is _Hand.PULLS:
            self._let_go_s = min(self._let_go_s, self._clock.mono_s() + PASSING_S)

    def _tell(self) -> None:
        is_open = self._angle > CONTACT_DEG
        if is_open is not self._open:
            self._open = is_open
            self._report(is_open)
            self._changed.set()
