"""The whole agent for tests, in this process: without devices, with a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.app import Agent
from agent.settings import Settings
from drivers.base import Clock
from simulators.broker import Broker
from tests.agent.house import GATEWAY


@asynccontextmanager
async def agent(folder: Path, broker: Broker, clock: Clock, **sections: object) -> AsyncIterator[Agent]:
    """`sections` are further tables of the settings."""
    settings = Settings.model_validate(
        {
            "gateway": GATEWAY.model_dump(),
            "centre": {"broker": broker.url},
            "storage": {"folder": folder / "state"},
            "run": {"folder": folder / "run"},
            **sections,
        }
    )
    made, stop = Agent.start(settings, clock), asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    try:
        yield made
    finally:
        stop.set()
        assert await running == 0
        await made.close()
