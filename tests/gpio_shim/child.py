"""Runs a GPIO driver in a process of its own, by the kernel's interface: reports out, outputs in, as lines of JSON."""

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from drivers.base import Cue, DeviceFault, PointId, Signal, Switch, SystemClock
from drivers.gpio import GpioChip, GpioLines, kernel, put_outputs_safe
from drivers.wiegand import WiegandBus, WiegandReaders


def say(kind: str, fields: dict[str, object]) -> None:
    sys.stdout.write(json.dumps({"is": kind, **fields}) + "\n")
    sys.stdout.flush()


def hang(seconds: float) -> None:
    """Keep the loop busy, as a bug would."""
    clock = SystemClock()
    until_s = clock.mono_s() + seconds
    while clock.mono_s() < until_s:
        pass
    say("Hung", {})


async def run(config: GpioChip | WiegandBus) -> None:
    clock = SystemClock()
    device = GpioLines(config, clock) if isinstance(config, GpioChip) else WiegandReaders(config, clock)
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(device.run(lambda report: say(type(report).__name__, asdict(report))))

    def order() -> None:
        lines = os.read(0, 4096)
        if not lines:
            running.cancel()
        for line in lines.splitlines():
            target, point, on, for_s = json.loads(line)
            if point == "hang":
                hang(for_s)
                continue
            cue = None if on is not None else Cue(point)
            output = Signal(target, cue) if cue else Switch(target, PointId(point), on, for_s)
            try:
                device.apply(output)
            except DeviceFault as error:
                say("Fault", {"reason": error.reason})

    loop.add_reader(0, order)
    await asyncio.wait([running])
    loop.remove_reader(0)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    model = GpioChip if given["driver"] == "gpio" else WiegandBus
    chip = model.model_validate(given)
    kernel.DEVICES = Path(os.environ["GPIO_SHIM_CHIP"]).parent
    if isinstance(chip, GpioChip) and sys.argv[2:] == ["safe"]:
        put_outputs_safe(chip)
    else:
        asyncio.run(run(chip))
