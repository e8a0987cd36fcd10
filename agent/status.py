"""The running agent's word on itself: a Unix socket that answers every connection with one JSON document."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from drivers.base import Clock, GatehouseError

SOCKET = "status.sock"
_MAX_BYTES = 4 << 20
_TIMEOUT_S = 3.0


class StatusServer:
    """Serves `snapshot()` to whoever may reach the socket (the service's own user and group)."""

    def __init__(self, folder: Path, snapshot: Callable[[], Mapping[str, object]]) -> None:
        self._path = folder / SOCKET
        self._snapshot = snapshot

    async def run(self) -> None:
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._answer, self._path)
        self._path.chmod(0o660)
        try:
            async with server:
                await server.serve_forever()
        finally:
            self._path.unlink(missing_ok=True)

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            writer.write(json.dumps(self._snapshot(), ensure_ascii=False).encode())
            await writer.drain()
        writer.close()


async def fetch(folder: Path, clock: Clock) -> dict[str, Any]:
    """The running agent's snapshot. Raises: GatehouseError when no agent answers at `folder`."""
    path = folder / SOCKET
    try:
        async with clock.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(path)
            document = await reader.read(_MAX_BYTES)
            while more := await reader.read(_MAX_BYTES):
                document += more
            writer.close()
        found = json.loads(document)
    except PermissionError as error:
        raise GatehouseError(
            f"{path} may not be read", hint="run it as root, or as a member of the group gatehouse"
        ) from error
    except (OSError, TimeoutError, ValueError) as error:
        raise GatehouseError(
            f"no agent answers at {path}", hint="start it: systemctl start gatehouse, then: journalctl -u gatehouse"
        ) from error
    assert isinstance(found, dict)
    return found
