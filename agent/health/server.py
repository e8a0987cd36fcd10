"""`GET /metrics` on a loopback port, and nothing else: no other path or method, bounded in size, time and number."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from agent.health.metrics import CONTENT_TYPE
from drivers.base import Clock

_log = logging.getLogger(__name__)

MAX_REQUEST: Final = 4096
REQUEST_S: Final = 5.0
"""For the whole exchange."""
MAX_CLIENTS: Final = 8


class MetricsServer:
    """Serves `text()`; None while there is nothing to say yet. Without an address it does nothing.

    An address that cannot be had is logged, and the agent goes on without.
    """

    def __init__(self, address: str | None, clock: Clock, text: Callable[[], str | None]) -> None:
        self._address = address
        self._clock = clock
        self._text = text
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self._address is None:
            return self
        host, _, port = self._address.rpartition(":")
        try:
            self._server = await asyncio.start_server(self._answer, host.strip("[]"), int(port), limit=MAX_REQUEST)
        except OSError as err:
            _log.error("metrics: %s: %s; choose another port in health.metrics", self._address, err.strerror or err)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            for client in self._clients:
                client.cancel()
            if self._clients:
                await asyncio.wait(self._clients)
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MAX_CLIENTS:
            writer.close()
            return
        client = asyncio.current_task()
        assert client is not None
        self._clients.add(client)
        try:
            with suppress(ConnectionError, TimeoutError):
                async with self._clock.timeout(REQUEST_S):
                    writer.write(await self._response(reader))
                    await writer.drain()
        finally:
            self._clients.remove(client)
            writer.close()

    async def _response(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _page("431 Request Header Fields Too Large", "the request is too long\n")
        except asyncio.IncompleteReadError:
            return b""
        match head.split(b"\r\n", 1)[0].split(b" "):
            case [b"GET", b"/metrics", version] if version.startswith(b"HTTP/1."):
                said = self._text()
                return _page("503 Service Unavailable", "not yet\n") if said is None else _page("200 OK", said)
            case [b"GET", _, version] if version.startswith(b"HTTP/1."):
                return _page("404 Not Found", "there is only /metrics\n")
            case [_, _, version] if version.startswith(b"HTTP/1."):
                return _page("405 Method Not Allowed", "only GET\n", "Allow: GET\r\n")
            case _:
                return _page("400 Bad Request", "this is no HTTP/1.1\n")


def _page(status: str, text: str, more: str = "") -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}Connection: close\r\n\r\n".encode() + body
