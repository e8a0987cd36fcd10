"""The vocabulary every driver shares: clock, readings, outputs, devices and errors.

Errors form one tree, split by what the caller does next:

    GatehouseError            has a `hint`: the cure, in words for an operator
    ├── ConfigError           refuse to start
    └── DeviceError           concerns one device, which it names
        ├── LinkError         retry: port gone, refused, silent
        ├── FrameError        resynchronise: bytes that are no frame
        └── DeviceFault       call a human: retrying does not help

Everything here is plain data or a Protocol; nothing holds a lock, and nothing runs at import.
"""

import asyncio
import ctypes
import functools
import logging
import random
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Annotated, NewType, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

DeviceId = NewType("DeviceId", str)
PointId = NewType("PointId", str)
PointRef = NewType("PointRef", str)
"""`device/point`, the way settings and messages address a point."""


def point_ref(device: DeviceId, point: PointId) -> PointRef:
    return PointRef(f"{device}/{point}")


# ---------------------------------------------------------------- errors


class GatehouseError(Exception):
    """Root of the tree; `hint` is the cure in words for an operator."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(GatehouseError):
    """The configuration cannot be run; the process refuses to start."""


class DeviceError(GatehouseError):
    """Something is wrong with one device."""

    def __init__(self, device: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{device}: {message}", hint=hint)
        self.device = device
        self.reason = message


class LinkError(DeviceError):
    """The link is gone or silent; try again later."""


class FrameError(DeviceError):
    """Bytes that are no frame; drop them and resynchronise."""


class DeviceFault(DeviceError):
    """The device cannot do what is asked; a human must look."""


# ---------------------------------------------------------------- time


class Alarm(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """Where all of Gatehouse takes time from; tests pass one they move by hand."""

    def mono_s(self) -> float:
        """Monotonic seconds since boot: for order, durations and time-outs."""
        ...

    def utc(self) -> datetime | None:
        """Aware UTC, or None while the wall clock is not synchronised."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Raise TimeoutError inside the block once it has taken that long."""
        ...

    def alarm(self, at_s: float, ring: Callable[[], None]) -> Alarm:
        """Call `ring` at that monotonic time, soon if it has passed; no task wakes for it."""
        ...


class ClockTrust(StrEnum):
    KERNEL = "kernel"  # the kernel says whether a time server or an RTC disciplines the clock
    ALWAYS = "always"  # someone else guarantees the time
    NEVER = "never"  # no time is ever claimed


class SystemClock:
    """The machine's clocks."""

    def __init__(self, trust: ClockTrust = ClockTrust.KERNEL) -> None:
        self._trust = trust

    def mono_s(self) -> float:
        return time.monotonic()  # noqa: TID251 - the one place that reads it

    def utc(self) -> datetime | None:
        trusted = self._trust is ClockTrust.ALWAYS or (self._trust is ClockTrust.KERNEL and _kernel_synchronised())
        return datetime.now(UTC) if trusted else None  # noqa: TID251 - the one place that reads it

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)  # noqa: TID251 - the one place that sleeps

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return _Timeout(seconds)

    def alarm(self, at_s: float, ring: Callable[[], None]) -> Alarm:
        return asyncio.get_running_loop().call_at(at_s, ring)  # whose time this is


class _Timeout:
    """asyncio.timeout in half its calls, for it is on the way of every poll; and right before Python 3.11.4.

    There (Bookworm has 3.11.2) asyncio's lets CancelledError out instead of TimeoutError while its task is being
    cancelled, and a clean-up that waits with a limit is cut short: CPython issue 102780.
    """

    __slots__ = ("_cancelling", "_expired", "_handle", "_seconds", "_task")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._handle = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()


@dataclass(slots=True)
class Backoff:
    """Waits between tries: full jitter under a ceiling that doubles; `reset` after a success."""

    first_s: float = 0.25
    ceiling_s: float = 8.0
    _next_s: float = field(default=0.0, init=False)

    def next_s(self) -> float:
        self._next_s = min(self.ceiling_s, self._next_s * 2 or self.first_s)
        return self._next_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, keeps no secret

    def reset(self) -> None:
        self._next_s = 0.0


# ---------------------------------------------------------------- configuration


class Confined(BaseModel):
    """Base of every configuration model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Slug = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
"""Ids in settings, topics and messages: lower-case ASCII letters, digits and hyphens, at most 40."""


# ---------------------------------------------------------------- what devices say


class Quality(StrEnum):
    GOOD = "good"
    BAD = "bad"  # out of range or refused by the device; the value is not to be used


@dataclass(frozen=True, slots=True)
class Card:
    """Bits a reader delivered, most significant first.

    The number is personal data and often the whole credential, so neither repr nor str shows it.
    """

    bits: int
    number: int

    def __repr__(self) -> str:
        return f"Card({self.bits} bits, masked)"


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys pressed on a keypad, `*` and `#` included; masked like a card."""

    digits: str

    def __repr__(self) -> str:
        return f"Keys({len(self.digits)} keys, masked)"


Value: TypeAlias = bool | int | float | str | Card | Keys


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured fact. `mono_s` is as near to the hardware as the driver can get."""

    device: DeviceId
    point: PointId
    value: Value
    mono_s: float
    quality: Quality = Quality.GOOD

    @property
    def ref(self) -> PointRef:
        return point_ref(self.device, self.point)


class DeviceState(StrEnum):
    STARTING = "starting"
    OK = "ok"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Status:
    """A device's state; emitted on every change and only then."""

    device: DeviceId
    state: DeviceState
    mono_s: float
    reason: str = ""
    hint: str = ""


Report: TypeAlias = Reading | Status
Emit: TypeAlias = Callable[[Report], None]
"""Takes a report on the loop's thread, at once, without blocking and without raising."""


class Standing:
    """The standing of one device: emits and logs its Status on every change, and only then."""

    def __init__(self, device: DeviceId, clock: Clock, emit: Emit, log: logging.Logger) -> None:
        self._device, self._clock, self._emit, self._log = device, clock, emit, log
        self._last: tuple[DeviceState, str] | None = None
        self.become(DeviceState.STARTING)

    def become(self, state: DeviceState, reason: str = "", hint: str = "") -> None:
        if self._last == (state, reason):
            return
        self._last = (state, reason)
        level = logging.WARNING if state is DeviceState.FAULT else logging.INFO
        self._log.log(level, "%s: %s%s%s", self._device, state, reason and ": ", reason)
        self._emit(Status(self._device, state, self._clock.mono_s(), reason, hint))


# ---------------------------------------------------------------- what devices do


@dataclass(frozen=True, slots=True)
class Switch:
    """Put an output on or off; `for_s` turns it back by itself, in the device where it can."""

    device: DeviceId
    point: PointId
    on: bool
    for_s: float | None = None


class Cue(StrEnum):
    """What a reader shows and sounds to the person before it."""

    GRANTED = "granted"
    DENIED = "denied"
    PIN = "pin"  # the card is good, the PIN is awaited
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Signal:
    """Show a cue on a reader (LED and buzzer)."""

    device: DeviceId
    cue: Cue


Output: TypeAlias = Switch | Signal


class Device(Protocol):
    """Owner of one piece of hardware: a bus with its readers, a GPIO chip, a Modbus line.

    `run` opens it, emits a Status of every device behind it (also of itself) and its Readings, reconnects by
    itself, and ends only by cancellation, within a second, outputs put in their safe state and everything
    closed. An expected failure (unplugged, silent, refused) is a Status with a reason, never an exception;
    an exception from `run` is a bug, which the supervisor reports and retries.
    """

    @property
    def id(self) -> DeviceId: ...

    @property
    def serves(self) -> frozenset[DeviceId]:
        """Every device id it may emit or take outputs for, its own included."""
        ...

    async def run(self, emit: Emit) -> None: ...

    def apply(self, output: Output) -> None:
        """Act at once (GPIO) or queue for the next bus cycle (OSDP); never blocks.

        Raises: DeviceFault when it cannot be done now; the caller reports it and carries on.
        """
        ...


def _kernel_synchronised() -> bool:
    """Whether adjtimex(2) says that the clock is disciplined (STA_UNSYNC clear, no TIME_ERROR)."""
    timex = ctypes.create_string_buffer(512)  # struct timex is 208 bytes; all zero means "only read"
    return bool(0 <= _libc().adjtimex(timex) < _TIME_ERROR)


@functools.cache
def _libc() -> ctypes.CDLL:
    """Opening it takes ten times as long as asking it."""
    return ctypes.CDLL(None, use_errno=True)


_TIME_ERROR = 5
