"""Why there is no link, in words; TLS; and the way down to MQTT 3.1.1."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from agent.events import Kind
from agent.settings import Centre as CentreSettings
from agent.settings import Confirm, Protocol
from agent.uplink import Cause, LinkDownError, LinkPhase, LinkState, Session, Target
from agent.uplink.dial import explain
from agent.uplink.link import Link
from drivers.base import SystemClock
from simulators.broker import Broker, Tls, free_ports
from simulators.centre import Centre
from tests.agent.house import house
from tests.authority import Authority
from tests.conftest import need

CLOCK = SystemClock()
EXAMPLE = Path(__file__).parents[2] / "config/example.toml"


def test_what_is_refused_for_as_long_as_the_link_is_up_is_not_forgotten_when_something_else_is_well() -> None:
    said: list[LinkState] = []
    link = Link(said.append)
    link.up(Protocol.MQTT5, Confirm.CENTRE, "")
    link.limited("no receipts", "", lasting=True)
    link.limited("no alarms", "")
    link.well()
    assert (link.state.phase, link.state.reason) == (LinkPhase.LIMITED, "no receipts")
    link.up(Protocol.MQTT5, Confirm.CENTRE, "")
    assert link.state.phase is LinkPhase.UP


async def why(settings: CentreSettings, protocol: Protocol = Protocol.MQTT5) -> LinkDownError:
    session = Session(Target.of(settings), protocol, "gh-test01", 30, asyncio.Event())
    try:
        with pytest.raises(LinkDownError) as caught:
            await session.open(CLOCK)
    finally:
        session.abort()
    assert caught.value.hint, "every failure names its cure"
    return caught.value


@asynccontextmanager
async def listener(answer: bytes, *, hang_up: bool = True) -> AsyncIterator[int]:
    """Accepts, sends `answer` after the first bytes, and hangs up, or lets the other side do that."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(answer)
        if not hang_up:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def at(port: int, scheme: str = "mqtt", **files: Path) -> CentreSettings:
    return CentreSettings.model_validate({"broker": f"{scheme}://127.0.0.1:{port}"} | files)


# ---------------------------------------------------------------- no link


async def test_nobody_listens() -> None:
    (port,) = free_ports(1)
    error = await why(at(port))
    assert error.cause is Cause.UNREACHABLE
    assert "refuses the connection" in error.reason


@pytest.mark.parametrize(
    ("error", "cause", "word"),
    [
        (socket.gaierror(-2, "Name or service not known"), Cause.UNREACHABLE, "127.0.0.1 is not found"),
        (TimeoutError(), Cause.TIMEOUT, "does not answer"),
        (ConnectionResetError(104, "reset"), Cause.UNREACHABLE, "hung up"),
        (OSError(101, "Network is unreachable"), Cause.UNREACHABLE, "Network is unreachable"),
        (PermissionError(13, "Permission denied", "/etc/gatehouse/key.pem"), Cause.CONFIGURED, "/etc/gatehouse/key"),
        (ValueError("embedded null byte"), Cause.CONFIGURED, "null byte"),
    ],
)
def test_every_failure_to_dial_has_words_and_a_cure(error: OSError | ValueError, cause: Cause, word: str) -> None:
    explained = explain(error, Target.of(at(1883)))
    assert explained.cause is cause
    assert word in explained.reason
    assert explained.hint


async def test_a_port_that_hangs_up() -> None:
    async with listener(b"") as port:
        error = await why(at(port))
    assert error.cause is Cause.CLOSED


async def test_a_port_that_speaks_no_tls() -> None:
    async with listener(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        error = await why(at(port, "mqtts"))
    assert error.cause is Cause.CONFIGURED
    assert "does not speak TLS" in error.reason


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ca_file": "none"}, "{}/none: No such file"),
        ({"ca_file": "."}, "{}: Is a directory"),
        ({"ca_file": "text"}, "{}/text cannot be used"),
        ({"cert_file": "none"}, "{}/none: No such file"),
        ({"cert_file": "text"}, "{}/text cannot be used"),
        ({"key_file": "none"}, "{}/none: No such file"),
        ({"key_file": "text"}, "the certificate {}/mine.crt and the key {}/text cannot be used together"),
        ({"key_file": "another.key"}, "the certificate {}/mine.crt and the key {}/another.key cannot be used together"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named(wrong: dict[str, str], said: str, tmp_path: Path) -> None:
    ca = Authority(tmp_path, "ca")
    (tmp_path / "text").write_text("no PEM\n")
    (mine, my_key), _ = ca.issue("mine"), ca.issue("another")
    files = {"ca_file": ca.file, "cert_file": mine, "key_file": my_key}
    error = await why(at(1, "mqtts", **files | {name: tmp_path / file for name, file in wrong.items()}))
    assert error.cause is Cause.CONFIGURED
    assert error.reason.startswith(said.format(tmp_path, tmp_path))


def test_a_key_with_a_passphrase_that_nobody_types_is_named(tmp_path: Path) -> None:
    ca = Authority(tmp_path, "ca")
    mine, my_key = ca.issue("mine")
    key = load_pem_private_key(my_key.read_bytes(), None)
    my_key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")))
    call = ["command", "restart", "--key", "none", "--file", EXAMPLE, "--broker", "mqtts://127.0.0.1:1", "--lang", "en"]
    call += ["--ca-file", ca.file, "--cert-file", mine, "--cert-key", my_key]
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli", *map(str, call)],
        stdin=subprocess.DEVNULL, start_new_session=True, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert f"the certificate {mine} and the key {my_key} cannot be used together" in done.stderr
    assert "without a passphrase" in done.stderr


@pytest.mark.parametrize(
    ("code", "protocol", "cause"),
    [
        (0x84, Protocol.MQTT5, Cause.VERSION),
        (0x86, Protocol.MQTT5, Cause.DENIED),
        (0x87, Protocol.MQTT5, Cause.DENIED),
        (0x88, Protocol.MQTT5, Cause.UNREACHABLE),
        (5, Protocol.MQTT311, Cause.DENIED),
        (3, Protocol.MQTT311, Cause.UNREACHABLE),
    ],
)
async def test_a_connack_that_says_no(code: int, protocol: Protocol, cause: Cause) -> None:
    connack = bytes([0x20, 3, 0, code, 0] if protocol is Protocol.MQTT5 else [0x20, 2, 0, code])
    session = None
    async with listener(connack) as port:
        session = Session(Target.of(at(port)), protocol, "gh-test01", 30, asyncio.Event())
        with pytest.raises(LinkDownError) as caught:
            await session.open(CLOCK)
        session.abort()
    assert caught.value.cause is cause


async def test_bad_credentials_are_reported_by_the_uplink(tmp_path: Path) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    broker = Broker.mosquitto(tmp_path / "b", options=["allow_anonymous false"])
    async with broker, house(tmp_path / "j", CentreSettings(broker=broker.url)) as made:
        await made.until(lambda: made.uplink.link.phase is LinkPhase.DOWN)
        assert "does not let this gateway in" in made.uplink.link.reason
        assert "centre.username" in made.uplink.link.hint


# ---------------------------------------------------------------- MQTT 3.1.1


async def test_another_client_with_our_id_is_named(tmp_path: Path) -> None:
    connack_then_disconnect = bytes([0x20, 3, 0, 0, 0, 0xE0, 2, 0x8E, 0])
    async with listener(connack_then_disconnect, hang_up=False) as port, house(tmp_path / "j", at(port)) as made:
        await made.until(lambda: made.uplink.link.phase is LinkPhase.DOWN)
        assert "SD card" in made.uplink.link.hint


async def test_a_broker_of_3_1_1_only_is_spoken_to_in_3_1_1(tmp_path: Path) -> None:
    need(Broker.has("nats"), "nats-server")
    broker = Broker.nats(tmp_path / "b")
    async with (
        broker,
        Centre(broker.url, clock=CLOCK, protocol=Protocol.MQTT311) as centre,
        house(tmp_path / "j", CentreSettings(broker=broker.url)) as made,
    ):
        made.report(Kind.SMOKE, "stairwell-1-smoke")
        await made.confirmed(15)
        assert made.uplink.link == LinkState(LinkPhase.UP, protocol=Protocol.MQTT311)
        assert centre.proof().gaps == 0


async def test_a_listener_that_closes_twice_on_mqtt_5_is_spoken_to_in_3_1_1(tmp_path: Path) -> None:
    broker = Broker.iotcore(tmp_path / "b")
    async with broker, house(tmp_path / "j", CentreSettings(broker=broker.url_v3)) as made:
        await made.linked()
        assert made.uplink.link.protocol is Protocol.MQTT311


# ---------------------------------------------------------------- TLS


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    need(Broker.has("mosquitto"), "mosquitto")
    return Authority(tmp_path, "district-ca")


async def test_events_travel_over_mutual_tls(ca: Authority, tmp_path: Path) -> None:
    cert, key = ca.issue("broker", "127.0.0.1")
    mine, my_key = ca.issue("gateway")
    broker = Broker.mosquitto(tmp_path / "b", tls=Tls(ca.file, cert, key, client_ca=True))
    settings = CentreSettings(
        broker=broker.url, ca_file=ca.file, cert_file=mine, key_file=my_key, confirm=Confirm.BROKER
    )
    async with broker, house(tmp_path / "j", settings) as made:
        await made.linked()
        for number in range(200):
            made.report(Kind.ACCESS_GRANTED, "north-gate", number=number)
        await made.confirmed()
        assert made.uplink.link.protocol is Protocol.MQTT5
        error = await why(CentreSettings(broker=broker.url, ca_file=ca.file), Protocol.MQTT5)
        assert error.cause in {Cause.CONFIGURED, Cause.CLOSED}
        assert "centre.cert_file" in error.hint


async def test_the_centre_reads_over_tls_without_losing_what_came_together(ca: Authority, tmp_path: Path) -> None:
    cert, key = ca.issue("broker", "127.0.0.1")
    broker = Broker.mosquitto(tmp_path / "b", tls=Tls(ca.file, cert, key))
    settings = CentreSettings(broker=broker.url, ca_file=ca.file)
    async with (
        broker,
        Centre(broker.url, clock=CLOCK, ca_file=ca.file) as centre,
        house(tmp_path / "j", settings) as made,
    ):
        for number in range(300):
            made.report(Kind.ACCESS_GRANTED, "north-gate", number=number)
        await made.confirmed()
        assert centre.proof().confirmed >= 300


async def test_a_certificate_of_another_authority_is_refused(ca: Authority, tmp_path: Path) -> None:
    cert, key = ca.issue("broker", "127.0.0.1")
    other = Authority(tmp_path, "another-ca")
    async with Broker.mosquitto(tmp_path / "b", tls=Tls(ca.file, cert, key)) as broker:
        error = await why(CentreSettings(broker=broker.url, ca_file=other.file))
    assert error.cause is Cause.CONFIGURED
    assert "certificate is not accepted" in error.reason


async def test_a_certificate_for_another_host_is_refused(ca: Authority, tmp_path: Path) -> None:
    cert, key = ca.issue("broker", "127.0.0.2")
    async with Broker.mosquitto(tmp_path / "b", tls=Tls(ca.file, cert, key)) as broker:
        error = await why(CentreSettings(broker=broker.url, ca_file=ca.file))
    assert error.cause is Cause.CONFIGURED
    assert "127.0.0.1" in error.reason


async def test_tls_is_never_given_up_for_plain_text(ca: Authority, tmp_path: Path) -> None:
    async with Broker.mosquitto(tmp_path / "b") as broker:
        settings = CentreSettings(broker=broker.url.replace("mqtt:", "mqtts:"), ca_file=ca.file)
        async with house(tmp_path / "j", settings) as made:
            await made.until(lambda: made.uplink.link.phase is LinkPhase.DOWN)
            assert all(link.phase is not LinkPhase.UP for link in made.links)
