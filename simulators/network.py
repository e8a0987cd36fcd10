"""The line between gateway and centre: a TCP relay that can be cut, black-holed, half-opened, slowed and mended."""

import asyncio
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Self

from drivers.base import SystemClock

_CHUNK = 65536
SLOW_BYTES_PER_S = 8_000


class Line(StrEnum):
    UP = "up"
    REFUSED = "refused"  # connections are reset and new ones refused: the cable is out, the router answers
    BLACK_HOLE = "black hole"  # connections stay open and nothing passes
    HALF_OPEN = "half open"  # what the gateway sends arrives, and it hears nothing
    SLOW = "slow"  # everything passes, at `slow_bytes_per_s`


class Network:
    """Relays 127.0.0.1:`port` to the broker's port."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self.slow_bytes_per_s = SLOW_BYTES_PER_S
        self._state = Line.UP
        self._passing = {True: asyncio.Event(), False: asyncio.Event()}  # up and down
        self._clock = SystemClock()
        self._pass()
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hang_up()

    @property
    def state(self) -> Line:
        return self._state

    async def cut(self, *, how: Line = Line.REFUSED) -> None:
        self._state = how
        match how:
            case Line.BLACK_HOLE:
                self._passing[True].clear()
                self._passing[False].clear()
            case Line.HALF_OPEN:
                self._passing[False].clear()
            case Line.REFUSED:
                await self._hang_up()
            case Line.UP | Line.SLOW:
                self._pass()

    async def mend(self) -> None:
        """Connections that were black-holed are reset, as a router does after its own restart."""
        await self._hang_up()
        self._pass()
        self._state = Line.UP
        await self._listen()

    @property
    def _at_once(self) -> int:
        """Bytes; a twentieth of a second's on a slow line."""
        return self.slow_bytes_per_s // 20 if self._state is Line.SLOW else _CHUNK

    def _pass(self) -> None:
        for passing in self._passing.values():
            passing.set()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        relays = list(self._relays)
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)
        with suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
            try:
                async with asyncio.TaskGroup() as group:
                    up = group.create_task(self._pump(reader, far_writer, up=True))
                    down = group.create_task(self._pump(far_reader, writer, up=False))
                    up.add_done_callback(lambda _: down.cancel())
                    down.add_done_callback(lambda _: up.cancel())
            finally:
                far_writer.transport.abort()
        writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(self._at_once):
                await self._passing[up].wait()
                if self._state is Line.SLOW:
                    await self._clock.sleep(len(data) / self.slow_bytes_per_s)
                writer.write(data)
                await writer.drain()
