"""The text is what Prometheus reads, and the port gives nothing else away."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.contract import samples
from agent.contract.health import DeviceHealth, HealthMessage
from agent.events import Lane
from agent.health.metrics import text
from agent.health.server import MAX_CLIENTS, MAX_REQUEST, REQUEST_S, MetricsServer
from drivers.base import Clock, DeviceState, SystemClock
from simulators.broker import free_ports
from tests.clock import ManualClock

(SAMPLE,) = samples.health()
HEALTH = HealthMessage.model_validate_json(SAMPLE.payload)


def figures(said: str) -> Mapping[str, float]:
    """As Prometheus' own parser reads them."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(said)
        for sample in family.samples
    }


def test_prometheus_reads_every_figure() -> None:
    found = figures(text(HEALTH))
    assert found["gatehouse_board_temperature_celsius[]"] == 81.3
    assert found["gatehouse_disk_free_bytes[]"] == 24_500_000 * 1024
    assert found["gatehouse_device_ok[('device', 'modbus-1')]"] == 0
    assert found["gatehouse_camera_fps[('camera', 'camera-west')]"] == 7.9
    assert found["gatehouse_condition[('kind', 'gateway.hot')]"] == 1
    assert found["gatehouse_certificate_days[]"] == 212


def test_what_is_not_known_is_not_there_and_any_name_is_escaped() -> None:
    odd = 'a"b\\c\nd'
    devices = {odd: DeviceHealth(state=DeviceState.OK, for_s=1.0)}
    found = figures(text(HEALTH.model_copy(update={"devices": devices, "certificate_days": None})))
    assert found[f"gatehouse_device_ok{[('device', odd)]}"] == 1
    assert not [name for name in found if "certificate" in name or "seen" in name]


def test_silent_events_that_wait_move_no_figure() -> None:
    quiet, duress = ({Lane.ACCESS: 1, Lane.ALARM: count, Lane.MEDIA: count} for count in (0, 3))
    said = [
        text(HEALTH.model_copy(update={"journal": HEALTH.journal.model_copy(update={"waiting": waiting})}))
        for waiting in (quiet, duress)
    ]
    assert said[0] == said[1]
    assert "gatehouse_journal_waiting[('lane', 'access')]" in figures(said[0])


@asynccontextmanager
async def served(clock: Clock | None = None, said: str | None = "x 1\n") -> AsyncIterator[int]:
    (port,) = free_ports(1)
    async with MetricsServer(f"127.0.0.1:{port}", clock or SystemClock(), lambda: said):
        yield port


async def ask(port: int, request: bytes) -> tuple[str, str]:
    """Status line and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.decode().partition("\r\n\r\n")
    return head.split("\r\n")[0], body


async def test_one_page_is_served() -> None:
    async with served() as port:
        assert await ask(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") == ("HTTP/1.1 200 OK", "x 1\n")
    async with served(said=None) as port:
        assert (await ask(port, b"GET /metrics HTTP/1.0\r\n\r\n"))[0] == "HTTP/1.1 503 Service Unavailable"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"GET /metrics/../state HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        (b"hello\r\n\r\n", "400 Bad Request"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * MAX_REQUEST, "431 Request Header Fields Too Large"),
    ],
)
async def test_everything_else_is_refused(request_: bytes, status: str) -> None:
    async with served() as port:
        assert (await ask(port, request_))[0] == f"HTTP/1.1 {status}"


async def test_whoever_says_nothing_is_hung_up_on() -> None:
    clock = ManualClock()
    async with served(clock) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while clock.next_alarm_s is None:
            await clock.settle()
        await clock.advance(REQUEST_S)
        assert await reader.read() == b""
        writer.close()


async def test_clients_are_few_and_none_holds_up_the_end() -> None:
    async with served() as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_CLIENTS)]
        with suppress(ConnectionResetError):  # hung up on before it was read
            assert await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n") == ("", "")
    for _, writer in idle:
        writer.close()


async def test_a_port_in_use_is_said_and_the_agent_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as port, MetricsServer(f"127.0.0.1:{port}", SystemClock(), lambda: ""):
        assert "health.metrics" in caplog.text
