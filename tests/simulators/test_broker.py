"""Real brokers come up, die and come back on the same port."""

from pathlib import Path

import pytest

from simulators.broker import Broker, BrokerError, _accepts, free_ports
from tests.conftest import need


@pytest.mark.parametrize("name", ["iotcore", "mosquitto", "nats"])
async def test_a_broker_keeps_its_port_over_stop_and_kill(name: str, tmp_path: Path) -> None:
    need(Broker.has(name), name)
    make = {"iotcore": Broker.iotcore, "mosquitto": Broker.mosquitto, "nats": Broker.nats}[name]
    broker = make(tmp_path / "broker")
    port = broker.port
    async with broker:
        for end in (broker.stop, broker.kill):
            assert await _accepts(port)
            await end()
            assert not await _accepts(port)
            await broker.start()
            assert broker.port == port
    assert not broker.running
    assert not await _accepts(port)
    await broker.stop()


async def test_a_broker_that_cannot_start_says_where_to_read_why(tmp_path: Path) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    broker = Broker.mosquitto(tmp_path / "broker", options=["no_such_option true"])
    with pytest.raises(BrokerError) as caught:
        await broker.start()
    assert "mosquitto.log" in caught.value.hint


def test_ports_differ_and_are_below_the_range_the_kernel_hands_out() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [*free_ports(3), *free_ports(2)]
    assert len(set(ports)) == 5
    assert max(ports) < low
