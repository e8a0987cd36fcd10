"""What systemd hears, on a real datagram socket."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def ears(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd binds it, and the name it gives to the service."""
    name = f"@gatehouse-test-{tmp_path.name}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name.replace("@", "\0"))
        heard.settimeout(5)
        yield heard, name


def test_systemd_hears_ready_alive_status_and_stopping(ears: tuple[socket.socket, str]) -> None:
    heard, name = ears
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready("2 doors")
    notifier.alive()
    notifier.status("reader north silent\nsince noon")
    notifier.stopping()
    assert [heard.recv(500).decode() for _ in range(4)] == [
        "READY=1\nSTATUS=2 doors",
        "WATCHDOG=1",
        "STATUS=reader north silent since noon",
        "STOPPING=1",
    ]


def test_without_systemd_nothing_is_said() -> None:
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": "vsock:2:1"}).ready()


def test_a_listener_that_is_gone_is_logged_and_does_no_harm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()
    assert "systemd was not told WATCHDOG=1" in caplog.text


def test_a_listener_that_does_not_read_never_blocks_the_agent(
    ears: tuple[socket.socket, str], caplog: pytest.LogCaptureFixture
) -> None:
    _, name = ears
    notifier = Notifier({"NOTIFY_SOCKET": name})
    for _ in range(3000):
        notifier.alive()
        if caplog.records:
            break
    assert "systemd was not told" in caplog.text


@pytest.mark.parametrize(
    ("environment", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "10000000"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "7"}, 10.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
    ],
)
def test_watchdog_interval_is_read_from_the_environment(environment: dict[str, str], interval_s: float | None) -> None:
    assert Notifier(environment, pid=7).watchdog_s == interval_s
