"""The examples that integrators begin with, run as they are against a gateway's own messages."""

import asyncio
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from agent.events import Kind
from agent.settings import Centre as CentreSettings
from simulators.broker import Broker
from simulators.network import Network
from tests.agent.house import TOPICS, house
from tests.conftest import need

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "config" / "contract"
MODULES = ROOT / ".venv" / "js" / "node_modules"
FILTER = f"{TOPICS.up('event/alarm')}/#"


def command(language: str, folder: Path) -> list[str]:
    if language == "python":
        return [sys.executable, str(EXAMPLES / "begin.py")]
    need(shutil.which("node") and (MODULES / "mqtt").exists(), "node, and mqtt from npm (make test installs it)")
    (folder / "node_modules").symlink_to(MODULES)
    shutil.copy(EXAMPLES / "begin.mjs", folder)
    return ["node", str(folder / "begin.mjs")]


class Printed:
    """What an example prints. Until it listens nothing comes, so the gateway is made to send everything again."""

    def __init__(self, output: asyncio.StreamReader, line: Network) -> None:
        self._output = output
        self._line = line

    async def take(self, count: int) -> list[list[str]]:
        found: list[list[str]] = []
        async with asyncio.timeout(60):
            while len(found) < count:
                try:
                    async with asyncio.timeout(3):
                        found.append((await self._output.readline()).decode().split())
                except TimeoutError:
                    await self.send_again()
        return found

    async def send_again(self) -> None:
        await self._line.cut()
        await self._line.mend()


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_twenty_lines_take_every_alarm_once_and_prove_it(language: str, tmp_path: Path) -> None:
    run = command(language, tmp_path)
    async with Broker.iotcore(tmp_path / "broker") as broker, Network(broker.port) as line:
        child = await asyncio.create_subprocess_exec(*run, "127.0.0.1", str(broker.port), FILTER, stdout=PIPE)
        try:
            centre = CentreSettings(broker=f"mqtt://127.0.0.1:{line.port}")
            async with house(tmp_path / "j", centre) as gateway:
                assert child.stdout is not None
                printed = Printed(child.stdout, line)
                for number in range(3):
                    gateway.report(Kind.SMOKE, f"room-{number}")
                seen = await printed.take(3)
                await printed.send_again()
                gateway.report(Kind.SMOKE, "room-3")
                seen += await printed.take(1)
        finally:
            child.kill()
            await child.communicate()
    expected = [f"alarm/{number + 1} gatehouse.smoke room-{number} 烟雾报警 proven" for number in range(4)]
    assert seen == [words.split() for words in expected]
