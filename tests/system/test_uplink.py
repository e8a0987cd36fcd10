"""The way to the centre fails in every way it can: doors work, the reason is said, and nothing is lost."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.events import Kind
from agent.settings import Protocol, Settings
from agent.words import Lang
from simulators.broker import Broker
from simulators.compound import SimCompound
from simulators.network import Line
from tests.conftest import need
from tests.system.conftest import about, compound, everything_confirmed, gatehouse, play, until

CENTRE = "topic read gatehouse/1/up/#\ntopic readwrite gatehouse/1/down/#\n"
NOT_YET = f"{CENTRE}user gateway\ntopic read gatehouse/1/down/#\n"
ALLOWED = f"{NOT_YET}topic write gatehouse/1/up/#\n"


@pytest.fixture
def quick(doors_only: Settings) -> Settings:
    """Locks that close soon."""
    return doors_only.model_copy(
        update={"doors": tuple(door.model_copy(update={"unlock_s": 1.0}) for door in doors_only.doors)}
    )


def link_is(running: SimCompound, phase: str, reason: str = "") -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        link = (await running.snapshot())["link"]
        return link["phase"] == phase and reason in link["reason"]

    return look


async def doors_work(running: SimCompound) -> None:
    """By card, and by the exit button of the other door; the locks close again by themselves."""
    await running.walk_through("north-gate", "resident")
    await running.request_exit("south-gate")
    await running.lock_is("south-gate", unlocked=True)
    await running.lock_is("north-gate", unlocked=False)
    await running.lock_is("south-gate", unlocked=False)


async def all_arrives(running: SimCompound, since: int, within_s: float = 20.0) -> None:
    """What `doors_work` did is at the centre, and all else that the agent holds."""
    for kind, subject in ((Kind.ACCESS_GRANTED, "north-gate"), (Kind.EGRESS, "south-gate")):
        await running.centre.wait_for(about(kind, subject), since=since, timeout_s=within_s)
    await everything_confirmed(running, within_s)


async def test_refused_cut_black_holed_and_killed_links_lose_nothing(quick: Settings, folder: Path) -> None:
    async with compound(quick, folder) as running:
        mark = running.centre.mark()
        await running.network.cut()
        await until(link_is(running, "down", "refuses the connection"))
        for lang, said in ((Lang.EN, "is the broker running"), (Lang.ZH, "消息代理")):
            status = await gatehouse("status", running.file, "--lang", lang)
            assert status.code == 1
            assert said in status.out
        await doors_work(running)
        await running.network.mend()
        await all_arrives(running, mark)

        mark = running.centre.mark()
        await running.network.cut(how=Line.BLACK_HOLE)
        running.set_point("pump-room/water", True)
        await doors_work(running)
        await until(link_is(running, "down", "acknowledged nothing"), 15)
        await running.network.mend()
        await running.centre.wait_for(about(Kind.WATER, "pump-room-water"), since=mark, timeout_s=20)
        await all_arrives(running, mark)

        mark = running.centre.mark()
        await running.broker.kill()
        await doors_work(running)
        await running.broker.start()
        await all_arrives(running, mark)


async def test_broker_that_does_not_let_the_gateway_in_is_named_and_loses_nothing(
    quick: Settings, folder: Path
) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    need(shutil.which("mosquitto_passwd"), "mosquitto_passwd")
    password, users = folder / "password", folder / "users"
    users.write_text("gateway:right\n")
    users.chmod(0o700)
    hashing = await asyncio.create_subprocess_exec("mosquitto_passwd", "-U", users)
    assert await hashing.wait() == 0

    def mistakes(table: dict[str, Any]) -> None:
        password.write_text("wrong")
        table["centre"] |= {"username": "gateway", "password_file": str(password)}

    def broker(place: Path) -> Broker:
        # With max_queued_messages 0, mosquitto 2.0 hangs up on whoever it denies something.
        return Broker.mosquitto(place, acl=NOT_YET, options=[f"password_file {users}", "max_queued_messages 10000"])

    async with compound(quick, folder, broker=broker, mistakes=mistakes) as running:
        mark = running.centre.mark()
        await until(link_is(running, "down", "does not let this gateway in"))
        await doors_work(running)
        password.write_text("right")
        await running.agent.stop()
        await running.agent.start()
        # It is let in, and may not write: MQTT 5 tells, and the agent keeps everything.
        await until(link_is(running, "limited", "the broker refuses"), 15)
        status = await gatehouse("status", running.file, "--lang", "en")
        assert "access list" in status.out
        assert await running.waiting() > 0
        (folder / "acl").write_text(ALLOWED)
        running.broker.reload()
        await all_arrives(running, mark, 45)  # what was refused is tried again ever more slowly


async def test_broker_without_mqtt_5_gets_everything(quick: Settings, folder: Path) -> None:
    need(Broker.has("nats"), "nats-server")
    async with compound(quick, folder, broker=Broker.nats, protocol=Protocol.MQTT311) as running:
        outcome = await play(
            running,
            [
                {"do": "walk-through", "door": "north-gate", "card": "resident",
                 "expect": [{"kind": "access.granted", "subject": "north-gate"}]},
                {"do": "cut-network"},
                {"do": "set", "point": "stairwell-1/smoke", "value": True},
                {"do": "mend-network", "after_s": 0.5,
                 "expect": [{"kind": "smoke", "subject": "stairwell-1-smoke"}]},
            ],
        )  # fmt: skip
        assert outcome.passed, (outcome.missing, outcome.failed)
        assert (await running.snapshot())["link"]["protocol"] == "3.1.1"
