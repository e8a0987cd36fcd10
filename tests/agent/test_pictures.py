"""An alarm at a camera that opts in names a picture; it may come, be late or never come: the alarm does not care."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agent.events import Event, Kind, Lane
from agent.journal import Journal, Limits
from agent.pictures import SHARED_S, WAITING, Pictures
from agent.recorder import Recorder
from agent.settings import Settings
from agent.snapshot_store import SnapshotError
from drivers.base import DeviceId, GatehouseError, LinkError, SystemClock
from tests.agent.house import BOOT, GATEWAY
from tests.journal import everything

JPEG = b"\xff\xd8\xff" + b"a street" * 100 + b"\xff\xd9"
CLOCK = SystemClock()
WAIT_S = 20.0


def settings(folder: Path) -> Settings:
    name = {"zh": "甲", "en": "A"}
    camera = {"source": "file:none", "picture": {"width": 640, "height": 480}, "name": name,
              "purpose": "test", "owner": "test", "sign": "test"}  # fmt: skip
    return Settings.model_validate(
        {
            "gateway": GATEWAY.model_dump(),
            "doors": [{"id": "gate", "name": name, "lock": "gpio/lock", "camera": "cam-open"}],
            "sensors": [
                {"id": "fence", "name": name, "point": "gpio/fence", "kind": "perimeter", "camera": "cam-open"},
                {"id": "roof", "name": name, "point": "gpio/roof", "kind": "perimeter", "camera": "cam-shut"},
                {"id": "cellar", "name": name, "point": "gpio/cellar", "kind": "water"},
            ],
            "cameras": [camera | {"id": "cam-open", "snapshots": True}, camera | {"id": "cam-shut"}],
            "centre": {"broker": "mqtt://127.0.0.1:1883"},
            "storage": {"folder": folder / "state"},
        }
    )


@dataclass
class Picture:
    mono_s: float = 0.0
    jpeg: bytes = JPEG
    faces: int = 1
    persons: int = 2
    whole: bool = False


@dataclass
class Vision:
    """A vision process of words: `answers` is what it does next."""

    answers: list[Picture | Exception | None] = field(default_factory=list)
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def ask(self, camera: DeviceId, mono_s: float, max_bytes: int) -> Picture:
        self.asked.append((camera, max_bytes))
        answer = self.answers.pop(0) if self.answers else Picture()
        if answer is None:
            await asyncio.get_running_loop().create_future()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Picture)
        return replace(answer, mono_s=mono_s + 1.5)


@dataclass
class House:
    pictures: Pictures
    vision: Vision
    journal: Journal
    said: list[Event]

    async def bodies(self, count: int) -> list[dict[str, object]]:
        """Of the media lane, once so many are there."""
        async with asyncio.timeout(WAIT_S):
            while len(found := await everything(self.journal, Lane.MEDIA)) < count:
                await CLOCK.sleep(0.01)
        return [json.loads(entry.body) for entry in found]


@asynccontextmanager
async def house(folder: Path, *answers: Picture | Exception | None) -> AsyncIterator[House]:
    config = settings(folder)
    recorder, vision = Recorder(config, BOOT, CLOCK), Vision(list(answers))
    journal = await Journal.open(config.storage.folder, Limits(), CLOCK, recorder.bodies)
    said: list[Event] = []

    def record(event: Event) -> None:
        said.append(event)
        journal.append_nowait(recorder.event(event))

    pictures = Pictures(config, CLOCK, BOOT, journal, ask=vision.ask, draft=recorder.event, record=record)
    task = asyncio.create_task(pictures.run())
    try:
        yield House(pictures, vision, journal, said)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await journal.close()


def alarm(subject: str, kind: Kind = Kind.PERIMETER, at_s: float | None = None) -> Event:
    return Event(kind, subject, CLOCK.mono_s() if at_s is None else at_s, {"point": "gpio/fence"})


@pytest.mark.parametrize("subject", ["fence", "gate", "cam-open", "cam-open/yard"])
async def test_an_alarm_where_a_camera_opts_in_names_its_picture(tmp_path: Path, subject: str) -> None:
    async with house(tmp_path) as made:
        event = made.pictures.of(alarm(subject))
        assert event.data["point"] == "gpio/fence"
        (body,) = await made.bodies(1)
        data = body["data"]
        assert isinstance(data, dict)
        assert (body["type"], body["subject"]) == ("gatehouse.snapshot.taken", "cam-open")
        assert data["snapshot"] == event.data["snapshot"]
        assert data["after_s"] == 1.5
        assert made.vision.asked == [("cam-open", 64 * 1024)]
        (entry,) = await everything(made.journal, Lane.MEDIA)
        assert await made.pictures.open(entry.body) == (event.data["snapshot"], JPEG)
        assert JPEG not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    "event",
    [
        alarm("roof"),  # its camera does not opt in
        alarm("cellar", Kind.WATER),  # no camera sees it
        alarm("fence", Kind.PERIMETER_RESTORED),
        alarm("gate", Kind.DOOR_OPENED),
        alarm("cam-open", Kind.DEVICE_FAULT),
    ],
    ids=lambda event: f"{event.subject} {event.kind}",
)
async def test_nothing_else_takes_a_picture(tmp_path: Path, event: Event) -> None:
    async with house(tmp_path) as made:
        assert made.pictures.of(event) is event
        assert not made.vision.asked


async def test_alarms_that_follow_each_other_share_a_picture(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        now_s = CLOCK.mono_s()
        names = [made.pictures.of(alarm("fence", at_s=now_s + after)).data["snapshot"] for after in (0, 0.5, SHARED_S)]
        assert names[0] == names[1] != names[2]
        await made.bodies(2)


async def test_a_silent_alarm_has_a_picture_of_its_own_that_is_not_listed(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        silent = made.pictures.of(alarm("gate", Kind.DURESS)).data["snapshot"]
        loud = made.pictures.of(alarm("gate", Kind.DOOR_FORCED)).data["snapshot"]
        assert silent != loud
        bodies = await made.bodies(2)
        assert all("reason" not in str(body["data"]) for body in bodies)
        assert [kept.id for kept in made.pictures.store.kept()] == [loud]


async def test_alarms_pass_by_a_vision_process_that_hangs(tmp_path: Path) -> None:
    """The queue is bounded: later alarms go without a picture, at once."""
    async with house(tmp_path, None) as made:
        now_s = CLOCK.mono_s()
        events = [made.pictures.of(alarm("fence", at_s=now_s + n * SHARED_S)) for n in range(3 * WAITING)]
        assert sum("snapshot" in event.data for event in events) <= WAITING + 1
        assert "snapshot" not in events[-1].data


async def test_no_picture_is_told_once_a_minute_and_is_no_alarm(tmp_path: Path) -> None:
    dead = LinkError("cam-open", "the vision process is not running", hint="it is started again by itself")
    async with house(tmp_path, dead, dead, dead) as made:
        now_s = CLOCK.mono_s()
        names = [made.pictures.of(alarm("fence", at_s=now_s + n * SHARED_S)).data["snapshot"] for n in range(4)]
        await made.bodies(2)  # the fourth comes
        assert [(e.kind, e.info.lane) for e in made.said] == [(Kind.SNAPSHOT_FAILED, Lane.MEDIA)]
        assert made.said[0].data["snapshot"] == names[0]
        assert "not running" in str(made.said[0].data["reason"])


async def test_of_a_silent_alarm_nothing_is_logged_when_its_picture_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(tmp_path, LinkError("cam-open", "the vision process is not running")) as made:
        made.pictures.of(alarm("gate", Kind.DURESS))
        await made.bodies(1)
    assert [e.kind for e in made.said] == [Kind.SNAPSHOT_FAILED]
    assert "picture" not in caplog.text


async def test_whoever_may_ask_gets_a_picture_under_the_name_they_give(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        taken = await made.pictures.take("cam-open", "command-7", "patrol asks")
        assert (taken.snapshot, taken.size) == ("command-7", len(JPEG))
        (body,) = await made.bodies(1)
        assert isinstance(body["data"], dict)
        assert body["data"]["reason"] == "patrol asks"
        assert made.pictures.store.open("command-7") == JPEG


@pytest.mark.parametrize(
    ("camera", "name", "match"),
    [
        ("cam-shut", "a", "opts in"),
        ("nobody", "a", "opts in"),
        ("cam-open", "../../etc", "letters, digits"),
        ("cam-open", "x" * 41, "letters, digits"),
    ],
)
async def test_what_may_not_be_taken_is_refused_with_the_cure(
    tmp_path: Path, camera: str, name: str, match: str
) -> None:
    async with house(tmp_path) as made:
        with pytest.raises(GatehouseError, match=match) as raised:
            await made.pictures.take(camera, name, "patrol asks")
        assert raised.value.hint
        assert not made.vision.asked


async def test_a_picture_whose_time_is_over_does_not_travel_any_more(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        await made.pictures.take("cam-open", "s1", "patrol asks")
        (entry,) = await everything(made.journal, Lane.MEDIA)
        assert await made.pictures.open(entry.body) is not None
        (tmp_path / "state" / "snapshots" / "s1.snap").unlink()
        assert await made.pictures.open(entry.body) is None
        assert await made.pictures.open(b'{"type":"gatehouse.snapshot.failed"}') is None


async def test_a_disk_that_refuses_costs_the_picture_only(tmp_path: Path) -> None:
    async with house(tmp_path) as made:
        (tmp_path / "state" / "snapshots").write_text("a file where the folder should be")
        with pytest.raises(SnapshotError):
            await made.pictures.take("cam-open", "s1", "patrol asks")
        name = made.pictures.of(alarm("fence")).data["snapshot"]
        (body,) = await made.bodies(1)
        assert isinstance(body["data"], dict)
        assert (body["type"], body["data"]["snapshot"]) == ("gatehouse.snapshot.failed", name)
