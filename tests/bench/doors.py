"""From the card at an OSDP reader to the relay, through the whole agent, at rest and with everything busy.

The wire keeps its real pace in a process of its own, which also sees the relay; beside it runs an echo, the least a
process could do with a reply. Agent, vision process, broker and the network between are the real ones.
"""

import asyncio
import random
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.settings import Confirm, GpioChip, Settings, load
from drivers.gpio import Active
from simulators.compound import SimCompound
from simulators.scenario import ScenarioCard
from tests.bench.busy import Load, Meanwhile, back_with_a_backlog, killing, nothing, walking, with_cameras
from tests.bench.far_end import FarEnd, echo, far_end
from tests.bench.gateway import CLOCK, SIMULATED
from tests.bench.table import Row, quantile

ROUNDS = 60
CARD = 11259375
_READERS = {"r0": "north-gate", "r1": "south-gate"}
_RELAYS = {"r0": 5, "r1": 6}
_UNLOCK_S = 1.0
_QUIET_S = 0.3  # after a card: lights and sounder have had their commands, and the next card waits for none


@dataclass
class Found:
    """Seconds, a figure for each card; `echo` beside them."""

    total: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    echo: list[float] = field(default_factory=list)


async def rows() -> list[Row]:
    return [row for baud in (9600, 115200) for row in await _at(baud)]


async def _at(baud: int) -> list[Row]:
    found: list[tuple[str, Found]] = []
    async with _compound(baud) as (running, far):
        found.append(("at rest", await _latencies(running, far, nothing)))
        await back_with_a_backlog(running)
        load = await Load.of(running)
        busy = await _latencies(running, far, walking(running))
        found.append((await load.words(running), busy))
        await back_with_a_backlog(running)
        killed = await _latencies(running, far, killing(running))
        found.append(("vision process killed every second, as many readings draining", killed))
        frames = await far.frames()
    rows = [row for where, each in found for row in _rows(f"OSDP at {baud}, {where}", each, frames.worst_s(baud))]
    return [*rows, frames.collisions_row(baud)]


def _rows(where: str, found: Found, worst_s: float) -> list[Row]:
    p99 = quantile(found.total, 0.99)
    return [
        Row(
            f"{where}: card at the reader to relay, p50 / p99 ({len(found.total)} cards)",
            f"{quantile(found.total, 0.5) * 1000:.0f} / {p99 * 1000:.0f} ms",
            f"{worst_s * 1000:.0f} ms worst case of the wire",
            f"p99 ≤ 1.15 × wire: {p99 / worst_s:.2f}", p99 <= 1.15 * worst_s,
        ),
        Row(
            f"{where}: of that the agent's own, last byte to relay, p50 / p99",
            f"{quantile(found.own, 0.5) * 1000:.1f} / {quantile(found.own, 0.99) * 1000:.1f} ms",
            f"{quantile(found.echo, 0.5) * 1000:.1f} / {quantile(found.echo, 0.99) * 1000:.1f} ms echo of a pty",
        ),
    ]  # fmt: skip


@asynccontextmanager
async def _compound(baud: int) -> AsyncIterator[tuple[SimCompound, FarEnd]]:
    """The simulated compound, with readers, locks and contacts at the far end instead of in this process."""
    settings = _settings(baud)
    chip = next(device for device in settings.devices if isinstance(device, GpioChip))
    keys = {reader: secrets.token_bytes(16) for reader in ("reader-north", "reader-south")}
    with tempfile.TemporaryDirectory(prefix="gh-bench-") as name:
        folder = Path(name)
        tty, socket, echoes = folder / "far.tty", folder / "far.gpio", folder / "echo.tty"

        def at_the_far_end(table: dict[str, Any]) -> None:
            table["centre"]["confirm"] = Confirm.BROKER.value  # no centre shares the CPU
            for device in table["devices"]:
                if device["driver"] == "osdp":
                    device["port"] = str(tty)
                    for reader in device["readers"]:
                        Path(reader["key_file"]).write_text(keys[reader["id"]].hex())
                elif device["driver"] == "gpio":
                    device["chip"] = f"unix:{socket}"

        cards = {"resident": ScenarioCard(bits=26, number=CARD, doors=tuple(_READERS.values()))}
        options = ("--gpio", str(socket), "--echo", str(echoes))
        async with far_end(tty, baud, list(keys.values()), *options) as far, echo(echoes):
            for line in chip.inputs:
                far.order("drive", line.line, int(line.active is not Active.HIGH))
            for pin in _RELAYS.values():
                far.order("watch", pin)
            async with SimCompound(settings, folder, CLOCK, cards=cards, mistakes=at_the_far_end) as running:
                await running.centre.__aexit__(None, None, None)
                yield running, far


def _settings(baud: int) -> Settings:
    settings = load(SIMULATED)
    devices = tuple(d.model_copy(update={"baud": baud}) if d.driver == "osdp" else d for d in settings.devices)
    doors = tuple(door.model_copy(update={"unlock_s": _UNLOCK_S}) for door in settings.doors)
    return with_cameras(settings.model_copy(update={"devices": devices, "doors": doors}))


async def _latencies(running: SimCompound, far: FarEnd, meanwhile: Meanwhile) -> Found:
    found, source = Found(), random.Random(1)
    task = asyncio.create_task(meanwhile(), name="meanwhile")
    try:
        for _ in range(ROUNDS):
            for reader, pin in _RELAYS.items():
                await CLOCK.sleep(_QUIET_S + source.uniform(0, 0.1))
                presented_s, sent_s = await far.card(reader, CARD)
                on_s = float(await far.answer("line", str(pin), "1"))
                found.total.append(on_s - presented_s)
                found.own.append(on_s - sent_s)
                far.order("echo")
                found.echo.append(float(await far.answer("echoed")))
            for pin in _RELAYS.values():
                await far.answer("line", str(pin), "0")
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return found
