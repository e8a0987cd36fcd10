"""The running agent's snapshot as far as its health goes, with types; the rest of it is passed over."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from agent.contract.health import CameraHealth, DeviceHealth, JournalHealth, LinkHealth, QueueHealth
from agent.events import JsonValue, Lane
from drivers.base import DeviceState


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Device(_Part):
    state: DeviceState
    reason: str
    for_s: float


class _Reading(_Part):
    age_s: float


class _Lane(_Part):
    waiting: int


class _Journal(_Part):
    state: str
    refused: int
    pending: int


class _Camera(CameraHealth):
    camera: str


class _Stats(_Part):
    cameras: tuple[_Camera, ...] = ()


class _Vision(_Part):
    stats: _Stats | None


class Snapshot(_Part):
    time_trusted: bool
    link: LinkHealth
    journal: _Journal
    lanes: Mapping[Lane, _Lane]
    queue: QueueHealth
    devices: Mapping[str, _Device]
    readings: Mapping[str, _Reading]
    vision: _Vision
    rules_failed: tuple[str, ...]

    @classmethod
    def of(cls, snapshot: Mapping[str, JsonValue]) -> "Snapshot":
        return cls.model_validate(snapshot)

    def journal_health(self) -> JournalHealth:
        waiting = {lane: state.waiting for lane, state in self.lanes.items()}
        said = self.journal
        return JournalHealth(state=said.state, refused=said.refused, pending=said.pending, waiting=waiting)

    def device_health(self) -> Mapping[str, DeviceHealth]:
        seen: dict[str, float] = {}
        for ref, reading in self.readings.items():
            device = ref.partition("/")[0]
            seen[device] = min(reading.age_s, seen.get(device, reading.age_s))
        return {
            name: DeviceHealth(state=one.state, reason=one.reason, for_s=one.for_s, seen_s=seen.get(name))
            for name, one in self.devices.items()
        }

    def camera_health(self) -> Mapping[str, CameraHealth]:
        cameras = self.vision.stats.cameras if self.vision.stats else ()
        return {
            one.camera: CameraHealth(fps=one.fps, wanted_fps=one.wanted_fps, looked=one.looked, missed=one.missed)
            for one in cameras
        }
