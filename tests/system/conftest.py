"""Whole compounds for tests: the agent as a process, simulated wires, a real broker and the centre."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.settings import Settings, load
from drivers.base import SystemClock
from simulators.compound import SimCompound
from simulators.player import Outcome, Player
from simulators.scenario import Scenario, ScenarioCard

SIMULATED = Path(__file__).parents[2] / "config" / "simulated.toml"
RESIDENT = ScenarioCard(number=12345678, doors=("north-gate",))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for Unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="gh-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def settings() -> Settings:
    return load(SIMULATED)


@pytest.fixture
def doors_only(settings: Settings) -> Settings:
    """The simulated compound without its camera: starts in half the time."""
    return settings.model_copy(update={"cameras": ()})


@asynccontextmanager
async def compound(settings: Settings, folder: Path) -> AsyncIterator[SimCompound]:
    async with SimCompound(settings, folder, SystemClock(), cards={"resident": RESIDENT}) as running:
        yield running


async def play(running: SimCompound, steps: list[dict[str, object]]) -> Outcome:
    """Play steps written like those of a scenario's file."""
    scenario = Scenario.model_validate({"title": {"zh": "测试", "en": "test"}, "steps": steps})
    return await Player(running, scenario, SystemClock()).play()
