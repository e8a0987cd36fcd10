"""An exclusive serial port that the event loop reads.

pyserial opens and configures the port; from then on the loop reads and writes the descriptor, and nothing blocks.
Everything belongs to the loop's thread. Whatever form an unplugged cable takes (SerialException, OSError,
termios.error, end of file) comes out as LinkError, at the next call and at once in a pending `read`.
"""

import asyncio
import errno
import logging
import math
import os
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import serial

from drivers.base import Clock, LinkError
from drivers.locks import lock_holder

RECEIVE_LIMIT = 4096
"""Unread bytes kept: two of the longest frames any of our buses has. Over it the oldest go."""

SEND_LIMIT = 4096
"""Unsent bytes kept: a line that takes none for so long is not connected."""

_CHUNK = 4096

Parity: TypeAlias = Literal["none", "even", "odd"]
_PARITIES = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}

_log = logging.getLogger(__name__)


Enough: TypeAlias = Callable[[bytearray], int | bool]
"""Whether bytes that have arrived are worth waking their reader for."""


class Line(Protocol):
    """What a bus needs of its port; tests give one without a kernel behind it."""

    @property
    def read_mono_s(self) -> float:
        """When the newest byte was read."""
        ...

    @property
    def watched(self) -> bool:
        """Whether bytes are read as they come; not after a `read` that found enough at its moment."""
        ...

    def write(self, data: bytes, at_s: float = -math.inf) -> None:
        """Send without waiting, not before that moment. Raises: LinkError."""
        ...

    async def read(self, enough: Enough = len, at_s: float = -math.inf) -> bytes:
        """Wait for bytes, until they are `enough`, and return all there are; nobody looks before `at_s`.

        Raises: LinkError.
        """
        ...

    def take(self) -> bytes:
        """Return what has arrived, without waiting."""
        ...

    def take_if(self, wanted: Callable[[bytes], bool]) -> bool:
        """Take what has arrived if it is that, without waiting; else it stays for `read`."""
        ...

    def clear(self) -> None:
        """Forget what was received and not read."""
        ...

    def check(self) -> None:
        """Raises: LinkError when the port is gone."""
        ...

    def close(self) -> None: ...


class SerialLine:
    """Raw, 8 data bits, one stop bit. Must be closed."""

    def __init__(self, device: str, port: str, baud: int, clock: Clock, *, parity: Parity = "none") -> None:
        """Open the port. Raises: LinkError with a hint when it is missing, forbidden or taken."""
        self._device = device
        self._port = port
        self._clock = clock
        self._received = bytearray()
        self._unsent = bytearray()
        self._waits_to_write = False
        self.watched = False
        self._held_back: asyncio.TimerHandle | None = None
        self._reading: asyncio.Future[None] | None = None
        self._enough: Enough = len
        self._lost: LinkError | None = None
        self.read_mono_s = clock.mono_s()
        with _link_errors(device, port):
            self._serial = serial.Serial(
                port, baud, parity=_PARITIES[parity], timeout=0, write_timeout=0, exclusive=True
            )
        try:
            with _link_errors(device, port):
                self._fd = self._serial.fileno()
                _wait_for_one_byte(self._fd)
                _hand_over_at_once(self._serial)
                termios.tcflush(self._fd, termios.TCIOFLUSH)
        except LinkError:
            self._serial.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._watch()

    def write(self, data: bytes, at_s: float = -math.inf) -> None:
        """Send without waiting, not before that moment; what the port does not take at once follows.

        A timer writes, and no task wakes for it: this is on the way of every poll. Raises: LinkError.
        """
        self.check()
        if len(self._unsent) + len(data) > SEND_LIMIT:
            self._lose(f"port {self._port} takes no data", "check the adapter; plug it in again")
            self.check()
        idle = not self._unsent
        self._unsent += data
        wait_s = at_s - self._clock.mono_s()
        if idle and wait_s > 0:
            self._held_back = self._loop.call_later(wait_s, self._writable)
        elif idle:
            self._writable()
            self.check()

    async def read(self, enough: Enough = len, at_s: float = -math.inf) -> bytes:
        """A reply comes in pieces, and each would wake the process: whoever knows when it will be there says so."""
        self._enough = enough
        look, wait_s = None, at_s - self._clock.mono_s()
        if wait_s > 0:
            self._unwatch()
            look = self._loop.call_later(wait_s, self._look)
        else:
            self._watch()
        try:
            while not (self._received and enough(self._received)):
                self.check()
                self._reading = self._loop.create_future()
                await self._reading
        finally:
            if look is not None:
                look.cancel()
        return self._taken()

    def take(self) -> bytes:
        if not self.watched and self._lost is None:
            self._readable()
        return self._taken()

    def take_if(self, wanted: Callable[[bytes], bool]) -> bool:
        self._unwatch()
        if self._lost is None:
            self._fetch()
        if not wanted(bytes(self._received)):
            return False
        self._received.clear()
        return True

    def clear(self) -> None:
        self.take()

    def check(self) -> None:
        if self._lost is not None:
            raise LinkError(self._device, self._lost.reason, hint=self._lost.hint)

    def close(self) -> None:
        """Release the port; unsent bytes are dropped, for the kernel would wait for them."""
        self._silence()
        with suppress(termios.error, OSError):
            termios.tcflush(self._fd, termios.TCIOFLUSH)
        with suppress(serial.SerialException, OSError, termios.error):
            self._serial.close()

    def _taken(self) -> bytes:
        data = bytes(self._received)
        self._received.clear()
        return data

    def _look(self) -> None:
        self._readable()
        if not (self._received and self._enough(self._received)):
            self._watch()

    def _watch(self) -> None:
        if not self.watched and self._lost is None:
            self._loop.add_reader(self._fd, self._readable)
            self.watched = True

    def _unwatch(self) -> None:
        if self.watched:
            self._loop.remove_reader(self._fd)
            self.watched = False

    def _readable(self) -> None:
        self._fetch()
        if self._received and self._enough(self._received):
            self._wake()

    def _fetch(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._unplugged(error)
            return
        if not data:
            self._unplugged(None)
            return
        self.read_mono_s = self._clock.mono_s()
        self._received += data
        if len(self._received) > RECEIVE_LIMIT:
            del self._received[:-RECEIVE_LIMIT]

    def _wake(self) -> None:
        if self._reading is not None and not self._reading.done():
            self._reading.set_result(None)

    def _writable(self) -> None:
        try:
            sent = os.write(self._fd, self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._unplugged(error)
            return
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._fd, self._writable)
            self._waits_to_write = True
        elif self._waits_to_write:
            self._loop.remove_writer(self._fd)
            self._waits_to_write = False

    def _unplugged(self, error: OSError | None) -> None:
        _log.info("%s: port %s: %s", self._device, self._port, error.strerror if error else "hung up")
        self._lose(*_missing(self._port))

    def _lose(self, reason: str, hint: str) -> None:
        self._silence()
        self._lost = LinkError(self._device, reason, hint=hint)
        self._received.clear()
        self._wake()

    def _silence(self) -> None:
        self._unwatch()
        self._loop.remove_writer(self._fd)
        if self._held_back is not None:
            self._held_back.cancel()


def _missing(port: str) -> tuple[str, str]:
    """Reason and hint of a port that is not there, or no longer: the same, so that one outage is one state."""
    return (
        f"port {port} is missing",
        "check the adapter's plug and power, and the name with: ls -l /dev/serial/by-path/",
    )


def _wait_for_one_byte(fd: int) -> None:
    """Make a read of zero bytes mean the end: with pyserial's VMIN = 0 it could also mean no data yet."""
    attributes = termios.tcgetattr(fd)
    attributes[6][termios.VMIN] = 1
    termios.tcsetattr(fd, termios.TCSANOW, attributes)


def _hand_over_at_once(port: serial.Serial) -> None:
    """Ask a USB adapter not to collect bytes (FTDI: for 16 ms); a port that cannot be asked has no such habit."""
    with suppress(ValueError, OSError):
        port.set_low_latency_mode(low_latency_settings=True)


@contextmanager
def _link_errors(device: str, port: str) -> Iterator[None]:
    """Turn every way in which a port cannot be opened into a LinkError that says what to do."""
    try:
        yield
    except (serial.SerialException, OSError, termios.error, ValueError) as error:
        reason, hint = _explain(port, error)
        raise LinkError(device, reason, hint=hint) from error


def _explain(port: str, error: Exception) -> tuple[str, str]:
    number = _number(error) or _number(error.__context__)
    if number == errno.ENOENT or not Path(port).exists():
        return _missing(port)
    if number in (errno.EACCES, errno.EPERM):
        return f"no permission for port {port}", "add the agent's user to the group dialout, then start it again"
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        holder = lock_holder(Path(port))
        return f"port {port} is in use by {holder or 'another program'}", "stop that program; only one may use the port"
    if number in (errno.ENOTTY, errno.EINVAL) or not Path(port).is_char_device():
        return f"{port} is no serial port", "give the path of a serial port, best from /dev/serial/by-path/"
    return (
        f"port {port} cannot be opened: {os.strerror(number) if number else error}",
        "check the adapter and its driver",
    )


def _number(error: BaseException | None) -> int | None:
    """Return the errno in an exception; termios.error keeps it in its arguments only."""
    first = error.args[0] if error is not None and error.args else None
    return first if isinstance(first, int) else None
