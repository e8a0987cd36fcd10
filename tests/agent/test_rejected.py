"""What the centre cannot use is released, kept locally and told of once, also when it refuses to hear of it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.events import Kind, Lane
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre
from tests.agent.whole import agent
from tests.conftest import need

CLOCK = SystemClock()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for Unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="gh-"))
    yield path
    shutil.rmtree(path)


async def test_a_centre_that_rejects_everything_hears_of_it_once_a_lane(folder: Path) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    broker = Broker.mosquitto(folder / "broker")
    async with broker, Centre(broker.url, clock=CLOCK) as centre:
        centre.reject(lambda _: "no such gateway")
        async with agent(folder, broker, CLOCK) as made:
            ledger = await centre.wait_for(lambda one: one.kind is Kind.UPLINK_REFUSED)
            assert (ledger.data["code"], ledger.data["lane"]) == ("rejected", Lane.LEDGER)
            assert ledger.data["reason"] == "no such gateway"
            fault = await centre.wait_for(lambda one: one.sequence > ledger.sequence and one.lane is Lane.FAULT)
            assert fault.data["lane"] == Lane.FAULT, "of this one it heard too, and rejected it"

            def settled() -> bool:
                lanes = made.snapshot()["lanes"]
                assert isinstance(lanes, dict)
                return all(lane["waiting"] == 0 for lane in lanes.values())

            await centre.wait_until(settled)
        told = [one for one in centre.received if one.kind is Kind.UPLINK_REFUSED]
        assert len(told) == 2, "and no more: nothing chatters"
