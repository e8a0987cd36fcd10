"""The whole agent as processes in the simulated compound: memory, start time, camera work."""

import re
import tempfile
from pathlib import Path

from agent.settings import load
from agent.status import fetch
from drivers.base import SystemClock
from simulators.compound import SimCompound
from tests.bench.table import Row

SIMULATED = Path(__file__).parents[2] / "config" / "simulated.toml"
CLOCK = SystemClock()
REST_S = 10.0
WALKS = 2
WALK_S = 11.0


async def rows() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="gh-bench-") as name:
        folder = Path(name)
        async with SimCompound(load(SIMULATED), folder, CLOCK, cards={}) as compound:
            started_s = compound.agent.started_in_s
            await CLOCK.sleep(REST_S)
            rest = await fetch(folder / "run", CLOCK)
            main_mb, idle_cpu = _rss_mb(compound.agent.pid), cpu_s(compound.agent.pid)
            for _ in range(WALKS):
                compound.walk("cam-lane")
                await CLOCK.sleep(WALK_S)
            main_cpu = (cpu_s(compound.agent.pid) - idle_cpu) / (WALKS * WALK_S)
            seen = await fetch(folder / "run", CLOCK)
            worker_mb = _rss_mb(seen["vision"]["pid"])
    before, after = rest["vision"]["stats"], seen["vision"]["stats"]
    frames = after["frames"] - before["frames"]
    inferences = after["inferences"] - before["inferences"]
    motion_ms = (after["motion_cpu_s"] - before["motion_cpu_s"]) / max(1, frames) * 1000
    inference_ms = (after["inference_cpu_s"] - before["inference_cpu_s"]) / max(1, inferences) * 1000
    return [
        Row("resident memory, main process", f"{main_mb:.0f} MB", "", "≤ 68 MB", main_mb <= 68),
        Row("resident memory, vision process, one camera", f"{worker_mb:.0f} MB"),
        Row("start: process to READY=1", f"{started_s:.2f} s"),
        Row("CPU of the main process, two readers, six sensors, one camera", f"{main_cpu:.1%} of a core"),
        Row(f"CPU a camera frame, motion gate ({frames} frames)", f"{motion_ms:.2f} ms"),
        Row(f"CPU an inference, NanoDet 416 ({inferences} inferences)", f"{inference_ms:.0f} ms"),
    ]


def _rss_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
