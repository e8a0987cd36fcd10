"""The real gpiod package over simulated lines: builds the shim and runs a GPIO driver in a child process."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.base import (
    Card,
    DeviceFault,
    DeviceId,
    DeviceState,
    Emit,
    Keys,
    Output,
    PointId,
    Reading,
    Status,
    Switch,
    Value,
)
from drivers.gpio import GpioChip
from drivers.wiegand import WiegandBus
from tests.conftest import need

_HERE = Path(__file__).parent
_CHILD = [sys.executable, "-m", "tests.gpio_shim.child"]


@pytest.fixture(scope="session")
def gpio_shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled shim, to be preloaded."""
    need(shutil.which("cc"), "a C compiler (cc)")
    built = tmp_path_factory.mktemp("shim") / "gpio_shim.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", built, _HERE / "shim.c"], check=True)
    return built


def child_environment(shim: Path | None, socket: Path) -> dict[str, str]:
    """The chip of the child is a path beside the socket; without the shim the child speaks to the line server."""
    chip = socket.with_name("gpiochip0")
    chip.touch()
    environment = {**os.environ, "GPIO_SHIM_CHIP": str(chip), "GPIO_SHIM_SOCKET": str(socket)}
    return environment | ({"LD_PRELOAD": str(shim)} if shim else {})


class KernelChild:
    """A `GpioLines` or `WiegandReaders` in a child process, driven from here; implements `Device`."""

    def __init__(self, config: GpioChip | WiegandBus, environment: dict[str, str]) -> None:
        self.id = DeviceId(config.id)
        readers = config.readers if isinstance(config, WiegandBus) else ()
        self.serves = frozenset({self.id, *(DeviceId(reader.id) for reader in readers)})
        self.refusals: asyncio.Queue[str] = asyncio.Queue()
        self.hung = asyncio.Event()
        self._config = config
        self._environment = environment
        self._stdin: asyncio.StreamWriter | None = None

    async def run(self, emit: Emit) -> None:
        """Run until cancelled; the child then ends by itself, in order."""
        process = await asyncio.create_subprocess_exec(
            *_CHILD,
            self._config.model_dump_json(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
        )
        assert process.stdin
        assert process.stdout
        self._stdin = process.stdin
        try:
            while line := await process.stdout.readline():
                self._take(json.loads(line), emit)
            raise AssertionError(f"the child has ended: {await process.wait()}")
        finally:
            self._stdin = None
            process.stdin.close()
            await process.wait()
            await process.stdout.read()

    def apply(self, output: Output) -> None:
        """What the child refuses comes to `refusals`."""
        if self._stdin is None:
            raise DeviceFault(self.id, "not yet open", hint="start the child")
        order: list[object] = [output.device]
        order += [output.point, output.on, output.for_s] if isinstance(output, Switch) else [output.cue, None, None]
        self._stdin.write(json.dumps(order).encode() + b"\n")

    def hang(self, seconds: float) -> None:
        """Keep the child's loop busy for so long; then `hung` is set."""
        assert self._stdin is not None
        self._stdin.write(json.dumps([self.id, "hang", True, seconds]).encode() + b"\n")

    def _take(self, found: dict[str, object], emit: Emit) -> None:
        what = found.pop("is")
        if what == "Hung":
            self.hung.set()
            return
        if what == "Fault":
            self.refusals.put_nowait(str(found["reason"]))
            return
        device, mono_s = DeviceId(str(found["device"])), float(str(found["mono_s"]))
        if what == "Reading":
            emit(Reading(device, PointId(str(found["point"])), _value(found["value"]), mono_s))
        else:
            state = DeviceState(str(found["state"]))
            emit(Status(device, state, mono_s, str(found["reason"]), str(found["hint"])))


def _value(found: object) -> Value:
    """Cards and keys come as the tables of their fields."""
    if isinstance(found, dict):
        return Card(**found) if "bits" in found else Keys(**found)
    assert isinstance(found, bool | int)
    return found


def put_outputs_safe_in_child(config: GpioChip, environment: dict[str, str]) -> asyncio.Future[int]:
    return asyncio.ensure_future(
        asyncio.to_thread(
            lambda: subprocess.run([*_CHILD, config.model_dump_json(), "safe"], env=environment, check=True).returncode
        )
    )
