"""One set of promises for both ways to a GPIO line: the line server, and the kernel's interface through gpiod."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from drivers.base import (
    Cue,
    DeviceFault,
    DeviceId,
    DeviceState,
    LinkError,
    PointId,
    Reading,
    Signal,
    Status,
    Switch,
    SystemClock,
)
from drivers.gpio import Active, Bias, GpioChip, GpioInput, GpioLines, GpioOutput, put_outputs_safe
from drivers.gpio.guard import Guard
from drivers.gpio.lines import Edge
from simulators.gpio_lines import SimGpioLines
from tests.drivers.reports import WAIT_S, Reports
from tests.gpio_shim.kernel_chip import KernelChild, child_environment, gpio_shim, put_outputs_safe_in_child

__all__ = ["gpio_shim"]

INPUTS = (
    GpioInput(id="contact", line="GPIO17", bias=Bias.PULL_UP, debounce_ms=5),
    GpioInput(id="rex", line=27, active=Active.LOW, bias=Bias.PULL_UP, debounce_ms=5),
    GpioInput(id="raw", line=22, bias=Bias.PULL_DOWN, debounce_ms=0),
)
OUTPUTS = (
    GpioOutput(id="lock", line=5),
    GpioOutput(id="magnet", line=6, active=Active.LOW, safe=True),
    GpioOutput(id="strike", line=7, max_on_s=0.3),
)
NAMES = {f"GPIO{n}": n for n in range(28)}


class Chip:
    """A chip on the wire and a device that serves it."""

    def __init__(self, folder: Path, shim: Path | None) -> None:
        self.reports = Reports()
        self.socket = folder / "lines"
        self.sim = SimGpioLines(self.socket, NAMES)
        self.shim = shim
        self._environment = child_environment(shim, self.socket) if shim else None
        self.address = "simulated" if shim else f"unix:{self.socket}"
        self.device: GpioLines | KernelChild

    def config(self, **changes: object) -> GpioChip:
        given = {"driver": "gpio", "id": "gpio", "chip": self.address, "inputs": INPUTS, "outputs": OUTPUTS}
        return GpioChip.model_validate(given | changes)

    @asynccontextmanager
    async def running(self, **changes: object) -> AsyncIterator[Reports]:
        config = self.config(**changes)
        if self._environment:
            self.device = KernelChild(config, self._environment)
        else:
            self.device = GpioLines(config, SystemClock())
        task = asyncio.create_task(self.device.run(self.reports.emit))
        try:
            yield self.reports
        finally:
            task.cancel()
            await asyncio.wait([task])

    def switch(self, point: str, on: bool, for_s: float | None = None) -> None:
        self.device.apply(Switch(DeviceId("gpio"), PointId(point), on, for_s))

    async def refusal(self, point: str) -> str:
        """Switch an output that cannot be, and return what is said."""
        if isinstance(self.device, KernelChild):
            self.switch(point, on=True)
            async with asyncio.timeout(WAIT_S):
                return await self.device.refusals.get()
        with pytest.raises(DeviceFault) as refused:
            self.switch(point, on=True)
        return refused.value.reason

    async def put_outputs_safe(self) -> None:
        if self._environment:
            await put_outputs_safe_in_child(self.config(), self._environment)
        else:
            await asyncio.to_thread(put_outputs_safe, self.config())


@pytest.fixture(params=["server", "kernel"])
def shim(request: pytest.FixtureRequest) -> Path | None:
    return request.getfixturevalue("gpio_shim") if request.param == "kernel" else None


@pytest.fixture
async def chip(shim: Path | None, tmp_path: Path) -> AsyncIterator[Chip]:
    found = Chip(tmp_path, shim)
    async with found.sim:
        yield found


async def test_states_at_the_request_are_readings(chip: Chip) -> None:
    chip.sim.drive(27, False)
    async with chip.running() as reports:
        await reports.status(DeviceState.OK)
        assert (await reports.reading("contact")).value is True
        assert (await reports.reading("rex")).value is True
        assert (await reports.reading("raw")).value is False


async def test_edges_become_readings_with_the_kernels_time(chip: Chip) -> None:
    async with chip.running() as reports:
        await reports.reading("raw", value=False)
        with _between() as times:
            chip.sim.drive(22, True)
            chip.sim.drive("GPIO17", False)
            raw = await reports.reading("raw", value=True)
            contact = await reports.reading("contact", value=False)
        assert times[0] <= raw.mono_s <= contact.mono_s <= times[1]


async def test_active_low_turns_the_reading_over(chip: Chip) -> None:
    async with chip.running() as reports:
        await reports.reading("rex", value=False)
        chip.sim.drive(27, False)
        await reports.reading("rex", value=True)


async def test_bounces_within_the_period_are_one_change(chip: Chip) -> None:
    async with chip.running() as reports:
        await reports.reading("raw")
        for level in (False, True, False, True, False):
            chip.sim.drive("GPIO17", level)
        await reports.reading("contact", value=False)
        assert reports.values("contact") == [True, False]


async def test_lost_edges_are_made_good_by_reading_the_lines(chip: Chip) -> None:
    async with chip.running() as reports:
        await reports.reading("raw", value=False)
        chip.sim.lose_edges(1)
        chip.sim.drive(27, False)
        await chip.sim.wait_lost()
        chip.sim.drive(22, True)
        await reports.reading("rex", value=True)


async def test_outputs_begin_safe_act_and_end_safe(chip: Chip) -> None:
    async with chip.running() as reports:
        await reports.status(DeviceState.OK)
        assert (chip.sim.level(5), chip.sim.level(6)) == (False, False)
        chip.switch("lock", on=True)
        chip.switch("magnet", on=False)
        await _level(chip, 5, True)
        await _level(chip, 6, True)
    await _level(chip, 5, False)
    await _level(chip, 6, False)


async def test_an_output_for_a_time_turns_back(chip: Chip) -> None:
    async with chip.running() as reports:
        await reports.status(DeviceState.OK)
        chip.switch("lock", on=True, for_s=0.1)
        await _level(chip, 5, True)
        await _level(chip, 5, False)


async def test_a_new_order_replaces_the_running_time(chip: Chip) -> None:
    async with chip.running() as reports:
        await reports.status(DeviceState.OK)
        chip.switch("lock", on=True, for_s=0.05)
        chip.switch("lock", on=True)
        chip.switch("magnet", on=False, for_s=0.1)
        await _level(chip, 6, True)
        await _level(chip, 6, False)
        assert chip.sim.level(5) is True


async def test_an_output_is_off_at_the_latest_after_its_maximum(chip: Chip) -> None:
    async with chip.running() as reports:
        await reports.status(DeviceState.OK)
        for for_s in (None, 30.0):
            chip.switch("strike", on=True, for_s=for_s)
            await _level(chip, 7, True)
            with _between() as times:
                await _level(chip, 7, False)
            assert times[1] - times[0] < 1.0


async def test_each_order_begins_the_maximum_anew(chip: Chip) -> None:
    clock = SystemClock()
    async with chip.running() as reports:
        await reports.status(DeviceState.OK)
        begun = clock.mono_s()
        while clock.mono_s() < begun + 0.9:
            chip.switch("strike", on=True, for_s=30.0)
            await clock.sleep(0.05)
        assert chip.sim.level(7) is True
        await _level(chip, 7, False)


async def test_a_hung_loop_does_not_keep_an_output_on(chip: Chip) -> None:
    device = KernelChild(chip.config(), child_environment(chip.shim, chip.socket))
    task = asyncio.create_task(device.run(chip.reports.emit))
    await chip.reports.status(DeviceState.OK)
    with _between() as times:
        for point, on, for_s in (("lock", True, 0.2), ("magnet", False, 0.2), ("strike", True, None)):
            device.apply(Switch(device.id, PointId(point), on, for_s))
        await _level(chip, 5, True)
        await _level(chip, 7, True)
        device.hang(3.0)
        for line in (5, 6, 7):
            await _level(chip, line, False)
    assert times[1] - times[0] < 2.0
    assert not device.hung.is_set()
    async with asyncio.timeout(WAIT_S):
        await device.hung.wait()
    task.cancel()
    await asyncio.wait([task])


class StubbornLines:
    """Takes the first order and refuses the next; keeps what it took."""

    def __init__(self) -> None:
        self.states: Mapping[str, bool] = {}
        self.taken: list[bool] = []
        self.off = threading.Event()
        self._refusals = [False, True, False]

    def fileno(self) -> int:
        raise AssertionError("a guard only sets")

    def read(self) -> list[Edge]:
        raise AssertionError("a guard only sets")

    def set(self, output: str, on: bool) -> None:
        if self._refusals.pop(0):
            raise LinkError("gpio", f"{output}: input/output error")
        self.taken.append(on)
        if not on:
            self.off.set()

    def close(self) -> None:
        raise AssertionError("a guard only sets")


def test_an_output_that_cannot_be_turned_back_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.gpio.guard._AGAIN_S", 0.01)
    lines = StubbornLines()
    guard = Guard(DeviceId("gpio"), lines, [GpioOutput(id="lock", line=5)], SystemClock())
    guard.switch("lock", on=True, for_s=0.01)
    assert lines.off.wait(WAIT_S)
    guard.close()
    assert lines.taken == [True, False]


async def test_an_order_for_another_device_is_refused(tmp_path: Path) -> None:
    device = GpioLines(Chip(tmp_path, None).config(), SystemClock())
    with pytest.raises(DeviceFault, match="no such output"):
        device.apply(Switch(DeviceId("other"), PointId("lock"), on=True))


async def test_an_unknown_output_is_refused(chip: Chip) -> None:
    async with chip.running() as reports:
        await reports.status(DeviceState.OK)
        assert "no such output" in await chip.refusal("siren")


async def test_a_line_in_use_is_a_fault_that_names_the_holder(chip: Chip) -> None:
    chip.sim.hold(5, "fancontrol")
    async with chip.running() as reports:
        fault = await reports.status(DeviceState.FAULT)
        assert "line 5 by fancontrol" in fault.reason
        assert "gpioinfo" in fault.hint
        assert "fancontrol" in await chip.refusal("lock")
        chip.sim.let_go(5)
        await reports.status(DeviceState.OK)


async def test_an_unplugged_chip_is_a_fault_and_comes_back_safe(chip: Chip) -> None:
    async with chip.running() as reports:
        await reports.status(DeviceState.OK)
        chip.switch("lock", on=True)
        await _level(chip, 5, True)
        await chip.sim.unplug()
        fault = await reports.status(DeviceState.FAULT)
        assert fault.reason
        assert fault.hint
        chip.sim.drive("GPIO17", False)
        await chip.sim.plug()
        await reports.status(DeviceState.OK)
        await reports.reading("contact", value=False)
        assert chip.sim.level(5) is False


async def test_a_missing_chip_is_waited_for(chip: Chip) -> None:
    await chip.sim.unplug()
    async with chip.running() as reports:
        fault = await reports.status(DeviceState.FAULT)
        assert "no GPIO chip" in fault.reason
        await chip.sim.plug()
        await reports.status(DeviceState.OK)


@pytest.mark.parametrize("line", ["GPIO99", 64])
async def test_a_missing_line_is_a_fault_that_names_it(chip: Chip, line: int | str) -> None:
    async with chip.running(inputs=(GpioInput(id="door", line=line),)) as reports:
        fault = await reports.status(DeviceState.FAULT)
        assert f"no line {line}" in fault.reason
        assert fault.hint


async def test_a_chip_is_found_by_the_name_of_a_line(chip: Chip) -> None:
    address = chip.address if chip.address.startswith("unix:") else "GPIO3"
    async with chip.running(chip=address) as reports:
        await reports.status(DeviceState.OK)


async def test_outputs_are_put_safe_without_an_agent(chip: Chip) -> None:
    chip.sim.drive(6, True)
    await chip.put_outputs_safe()
    assert (chip.sim.level(5), chip.sim.level(6)) == (False, False)


async def test_every_status_is_a_change(chip: Chip) -> None:
    await chip.sim.unplug()
    async with chip.running() as reports:
        await reports.status(DeviceState.FAULT)
        await chip.sim.plug()
        await reports.status(DeviceState.OK)
    states = [report.state for report in reports.all if isinstance(report, Status)]
    assert states == [DeviceState.STARTING, DeviceState.FAULT, DeviceState.OK]


async def test_a_cue_is_no_gpio_matter(tmp_path: Path) -> None:
    device = GpioLines(Chip(tmp_path, None).config(), SystemClock())
    with pytest.raises(DeviceFault, match="no such output"):
        device.apply(Signal(DeviceId("gpio"), Cue.GRANTED))


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((), "does not answer"),
        ((b"hello",), "is no line server"),
        ((b"ok\n17\t1",), "is no line server"),
        ((b"ok\nx\ty",), "is no line server"),
        ((b"ok\n17\t1\n27\t0\n22\t0\n5\t0\n6\t0\n7\t0", b"edge\t17\tperhaps"), "is no line server"),
        ((b"ok\n17\t1\n27\t0\n22\t0\n5\t0\n6\t0\n7\t0", b"edge\t99\t1\t1\t1\t1"), "is no line server"),
        ((b"\xff\xfe",), "is no line server"),
        ((b"",), "is gone"),
    ],
)
async def test_a_server_of_another_kind_is_a_fault(tmp_path: Path, answers: tuple[bytes, ...], reason: str) -> None:
    reports = Reports()
    path = tmp_path / "other"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.setblocking(False)
        device = GpioLines(Chip(tmp_path, None).config(chip=f"unix:{path}"), SystemClock())
        task = asyncio.create_task(device.run(reports.emit))
        link, _ = await asyncio.get_running_loop().sock_accept(listener)
        with link:
            for answer in answers:
                if answer:
                    link.send(answer)
                else:
                    link.close()
            fault = await reports.status(DeviceState.FAULT)
        task.cancel()
        await asyncio.wait([task])
    assert reason in fault.reason
    assert fault.hint


def test_readings_are_of_the_configured_device(tmp_path: Path) -> None:
    device = GpioLines(Chip(tmp_path, None).config(), SystemClock())
    assert device.serves == {device.id} == {"gpio"}
    assert Reading(device.id, PointId("contact"), value=True, mono_s=0.0).ref == "gpio/contact"


async def _level(chip: Chip, line: int, level: bool) -> None:
    async with asyncio.timeout(WAIT_S):
        await chip.sim.wait_level(line, level)


@contextmanager
def _between() -> Iterator[list[float]]:
    times = [SystemClock().mono_s()]
    yield times
    times.append(SystemClock().mono_s())
