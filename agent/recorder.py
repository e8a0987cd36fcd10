"""Turns events and readings into journal drafts: name, grid cell, time and boot are stamped here, and only here."""

from collections.abc import Mapping
from dataclasses import asdict

from agent import contract
from agent.events import Event, JsonValue, Kind, Lane
from agent.journal import Birth, Bodies, Draft, Dropped
from agent.settings import ModbusBus, Name, Settings
from drivers.base import Clock, PointRef, Reading


class Recorder:
    """Pure but for the clock, so the journal's thread may ask it too (`bodies`)."""

    def __init__(self, settings: Settings, boot: str, clock: Clock) -> None:
        self._boot = boot
        self._clock = clock
        self._places = _places(settings)
        self._grid = settings.gateway.grid
        self.units = _units(settings)
        self.bodies = Bodies(epoch_started=self._epoch_started, entries_dropped=self._entries_dropped)
        """Words for the entries that the journal writes itself."""

    def event(self, event: Event) -> Draft:
        return Draft(event.info.lane, event.kind, self._body(event))

    def reading(self, reading: Reading) -> Draft:
        at = contract.wall_time(self._clock, reading.mono_s)
        body = contract.reading_body(reading, self.units.get(reading.ref, ""), boot=self._boot, at=at)
        return Draft(Lane.TELEMETRY, Kind.READINGS, body)

    def _body(self, event: Event) -> bytes:
        name, grid = self._places.get(event.subject, (None, None))
        at = contract.wall_time(self._clock, event.mono_s)
        return contract.event_body(event, boot=self._boot, at=at, name=name, grid=grid or self._grid)

    def _epoch_started(self, birth: Birth) -> bytes:
        data: dict[str, JsonValue] = {"epoch": birth.epoch, "origin": birth.origin.value}
        said = {"set_aside": birth.set_aside, "reason": birth.reason, "previous": birth.previous}
        data |= {fact: words for fact, words in said.items() if words}
        if birth.tails:
            data["tails"] = {lane.value: asdict(tail) for lane, tail in birth.tails.items()}
        return self._body(Event(Kind.EPOCH_STARTED, "journal", self._clock.mono_s(), data))

    def _entries_dropped(self, dropped: Dropped) -> bytes:
        return self._body(
            contract.tombstone(
                epoch=dropped.epoch,
                lane=dropped.lane,
                first=dropped.first,
                last=dropped.last,
                count=dropped.count,
                reason=dropped.reason,
                digest=dropped.digest,
                mono_s=self._clock.mono_s(),
            )
        )


def _places(settings: Settings) -> Mapping[str, tuple[Name | None, str | None]]:
    """Name and grid cell of everything an event can be about."""
    places: dict[str, tuple[Name | None, str | None]] = {door.id: (door.name, door.grid) for door in settings.doors}
    places.update({sensor.id: (sensor.name, sensor.grid) for sensor in settings.sensors})
    for camera in settings.cameras:
        places[camera.id] = (camera.name, None)
        places.update({f"{camera.id}/{zone.id}": (zone.name, zone.grid) for zone in camera.zones})
        places.update({f"{camera.id}/{line.id}": (line.name, line.grid) for line in camera.lines})
    return places


def _units(settings: Settings) -> Mapping[PointRef, str]:
    return {
        PointRef(f"{unit.id}/{point.id}"): point.unit
        for device in settings.devices
        if isinstance(device, ModbusBus)
        for unit in device.units
        for point in unit.points
    }
