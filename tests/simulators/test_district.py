"""The view of a district: what is open, what is alive, and what is drawn of it."""

import asyncio
import io
import random
from dataclasses import replace

import pytest
from rich.console import Console

from agent.contract import DeviceMessage, Online, Presence
from agent.contract.commands import Handled
from agent.events import Kind, Lane
from agent.words import Lang
from drivers.base import DeviceState
from simulators.centre import Centre, GatewayBook, Received
from simulators.centre_command import _acknowledge
from simulators.district import District, picture
from simulators.office import Office
from tests.clock import ManualClock

FORCED = Received(
    "gh-1", "e", Lane.ALARM, 1, Kind.DOOR_FORCED, "north-gate", {"name": {"zh": "北门", "en": "North gate"}}, 1.0, 1.0
)
CLOSED = replace(FORCED, kind=Kind.DOOR_FORCED_RESTORED, sequence=2, arrived_s=2.0)


def book(name: str, *, online: bool, **devices: DeviceState) -> GatewayBook:
    state = Online.ONLINE if online else Online.OFFLINE
    made = GatewayBook(
        f"610200/610202/610202001/610202001001/{name}", presence=Presence(gateway=name, state=state, boot="b")
    )
    for device, health in devices.items():
        made.devices[device] = DeviceMessage(device=device, state=health, boot="b", uptime="1.0")
    return made


def test_an_alarm_is_open_until_it_is_restored_in_whatever_order_they_come() -> None:
    again = replace(FORCED, sequence=3, arrived_s=3.0)
    for seed in range(20):
        came, district = [FORCED, CLOSED, again], District()
        random.Random(seed).shuffle(came)
        for event in came:
            district.received(event)
        assert district.open({}) == [again]
    district.received(replace(CLOSED, sequence=4))
    assert district.open({}) == []


def test_a_new_epoch_counts_anew() -> None:
    district = District()
    district.received(replace(FORCED, sequence=9))
    district.received(replace(CLOSED, epoch="f", sequence=1))
    assert district.open({}) == []


def test_an_alarm_that_nothing_restores_is_open_until_somebody_has_resolved_it() -> None:
    duress, gateway, district = replace(FORCED, kind=Kind.DURESS), book("gh-1", online=True), District()
    district.received(duress)
    gateway.handled[duress.identity] = Handled.DISPATCHED
    assert district.open({"gh-1": gateway}) == [duress]
    gateway.handled[duress.identity] = Handled.RESOLVED
    assert district.open({"gh-1": gateway}) == []


def test_a_reminder_is_no_alarm_of_its_own() -> None:
    gateway, district = book("gh-1", online=True), District()
    reminder = replace(FORCED, kind=Kind.UNACKNOWLEDGED, sequence=2, data={"event": FORCED.identity})
    for event in (FORCED, reminder):
        district.received(event)
    assert district.open({"gh-1": gateway}) == [FORCED]
    gateway.handled[reminder.alarm] = Handled.RESOLVED
    assert district.open({"gh-1": gateway}) == []


async def test_an_alarm_of_a_gateway_whose_status_has_not_come_yet_does_not_end_the_centre() -> None:
    clock = ManualClock()
    centre = Centre("mqtt://127.0.0.1:1", clock=clock, desk=Office())
    centre._tell(FORCED)
    centre._registry.gateways["gh-1"] = book("gh-1", online=True)
    acknowledging = asyncio.create_task(_acknowledge(centre, clock))
    await clock.advance(5.0)
    assert not acknowledging.done()
    acknowledging.cancel()


def test_coverage_is_a_share_of_devices_and_availability_one_of_time() -> None:
    ok, fault = DeviceState.OK, DeviceState.FAULT
    district = District()
    well, away = book("gh-1", online=True, a=ok, b=ok), book("gh-2", online=False, c=ok, d=fault)
    assert district.look({"gh-1": well, "gh-2": away}, 0.0).coverage == 0.5
    well.devices["b"] = DeviceMessage(device="b", state=fault, boot="b", uptime="1.0")
    district.look({"gh-1": well, "gh-2": away}, 10.0)
    figures = district.look({"gh-1": well, "gh-2": away}, 20.0)
    assert (figures.compounds, figures.online, figures.devices, figures.alive) == (2, 1, 4, 1)
    assert figures.availability == pytest.approx(30 / 80)


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        (Lang.ZH, "在线小区 1/2 未恢复报警 1 故障设备 2/3 全域覆盖 33.3% 北门 门被强行打开 已派单 离线"),
        (
            Lang.EN,
            "compounds online 1/2 alarms open 1 devices faulty 2/3 North gate Door forced dispatched offline",
        ),
    ],
)
def test_the_picture_says_all_of_it_in_one_language(lang: Lang, expected: str) -> None:
    centre, district = Centre("mqtt://127.0.0.1:1", clock=ManualClock()), District()
    gateways = centre.gateways
    assert isinstance(gateways, dict)
    gateways |= {
        "gh-1": book("gh-1", online=True, a=DeviceState.OK, b=DeviceState.FAULT),
        "gh-2": book("gh-2", online=False, c=DeviceState.OK),
    }
    gateways["gh-1"].handled[FORCED.identity] = Handled.DISPATCHED
    district.received(FORCED)
    console = Console(file=io.StringIO(), width=120)
    console.print(picture(centre, district, 1.0, lang))
    assert isinstance(console.file, io.StringIO)
    drawn = console.file.getvalue().split()
    assert [word for word in expected.split() if word not in drawn] == []
