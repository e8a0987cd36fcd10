"""Several brokers of one centre, in order of preference."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.events import Kind
from agent.settings import Centre as CentreSettings
from agent.settings import Confirm
from agent.uplink import LinkPhase
from simulators.broker import Broker
from simulators.network import Line, Network
from tests.agent.house import House, house


def by_the_other(made: House) -> Callable[[], bool]:
    return lambda: made.uplink.link.phase is LinkPhase.UP and "was not there" in made.uplink.link.reason


def by_the_preferred(made: House) -> Callable[[], bool]:
    return lambda: made.uplink.link.phase is LinkPhase.UP and not made.uplink.link.reason


async def deliver(made: House) -> None:
    made.report(Kind.SMOKE)
    await made.confirmed(40)


async def test_the_next_broker_is_used_while_the_preferred_one_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.uplink.dialler.LOOK_S", 0.05)
    monkeypatch.setattr("agent.uplink.policy.RETURN_S", 0.2)
    first, second = Broker.iotcore(tmp_path / "1"), Broker.iotcore(tmp_path / "2")
    async with first, second, Network(first.port) as network:
        preferred = f"mqtt://127.0.0.1:{network.port}"
        settings = CentreSettings(broker=preferred, fallback=(second.url,), confirm=Confirm.BROKER)
        async with house(tmp_path / "j", settings) as made:
            await made.until(by_the_preferred(made), 40)
            await deliver(made)
            await network.cut()
            await made.until(by_the_other(made), 40)
            assert str(second.port) in made.uplink.link.reason
            await deliver(made)
            downs = len([link for link in made.links if link.phase is LinkPhase.DOWN])
            await network.mend()
            await made.until(by_the_preferred(made), 40)
            await deliver(made)
            assert len([link for link in made.links if link.phase is LinkPhase.DOWN]) == downs, "left on purpose"


async def test_a_broker_that_answers_nothing_leads_to_the_next(tmp_path: Path) -> None:
    async with Broker.iotcore(tmp_path / "2") as second, Network(second.port) as network:
        await network.cut(how=Line.BLACK_HOLE)
        settings = CentreSettings(
            broker=f"mqtt://127.0.0.1:{network.port}", fallback=(second.url,), confirm=Confirm.BROKER
        )
        async with house(tmp_path / "j", settings) as made:
            made.report(Kind.SMOKE)
            await made.confirmed(40)
            assert by_the_other(made)()
