"""Real MQTT brokers as child processes on 127.0.0.1: iotcore (installs with pip), Debian's mosquitto, nats-server.

Ports are held by the broker from its first start on: `stop`, `kill` and `start` keep them.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from drivers.base import GatehouseError, SystemClock
from simulators.children import ENDS_WITH_US

START_S: Final = 15.0
STOP_S: Final = 5.0
POLL_S: Final = 0.02
MAX_PAYLOAD: Final = 1 << 20

_IOTCORE = "import sys; sys.path[:] = [p for p in sys.path if p]; from iotcore._serve import main; main()"


class BrokerError(GatehouseError):
    """The broker's process is not there or does not come up."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for a listener with TLS; with `client_ca` the client must show a certificate."""

    ca: Path
    cert: Path
    key: Path
    client_ca: bool = False


class Broker:
    """One broker process. `port` speaks MQTT 5 (3.1.1 where there is no 5), `port_v3` 3.1.1.

    A context manager; `url` is what a gateway's `centre.broker` says.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        command: Callable[["Broker"], Sequence[str]],
        *,
        ports: int = 1,
        tls: bool = False,
    ) -> None:
        self.name = name
        self.folder = folder
        self._command = command
        self._tls = tls
        self._ports: Sequence[int] = free_ports(ports)
        self._process: Process | None = None
        self._clock = SystemClock()

    @classmethod
    def iotcore(cls, folder: Path) -> "Broker":
        return cls("iotcore", folder, _iotcore, ports=2)

    @classmethod
    def mosquitto(
        cls, folder: Path, *, tls: Tls | None = None, acl: str | None = None, options: Sequence[str] = ()
    ) -> "Broker":
        """`acl` is the text of an access list; `options` are further lines of its configuration."""
        return cls("mosquitto", folder, lambda broker: _mosquitto(broker, tls, acl, options), tls=tls is not None)

    @classmethod
    def configured(cls, folder: Path, write: Callable[["Broker"], str], *, tls: bool) -> "Broker":
        """Mosquitto with the whole of its configuration."""
        return cls("mosquitto", folder, lambda broker: _configured(broker, write(broker)), tls=tls)

    @classmethod
    def nats(cls, folder: Path) -> "Broker":
        """Speaks MQTT 3.1.1 only."""
        return cls("nats", folder, _nats, ports=2)

    @staticmethod
    def has(name: str) -> bool:
        """Whether that broker is installed."""
        match name:
            case "mosquitto":
                return _mosquitto_path() is not None
            case "nats":
                return _nats_path().exists()
            case _:
                return True

    @property
    def port(self) -> int:
        return self._ports[0]

    @property
    def port_v3(self) -> int:
        return self._ports[1] if self.name == "iotcore" else self._ports[0]

    @property
    def second_port(self) -> int:
        return self._ports[1]

    @property
    def url(self) -> str:
        return f"{'mqtts' if self._tls else 'mqtt'}://127.0.0.1:{self.port}"

    @property
    def url_v3(self) -> str:
        return f"mqtt://127.0.0.1:{self.port_v3}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Raises: BrokerError when it does not listen in time."""
        if self.running:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self._command(self)
        log = self.folder / f"{self.name}.log"
        with log.open("ab") as output:
            # iotcore's child ends when the pipe to its stdin closes.
            self._process = await asyncio.create_subprocess_exec(
                *ENDS_WITH_US,
                *command,
                stdin=asyncio.subprocess.PIPE if self.name == "iotcore" else DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            async with self._clock.timeout(START_S):
                for port in {self.port, self.port_v3}:
                    await self._listening(port)
        except TimeoutError as err:
            await self.kill()
            raise BrokerError(f"{self.name} does not listen on port {self.port}", hint=f"read {log}") from err

    async def stop(self) -> None:
        """SIGTERM: connections are closed in order."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):  # it may end by itself just now
                process.terminate()
        try:
            async with self._clock.timeout(STOP_S):
                await self._reap(process)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL: a power cut."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):  # it may end by itself just now
                process.kill()
        await self._reap(process)

    def reload(self) -> None:
        """SIGHUP: mosquitto reads its access list and users again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    async def _reap(self, process: Process) -> None:
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()
            with suppress(ConnectionError):  # the reading end died with the process
                await process.stdin.wait_closed()
        self._process = None

    async def _listening(self, port: int) -> None:
        assert self._process is not None
        while not await _accepts(port):
            if self._process.returncode is not None:
                code = self._process.returncode
                await self._reap(self._process)
                raise BrokerError(f"{self.name} ended with code {code}", hint=f"read {self.folder / self.name}.log")
            await self._clock.sleep(POLL_S)


def free_ports(count: int) -> Sequence[int]:
    """Ports free now, different from each other, below the range from which the kernel takes its own.

    A port from bind(0) could be given to somebody's outgoing connection while the broker is stopped.
    """
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found: list[int] = []
    with ExitStack() as stack:
        # Start somewhere else in each process, so that test runs side by side rarely try the same ones.
        for step in range(10_000):
            port = 10_000 + (os.getpid() * 97 + step) % max(1, low - 10_000)
            if port in _handed_out:
                continue
            probe = stack.enter_context(socket.socket())
            with suppress(OSError):  # taken: the next one
                probe.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                _handed_out.update(found)
                return found
    raise BrokerError("no free port on 127.0.0.1", hint="end some of the programs that listen there")


_handed_out: set[int] = set()
"""Ports that this process has been given: a broker that was made and not yet started holds none of its own."""


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with suppress(ConnectionError):  # a broker may reset a connection that says nothing
        await writer.wait_closed()
    return True


# ---------------------------------------------------------------- one command line for each


def _iotcore(broker: Broker) -> Sequence[str]:
    listener = (
        '[{version}.1]\nname = "{version}"\nlisten = "127.0.0.1:{port}"\nnext_connection_delay_ms = 1\n'
        "[{version}.1.connections]\nconnection_timeout_ms = 5000\nmax_payload_size = {size}\n"
        "max_inflight_count = 200\ndynamic_filters = true\n"
    )
    toml = (
        "id = 0\n[router]\nid = 0\nmax_connections = 1000\nmax_outgoing_packet_count = 200\n"
        "max_segment_size = 104857600\nmax_segment_count = 10\n"
        + listener.format(version="v5", port=broker.port, size=MAX_PAYLOAD)
        + listener.format(version="v4", port=broker.port_v3, size=MAX_PAYLOAD)
    )
    file = broker.folder / "iotcore.toml"
    file.write_text(toml)
    return sys.executable, "-c", _IOTCORE, json.dumps({"config_path": str(file)})


def _configured(broker: Broker, text: str) -> Sequence[str]:
    path = _mosquitto_path()
    if path is None:
        raise BrokerError("mosquitto is not installed", hint="apt-get install mosquitto")
    file = broker.folder / "mosquitto.conf"
    file.write_text(text + "user root\n" * (os.geteuid() == 0))
    return path, "-c", str(file)


def _mosquitto(broker: Broker, tls: Tls | None, acl: str | None, options: Sequence[str]) -> Sequence[str]:
    lines = [
        f"listener {broker.port} 127.0.0.1",
        "allow_anonymous true",
        "set_tcp_nodelay true",
        "max_inflight_messages 0",
        "max_queued_messages 0",
        *options,
    ]
    if tls is not None:
        lines += [f"cafile {tls.ca}", f"certfile {tls.cert}", f"keyfile {tls.key}"]
        lines += ["require_certificate true", "use_identity_as_username true"] * tls.client_ca
    if acl is not None:
        access = broker.folder / "acl"
        access.write_text(acl)
        access.chmod(0o700)
        lines.append(f"acl_file {access}")
    return _configured(broker, "\n".join(lines) + "\n")


def _nats(broker: Broker) -> Sequence[str]:
    file = broker.folder / "nats.conf"
    store = json.dumps(str(broker.folder / "nats"))
    file.write_text(
        f'server_name: gatehouse\nlisten: "127.0.0.1:{broker.second_port}"\n'
        f"jetstream {{ store_dir: {store} }}\n"
        f'mqtt {{ listen: "127.0.0.1:{broker.port}", max_ack_pending: 1000 }}\n'
    )
    return str(_nats_path()), "-c", str(file)


def _mosquitto_path() -> str | None:
    """Debian puts it where only root looks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def _nats_path() -> Path:
    return Path(sys.executable).parent / "nats-server"
