"""The agent as its own process, started and watched the way systemd does."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from drivers.base import GatehouseError
from simulators.children import ENDS_WITH_US

START_S = 30.0
STOP_S = 10.0


class AgentTrouble(GatehouseError):
    """The agent does not start, come up or end as it should; says so with the end of its log."""


class AgentProcess:
    """`gatehouse run FILE` as a child with a notify socket, in the folder of its file; its log goes to `log`."""

    def __init__(self, settings: Path, log: Path) -> None:
        self._settings = settings.absolute()
        self._log = log
        self._notify = log.with_suffix(".notify")
        self._child: asyncio.subprocess.Process | None = None
        self._notices: socket.socket | None = None
        self.started_in_s = 0.0
        """From the last `start` to READY=1."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            await self.stop()

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    async def start(self) -> None:
        """Returns when the agent has said READY=1. Raises: AgentTrouble when it does not."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        notices = self._listen()
        with self._log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *ENDS_WITH_US, sys.executable, "-m", "agent.cli", "run", str(self._settings),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self._settings.parent,
                env={**os.environ, "NOTIFY_SOCKET": str(self._notify)},
                process_group=0,  # as under systemd: what becomes of the caller's own group never reaches the agent
            )  # fmt: skip
            ready = False
            ended = asyncio.create_task(self._child.wait(), name="agent process")
            try:
                async with asyncio.timeout(START_S):
                    while True:
                        said = asyncio.create_task(loop.sock_recv(notices, 4096), name="agent notices")
                        await asyncio.wait({said, ended}, return_when=asyncio.FIRST_COMPLETED)
                        if not said.done():
                            said.cancel()
                            raise AgentTrouble(f"the agent ended with {ended.result()}:\n{self.log_tail()}")
                        if b"READY=1" in said.result():
                            self.started_in_s = loop.time() - begun
                            ready = True
                            return
            except TimeoutError as error:
                raise AgentTrouble(f"the agent was not ready after {START_S:.0f} s:\n{self.log_tail()}") from error
            finally:
                ended.cancel()
                if not ready:
                    await self.kill()

    async def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> int:
        return await self._end(signal.SIGKILL)

    async def ended(self) -> int:
        """Wait until it ends by itself; returns the exit code."""
        return await self._end(None)

    def send(self, number: signal.Signals) -> None:
        """Send it and do not wait; `stop` or `kill` takes the end."""
        assert self._child is not None
        self._child.send_signal(number)

    def log(self) -> str:
        """Everything its lives have written so far."""
        return self._log.read_text(errors="replace")

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(self.log().splitlines()[-lines:])

    def _listen(self) -> socket.socket:
        """The notify socket, open for as long as the agent lives."""
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._notices.bind(str(self._notify))
        return self._notices

    async def _end(self, how: signal.Signals | None) -> int:
        assert self._child is not None
        child, self._child = self._child, None
        if child.returncode is None and how is not None:
            child.send_signal(how)
        try:
            async with asyncio.timeout(STOP_S):
                return await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
            raise AgentTrouble(f"the agent did not stop within {STOP_S:.0f} s:\n{self.log_tail()}") from None
        finally:
            if self._notices is not None:
                self._notices.close()
            self._notify.unlink(missing_ok=True)
