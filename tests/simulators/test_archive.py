"""A centre that keeps its books on disk, alone and with collectors that share the work."""

import argparse
import asyncio
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from agent.events import Kind
from agent.settings import Centre as CentreSettings
from drivers.base import GatehouseError, SystemClock
from simulators import centre_command
from simulators.archive import Archive, Arrived
from simulators.broker import Broker
from simulators.centre import Centre, up_filter
from tests.agent.house import House, house
from tests.conftest import need

CLOCK = SystemClock()
FILE = "centre.db"


@asynccontextmanager
async def centre(folder: Path, broker: Broker, *, collectors: bool = False) -> AsyncIterator[Centre]:
    with Archive(folder / FILE) as archive:
        async with Centre(broker.url, clock=CLOCK, archive=archive, collectors=collectors) as running:
            yield running


def events(folder: Path) -> list[tuple[str, int, str]]:
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return connection.execute("SELECT lane, sequence, subject FROM event ORDER BY lane, sequence").fetchall()


async def collector(folder: Path, broker: Broker, name: str) -> Process:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators.collector",
        "--broker", broker.url, "--database", str(folder / FILE), "--name", name, stdout=PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert await child.stdout.readline()
    return child


async def test_a_centre_that_starts_again_goes_on_where_its_receipts_ended(tmp_path: Path) -> None:
    async with (
        Broker.iotcore(tmp_path / "broker") as broker,
        house(tmp_path / "j", CentreSettings(broker=broker.url)) as gateway,
    ):
        async with centre(tmp_path, broker) as first:
            for number in range(50):
                gateway.report(Kind.SMOKE, f"room-{number}")
                gateway.read(float(number))
            await gateway.confirmed(30)
            before, counter = first.proof(), first.gateways["gh-test01"].counter
        gateway.report(Kind.SMOKE, "while away")
        remembered: list[str] = []
        with Archive(tmp_path / FILE) as archive:
            again = Centre(broker.url, clock=CLOCK, archive=archive)
            again.on_remembered = lambda event: remembered.append(event.subject)
            async with again:
                await gateway.confirmed(30)
                proof = again.proof()
                assert again.gateways["gh-test01"].counter > counter
                assert [event.subject for event in again.received] == ["while away"]
        assert (proof.gaps, proof.broken, proof.conflicts) == (0, 0, 0)
        assert proof.confirmed == before.confirmed + 1
        assert [subject for subject in remembered if subject.startswith("room")] == [f"room-{n}" for n in range(50)]
        assert len(events(tmp_path)) == len(set(events(tmp_path)))


async def test_a_receipt_never_speaks_of_what_a_power_cut_would_take_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes nothing: the gateway hears nothing, and has everything still."""

    def full(_archive: Archive, _arrived: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Archive, "add", full)
    async with (
        Broker.iotcore(tmp_path / "broker") as broker,
        house(tmp_path / "j", CentreSettings(broker=broker.url)) as gateway,
    ):
        with pytest.raises(sqlite3.OperationalError):
            await _answer_until_it_fails(tmp_path, broker, gateway)
        assert gateway.waiting() == 2  # and the epoch's first entry


async def _answer_until_it_fails(folder: Path, broker: Broker, gateway: House) -> None:
    async with centre(folder, broker) as running:
        gateway.report(Kind.SMOKE)
        await running.ended()


async def test_collectors_share_the_events_and_one_that_is_killed_loses_none(tmp_path: Path) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    async with (
        Broker.mosquitto(tmp_path / "broker") as broker,
        house(tmp_path / "j", CentreSettings(broker=broker.url)) as gateway,
    ):
        workers = [await collector(tmp_path, broker, f"collector-{number}") for number in range(3)]
        async with centre(tmp_path, broker, collectors=True) as running:
            for number in range(300):
                if number == 150:
                    workers[0].kill()
                gateway.report(Kind.ACCESS_GRANTED, f"door-{number}")
                await CLOCK.sleep(0)
            await gateway.confirmed(60)
            proof = running.proof()
        for worker in workers:
            if worker.returncode is None:
                worker.terminate()
            await worker.communicate()
    assert (proof.gaps, proof.broken, proof.conflicts) == (0, 0, 0)
    granted = [(sequence, subject) for lane, sequence, subject in events(tmp_path) if lane == "access"]
    assert granted == [(number + 1, f"door-{number}") for number in range(300)]


async def test_a_centre_whose_collector_ends_says_so_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    children: list[Process] = []
    begin = asyncio.create_subprocess_exec

    async def noted(*command: str, **more: Any) -> Process:
        children.append(await begin(*command, **more))
        return children[-1]

    async with Broker.mosquitto(tmp_path / "broker") as broker:
        monkeypatch.setattr("asyncio.create_subprocess_exec", noted)
        parser = argparse.ArgumentParser()
        centre_command.add_arguments(parser)
        options = parser.parse_args(
            ["--broker", broker.url, "--database", str(tmp_path / FILE), "--collectors", "2", "--lines"]
        )
        running = asyncio.create_task(centre_command.run(options, tmp_path))
        async with asyncio.timeout(60):
            while len(children) < 2:
                await CLOCK.sleep(0.05)
            children[0].kill()
            with pytest.raises(GatehouseError, match="collector 1 has ended"):
                await running
    assert None not in [child.returncode for child in children]


def test_messages_are_read_in_order_once_and_those_without_news_are_taken_out(tmp_path: Path) -> None:
    with Archive(tmp_path / FILE) as one, Archive(tmp_path / FILE) as two:
        one.add([Arrived("a", b"1", 1.0), Arrived("a", b"2", 2.0)])
        two.add([Arrived("b", b"3", 3.0)])
        kept = one.unread()
        assert [message.arrived.payload for message in kept] == [b"1", b"2", b"3"]
        one.entered(kept[-1].id, [], [kept[1].id])
        assert not two.unread()
        assert [arrived.payload for arrived in two.read_before()] == [b"1", b"3"]


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("", "gatehouse/1/up/+/+/+/+/+/presence"),
        ("610200/610202", "gatehouse/1/up/610200/610202/+/+/+/presence"),
        (
            "610200/610202/610202001/610202001001/gh-1",
            "gatehouse/1/up/610200/610202/610202001/610202001001/gh-1/presence",
        ),
    ],
)
def test_a_part_of_the_city_is_one_filter(below: str, expected: str) -> None:
    assert up_filter(below, "presence") == expected
