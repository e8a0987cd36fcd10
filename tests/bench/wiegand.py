"""From the last pulse of a Wiegand frame to the relay, through the whole agent, at rest and with everything busy."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from agent.credentials.numbers import card_of
from agent.settings import Confirm, Settings, WiegandBus, load
from simulators.compound import SimCompound
from simulators.scenario import ScenarioCard
from tests.bench.busy import Load, Meanwhile, back_with_a_backlog, killing, nothing, walking, with_cameras
from tests.bench.gateway import CLOCK, SIMULATED
from tests.bench.table import Row, quantile

ROUNDS = 25
GAP_S = 0.03
AIM_MS = 10.0
_DOORS = ("north-gate", "south-gate")
_LINES = {"north-gate": 5, "south-gate": 6}


async def rows() -> list[Row]:
    found: list[Row] = []
    async with _compound() as running:
        found += _rows("at rest", await _latencies(running, nothing))
        await back_with_a_backlog(running)
        load = await Load.of(running)
        busy = await _latencies(running, walking(running))
        found += _rows(await load.words(running), busy)
        found += _rows("vision process killed every second", await _latencies(running, killing(running)))
    return found


def _rows(where: str, found: dict[str, list[float]]) -> list[Row]:
    ends = {"north-gate": "exact count", "south-gate": "gap"}
    out = []
    for door, how in ends.items():
        p50, p99 = (quantile(found[door], share) * 1000 for share in (0.5, 0.99))
        what = f"Wiegand card to relay after the frame's end by {how}, {where}, p50 / p99 ({len(found[door])} cards)"
        out.append(Row(what, f"{p50:.1f} / {p99:.1f} ms", "", f"≤ {AIM_MS:.0f} ms", p99 <= AIM_MS))
    return out


@asynccontextmanager
async def _compound() -> AsyncIterator[SimCompound]:
    """Two doors with Wiegand readers: north declares one format, south two, so that only silence ends a frame."""
    with tempfile.TemporaryDirectory(prefix="gh-bench-") as name:
        folder = Path(name)
        cards = {"resident": ScenarioCard(bits=26, number=card_of("188,24910", 26).number, doors=_DOORS)}
        broker_confirms = {"confirm": Confirm.BROKER.value}
        running = SimCompound(
            _settings(), folder, CLOCK, cards=cards, mistakes=lambda table: table["centre"].update(broker_confirms)
        )
        async with running:
            await running.centre.__aexit__(None, None, None)  # it would share the loop with the readers' pulses
            yield running


def _settings() -> Settings:
    settings = load(SIMULATED)
    readers = [
        {"id": "wiegand-north", "data0": 14, "data1": 15, "formats": ["wiegand-26"]},
        {"id": "wiegand-south", "data0": 18, "data1": 19, "formats": ["wiegand-26", "wiegand-34"]},
    ]
    bus = WiegandBus.model_validate({"driver": "wiegand", "id": "wiegand-1", "chip": "simulated", "readers": readers})
    doors = tuple(
        door.model_copy(update={"reader": f"wiegand-{door.id.removesuffix('-gate')}", "unlock_s": 1.0})
        for door in settings.doors
    )
    return with_cameras(settings.model_copy(update={"devices": (*settings.devices, bus), "doors": doors}))


async def _latencies(running: SimCompound, meanwhile: Meanwhile) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {door: [] for door in _DOORS}
    task = asyncio.create_task(meanwhile(), name="meanwhile")
    try:
        for _ in range(ROUNDS):
            for door in _DOORS:
                found[door].append(await _pass(running, door))
            for line in _LINES.values():
                async with CLOCK.timeout(10):
                    await running.gpio["gpio"].wait_level(line, level=False)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return found


async def _pass(running: SimCompound, door: str) -> float:
    """Present the card; seconds from the end of its frame until the relay is seen on, by the simulators' busy loop."""
    reader = f"wiegand-{door.removesuffix('-gate')}"
    running.present_card(reader, "resident")
    async with CLOCK.timeout(10):
        await running.gpio["gpio"].wait_level(_LINES[door], level=True)
    on_s = CLOCK.mono_s()
    sent = running.wiegand[reader]
    return on_s - max(sent.driven_s, sent.last_s + (GAP_S if door == "south-gate" else 0.0))
