"""GPIO lines on a Unix socket: a chip with the kernel's line requests, and the wires to its pins.

Raw levels are driven and seen here; active-low, bias, debounce, sequence numbers and refusals are the kernel's part,
which a request asks for. The protocol is the one of `drivers/gpio/server.py`, with two more questions, each answered
on a connection of its own, for the kernel shim of the tests:

    → lines                                     ← ok
                                                  OFFSET NAME CONSUMER
    → held                                      ← ok
                                                  OFFSET STATE      each line of every request
"""

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

_PACKET = 65536
_BUFFER = 256
_BOARD = {f"GPIO{n}": n for n in range(54)}
_PULLS = {"pull-up": True, "pull-down": False, "disabled": None}


@dataclass(slots=True)
class _Line:
    """One pin. `driven` is what the world puts on the wire, `output` what the chip does; None is nothing."""

    offset: int
    name: str
    driven: bool | None = None
    pull: bool | None = None
    output: bool | None = None
    consumer: str = ""
    active_low: bool = False
    debounce_s: float = 0.0
    watcher: "_Request | None" = None
    rising_only: bool = False
    rested: bool = False
    sequence: int = 0
    timer: asyncio.TimerHandle | None = None

    @property
    def level(self) -> bool:
        if self.output is not None:
            return self.output
        return bool(self.pull) if self.driven is None else self.driven

    @property
    def state(self) -> bool:
        """What the kernel reads: logical, and for an input debounced."""
        return (self.rested if self.watcher else self.level) is not self.active_low

    def release(self) -> None:
        """The level of an output stays, as on a Raspberry Pi."""
        if self.timer is not None:
            self.timer.cancel()
        self.consumer, self.watcher, self.timer = "", None, None


@dataclass(slots=True, eq=False)
class _Request:
    """Lines held by one connection; edges that find no room push out the oldest, as in the kernel."""

    link: socket.socket
    lines: dict[int, _Line] = field(default_factory=dict)
    sequence: int = 0
    unsent: deque[bytes] = field(default_factory=lambda: deque(maxlen=_BUFFER))


class _RefusedError(Exception):
    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


class SimGpioLines:
    """A chip behind `unix:<path>`. `names` gives its lines; without it the chip has every line one asks for."""

    def __init__(self, path: Path, names: Mapping[str, int] | None = None) -> None:
        self._path = path
        self._any_name = names is None
        board = _BOARD if names is None else names
        self._lines = {offset: _Line(offset, name) for name, offset in board.items()}
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._to_lose = 0

    async def __aenter__(self) -> Self:
        await self.plug()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.unplug()

    # ------------------------------------------------------------ the world's side

    def drive(self, line: int | str, level: bool | None, at_s: float | None = None) -> None:
        """Put a raw level on a wire; None lets go, and the bias decides.

        `at_s` stamps the edge of an undebounced line, for pulses shorter than a turn of the loop.
        """
        found = self._find(line)
        found.driven = level
        self._moved(found, at_s)

    def level(self, line: int | str) -> bool:
        """Raw level of a pin, whoever puts it there."""
        return self._find(line).level

    async def wait_level(self, line: int | str, level: bool) -> None:
        """Wait until a pin has that raw level."""
        while self.level(line) is not level:
            self._changed.clear()
            await self._changed.wait()

    def hold(self, line: int | str, consumer: str = "other") -> None:
        """Let another process hold a line: requests for it end with EBUSY until `let_go`."""
        self._find(line).consumer = consumer

    def let_go(self, line: int | str) -> None:
        self._find(line).consumer = ""

    def lose_edges(self, count: int) -> None:
        """Drop the next edges as a full buffer does: their numbers are missing."""
        self._to_lose = count

    async def wait_lost(self) -> None:
        """Wait until the edges of `lose_edges` are gone."""
        while self._to_lose:
            self._changed.clear()
            await self._changed.wait()

    async def unplug(self) -> None:
        """Take the chip away: requests end, outputs are driven no more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._path.unlink(missing_ok=True)
        for line in self._lines.values():
            line.output = None
        self._changed.set()

    async def plug(self) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        listener.bind(str(self._path))
        listener.listen()
        self._spawn(self._accept(listener), listener)

    # ------------------------------------------------------------ the kernel's side

    def _spawn(self, work: Coroutine[None, None, None], owned: socket.socket) -> None:
        """Run a task that owns a socket, which is closed even if the task never starts."""
        task = asyncio.get_running_loop().create_task(work, name=f"gpio-lines:{owned.fileno()}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: owned.close())

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            link, _ = await loop.sock_accept(listener)
            self._spawn(self._serve(link), link)

    async def _serve(self, link: socket.socket) -> None:
        """Answer one connection; the lines it holds are released when it ends."""
        loop = asyncio.get_running_loop()
        request = _Request(link)
        with suppress(ConnectionError):
            try:
                while packet := await loop.sock_recv(link, _PACKET):
                    head, *records = packet.decode().split("\n")
                    answer = self._answer(request, head.split("\t"), [record.split("\t") for record in records])
                    if answer:
                        self._send(request, answer)
            finally:
                loop.remove_writer(link)
                for line in request.lines.values():
                    line.release()

    def _answer(self, request: _Request, head: list[str], records: list[list[str]]) -> str:
        match head:
            case ["request", consumer]:
                try:
                    self._grant(request, consumer, records)
                except _RefusedError as refused:
                    return f"error\t{refused.number}\t{refused}"
                return _states("ok", request.lines.values())
            case ["set"]:
                for offset, state in records:
                    line = request.lines[int(offset)]
                    line.output = (state == "1") is not line.active_low
                self._changed.set()
                return ""
            case ["states"]:
                return _states("states", request.lines.values())
            case ["held"]:
                return _states("ok", (line for line in self._lines.values() if line.consumer))
            case ["lines"]:
                return "\n".join(["ok", *(f"{n.offset}\t{n.name}\t{n.consumer}" for n in self._lines.values())])
        return f"error\t{errno.ENOTTY}\tunknown question"

    def _grant(self, request: _Request, consumer: str, records: list[list[str]]) -> None:
        """All lines or none, as the kernel does. Raises: _RefusedError."""
        asked = [(self._asked(name), fields) for name, *fields in records]
        for line, _ in asked:
            if line.consumer:
                raise _RefusedError(errno.EBUSY, f"line {line.offset} by {line.consumer}")
        for line, (direction, active, *rest) in asked:
            line.active_low = active == "low"
            line.consumer = consumer
            request.lines[line.offset] = line
            if direction == "out":
                line.output = (rest[0] == "1") is not line.active_low
                continue
            bias, debounce_us, edges = rest
            line.rising_only = edges == "rising"
            line.output, line.pull = None, _PULLS.get(bias, line.pull)
            line.debounce_s, line.sequence = int(debounce_us) / 1e6, 0
            line.rested, line.watcher = line.level, request
        self._changed.set()

    def _asked(self, name: str) -> _Line:
        try:
            return self._find(int(name) if name.isdecimal() else name)
        except KeyError as error:
            raise _RefusedError(errno.EINVAL, f"the chip has no line {name}") from error

    def _find(self, line: int | str) -> _Line:
        for known in self._lines.values():
            if line in (known.offset, known.name):
                return known
        if not self._any_name:
            raise KeyError(line)
        offset = line if isinstance(line, int) else max(self._lines) + 1
        self._lines[offset] = _Line(offset, "" if isinstance(line, int) else line)
        return self._lines[offset]

    def _moved(self, line: _Line, at_s: float | None) -> None:
        self._changed.set()
        if line.watcher is None:
            return
        if line.timer is not None:
            line.timer.cancel()
        if line.debounce_s:
            line.timer = asyncio.get_running_loop().call_later(line.debounce_s, self._rest, line)
        else:
            self._rest(line, at_s)

    def _rest(self, line: _Line, at_s: float | None = None) -> None:
        """The line has rested for its period: report its level when it is a new one."""
        request = line.watcher
        if request is None or line.rested is line.level:
            return
        line.rested = line.level
        if line.rising_only and not line.state:
            return
        request.sequence += 1
        line.sequence += 1
        if self._to_lose:
            self._to_lose -= 1
            self._changed.set()
            return
        time_ns = int((asyncio.get_running_loop().time() if at_s is None else at_s) * 1e9)
        edge = f"edge\t{line.offset}\t{line.state:d}\t{time_ns}\t{request.sequence}\t{line.sequence}"
        self._send(request, edge)

    def _send(self, request: _Request, text: str) -> None:
        request.unsent.append(text.encode())
        if len(request.unsent) == 1:
            self._flush(request)

    def _flush(self, request: _Request) -> None:
        loop = asyncio.get_running_loop()
        try:
            while request.unsent:
                request.link.send(request.unsent[0])
                request.unsent.popleft()
        except BlockingIOError:
            loop.add_writer(request.link, self._flush, request)
        except ConnectionError:
            request.unsent.clear()
        else:
            loop.remove_writer(request.link)


def _states(head: str, lines: Iterable[_Line]) -> str:
    return "\n".join([head, *(f"{line.offset}\t{line.state:d}" for line in lines)])
