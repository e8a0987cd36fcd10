"""Pictures that belong to events: asked of the vision process, sealed, and on their way to the centre.

Only of cameras that opt in. An alarm never waits for its picture: it carries the name under which one may follow, and a
vision process that is missing, slow or dead costs the picture and nothing else. Everything here runs on the loop; what
blocks goes into a thread.
"""

import asyncio
import hashlib
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from agent.blocking import in_thread
from agent.events import RESTORES, Event, JsonValue, Kind, Lane
from agent.journal import Draft, Journal
from agent.settings import Settings
from agent.snapshot_store import KEY_FILE, SNAPSHOT_ID, SnapshotError, SnapshotStore, lasting
from drivers.base import Clock, DeviceId, GatehouseError

_log = logging.getLogger(__name__)

WAITING: Final = 8
"""Alarms whose pictures wait; those of more alarms at once are given up."""
SHARED_S: Final = 2.0
"""Alarms of one camera that follow each other so closely share a picture."""
FAILED_EVERY_S: Final = 60.0
"""That a camera gives no picture is told at most so often."""
SWEEP_S: Final = 60.0
FOLDER: Final = "snapshots"
_NAMED = re.compile(rb'"snapshot":"([A-Za-z0-9-]{1,40})"')
_SEALED = re.compile(rb'"sha256":"([0-9a-f]{64})"')


class Masked(Protocol):
    """What the vision process gives: a JPEG with private areas black and people's features blurred."""

    @property
    def mono_s(self) -> float: ...
    @property
    def jpeg(self) -> bytes: ...
    @property
    def faces(self) -> int: ...
    @property
    def persons(self) -> int: ...
    @property
    def whole(self) -> bool: ...


Ask = Callable[[DeviceId, float, int], Awaitable[Masked]]
"""Of a camera, near a monotonic time, of at most so many bytes. Raises: LinkError."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture that is kept and on its way; `sha256` is of the JPEG as the centre gets it."""

    snapshot: str
    camera: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    snapshot: str
    camera: str
    mono_s: float
    hidden: bool


class Pictures:
    """`of` names an alarm's picture, `run` takes it; `take` is for whoever may ask for one."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        boot: str,
        journal: Journal,
        *,
        ask: Ask,
        draft: Callable[[Event], Draft],
        record: Callable[[Event], object],
    ) -> None:
        self._cameras = {camera.id: camera for camera in settings.cameras if camera.snapshots}
        self._places = _places(settings, self._cameras)
        self.store = store_of(settings, clock, boot)
        self._clock = clock
        self._boot = boot
        self._journal = journal
        self._ask = ask
        self._draft = draft
        self._record = record
        self._waiting: asyncio.Queue[_Wanted] = asyncio.Queue(WAITING)
        self._named: dict[str, _Wanted] = {}
        self._told_s: dict[str, float] = {}
        self._undeletable = False

    def of(self, event: Event) -> Event:
        """The event, with the name of the picture that may follow: an alarm, at a place whose camera opts in."""
        camera = self._places.get(event.subject) or self._places.get(event.subject.partition("/")[0])
        if camera is None or event.info.lane is not Lane.ALARM or event.kind in RESTORES:
            return event
        wanted = self._named.get(camera)
        if wanted is None or not 0 <= event.mono_s - wanted.mono_s < SHARED_S or wanted.hidden != event.info.silent:
            wanted = _Wanted(secrets.token_hex(8), camera, event.mono_s, event.info.silent)
            try:
                self._waiting.put_nowait(wanted)
            except asyncio.QueueFull:
                return event
            self._named[camera] = wanted
        return replace(event, data={**event.data, "snapshot": wanted.snapshot})

    async def take(self, camera: str, event: str, reason: str) -> Taken:
        """A picture of now. `event` names it: at the centre, at `media/{event}`, and for `gatehouse snapshots`.

        Durable on return. Raises: GatehouseError with a hint when there is none.
        """
        return await self._take(_Wanted(event, camera, self._clock.mono_s(), hidden=False), reason)

    async def run(self) -> None:
        """Take the pictures of alarms one after the other, and delete what is over, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep(), name="pictures:sweep")
            while True:
                wanted = await self._waiting.get()
                try:
                    await self._take(wanted, "")
                except GatehouseError as err:
                    self._failed(wanted, err)

    async def open(self, body: bytes) -> tuple[str, bytes] | None:
        """The name and the picture of a media entry's body; None once its time is over."""
        named, sealed = _NAMED.search(body), _SEALED.search(body)
        if named is None or sealed is None:
            return None
        snapshot = named[1].decode()
        content = await self._journal.picture(sealed[1].decode())
        if content is None:
            return None
        with suppress(SnapshotError):
            return snapshot, await in_thread("pictures", lambda: self.store.open(snapshot, content))
        return None

    async def _take(self, wanted: _Wanted, reason: str) -> Taken:
        camera = self._cameras.get(wanted.camera)
        if camera is None:
            hint = "set snapshots = true at the camera, where that is lawful"
            raise SnapshotError(f"{wanted.camera} is no camera that opts in to snapshots", hint=hint)
        if not SNAPSHOT_ID.fullmatch(wanted.snapshot):
            raise SnapshotError("a picture's name is up to 40 letters, digits and hyphens", hint="name it so")
        masked = await self._ask(DeviceId(camera.id), wanted.mono_s, camera.snapshot_kb * 1024)
        kept = lasting(
            wanted.snapshot, camera.id, self._clock, self._boot, camera.keep_hours * 3600, hidden=wanted.hidden
        )
        jpeg = masked.jpeg
        sealed = await in_thread("pictures", lambda: self.store.put(kept, jpeg))
        taken = Taken(wanted.snapshot, camera.id, hashlib.sha256(jpeg).hexdigest(), len(jpeg))
        facts: dict[str, JsonValue] = {
            "snapshot": taken.snapshot,
            "jpeg_sha256": taken.sha256,
            "size": taken.size,
            "after_s": round(masked.mono_s - wanted.mono_s, 3),
            "faces": masked.faces,
            "persons": masked.persons,
            "whole": masked.whole,
        }
        if reason:
            facts["reason"] = reason
        at_s = self._clock.mono_s()

        def entry(name: str) -> Draft:
            return self._draft(Event(Kind.SNAPSHOT_TAKEN, camera.id, at_s, facts | {"sha256": name}))

        await self._journal.append_picture(sealed, entry)
        return taken

    def _failed(self, wanted: _Wanted, err: GatehouseError) -> None:
        if not wanted.hidden:  # nothing that is silent shows where it happened
            _log.warning("no picture of %s: %s; %s", wanted.camera, err, err.hint)
        now_s, told_s = self._clock.mono_s(), self._told_s.get(wanted.camera)
        if told_s is None or now_s - told_s >= FAILED_EVERY_S:
            self._told_s[wanted.camera] = now_s
            data: dict[str, JsonValue] = {"snapshot": wanted.snapshot, "reason": str(err), "hint": err.hint}
            self._record(Event(Kind.SNAPSHOT_FAILED, wanted.camera, now_s, data))

    async def _sweep(self) -> None:
        keep_s = max((camera.keep_hours * 3600 for camera in self._cameras.values()), default=0.0)
        while True:
            try:
                await in_thread("pictures", lambda: self.store.sweep(keep_s, self._cameras))
            except SnapshotError as err:
                self._say_undeletable(err)
            else:
                if self._undeletable:
                    self._undeletable = False
                    self._record(Event(Kind.DEVICE_RESTORED, "snapshots", self._clock.mono_s()))
            await self._clock.sleep(SWEEP_S)

    def _say_undeletable(self, err: SnapshotError) -> None:
        _log.error("%s; %s", err, err.hint)
        if not self._undeletable:
            self._undeletable = True
            facts: Mapping[str, JsonValue] = {"reason": str(err), "hint": err.hint}
            self._record(Event(Kind.DEVICE_FAULT, "snapshots", self._clock.mono_s(), facts))


def store_of(settings: Settings, clock: Clock, boot: str) -> SnapshotStore:
    storage = settings.storage
    key_file = settings.privacy.key_file or storage.folder / KEY_FILE
    return SnapshotStore(storage.folder / FOLDER, key_file, clock, boot, storage.media_mb << 20)


def _places(settings: Settings, cameras: Iterable[str]) -> Mapping[str, str]:
    """The camera, of those that opt in, that sees what an event is about."""
    known = set(cameras)
    linked = [(door.id, door.camera) for door in settings.doors]
    linked += [(sensor.id, sensor.camera) for sensor in settings.sensors]
    linked += [(camera, camera) for camera in known]
    return {place: camera for place, camera in linked if camera in known}
