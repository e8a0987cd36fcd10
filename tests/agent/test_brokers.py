"""Every broker a centre may have passes the same suite; mosquitto runs with exactly the files of config/brokers.

Only folder, port and address of those files are replaced. Known differences stand in config/brokers/README.md.
"""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.contract import Online
from agent.events import Kind
from agent.settings import Centre as CentreSettings
from agent.settings import Protocol
from agent.uplink import LinkPhase, TroubleCode
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre
from simulators.network import Network
from tests.agent.house import GATEWAY, TOPICS, House, house
from tests.authority import Authority
from tests.conftest import need

CLOCK = SystemClock()
SHIPPED = Path(__file__).parents[2] / "config" / "brokers"
NEIGHBOUR = TOPICS.path.replace(GATEWAY.id, "gh-other1")
LARGE = 100_000


@dataclass(frozen=True)
class Site:
    """A broker, and how the gateway and the centre come to it."""

    broker: Broker
    protocol: Protocol
    ca: Authority | None = None

    def gateway(self, port: int = 0, name: str = TOPICS.path) -> CentreSettings:
        scheme = "mqtt" if self.ca is None else "mqtts"
        settings: dict[str, object] = {"broker": f"{scheme}://127.0.0.1:{port or self.port}", "protocol": self.protocol}
        if self.ca is not None:
            cert, key = self.ca.issue(name)
            settings |= {"ca_file": self.ca.file, "cert_file": cert, "key_file": key}
        return CentreSettings.model_validate(settings)

    @property
    def port(self) -> int:
        return self.broker.port_v3 if self.protocol is Protocol.MQTT311 else self.broker.port

    def centre(self, *, receipts: bool = True, client_id: str = "centre") -> Centre:
        cert, key = (None, None) if self.ca is None else self.ca.issue("centre")
        return Centre(
            self.broker.url if self.protocol is Protocol.MQTT5 else self.broker.url_v3,
            clock=CLOCK, receipts=receipts, protocol=self.protocol, client_id=client_id,
            ca_file=self.ca.file if self.ca else None, cert_file=cert, key_file=key,
        )  # fmt: skip


def mosquitto(tmp_path: Path) -> Site:
    need(Broker.has("mosquitto"), "mosquitto")
    ca = Authority(tmp_path, "city-ca")
    return Site(shipped(tmp_path / "mosquitto", ca), Protocol.MQTT5, ca)


def shipped(place: Path, ca: Authority, bridge_to: int | None = None) -> Broker:
    """With the files of config/brokers, the bridge among them if it has somewhere to go."""
    place.mkdir()
    shutil.copy(SHIPPED / "gatehouse.acl", place)
    (place / "gatehouse.acl").chmod(0o700)
    shutil.copy(ca.file, place / "ca.pem")
    for name, host in (("broker", "127.0.0.1"), ("bridge", None)):
        cert, key = ca.issue(name, host, file=f"{place.name}-{name}")
        cert.rename(place / f"{name}.pem")
        key.rename(place / f"{name}.key")

    def write(broker: Broker) -> str:
        text = (SHIPPED / "mosquitto.conf").read_text()
        if bridge_to is not None:
            text += (SHIPPED / "bridge.conf").read_text()
            text = text.replace("district.zongzhi.example.cn:8883", f"127.0.0.1:{bridge_to}")
        text = text.replace("/etc/mosquitto/gatehouse", str(place)).replace("/var/lib/mosquitto", str(place))
        return text.replace("listener 8883", f"listener {broker.port} 127.0.0.1")

    return Broker.configured(place, write, tls=True)


def iotcore(tmp_path: Path) -> Site:
    return Site(Broker.iotcore(tmp_path / "iotcore"), Protocol.MQTT5)


def iotcore_v3(tmp_path: Path) -> Site:
    return Site(Broker.iotcore(tmp_path / "iotcore"), Protocol.MQTT311)


def nats(tmp_path: Path) -> Site:
    need(Broker.has("nats"), "nats-server")
    return Site(Broker.nats(tmp_path / "nats"), Protocol.MQTT311)


@pytest.fixture(params=[mosquitto, iotcore, iotcore_v3, nats])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    make: Callable[[Path], Site] = request.param
    return make(tmp_path)


@asynccontextmanager
async def served(site: Site, tmp_path: Path) -> AsyncIterator[tuple[Centre, House, Network]]:
    """Broker, the line to it, the centre and a gateway."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(site.broker)
        network = await stack.enter_async_context(Network(site.port))
        centre = await stack.enter_async_context(site.centre())
        made = await stack.enter_async_context(house(tmp_path / "journal", site.gateway(network.port)))
        await made.linked(30)
        yield centre, made, network


def events(centre: Centre) -> list[str]:
    return [received.subject for received in centre.received if received.kind is Kind.ACCESS_GRANTED]


async def test_events_small_and_large_are_delivered_and_receipts_come_back(site: Site, tmp_path: Path) -> None:
    async with served(site, tmp_path) as (centre, made, _):
        for number in range(200):
            made.report(Kind.ACCESS_GRANTED, f"door-{number}")
            made.read(number / 10)
        made.report(Kind.DOOR_FORCED, "north-gate", note="x" * LARGE)
        await made.confirmed(40)
        assert events(centre) == [f"door-{number}" for number in range(200)]
        assert [len(str(e.data["note"])) for e in centre.received if e.kind is Kind.DOOR_FORCED] == [LARGE]
        assert sum(received.readings for received in centre.received) == 200
        assert (centre.proof().gaps, centre.proof().broken, centre.unreadable) == (0, 0, 0)
        assert made.troubles == []
        assert made.uplink.link.protocol is site.protocol


async def test_a_broker_that_is_killed_and_restarted_loses_nothing(site: Site, tmp_path: Path) -> None:
    async with served(site, tmp_path) as (centre, made, _):
        for round_ in range(2):
            for number in range(300):
                made.report(Kind.ACCESS_GRANTED, f"door-{round_}-{number}")
            await site.broker.kill()
            made.report(Kind.ACCESS_GRANTED, f"door-{round_}-down")
            await site.broker.start()
            await made.confirmed(60)
        assert len(events(centre)) == len(set(events(centre))) == 602
        assert centre.proof().gaps == 0


async def test_states_are_retained_and_the_will_tells_of_a_gateway_that_dies(site: Site, tmp_path: Path) -> None:
    state = b'{"device":"osdp-1","state":"ok","boot":"b","uptime":"1.000"}'
    async with served(site, tmp_path) as (centre, made, network):
        made.uplink.publish_state("device/osdp-1", state)
        await centre.wait_until(lambda: bool(centre.gateways) and bool(centre.gateways[GATEWAY.id].devices))
        async with site.centre(receipts=False, client_id="late") as late:
            await late.wait_until(lambda: GATEWAY.id in late.gateways and bool(late.gateways[GATEWAY.id].devices))
            book = late.gateways[GATEWAY.id]
            await late.wait_until(lambda: book.presence is not None and book.presence.state is Online.ONLINE)
            await network.cut()
            await late.wait_until(lambda: book.presence is not None and book.presence.state is Online.OFFLINE)
            assert book.presence is not None
            assert not book.presence.stopped
            await network.mend()
            await late.wait_until(
                lambda: book.presence is not None and book.presence.state is Online.ONLINE, timeout_s=30
            )


# ---------------------------------------------------------------- what only some have


async def test_a_gateway_is_confined_to_its_own_path(tmp_path: Path) -> None:
    """The certificate of a neighbour: its events are refused under this name, and receipts do not reach it."""
    site = mosquitto(tmp_path)
    async with site.broker, site.centre() as centre:
        async with house(tmp_path / "stranger", site.gateway(name=NEIGHBOUR)) as stranger:
            await stranger.linked(30)
            stranger.report(Kind.SMOKE, "stairwell-1-smoke")
            await stranger.until(lambda: bool(stranger.troubles), 30)
            assert stranger.troubles[0].code is TroubleCode.REFUSED
            assert stranger.uplink.link.phase is LinkPhase.LIMITED
            assert not centre.gateways
            assert stranger.waiting() > 0
        async with house(tmp_path / "own", site.gateway()) as made:
            made.report(Kind.SMOKE, "stairwell-1-smoke")
            await made.confirmed(30)


async def test_without_a_certificate_nobody_comes_in(tmp_path: Path) -> None:
    site = mosquitto(tmp_path)
    assert site.ca is not None
    async with site.broker:
        settings = CentreSettings(broker=site.broker.url, ca_file=site.ca.file)
        async with house(tmp_path / "j", settings) as made:
            await made.until(lambda: made.uplink.link.phase is LinkPhase.DOWN, 30)
            assert "cert_file" in made.uplink.link.hint


async def test_a_bridge_to_the_district_s_broker_loses_nothing(tmp_path: Path) -> None:
    """Gateway, near broker, bridge, district's broker, centre; the district's is killed under way."""
    site = mosquitto(tmp_path)
    assert site.ca is not None
    near = Site(shipped(tmp_path / "near", site.ca, bridge_to=site.broker.port), Protocol.MQTT5, site.ca)
    async with site.broker, near.broker, site.centre() as centre:
        async with house(tmp_path / "j", near.gateway()) as made:
            await made.linked(30)
            for number in range(200):
                made.report(Kind.ACCESS_GRANTED, f"door-{number}")
            await centre.wait_until(lambda: bool(events(centre)), timeout_s=40)
            await site.broker.kill()
            for number in range(200, 400):
                made.report(Kind.ACCESS_GRANTED, f"door-{number}")
            await site.broker.start()
            await made.confirmed(90)
        assert sorted(events(centre)) == sorted(f"door-{number}" for number in range(400))
        assert centre.proof().gaps == 0
