"""The health of a whole agent: told to the centre when it changes, and read by Prometheus on the local port."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.contract import StatusMessage, Suffix, Topics
from agent.contract.health import HealthMessage
from agent.events import CATALOGUE, Event, JsonValue, Kind
from agent.health import HealthWatch
from agent.health.conditions import HOLD_S
from agent.health.machine import Machine
from agent.health.watch import LOOK_S
from agent.published.kinds import says
from agent.settings import Centre, Protocol, Settings
from agent.uplink import Session, Target
from agent.uplink.session import Message
from drivers.base import SystemClock
from simulators.broker import Broker, free_ports
from tests.agent import whole
from tests.agent.health.test_metrics import ask, figures
from tests.agent.house import GATEWAY
from tests.clock import ManualClock
from tests.conftest import need

SETTINGS = Settings.model_validate({"gateway": GATEWAY.model_dump(), "centre": {"broker": "mqtt://127.0.0.1"}})
NAMED = GATEWAY.model_dump() | {"areas": {"city": "铜川市", "county": "王益区"}}
AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
SNAPSHOT: dict[str, JsonValue] = {
    "time_trusted": True,
    "link": {"phase": "up", "protocol": "5"},
    "journal": {"state": "ok", "refused": 0, "pending": 0},
    "lanes": {"alarm": {"waiting": 2}},
    "queue": {"waiting": 0, "dropped": 0},
    "devices": {"modbus-1": {"state": "ok", "reason": "", "for_s": 5.0}},
    "readings": {"modbus-1/level": {"age_s": 3.0}, "modbus-1/flow": {"age_s": 1.5}},
    "vision": {"stats": None},
    "rules_failed": [],
}


class Watched:
    """A watch whose looks are made one by one; its board is a folder."""

    def __init__(self, folder: Path) -> None:
        self.snapshot = dict(SNAPSHOT)
        self.told: list[HealthMessage] = []
        self.events: list[Event] = []
        self.clock = ManualClock(utc=AT)
        self.heat = folder / "sys/class/thermal/thermal_zone0/temp"
        self.heat.parent.mkdir(parents=True)
        self.heat.write_text("50000")
        self._looked = asyncio.Event()
        self._watch = HealthWatch(
            SETTINGS,
            "boot",
            self.clock,
            machine=Machine(folder, sys=folder / "sys", proc=folder / "proc"),
            snapshot=self._look,
            publish=lambda _, payload: self.told.append(HealthMessage.model_validate_json(payload)),
            record=self.events.append,
        )

    async def looks(self, count: int) -> None:
        task = asyncio.create_task(self._watch.run())
        for number in range(count):
            await self._looked.wait()
            self._looked.clear()
            await self.clock.settle()
            if number < count - 1:
                await self.clock.advance(LOOK_S)
        task.cancel()
        await asyncio.wait([task])
        await self.clock.advance(LOOK_S)

    def _look(self) -> dict[str, JsonValue]:
        self._looked.set()
        return self.snapshot


async def test_it_is_told_at_once_when_a_state_changes_and_else_every_few_minutes(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    await watched.looks(29)
    assert len(watched.told) == 1
    (first,) = watched.told
    assert first.devices["modbus-1"].seen_s == 1.5
    watched.snapshot["devices"] = {"modbus-1": {"state": "fault", "reason": "no answer", "for_s": 0.0}}
    await watched.looks(1)
    assert watched.told[-1].devices["modbus-1"].reason == "no answer"
    await watched.looks(31)
    assert len(watched.told) == 3


async def test_heat_is_an_event_and_a_condition_of_the_message(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.heat.write_text("91000")
    await watched.looks(int(HOLD_S / LOOK_S) + 1)
    assert [event.kind for event in watched.events] == [Kind.GATEWAY_HOT]
    assert watched.told[-1].conditions == (Kind.GATEWAY_HOT,)
    assert watched.told[-1].board.temperature_c == 91.0


async def test_a_bug_here_costs_a_look_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(tmp_path)
    watched.snapshot["link"] = "no link"
    await watched.looks(1)
    assert "health: bug" in caplog.text
    watched.snapshot["link"] = SNAPSHOT["link"]
    await watched.looks(1)
    assert len(watched.told) == 1


async def seen(broker: Broker, wanted: set[str]) -> dict[str, bytes]:
    """What a county's centre gets with its one filter, until all that is wanted has come."""
    found, wake = dict[str, bytes](), asyncio.Event()
    session = Session(Target.of(Centre(broker=broker.url)), Protocol.MQTT311, "county", 30, wake)
    await session.open(SystemClock())
    session.subscribe(["gatehouse/1/up/610200/610202/#"])
    session.flush()
    async with asyncio.timeout(60):
        while not wanted <= found.keys():
            await wake.wait()
            wake.clear()
            found |= {said.topic: said.payload for said in session.take() if isinstance(said, Message)}
    session.close()
    return found


async def test_the_centre_finds_health_and_the_names_of_the_four_levels_retained(tmp_path: Path) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    broker, topics = Broker.mosquitto(tmp_path / "broker"), Topics.of(GATEWAY)
    async with broker, whole.agent(tmp_path, broker, SystemClock(), gateway=NAMED):
        wanted = {topics.up(Suffix.HEALTH), topics.status}
        await seen(broker, wanted)
        found = await seen(broker, wanted)  # by whoever comes later, so they are retained
    health = HealthMessage.model_validate_json(found[topics.up(Suffix.HEALTH)])
    assert (health.gateway, health.journal.state) == (GATEWAY.id, "ok")
    assert health.board.memory_total_kib is not None
    areas = StatusMessage.model_validate_json(found[topics.status]).areas
    assert [(area.code, area.name) for area in areas.values()] == [
        ("610200", "铜川市"), ("610202", "王益区"), ("610202001", None), ("610202001001", None),
    ]  # fmt: skip


async def test_the_local_port_tells_how_the_agent_is_and_nothing_of_duress(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    broker = Broker.iotcore(tmp_path / "broker")
    health = {"metrics": f"127.0.0.1:{port}"}
    async with broker, whole.agent(tmp_path, broker, SystemClock(), health=health) as made:

        async def scrape() -> dict[str, float]:
            async with asyncio.timeout(30):
                while True:
                    with suppress(ConnectionRefusedError):  # not there yet
                        status, said = await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")
                        if "200" in status:
                            return {name: value for name, value in figures(said).items() if "journal" in name}
                    await SystemClock().sleep(0.05)

        async def after(*kinds: Kind) -> dict[str, float]:
            """The ledger apart, in which the agent itself may write meanwhile."""
            for kind in kinds:
                data = {fact.name: fact.example for fact in says(kind)}
                await made._record_durably(Event(kind, "north-gate", SystemClock().mono_s(), data))
            await made._health._look()
            return {name: value for name, value in (await scrape()).items() if "ledger" not in name}

        await scrape()
        before = await after(Kind.DOOR_OPENED)
        assert await after(*(kind for kind, info in CATALOGUE.items() if info.silent)) == before
        assert await after(Kind.DOOR_CLOSED) != before
        assert before["gatehouse_journal_ok[]"] == 1
