"""What only a person may end, and no restart: the fire release and the lockdown of each door, kept in a small file.

A door never waits for the file: it is read once at the start, and written in a thread after the door has acted. One
that cannot be read counts as none, and is named in the log.
"""

import asyncio
import json
import logging
from pathlib import Path
from typing import Final

from agent.blocking import in_thread
from agent.events import Event, Kind
from agent.files import locked, write_whole
from agent.rules.doors import Standing
from drivers.base import Clock, ConfigError

_log = logging.getLogger(__name__)
AGAIN_S: Final = 5.0
"""Between tries to write while the disk refuses."""

_FIRE, _LOCKDOWN = "fire", "lockdown"
_BEGINS: Final = {Kind.FIRE_RELEASE: _FIRE, Kind.LOCKDOWN: _LOCKDOWN}
_ENDS: Final = {Kind.FIRE_RELEASE_RESTORED: _FIRE, Kind.LOCKDOWN_RESTORED: _LOCKDOWN}


class Latches:
    """Belongs to the loop; only `run` touches the file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._standing = _kept(path)
        self._changed = asyncio.Event()

    def of(self, door: str) -> Standing:
        return Standing(fire=(door, _FIRE) in self._standing, lockdown=(door, _LOCKDOWN) in self._standing)

    def note(self, event: Event) -> None:
        """Take an event of a door, as it happens; most change nothing."""
        before = self._standing
        if event.kind in _BEGINS:
            self._standing = before | {(event.subject, _BEGINS[event.kind])}
        elif event.kind in _ENDS:
            self._standing = before - {(event.subject, _ENDS[event.kind])}
        if self._standing != before:
            self._changed.set()

    async def run(self) -> None:
        """Write every change, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            content = json.dumps(sorted(self._standing)).encode() + b"\n"
            try:
                await in_thread("latches", lambda: _write(self._path, content))  # noqa: B023 - awaited before it changes
            except ConfigError as error:
                _log.error("fire releases and lockdowns are kept in memory only: %s; %s", error, error.hint)
                await self._clock.sleep(AGAIN_S)
                self._changed.set()


def _write(path: Path, content: bytes) -> None:
    with locked(path.parent):
        write_whole(path, content)


def _kept(path: Path) -> frozenset[tuple[str, str]]:
    try:
        return frozenset((str(door), str(what)) for door, what in json.loads(path.read_bytes()))
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, TypeError):
        _log.error("%s cannot be read: fire releases and lockdowns before this start are not known; remove it", path)
        return frozenset()
