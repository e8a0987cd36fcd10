"""Many cameras in one camera process: the rate each gets, evenly or not, and the memory they take."""

import asyncio
import tempfile
from pathlib import Path

from agent.settings import Settings, load
from agent.vision.client import VisionClient
from agent.vision.wire import Stats
from drivers.base import SystemClock
from tests.bench.clip import CLIP, HEIGHT, WIDTH
from tests.bench.table import Row

SIMULATED = Path(__file__).parents[2] / "config" / "simulated.toml"
CLOCK = SystemClock()
RUN_S = 25.0
_MOST_MB = 200
_EVEN = 0.8
"""The slowest camera's rate against the fastest's."""


async def rows() -> list[Row]:
    if not CLIP.is_file():
        return [Row("cameras on vtest.avi", "needs Debian's opencv-doc")]
    found = []
    for count in (4, 8):
        stats = await _watched(count)
        rates = sorted(camera.fps for camera in stats.cameras)
        megabytes = stats.rss_kib // 1024
        cpu = f"{stats.cpu_s / RUN_S:.2f} cores, pace {stats.pace:.2f}"
        what = f"{count} busy cameras of {WIDTH}x{HEIGHT} at 5 fps: rate of the slowest and the fastest ({cpu})"
        full = count > 4 or rates[0] >= 4.5
        aim = "5 fps" if count == 4 else "evenly"
        found.append(Row(what, f"{rates[0]:.1f}, {rates[-1]:.1f} fps", "", aim, full and rates[0] >= _EVEN * rates[-1]))
        limit = f"≤ {_MOST_MB} MB" if count == 4 else ""
        met = megabytes <= _MOST_MB if count == 4 else None
        found.append(Row(f"resident memory, vision process, {count} cameras", f"{megabytes} MB", "", limit, met))
    return found


async def _watched(count: int) -> Stats:
    with tempfile.TemporaryDirectory(prefix="gh-bench-") as name:
        client = VisionClient(_settings(count, Path(name)), CLOCK, lambda _: None, lambda _: None)
        task = asyncio.create_task(client.run(), name="vision")
        await CLOCK.sleep(RUN_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert client.stats is not None, "no word from the worker"
    return client.stats


def _settings(count: int, folder: Path) -> Settings:
    settings = load(SIMULATED)
    one = settings.cameras[0].model_copy(
        update={
            "source": f"file:{CLIP}",
            "picture": settings.cameras[0].picture.model_copy(update={"width": WIDTH, "height": HEIGHT}),
            "fps": 5.0,
            "zones": (),
            "privacy": (),
        }
    )
    cameras = tuple(one.model_copy(update={"id": f"cam-{number}"}) for number in range(count))
    return settings.model_copy(update={"cameras": cameras, "run": settings.run.model_copy(update={"folder": folder})})
