"""Lines of a line server: what the kernel's line requests offer, over a Unix socket of packets.

A connection (SOCK_SEQPACKET) is one request; closing it releases the lines. Each packet is text: records one a line,
fields apart by tabs. States are logical, as the kernel's are; time stamps are the monotonic clock's; EDGES is `both` or
`rising`.

    → request CONSUMER                          ← ok
      LINE in ACTIVE BIAS DEBOUNCE_US EDGES       OFFSET STATE      each line, in the order of the request
      LINE out ACTIVE STATE                     ← error ERRNO TEXT
    → set                                       (no answer)
      OFFSET STATE
    → states                                    ← states
                                                  OFFSET STATE
                                                ← edge OFFSET STATE TIME_NS SEQUENCE LINE_SEQUENCE
"""

import asyncio
import errno
import socket
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Self

from drivers.base import Clock, DeviceFault, GatehouseError, LinkError
from drivers.gpio.config import GpioChip, GpioInput, GpioOutput, PulseInput
from drivers.gpio.lines import CONSUMER, EVENT_BUFFER, Edge, explain

PREFIX = "unix:"
PACKET = 65536
_ANSWER_S = 2.0


class ServerLines:
    """One request on its own connection; implements `Lines`."""

    def __init__(self, config: GpioChip, link: socket.socket, clock: Clock, granted: list[tuple[int, bool]]) -> None:
        self._config = config
        self._link = link
        self._clock = clock
        self._sequence = 0
        inputs = dict(zip(config.inputs, granted, strict=False))
        outputs = dict(zip(config.outputs, granted[len(inputs) :], strict=True))
        self._inputs = {offset: line.id for line, (offset, _) in inputs.items()}
        self._outputs = {line.id: offset for line, (offset, _) in outputs.items()}
        self.states: Mapping[str, bool] = {line.id: state for line, (_, state) in inputs.items()}

    @classmethod
    async def open(cls, config: GpioChip, clock: Clock) -> Self:
        """Request the lines. Raises: LinkError, DeviceFault, each with the cure."""
        loop = asyncio.get_running_loop()
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            async with clock.timeout(_ANSWER_S):
                await loop.sock_connect(link, _path(config))
                await loop.sock_sendall(link, _request(config.inputs, config.outputs))
                answer = await loop.sock_recv(link, PACKET)
            return cls(config, link, clock, _granted(config, answer))
        except BaseException as error:
            link.close()
            if isinstance(error, OSError):
                raise _explained(config, error) from error
            raise

    def fileno(self) -> int:
        return self._link.fileno()

    def read(self) -> list[Edge]:
        edges: list[Edge] = []
        for packet in islice(self._packets(), EVENT_BUFFER):
            try:
                edges += self._take(packet)
            except (ValueError, KeyError) as error:
                raise _nonsense(self._config) from error
        return edges

    def set(self, output: str, on: bool) -> None:
        self._send(f"set\n{self._outputs[output]}\t{on:d}")

    def close(self) -> None:
        self._link.close()

    def _take(self, packet: str) -> list[Edge]:
        kind, *fields = packet.partition("\n")[0].split("\t")
        if kind == "states":
            now = self._clock.mono_s()
            return [Edge(self._inputs[n], state, now) for n, state in _states(packet) if n in self._inputs]
        if kind != "edge":
            raise ValueError(kind)
        offset, state, time_ns, sequence = map(int, fields[:4])
        gap = sequence != self._sequence + 1
        if gap:
            self._send("states")
        self._sequence = sequence
        return [Edge(self._inputs[offset], bool(state), time_ns / 1e9, gap)]

    def _packets(self) -> Iterator[str]:
        while True:
            try:
                packet = self._link.recv(PACKET)
            except BlockingIOError:
                return
            except OSError as error:
                raise _explained(self._config, error) from error
            if not packet:
                raise explain(self._config, OSError(errno.ENODEV, "closed"))
            yield packet.decode()

    def _send(self, text: str) -> None:
        try:
            self._link.send(text.encode())
        except BlockingIOError as error:
            raise LinkError(self._config.id, "the line server takes no orders", hint="start it again") from error
        except OSError as error:
            raise _explained(self._config, error) from error


def put_safe(config: GpioChip) -> None:
    """Request the outputs at their safe state and let go; blocks for the answer, 2 s at most."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        link.settimeout(_ANSWER_S)
        try:
            link.connect(_path(config))
            link.send(_request((), config.outputs))
            answer = link.recv(PACKET)
        except OSError as error:
            raise _explained(config, error) from error
        _granted(config.model_copy(update={"inputs": ()}), answer)


def _path(config: GpioChip) -> str:
    return config.chip.removeprefix(PREFIX)


def _request(inputs: tuple[GpioInput, ...], outputs: tuple[GpioOutput, ...]) -> bytes:
    lines = [f"{i.line}\tin\t{i.active}\t{i.bias}\t{i.debounce_ms * 1000}\t{_edges(i)}" for i in inputs]
    lines += [f"{o.line}\tout\t{o.active}\t{o.safe:d}" for o in outputs]
    return "\n".join([f"request\t{CONSUMER}", *lines]).encode()


def _edges(line: GpioInput) -> str:
    return "rising" if isinstance(line, PulseInput) else "both"


def _granted(config: GpioChip, answer: bytes) -> list[tuple[int, bool]]:
    """Offset and state of each requested line. Raises: LinkError, DeviceFault."""
    if not answer:
        raise explain(config, OSError(errno.ENODEV, "closed"))
    try:
        kind, *fields = answer.decode().partition("\n")[0].split("\t")
        states = _states(answer.decode()) if kind == "ok" else []
        number, text = (0, "") if kind == "ok" else (int(fields[0]), fields[1])
    except (ValueError, IndexError) as error:
        raise _nonsense(config) from error
    if kind == "ok" and len(states) == len(config.inputs) + len(config.outputs):
        return states
    if kind != "error":
        raise _nonsense(config)
    if number == errno.EINVAL:
        raise DeviceFault(config.id, text, hint="name a line that the chip has")
    raise explain(config, OSError(number, text), text)


def _nonsense(config: GpioChip) -> LinkError:
    return LinkError(config.id, f"{config.chip} is no line server", hint="check the chip's address")


def _states(packet: str) -> list[tuple[int, bool]]:
    records = (record.split("\t") for record in packet.split("\n")[1:])
    return [(int(offset), state == "1") for offset, state in records]


def _explained(config: GpioChip, error: OSError) -> GatehouseError:
    if isinstance(error, TimeoutError):
        return LinkError(config.id, f"{config.chip} does not answer", hint="start the line server again")
    return explain(config, error)
