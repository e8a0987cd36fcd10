"""Lines of a kernel GPIO chip, by its character device."""

import errno
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.base import Clock, DeviceFault, LinkError
from drivers.gpio.config import Active, Bias, GpioChip, GpioInput, GpioOutput, PulseInput
from drivers.gpio.lines import CONSUMER, EVENT_BUFFER, Edge, explain

if TYPE_CHECKING:
    import gpiod

DEVICES = Path("/dev")


class KernelLines:
    """One request for every line of the chip; implements `Lines`.

    A lock covers what reads or sets values: gpiod keeps one buffer for both in its request, and `set` is also called
    by the guard's thread.
    """

    def __init__(self, config: GpioChip, clock: Clock) -> None:
        """Find the chip and request its lines. Raises: LinkError, DeviceFault, each with the cure."""
        self._config = config
        self._clock = clock
        self._sequence = 0
        self._values = threading.Lock()
        with _find(config) as chip:
            inputs = {_offset(config, chip, line.line): line for line in config.inputs}
            outputs = {_offset(config, chip, line.line): line for line in config.outputs}
            self._inputs = {offset: line.id for offset, line in inputs.items()}
            self._outputs = {line.id: offset for offset, line in outputs.items()}
            self._request = _request(config, chip, inputs, outputs)
        try:
            self.states = self._levels()
        except LinkError:
            self._request.release()
            raise

    def fileno(self) -> int:
        return self._request.fd

    def read(self) -> list[Edge]:
        from gpiod import EdgeEvent

        with _explained(self._config):
            events = self._request.read_edge_events(EVENT_BUFFER)
        edges: list[Edge] = []
        for event in events:
            gap = event.global_seqno != self._sequence + 1
            self._sequence = event.global_seqno
            on = event.event_type is EdgeEvent.Type.RISING_EDGE
            edges.append(Edge(self._inputs[event.line_offset], on, event.timestamp_ns / 1e9, gap))
        if any(edge.after_gap for edge in edges):
            now = self._clock.mono_s()
            edges += [Edge(name, on, now) for name, on in self._levels().items()]
        return edges

    def set(self, output: str, on: bool) -> None:
        from gpiod.line import Value

        with self._values, _explained(self._config):
            self._request.set_value(self._outputs[output], Value.ACTIVE if on else Value.INACTIVE)

    def close(self) -> None:
        self._request.release()

    def _levels(self) -> Mapping[str, bool]:
        if not self._inputs:
            return {}
        with self._values, _explained(self._config):
            values = self._request.get_values(list(self._inputs))
        return {name: bool(value) for name, value in zip(self._inputs.values(), values, strict=True)}


def put_safe(config: GpioChip) -> None:
    """Request the outputs at their safe state and let go: the kernel of a Raspberry Pi keeps the level."""
    with _find(config) as chip:
        outputs = {_offset(config, chip, line.line): line for line in config.outputs}
        _request(config, chip, {}, outputs).release()


def _request(
    config: GpioChip, chip: "gpiod.Chip", inputs: dict[int, GpioInput], outputs: dict[int, GpioOutput]
) -> "gpiod.LineRequest":
    from gpiod import line

    biases = {
        Bias.AS_IS: line.Bias.AS_IS,
        Bias.PULL_UP: line.Bias.PULL_UP,
        Bias.PULL_DOWN: line.Bias.PULL_DOWN,
        Bias.DISABLED: line.Bias.DISABLED,
    }
    settings: dict[Iterable[int | str] | int | str, gpiod.LineSettings | None] = {}
    for offset, given in inputs.items():
        settings[offset] = _settings(
            direction=line.Direction.INPUT,
            edge_detection=line.Edge.RISING if isinstance(given, PulseInput) else line.Edge.BOTH,
            bias=biases[given.bias],
            active_low=given.active is Active.LOW,
            debounce_period=timedelta(milliseconds=given.debounce_ms),
        )
    for offset, taken in outputs.items():
        settings[offset] = _settings(
            direction=line.Direction.OUTPUT,
            active_low=taken.active is Active.LOW,
            output_value=line.Value.ACTIVE if taken.safe else line.Value.INACTIVE,
        )
    try:
        return chip.request_lines(settings, consumer=CONSUMER, event_buffer_size=EVENT_BUFFER)
    except OSError as error:
        who = ""
        if error.errno == errno.EBUSY:
            infos = [chip.get_line_info(offset) for offset in (*inputs, *outputs)]
            who = ", ".join(f"line {info.offset} by {info.consumer or 'the kernel'}" for info in infos if info.used)
        raise explain(config, error, who) from error


def _settings(**given: object) -> "gpiod.LineSettings":
    from gpiod import LineSettings

    return LineSettings(**given)  # type: ignore[arg-type]  # every value above is of its field's type


@contextmanager
def _find(config: GpioChip) -> Iterator["gpiod.Chip"]:
    """Open the chip that has this path, label or name, or a line of this name, whatever its number is today."""
    import gpiod

    with _explained(config):
        chip = gpiod.Chip(config.chip if config.chip.startswith("/") else _path(config))
    with chip:
        yield chip


def _path(config: GpioChip) -> str:
    """Of several chips with the same label, the first that has every named line. Raises: LinkError."""
    import gpiod

    seen: list[str] = []
    found: dict[str, int] = {}
    for path in map(str, sorted(DEVICES.glob("gpiochip*"))):
        if not gpiod.is_gpiochip_device(path):
            continue
        with gpiod.Chip(path) as chip:
            info = chip.get_info()
            seen.append(info.label)
            if config.chip in {info.label, info.name} or _has(chip, config.chip):
                found[path] = sum(_has(chip, line) for line in _named(config))
    if not found:
        hint = f"this machine has: {', '.join(seen)}" if seen else "this machine has no GPIO chip; see: dmesg"
        raise LinkError(config.id, f"there is no GPIO chip {config.chip}", hint=hint)
    return max(found, key=found.__getitem__)


def _named(config: GpioChip) -> list[str]:
    lines = [i.line for i in config.inputs] + [o.line for o in config.outputs]
    return [line for line in lines if isinstance(line, str)]


def _has(chip: "gpiod.Chip", name: str) -> bool:
    try:
        chip.line_offset_from_id(name)
    except OSError:
        return False
    return True


def _offset(config: GpioChip, chip: "gpiod.Chip", line: int | str) -> int:
    try:
        return chip.line_offset_from_id(line)
    except (OSError, ValueError) as error:
        info = chip.get_info()
        raise DeviceFault(
            config.id,
            f"chip {info.label} has no line {line}",
            hint=f"give an offset from 0 to {info.num_lines - 1} or a name that `gpioinfo {info.name}` lists",
        ) from error


@contextmanager
def _explained(config: GpioChip) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise explain(config, error) from error
