"""A journal that was restored from an older copy, and one of which there are two: nothing passes for a repetition."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from agent.events import Kind, Lane
from agent.journal import Journal, Limits, Origin
from agent.settings import Centre as CentreSettings
from agent.settings import Protocol
from agent.uplink import Session, Target, TroubleCode
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre, Received
from tests.agent.house import TOPICS, House, house
from tests.conftest import need
from tests.journal import prove_whole

CLOCK = SystemClock()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Broker:
    need(Broker.has("mosquitto"), "mosquitto")
    return Broker.mosquitto(tmp_path / "broker")


def to(broker: Broker) -> CentreSettings:
    return CentreSettings(broker=broker.url)


def live(made: House, numbers: Iterable[int]) -> None:
    """Something in every lane that events have; each event bears its number."""
    for number in numbers:
        made.report(Kind.SMOKE, "stairwell-1-smoke", number=number)
        made.report(Kind.ACCESS_GRANTED, "north-gate", number=number)
        made.report(Kind.DEVICE_FAULT, "modbus-1", number=number)
        made.report(Kind.AGENT_STARTED, "gateway", number=number)
        made.read(float(number))


async def run(folder: Path, broker: Broker, numbers: Iterable[int]) -> None:
    async with house(folder, to(broker)) as made:
        live(made, numbers)
        await made.confirmed(20)


def copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def arrived(received: Iterable[Received], epoch: str) -> Counter[tuple[Lane, int]]:
    """How often each event arrived under that epoch."""
    return Counter(
        (one.lane, int(one.data["number"])) for one in received if one.epoch == epoch and "number" in one.data
    )


async def forget_retained(broker: Broker) -> None:
    """The broker loses the retained receipt."""
    session = Session(Target.of(to(broker)), Protocol.MQTT5, "clerk", 30, asyncio.Event())
    await session.open(CLOCK)
    session.publish(TOPICS.receipt, b"", retain=True)
    session.flush()
    session.close()


@pytest.mark.parametrize("retained", [True, False], ids=["receipt-retained", "receipt-lost"])
@pytest.mark.parametrize("behind", [30, 3], ids=["beyond-our-last", "another-digest"])
async def test_every_event_after_a_restore_arrives_once_under_a_new_epoch(
    mosquitto: Broker, tmp_path: Path, retained: bool, behind: int
) -> None:
    journal, backup = tmp_path / "journal", tmp_path / "backup"
    async with mosquitto, Centre(mosquitto.url, clock=CLOCK) as centre:
        await run(journal, mosquitto, range(10))
        copy(journal, backup)
        await run(journal, mosquitto, range(100, 100 + behind))
        copy(backup, journal)
        if not retained:
            await forget_retained(mosquitto)
        async with house(journal, to(mosquitto), running=False) as made:
            old = made.journal.epoch
            live(made, range(200, 210))  # before it has a link
            await made.until(lambda: made.journal.pending == 0)
        async with house(journal, to(mosquitto)) as made:
            live(made, range(210, 220))
            await made.confirmed(20)
            assert (made.journal.birth.origin, made.journal.birth.previous) == (Origin.RENEWED, old)
            assert [trouble.code for trouble in made.troubles] == [TroubleCode.RECEIPT_MISMATCH]
            new = made.journal.epoch
            await run_on(made)
        wanted = {(lane, n) for n in range(200, 225) for lane in (Lane.ALARM, Lane.ACCESS, Lane.FAULT, Lane.LEDGER)}
        assert arrived(centre.received, new) == Counter(wanted), "each exactly once"
        readings = sum(one.readings for one in centre.received if one.epoch == new)
        assert readings == 25
        before = arrived(centre.received, old)
        assert {(Lane.ALARM, 100 + behind - 1), (Lane.LEDGER, 100)} <= set(before), "and nothing of before is touched"
        assert set(before.values()) == {1}
        proof = centre.proof()
        assert (proof.gaps, proof.broken) == (0, 0)
        (began,) = [one for one in centre.received if one.epoch == new and one.kind is Kind.EPOCH_STARTED]
        assert began.sequence == 1
        assert began.data["previous"] == old
        tail = began.data["tails"]["alarm"]
        assert (tail["last"], tail["confirmed"], tail["centre"]) == (30, 10, 10 + behind)


async def run_on(made: House) -> None:
    live(made, range(220, 225))
    await made.confirmed()


async def test_two_gateways_of_one_id_lose_nothing(mosquitto: Broker, tmp_path: Path) -> None:
    """They throw each other out of the broker; each goes on with an epoch of its own."""
    first, second = tmp_path / "journal", tmp_path / "clone"
    async with mosquitto, Centre(mosquitto.url, clock=CLOCK) as centre:
        await run(first, mosquitto, range(10))
        copy(first, second)
        made: list[House] = []
        async with AsyncExitStack() as stack:
            for folder, start in ((first, 100), (second, 200)):
                made.append(await stack.enter_async_context(house(folder, to(mosquitto))))
                live(made[-1], range(start, start + 10))
            await asyncio.gather(*(one.confirmed(60) for one in made))
            for one, start in zip(made, (110, 210), strict=True):
                live(one, range(start, start + 10))
            await asyncio.gather(*(one.confirmed(60) for one in made))
            epochs = [one.journal.epoch for one in made]
        assert epochs[0] != epochs[1]
        wanted = {(lane, n) for n in (*range(100, 120), *range(200, 220)) for lane in (Lane.ALARM, Lane.ACCESS)}
        seen = {epoch: arrived(centre.received, epoch) for epoch in {one.epoch for one in centre.received}}
        for lane, number in wanted:
            times = [epoch for epoch, events in seen.items() if events[lane, number]]
            assert times, f"{lane} {number} never arrived"
        assert all(set(events.values()) <= {1} for events in seen.values())
        assert centre.proof().broken == 0
    for folder in (first, second):
        journal = await Journal.open(folder, Limits(), CLOCK)
        await prove_whole(journal)
        await journal.close()
