"""Whole compounds for tests: the agent as a process, simulated wires, a real broker and the centre."""

import asyncio
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent.events import Kind
from agent.settings import Protocol, Settings, load
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Received
from simulators.compound import SimCompound
from simulators.player import Outcome, Player
from simulators.registry import Registry
from simulators.scenario import Scenario, ScenarioCard
from tests.declared import check_message

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


@pytest.fixture(autouse=True)
def _events_are_published_as_declared(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Every event that reaches the centre says what its kind declares; the torture rig sends made-up ones."""
    take, wrong = Registry.take, list[str]()

    def taking(registry: Registry, topic: str, payload: bytes, now: float) -> None:
        try:
            check_message(topic, payload)
        except AssertionError as error:
            wrong.append(str(error))
        take(registry, topic, payload, now)

    if "torture" not in request.path.parts:
        monkeypatch.setattr(Registry, "take", taking)
    yield
    assert not wrong, wrong


@asynccontextmanager
async def compound(
    settings: Settings,
    folder: Path,
    *,
    broker: Callable[[Path], Broker] = Broker.iotcore,
    protocol: Protocol = Protocol.MQTT5,
    mistakes: Callable[[dict[str, Any]], None] = lambda _: None,
    faulty: Iterable[str] = (),
) -> AsyncIterator[SimCompound]:
    async with SimCompound(
        settings, folder, SystemClock(), cards={"resident": RESIDENT}, broker=broker, protocol=protocol,
        mistakes=mistakes, faulty=faulty,
    ) as running:  # fmt: skip
        yield running


class Said(NamedTuple):
    code: int
    out: str
    err: str


async def gatehouse(*arguments: object) -> Said:
    """`gatehouse …` as people call it."""
    command = [sys.executable, "-m", "agent.cli", *map(str, arguments)]
    child = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=PIPE)
    out, err = await child.communicate()
    assert child.returncode is not None
    return Said(child.returncode, out.decode(), err.decode())


async def until(look: Callable[[], Awaitable[bool]], timeout_s: float = 10.0) -> None:
    """Asked again and again until it says yes. Raises: TimeoutError."""
    clock = SystemClock()
    async with clock.timeout(timeout_s):
        while not await look():
            await clock.sleep(0.05)


async def everything_confirmed(running: SimCompound, timeout_s: float = 15.0) -> None:
    """The centre has confirmed all that the agent holds, and its books are whole."""

    async def nothing_waits() -> bool:
        return await running.waiting() == 0

    await until(nothing_waits, timeout_s)
    proof = running.centre.proof()
    assert (proof.gaps, proof.broken) == (0, 0)


def about(kind: Kind, subject: str) -> Callable[[Received], bool]:
    return lambda event: (event.kind, event.subject) == (kind, subject)


async def play(running: SimCompound, steps: list[dict[str, object]]) -> Outcome:
    """Play steps written like those of a scenario's file."""
    scenario = Scenario.model_validate({"title": {"zh": "测试", "en": "test"}, "steps": steps})
    return await Player(running, scenario, SystemClock()).play()
