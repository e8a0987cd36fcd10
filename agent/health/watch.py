"""Looks at the board every few seconds, tells the centre, and keeps the latest for whoever asks."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from agent.blocking import in_thread
from agent.contract import Suffix, rfc3339, uptime
from agent.contract.health import BoardHealth, DiskHealth, HealthMessage
from agent.events import Event, JsonValue
from agent.health import metrics
from agent.health.conditions import Conditions, measure
from agent.health.machine import Machine
from agent.health.server import MetricsServer
from agent.health.snapshot import Snapshot
from agent.settings import Settings
from agent.supervisor import Boundary
from drivers.base import Clock

LOOK_S: Final = 10.0
SETTLED_S: Final = 3600.0
"""A pace of writing is known after so long."""
_DAY_S: Final = 86_400.0


class HealthWatch:
    """`publish` gets suffix and payload of a retained message, `record` the events; `snapshot` is the agent's own word.

    Without a `machine` it is this one, with the disk of the journal.
    """

    def __init__(
        self,
        settings: Settings,
        boot: str,
        clock: Clock,
        *,
        snapshot: Callable[[], Mapping[str, JsonValue]],
        publish: Callable[[str, bytes], None],
        record: Callable[[Event], None],
        machine: Machine | None = None,
    ) -> None:
        self.latest: HealthMessage | None = None
        self._gateway = settings.gateway.id
        self._boot = boot
        self._limits = settings.health
        self._machine = machine or Machine(settings.storage.folder, settings.centre.cert_file)
        self._clock = clock
        self._snapshot = snapshot
        self._publish = publish
        self._record = record
        self._conditions = Conditions()
        self._first: tuple[float, int] | None = None
        self._told_s, self._told = float("-inf"), ""

    async def run(self) -> None:
        """Until cancelled. A bug here is logged and costs one look: no door waits for it, and none stops."""
        async with MetricsServer(self._limits.metrics, self._clock, self.text):
            while True:
                with Boundary("health", lambda _: None):
                    await self._look()
                await self._clock.sleep(LOOK_S)

    def text(self) -> str | None:
        """For Prometheus; None before the first look."""
        return None if self.latest is None else metrics.text(self.latest)

    async def _look(self) -> None:
        """A disk that hangs holds up these looks, and nothing else."""
        board, disk, ends = await in_thread("health", self._machine.look)
        now_s = self._clock.mono_s()
        for event in self._conditions.step(measure(board, disk, self._limits), now_s):
            self._record(event)
        self.latest = self._message(board, disk, ends, now_s)
        state = _state(self.latest)
        if state != self._told or now_s - self._told_s >= self._limits.every_s:
            self._told_s, self._told = now_s, state
            self._publish(Suffix.HEALTH, self.latest.payload())

    def _message(self, board: BoardHealth, disk: DiskHealth, ends: datetime | None, now_s: float) -> HealthMessage:
        found, now = Snapshot.of(self._snapshot()), self._clock.utc()
        return HealthMessage(
            gateway=self._gateway,
            boot=self._boot,
            uptime=uptime(now_s),
            time=None if now is None else rfc3339(now),
            clock_trusted=found.time_trusted,
            certificate_days=None if ends is None or now is None else (ends - now).days,
            conditions=self._conditions.standing,
            board=board,
            disk=disk.model_copy(update={"written_per_day_kib": self._per_day(disk.written_kib, now_s)}),
            link=found.link,
            journal=found.journal_health(),
            queue=found.queue,
            devices=found.device_health(),
            cameras=found.camera_health(),
            rules_failed=found.rules_failed,
        )

    def _per_day(self, written_kib: int | None, now_s: float) -> int | None:
        if written_kib is None:
            return None
        if self._first is None:
            self._first = now_s, written_kib
        first_s, first_kib = self._first
        past_s = now_s - first_s
        return None if past_s < SETTLED_S else round((written_kib - first_kib) * _DAY_S / past_s)


def _state(message: HealthMessage) -> str:
    """What is worth telling at once when it changes."""
    devices = sorted((name, one.state.value) for name, one in message.devices.items())
    link = message.link
    parts = (devices, link.phase, link.protocol, message.journal.state, message.conditions, message.clock_trusted)
    return repr((*parts, message.rules_failed))
