"""Words to systemd: ready, alive, stopping. Says nothing when nobody listens. No library, one datagram each.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import logging
import os
import socket
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """Speaks to the socket that `NOTIFY_SOCKET` names; `watchdog_s` is how often systemd wants a sign of life."""

    def __init__(self, environment: Mapping[str, str] = os.environ, pid: int | None = None) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(environment, os.getpid() if pid is None else pid)

    def ready(self, status: str = "") -> None:
        """Settings are read, devices are being opened, events are kept."""
        self._send("READY=1", status)

    def alive(self) -> None:
        """Feed the watchdog; call at least twice in `watchdog_s`."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("", text)

    def stopping(self, status: str = "") -> None:
        self._send("STOPPING=1", status)

    def _send(self, state: str, status: str = "") -> None:
        if self._address is None:
            return
        lines = [state] if state else []
        if status:
            lines.append(f"STATUS={' '.join(status.split())}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as channel:
            try:
                channel.sendto("\n".join(lines).encode(), self._address)
            except OSError as err:
                _log.warning("systemd was not told %s: %s", lines[0], err)


def _address(named: str) -> str | None:
    """A path, or `@name` for the abstract name space, which the kernel writes with a zero byte."""
    if named.startswith("@"):
        return f"\0{named[1:]}"
    return named if named.startswith("/") else None


def _watchdog_s(environment: Mapping[str, str], pid: int) -> float | None:
    """None where no watchdog is set, or where it is meant for another process."""
    span, meant = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not span.isdecimal() or int(span) == 0 or (meant and meant != str(pid)):
        return None
    return int(span) / 1_000_000
