"""What `drivers.base.Device` promises, held against every driver. Cameras run in a process of their own:
`tests/agent/vision` holds them to the same.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.base import DeviceFault, DeviceId, DeviceState, PointId, Quality, Reading, Report, Status, Switch
from tests.contract.rigs import RIGS, WITH_OUTPUTS, Rig
from tests.drivers.reports import WAIT_S, Reports
from tests.gpio_shim.kernel_chip import gpio_shim

__all__ = ["gpio_shim"]

CANCEL_S = 1.0


@pytest.fixture(params=RIGS)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with RIGS[request.param](tmp_path, lambda: request.getfixturevalue("gpio_shim")) as found:
        yield found


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Reports]:
    """The device at work; cancelled at the end, which must be done within a second."""
    reports = Reports()
    task = asyncio.create_task(rig.device.run(reports.emit))
    try:
        yield reports
    finally:
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=CANCEL_S)
        await asyncio.wait([task])
        assert done, "took more than a second to end"
        assert task.cancelled()


async def works(rig: Rig, reports: Reports) -> None:
    """The watched device is ok and what it measures arrives."""
    rig.change()
    reading = await reports.reading(rig.point, device=rig.watched)
    assert reading.quality is Quality.GOOD


async def faulty(rig: Rig, reports: Reports) -> None:
    fault = await reports.status(DeviceState.FAULT, rig.watched)
    assert fault.reason
    assert fault.hint


async def test_it_opens_and_reads(rig: Rig) -> None:
    async with running(rig) as reports:
        await reports.status(DeviceState.OK, rig.watched)
        await works(rig, reports)


async def test_it_survives_garbage(rig: Rig) -> None:
    async with running(rig) as reports:
        await reports.status(DeviceState.OK, rig.watched)
        await rig.garbage(reports)
        await settled(rig, reports)
        await works(rig, reports)


async def settled(rig: Rig, reports: Reports) -> None:
    """Wait until the last word on the watched device is ok."""
    while _state(rig.watched, reports) is not DeviceState.OK:
        await reports.until(lambda _: True)


async def test_silence_is_a_fault_that_heals(rig: Rig) -> None:
    async with running(rig) as reports:
        await reports.status(DeviceState.OK, rig.watched)
        await rig.silence(on=True)
        await faulty(rig, reports)
        await rig.silence(on=False)
        await reports.status(DeviceState.OK, rig.watched)
        await works(rig, reports)


async def test_a_pulled_plug_is_a_fault_of_all_it_serves_and_heals(rig: Rig) -> None:
    async with running(rig) as reports:
        await reports.status(DeviceState.OK, rig.watched)
        await rig.unplug()
        await faulty(rig, reports)
        while {_state(device, reports) for device in rig.device.serves} != {DeviceState.FAULT}:
            await reports.until(lambda _: True)
        await rig.plug()
        await reports.status(DeviceState.OK, rig.watched)
        await works(rig, reports)


async def test_a_device_that_is_not_there_yet_is_waited_for(rig: Rig) -> None:
    await rig.unplug()
    async with running(rig) as reports:
        await faulty(rig, reports)
        await rig.plug()
        await reports.status(DeviceState.OK, rig.watched)
        await works(rig, reports)


async def test_it_ends_within_a_second_whatever_the_state(rig: Rig) -> None:
    async with running(rig) as reports:
        await reports.status(DeviceState.OK, rig.watched)
        await rig.silence(on=True)
    await rig.silence(on=False)
    await rig.unplug()
    async with running(rig) as reports:
        await faulty(rig, reports)
    await rig.plug()
    async with running(rig) as reports:
        await reports.until(lambda report: isinstance(report, Status))


async def test_it_can_be_run_again(rig: Rig) -> None:
    for _ in range(2):
        async with running(rig) as reports:
            await reports.status(DeviceState.OK, rig.watched)
            await works(rig, reports)


async def test_its_reports_are_of_what_it_serves_in_order_and_only_changes(rig: Rig) -> None:
    async with running(rig) as reports:
        await reports.status(DeviceState.OK, rig.watched)
        await works(rig, reports)
        await rig.unplug()
        await faulty(rig, reports)
    assert {report.device for report in reports.all} == rig.device.serves
    for device in rig.device.serves:
        states = [r for r in reports.all if isinstance(r, Status) and r.device == device]
        assert states[0].state is DeviceState.STARTING
        for before, after in itertools.pairwise(states):
            assert (before.state, before.reason) != (after.state, after.reason)
            assert before.mono_s <= after.mono_s
    assert all(_well_formed(report) for report in reports.all)


async def test_what_it_cannot_do_is_refused_with_a_cure(rig: Rig) -> None:
    with pytest.raises(DeviceFault) as refused:
        rig.device.apply(Switch(DeviceId("nobody"), PointId("nothing"), on=True))
    assert refused.value.reason
    assert refused.value.hint


@pytest.mark.parametrize("rig", WITH_OUTPUTS, indirect=True)
async def test_outputs_are_safe_after_the_end(rig: Rig) -> None:
    async with asyncio.timeout(WAIT_S):
        async with running(rig) as reports:
            await reports.status(DeviceState.OK, rig.watched)
            rig.switch(on=True)
            await rig.wait_output(on=True)
        await rig.wait_output(on=False)


@pytest.mark.parametrize("rig", WITH_OUTPUTS, indirect=True)
async def test_outputs_follow_orders(rig: Rig) -> None:
    async with asyncio.timeout(WAIT_S), running(rig) as reports:
        await reports.status(DeviceState.OK, rig.watched)
        for on in (True, False, True):
            rig.switch(on)
            await rig.wait_output(on)


def _state(device: DeviceId, reports: Reports) -> DeviceState | None:
    states = [r.state for r in reports.all if isinstance(r, Status) and r.device == device]
    return states[-1] if states else None


def _well_formed(report: Report) -> bool:
    if isinstance(report, Reading):
        return bool(report.point)
    return report.state is not DeviceState.FAULT or bool(report.reason and report.hint)
