"""Pictures travel one at a time, slowly enough, and before their entries; nothing waits for one that cannot."""

import random
from pathlib import Path

import pytest

from agent.contract import event_body
from agent.events import Event, Kind, Lane
from agent.journal import Draft, Entry, first_digest, next_digest
from agent.settings import Centre as CentreSettings
from agent.settings import Protocol
from agent.uplink import LinkPhase, Session, Trouble, TroubleCode
from agent.uplink.media import MAX_LOSSES, Media
from agent.uplink.session import Acked
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre
from tests.agent.house import AT, BOOT, GATEWAY, House, house
from tests.conftest import need

CLOCK = SystemClock()
KB = 1024


def picture(number: int, size: int = 20 * KB) -> bytes:
    return b"\xff\xd8" + random.Random(number).randbytes(size - 2)


async def keep(made: House, jpeg: bytes) -> None:
    def draft(name: str) -> Draft:
        event = Event(Kind.AGENT_STARTED, "lobby", made.clock.mono_s(), {"sha256": name})
        return Draft(Lane.MEDIA, event.kind, event_body(event, boot=BOOT, at=AT, name=None, grid=None))

    await made.journal.append_picture(jpeg, draft)


async def test_pictures_arrive_whole_and_before_their_entries(tmp_path: Path) -> None:
    jpegs = [picture(number) for number in range(5)]
    early: list[bool] = []
    async with Broker.iotcore(tmp_path / "b") as broker, Centre(broker.url, clock=CLOCK) as centre:
        settings = CentreSettings(broker=broker.url, media_kbit_s=100_000)

        def arrived(at: int) -> bool:
            return centre.gateways[GATEWAY.id].pictures.get(names[at]) == jpegs[at]

        async with house(tmp_path / "j", settings) as made:
            names: list[str] = []
            centre.on_received = lambda got: early.append(got.lane is not Lane.MEDIA or arrived(got.sequence - 1))
            for jpeg in jpegs:
                await keep(made, jpeg)
                (entry,) = await made.journal.peek(Lane.MEDIA, len(names), 1)
                names.append(entry.body.split(b'"sha256":"')[1][:16].decode())
            await made.confirmed(40)
        assert [arrived(at) for at in range(5)] == [True] * 5
        assert all(early)


async def test_an_alarm_overtakes_all_pictures_but_the_one_on_the_line(tmp_path: Path) -> None:
    async with (
        Broker.iotcore(tmp_path / "b") as broker,
        Centre(broker.url, clock=CLOCK) as centre,
        house(tmp_path / "j", CentreSettings(broker=broker.url, media_kbit_s=16)) as made,
    ):
        for number in range(3):
            await keep(made, picture(number, 100 * KB))  # at 16 kbit/s almost a minute each
        await centre.wait_until(lambda: bool(centre.gateways) and bool(centre.gateways[GATEWAY.id].pictures))
        made.report(Kind.SMOKE)
        for _ in range(500):
            made.report(Kind.ACCESS_GRANTED)
        await made.until(lambda: made.journal.lanes[Lane.ACCESS].confirmed == 500, 30)
        assert made.journal.lanes[Lane.ALARM].confirmed == 1
        assert len(centre.gateways[GATEWAY.id].pictures) == 1


@pytest.mark.parametrize("protocol", [Protocol.MQTT5, Protocol.MQTT311])
async def test_a_picture_the_broker_cannot_bear_is_told_and_holds_up_nothing(
    tmp_path: Path, protocol: Protocol
) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    broker = Broker.mosquitto(tmp_path / "b", options=["max_packet_size 30000"])
    async with (
        broker,
        Centre(broker.url, clock=CLOCK) as centre,
        house(tmp_path / "j", CentreSettings(broker=broker.url, protocol=protocol)) as made,
    ):
        await keep(made, picture(1, 60 * KB))
        await keep(made, picture(2))
        made.report(Kind.ACCESS_GRANTED)
        await made.confirmed(60)
        assert [(trouble.code, trouble.lane) for trouble in made.troubles] == [(TroubleCode.REFUSED, Lane.MEDIA)]
        assert list(centre.gateways[GATEWAY.id].pictures.values()) == [picture(2)]
        assert made.uplink.link.phase is LinkPhase.UP


# ---------------------------------------------------------------- one picture, by hand


class Line(Session):
    """Takes whatever is published."""

    def __init__(self) -> None:
        self.maximum_packet = 1 << 20
        self.sent: list[str] = []

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        del payload, retain, expiry_s
        self.sent.append(topic)
        return len(self.sent)


def entry(number: int) -> Entry:
    body = b"%d" % number
    return Entry(Lane.MEDIA, number, Kind.AGENT_STARTED, body, next_digest(first_digest("e", Lane.MEDIA), body))


@pytest.fixture
def told() -> list[Trouble]:
    return []


@pytest.fixture
def media(told: list[Trouble]) -> Media:
    async def opened(body: bytes) -> tuple[str, bytes]:
        return body.decode(), bytes(10_000)

    return Media(80, opened, lambda name: name, told.append)


async def test_no_more_of_the_line_is_taken_than_allowed(media: Media) -> None:
    """80 kbit/s: ten kilobytes a second."""
    line, at = Line(), []
    for number in range(1, 5):
        media.next_is(entry(number))
        await media.fetch()
        for tenth in range(100):
            now = 100.0 + number + tenth / 10 - 1
            if (mid := media.send(line, now)) is not None:
                at.append(now)
                assert media.send(line, now + 99) is None, "one at a time"
                assert not media.may_go(entry(number))
                media.acked(Acked(mid, 0, ""))
                assert media.may_go(entry(number))
                break
    assert at == [100.0, 101.0, 102.0, 103.0]


async def test_a_picture_on_whose_way_the_link_ends_is_sent_again_but_not_for_ever(
    media: Media, told: list[Trouble]
) -> None:
    line, now = Line(), 0.0
    media.next_is(entry(1))
    await media.fetch()
    while not media.may_go(entry(1)):
        now += 10
        assert media.send(line, now) is not None
        media.lost()
    assert len(line.sent) == MAX_LOSSES
    assert len(told) == 1
