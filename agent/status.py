"""The running agent's word on itself: a Unix socket that answers every connection with one JSON document."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from drivers.base import Clock, GatehouseError

_log = logging.getLogger(__name__)

SOCKET = "status.sock"
_MAX_BYTES = 4 << 20
_TIMEOUT_S = 3.0


class StatusServer:
    """Serves `snapshot()` to whoever may reach the socket (the service's own user and group)."""

    def __init__(self, folder: Path, snapshot: Callable[[], Mapping[str, object]]) -> None:
        self._path = folder / SOCKET
        self._snapshot = snapshot
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Answers from now on; where the socket cannot be made, the agent does without and says so in the log."""
        try:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._answer, self._path)
            self._path.chmod(0o660)
        except OSError as err:
            _log.error("%s: %s; `gatehouse status` gets no answer; correct run.folder", self._path, err.strerror or err)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
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
