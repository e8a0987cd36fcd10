"""The control panel against libosdp's readers over a pty, and its schedule on a line of our own."""

import asyncio
import itertools
import math
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from drivers.base import (
    Card,
    Cue,
    DeviceFault,
    DeviceId,
    DeviceState,
    Keys,
    LinkError,
    PointId,
    Reading,
    Report,
    Signal,
    Status,
    Switch,
    SystemClock,
)
from drivers.line import Enough, Line
from drivers.osdp.config import Baud, OsdpBus, OsdpReader, SecureChannel
from drivers.osdp.cp import OsdpControlPanel
from drivers.osdp.frames import Deframer, Frame, encode
from drivers.osdp.messages import Capability, Cmd, Reply
from drivers.osdp.outage import TIMEOUT_S, light_s
from drivers.osdp.secure import SCBK_D
from simulators.osdp_reader import SimOsdpBus
from simulators.wire import Wire
from tests.clock import ManualClock

CLOCK = SystemClock()
NORTH, SOUTH, BUS = DeviceId("north"), DeviceId("south"), DeviceId("osdp-1")
CARD = Card(26, 0x12345)

Told = TypeVar("Told", bound=Report)


class House:
    """A simulated bus, the panel on it, and everything the panel has reported."""

    def __init__(self, folder: Path, readers: dict[str, tuple[int, bytes | None]]) -> None:
        self.wire = Wire(folder / "tty")
        self.sim = SimOsdpBus(self.wire, readers, baud=115200)
        self.reports: list[Report] = []
        self.config = OsdpBus(
            driver="osdp",
            id=BUS,
            port=str(self.wire.path),
            baud=115200,
            poll_interval_s=0.01,
            readers=tuple(
                OsdpReader(id=name, address=address, key_file=self.key_file(folder, name, key or SCBK_D))
                for name, (address, key) in readers.items()
            ),
        )
        self._news = asyncio.Event()

    @staticmethod
    def key_file(folder: Path, name: str, key: bytes) -> Path:
        path = folder / f"{name}.key"
        path.touch(mode=0o600)
        path.write_text(key.hex())
        return path

    def emit(self, report: Report) -> None:
        self.reports.append(report)
        self._news.set()

    async def until(self, wanted: Callable[[Report], bool], *, after: int = 0) -> int:
        """Wait for a report from number `after` on; returns the number of the next one."""
        async with CLOCK.timeout(15):
            while True:
                for number, report in enumerate(self.reports[after:], after):
                    if wanted(report):
                        return number + 1
                self._news.clear()
                await self._news.wait()

    async def state(self, device: DeviceId, state: DeviceState, *, after: int = 0) -> int:
        return await self.until(lambda r: isinstance(r, Status) and (r.device, r.state) == (device, state), after=after)

    async def online(self, *devices: DeviceId, after: int = 0) -> int:
        return max([await self.state(device, DeviceState.OK, after=after) for device in devices])

    async def known(self, device: DeviceId) -> None:
        """Wait until a reader has answered every question of the panel."""
        await self.until(lambda r: isinstance(r, Reading) and (r.device, r.point) == (device, "input-0"))

    def told(self, device: DeviceId, point: str) -> list[object]:
        return [r.value for r in self.reports if isinstance(r, Reading) and (r.device, r.point) == (device, point)]

    async def card(self, device: DeviceId, count: int = 1) -> None:
        await self.until(lambda _: len(self.told(device, "card")) >= count)

    def last(self, device: DeviceId) -> Status:
        return [r for r in self.reports if isinstance(r, Status) and r.device == device][-1]


@asynccontextmanager
async def house(
    folder: Path,
    change: Callable[[House], OsdpBus] = lambda made: made.config,
    readers: dict[str, tuple[int, bytes | None]] | None = None,
) -> AsyncIterator[tuple[House, OsdpControlPanel]]:
    """The simulated bus with a running panel, whose cancellation must be over within a second."""
    made = House(folder, readers or {NORTH: (0, secrets.token_bytes(16)), SOUTH: (1, secrets.token_bytes(16))})
    async with made.sim:
        panel = OsdpControlPanel(change(made), CLOCK)
        task = asyncio.create_task(panel.run(made.emit), name="device:osdp-1")
        try:
            yield made, panel
        finally:
            begun = CLOCK.mono_s()
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert CLOCK.mono_s() - begun < 1


def with_reader(config: OsdpBus, **changes: object) -> OsdpBus:
    first = OsdpReader.model_validate(config.readers[0].model_dump() | changes)
    return config.model_copy(update={"readers": (first, *config.readers[1:])})


async def test_two_readers_come_online_and_each_card_is_read_once(tmp_path: Path) -> None:
    async with house(tmp_path) as (made, panel):
        assert panel.serves == {BUS, NORTH, SOUTH}
        await made.online(BUS, NORTH, SOUTH)
        states = [r.state for r in made.reports if isinstance(r, Status) and r.device == NORTH]
        assert states == [DeviceState.STARTING, DeviceState.OK]
        for number in range(5):
            made.sim.present_card(NORTH, Card(34, number))
            made.sim.present_card(SOUTH, Card(26, 100 + number))
            await made.card(NORTH, number + 1)
            await made.card(SOUTH, number + 1)
        assert made.told(NORTH, "card") == [Card(34, number) for number in range(5)]
        assert made.told(SOUTH, "card") == [Card(26, 100 + number) for number in range(5)]


async def test_keys_and_tamper(tmp_path: Path) -> None:
    async with house(tmp_path) as (made, _):
        await made.known(NORTH)
        made.sim.press(NORTH, "12*#")
        made.sim.tamper(NORTH, on=True)
        await made.until(lambda _: True in made.told(NORTH, "tamper"))
        assert made.told(NORTH, "keys") == [Keys("12*#")]
        assert made.told(NORTH, "power") == [False]
        made.sim.tamper(NORTH, on=False)
        await made.until(lambda _: made.told(NORTH, "tamper") == [False, True, False])


async def test_cues_and_outputs_arrive_and_outputs_go_off_at_the_end(tmp_path: Path) -> None:
    async with house(tmp_path) as (made, panel):
        await made.online(NORTH, SOUTH)
        for cue in (Cue.DENIED, Cue.GRANTED):
            panel.apply(Signal(NORTH, cue))
            await made.sim.wait_seen(lambda seen, cue=cue: seen.cue is cue)  # type: ignore[misc] # bound by default
        await made.sim.wait_seen(lambda seen: (seen.reader, seen.what) == (NORTH, "buzzer"))
        panel.apply(Switch(SOUTH, PointId("output-1"), on=True, for_s=3.0))
        seen = await made.sim.wait_seen(lambda seen: seen.what == "output")
        assert (seen.reader, seen.values["output_no"], seen.values["timer_count"]) == (SOUTH, 1, 30)
        panel.apply(Switch(NORTH, PointId("output-0"), on=True))
        await made.sim.wait_seen(lambda seen: (seen.reader, seen.what) == (NORTH, "output"))
    outputs = [(s.reader, s.values["output_no"], s.values["control_code"]) for s in made.sim.cues if s.what == "output"]
    assert outputs[-2:] == [(NORTH, 0, 1), (SOUTH, 1, 1)]


async def test_what_cannot_be_done_now_is_a_device_fault(tmp_path: Path) -> None:
    async with house(tmp_path) as (made, panel):
        with pytest.raises(DeviceFault):
            panel.apply(Signal(NORTH, Cue.GRANTED))
        await made.known(NORTH)
        for output in (
            Switch(NORTH, PointId("output-2"), on=True),
            Switch(NORTH, PointId("lock"), on=True),
            Signal(DeviceId("east"), Cue.IDLE),
        ):
            with pytest.raises(DeviceFault):
                panel.apply(output)


async def test_a_wrong_key_is_called_so_and_the_other_reader_works(tmp_path: Path) -> None:
    def other_key(made: House) -> OsdpBus:
        made.key_file(tmp_path, NORTH, secrets.token_bytes(16))
        return made.config

    async with house(tmp_path, other_key) as (made, _):
        await made.state(NORTH, DeviceState.FAULT)
        assert "wrong key" in made.last(NORTH).reason
        assert "key_file" in made.last(NORTH).hint
        await made.online(SOUTH)
        made.sim.present_card(SOUTH, CARD)
        await made.card(SOUTH)


@pytest.mark.parametrize("content", [None, "", "not a key", "00" * 15, SCBK_D.hex()])
async def test_a_key_file_that_will_not_do_stops_that_reader_only(tmp_path: Path, content: str | None) -> None:
    def spoil(made: House) -> OsdpBus:
        path = tmp_path / "spoilt.key"
        if content is not None:
            path.write_text(content)
        return with_reader(made.config, key_file=path)

    async with house(tmp_path, spoil) as (made, _):
        await made.online(SOUTH)
        status = made.last(NORTH)
        assert status.state is DeviceState.FAULT
        assert "key file" in status.reason
        assert status.hint
        assert content != SCBK_D.hex() or "default key" in status.reason


async def test_no_key_file_named(tmp_path: Path) -> None:
    async with house(tmp_path, lambda made: with_reader(made.config, key_file=None)) as (made, _):
        await made.state(NORTH, DeviceState.FAULT)
        assert made.last(NORTH).reason == "it has no key file"


async def test_a_reader_on_the_default_key_is_refused(tmp_path: Path) -> None:
    """libosdp in install mode has no key of its own; ours then does not fit, and nothing is sent in the clear."""
    sent = bytearray()

    def tap(data: bytes) -> bytes:
        sent.extend(data)
        return data

    def own_key(made: House) -> OsdpBus:
        made.key_file(tmp_path, NORTH, secrets.token_bytes(16))
        made.sim.to_readers = tap
        return made.config

    async with house(tmp_path, own_key, {NORTH: (0, None)}) as (made, _):
        await made.state(NORTH, DeviceState.FAULT)
        assert "default key" in made.last(NORTH).reason
        assert made.told(NORTH, "default-key") == [True]
    codes = {frame.code for frame in Deframer().feed(bytes(sent))}
    assert codes == {Cmd.ID, Cmd.CHLNG}


async def test_a_reader_without_secure_channel_works_where_the_settings_say_off(tmp_path: Path) -> None:
    def off(made: House) -> OsdpBus:
        return with_reader(made.config, secure_channel=SecureChannel.OFF, key_file=None)

    async with house(tmp_path, off, {NORTH: (0, None)}) as (made, _):
        await made.online(NORTH)
        made.sim.present_card(NORTH, CARD)
        await made.card(NORTH)
        assert made.told(NORTH, "card") == [CARD]


async def test_unplugged_is_a_fault_and_plugged_is_ok_again(tmp_path: Path) -> None:
    async with house(tmp_path) as (made, panel):
        seen = await made.online(BUS, NORTH, SOUTH)
        for _ in range(3):
            begun = CLOCK.mono_s()
            await made.sim.unplug()
            for device in (BUS, NORTH, SOUTH):
                down = await made.state(device, DeviceState.FAULT, after=seen)
                assert str(made.wire.path) in made.last(device).reason
                assert made.last(device).hint
            assert CLOCK.mono_s() - begun < 1
            with pytest.raises(DeviceFault):
                panel.apply(Signal(NORTH, Cue.GRANTED))
            await made.sim.plug()
            seen = await made.online(BUS, NORTH, SOUTH, after=down)
        made.sim.present_card(NORTH, CARD)
        await made.card(NORTH)
        faults = [r for r in made.reports if isinstance(r, Status) and r.state is DeviceState.FAULT]
        assert len(faults) == 9


async def test_a_port_that_is_not_there_at_the_start_is_used_once_it_comes(tmp_path: Path) -> None:
    made = House(tmp_path, {NORTH: (0, secrets.token_bytes(16))})
    task = asyncio.create_task(OsdpControlPanel(made.config, CLOCK).run(made.emit))
    seen = await made.state(NORTH, DeviceState.FAULT)
    assert "is missing" in made.last(BUS).reason
    async with made.sim:
        await made.online(BUS, NORTH, after=seen)
        task.cancel()
        await asyncio.wait([task])


async def test_a_silent_reader_is_a_fault_and_served_soon_after_it_returns(tmp_path: Path) -> None:
    async with house(tmp_path) as (made, _):
        seen = await made.online(NORTH, SOUTH)
        made.sim.silence(NORTH, on=True)
        seen = await made.state(NORTH, DeviceState.FAULT, after=seen)
        assert made.last(NORTH).reason == "no answer"
        made.sim.present_card(SOUTH, CARD)
        await made.card(SOUTH)
        begun = CLOCK.mono_s()
        made.sim.silence(NORTH, on=False)
        await made.online(NORTH, after=seen)
        assert CLOCK.mono_s() - begun < 2
        made.sim.present_card(NORTH, CARD)
        await made.card(NORTH)


class BadCable:
    """Does something to every nth transmission."""

    def __init__(self, nth: int, spoil: Callable[[bytes], bytes]) -> None:
        self._nth = nth
        self._spoil = spoil
        self._count = 0

    def __call__(self, data: bytes) -> bytes:
        self._count += 1
        return data if self._count % self._nth else self._spoil(data)


FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "lost": lambda _: b"",
    "cut": lambda data: data[: len(data) // 2],
    "spoilt": lambda data: data[:-1] + bytes((data[-1] ^ 1,)),
    "noise before": lambda data: b"\x00\x53\xff\x53\x00" + data,
    "long false start before": lambda data: b"\x53\x80\x00\x04\x04" + data,
    "noise behind": lambda data: data + b"\xff\x53\x80",
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_bad_cable_to_the_agent_neither_loses_nor_doubles_a_card(tmp_path: Path, fault: str) -> None:
    async with house(tmp_path, readers={NORTH: (0, secrets.token_bytes(16))}) as (made, _):
        await made.online(NORTH)
        made.sim.to_agent = BadCable(2, FAULTS[fault])
        for number in range(4):
            made.sim.present_card(NORTH, Card(26, number))
            await made.card(NORTH, number + 1)
        made.sim.to_agent = bytes
        made.sim.present_card(NORTH, Card(26, 99))
        await made.card(NORTH, 5)
        assert made.told(NORTH, "card") == [Card(26, number) for number in (0, 1, 2, 3, 99)]
        assert made.last(NORTH).state is DeviceState.OK


async def test_a_bad_cable_to_the_readers_costs_no_session(tmp_path: Path) -> None:
    async with house(tmp_path, readers={NORTH: (0, secrets.token_bytes(16))}) as (made, _):
        await made.online(NORTH)
        made.sim.to_readers = BadCable(3, FAULTS["lost"])
        for number in range(4):
            made.sim.present_card(NORTH, Card(26, number))
            await made.card(NORTH, number + 1)
        assert made.told(NORTH, "card") == [Card(26, number) for number in range(4)]


async def test_an_adapter_that_echoes_is_no_trouble(tmp_path: Path) -> None:
    async with house(tmp_path) as (made, _):
        made.sim.echo = True
        await made.online(NORTH, SOUTH)
        made.sim.present_card(SOUTH, CARD)
        await made.card(SOUTH)


async def test_noise_between_exchanges_is_no_trouble(tmp_path: Path) -> None:
    async with house(tmp_path, readers={NORTH: (0, secrets.token_bytes(16))}) as (made, _):
        await made.online(NORTH)
        for number in range(10):
            made.sim.noise(secrets.token_bytes(200) + b"\x53")
            made.sim.present_card(NORTH, Card(26, number))
            await made.card(NORTH, number + 1)
        assert made.told(NORTH, "card") == [Card(26, number) for number in range(10)]


async def test_nothing_the_panel_says_shows_a_card_or_a_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with house(tmp_path, readers={NORTH: (0, secrets.token_bytes(16))}) as (made, panel):
        await made.online(NORTH)
        card = Card(37, 123456789012)
        made.sim.present_card(NORTH, card)
        await made.card(NORTH)
        panel.apply(Signal(NORTH, Cue.DENIED))
        await made.sim.wait_seen(lambda seen: seen.cue is Cue.DENIED)
        key = (tmp_path / "north.key").read_text(encoding="ascii")
    said = caplog.text + repr(made.reports)
    assert str(card.number) not in said
    assert f"{card.number:x}" not in said
    assert key not in said


async def test_another_device_in_a_readers_place_is_an_alarm_and_still_serves(tmp_path: Path) -> None:
    pin = "feca00-10-00001000"
    async with house(tmp_path, lambda made: with_reader(made.config, identity=pin)) as (made, _):
        await made.until(lambda _: made.told(NORTH, "identity-changed") == [False])
        made.sim.swap(NORTH, 0x2000)
        await made.until(lambda _: made.told(NORTH, "identity-changed") == [False, True])
        made.sim.present_card(NORTH, CARD)
        await made.card(NORTH)
        made.sim.swap(NORTH, 0x1000)
        await made.until(lambda _: made.told(NORTH, "identity-changed") == [False, True, False])


async def test_a_reader_set_back_to_the_default_key_is_an_alarm_until_it_has_its_own_again(tmp_path: Path) -> None:
    async with house(tmp_path) as (made, _):
        seen = await made.online(NORTH, SOUTH)
        key = made.sim.key_of(NORTH)
        made.sim.rekey(NORTH, None)
        seen = await made.state(NORTH, DeviceState.FAULT, after=seen)
        assert "default key" in made.last(NORTH).reason
        assert made.told(NORTH, "default-key") == [False, True]
        made.sim.present_card(SOUTH, CARD)
        await made.card(SOUTH)
        made.sim.rekey(NORTH, key)
        await made.online(NORTH, after=seen)
        assert made.told(NORTH, "default-key") == [False, True, False]


async def test_a_key_file_put_right_is_used_without_a_restart(tmp_path: Path) -> None:
    def other_key(made: House) -> OsdpBus:
        made.key_file(tmp_path, NORTH, secrets.token_bytes(16))
        return made.config

    async with house(tmp_path, other_key) as (made, _):
        seen = await made.state(NORTH, DeviceState.FAULT)
        key = made.sim.key_of(NORTH)
        assert key is not None
        made.key_file(tmp_path, NORTH, key)
        await made.online(NORTH, after=seen)


async def test_texts_inputs_and_power_trouble(tmp_path: Path) -> None:
    texts = {"idle": "GATE 1", "granted": "WELCOME"}
    async with house(tmp_path, lambda made: with_reader(made.config, texts=texts)) as (made, panel):
        await made.known(NORTH)
        panel.apply(Signal(NORTH, Cue.GRANTED))
        seen = await made.sim.wait_seen(lambda s: s.what == "text" and s.values["data"] == "WELCOME")
        assert seen.values["temp_time"] == 3
        made.sim.drive_input(NORTH, 1, on=True)
        made.sim.power_trouble(NORTH, on=True)
        await made.until(lambda _: made.told(NORTH, "input-1") == [False, True])
        await made.until(lambda _: made.told(NORTH, "power")[-1:] == [True])


# ---------------------------------------------------------------- the schedule, on a line without a kernel


class TableLine:
    """Readers in the clear at the addresses in `present`; each answers at once. Counts who is asked when."""

    def __init__(self, clock: ManualClock, present: set[int]) -> None:
        self.read_mono_s = clock.mono_s()
        self.watched = True
        self.present = present
        self.late_s = 0.0
        """How long all but the first reader take to answer."""
        self.asked: list[tuple[float, int]] = []
        self.commands: list[tuple[int, int]] = []
        self.reads = 0
        """How often somebody waited for a reply."""
        self.panel: OsdpControlPanel
        self.end: Callable[[], object]
        self.closed = False
        self._clock = clock
        self._waiting = b""
        self._arrived = asyncio.Event()
        self._late: asyncio.Task[None]

    def write(self, data: bytes, at_s: float = -math.inf) -> None:
        self.check()
        (command,) = Deframer().feed(data)
        self.asked.append((max(at_s, self._clock.mono_s()), command.address))
        self.commands.append((command.address, command.code))
        if command.address in self.present:
            code, content = {
                Cmd.ID: (Reply.PDID, bytes(12)),
                Cmd.CAP: (Reply.PDCAP, bytes((Capability.OUTPUTS, 1, 1))),
                Cmd.LSTAT: (Reply.LSTATR, bytes(2)),
            }.get(Cmd(command.code), (Reply.ACK, b""))
            reply = encode(Frame(command.address, command.sequence, code, content, reply=True))
            if command.address and self.late_s:
                self._late = asyncio.create_task(self._arrive_late(reply, self.asked[-1][0]))
            else:
                self._arrive(reply)

    async def _arrive_late(self, reply: bytes, asked_s: float) -> None:
        await self._clock.sleep(asked_s + self.late_s - self._clock.mono_s())
        self._arrive(reply)

    def _arrive(self, reply: bytes) -> None:
        self._waiting += reply
        self._arrived.set()

    async def read(self, enough: Enough = len, at_s: float = -math.inf) -> bytes:
        self.reads += 1
        while not (self._waiting and enough(bytearray(self._waiting))):
            self._arrived.clear()
            await self._arrived.wait()
        return self.take()

    def take(self) -> bytes:
        data, self._waiting = self._waiting, b""
        self.read_mono_s = self._clock.mono_s()
        return data

    def take_if(self, wanted: Callable[[bytes], bool]) -> bool:
        self.read_mono_s = self._clock.mono_s()
        if not wanted(self._waiting):
            return False
        self._waiting = b""
        return True

    def clear(self) -> None:
        self._waiting = b""

    def check(self) -> None:
        if self.closed:
            raise LinkError(BUS, "closed")

    def close(self) -> None:
        self.closed = True


class SlowLine(TableLine):
    """Polls are answered with 400 bytes at the pace of 9600 baud: twice a time-out long."""

    def write(self, data: bytes, at_s: float = -math.inf) -> None:
        (command,) = Deframer().feed(data)
        if command.code != Cmd.POLL:
            super().write(data, at_s)
            return
        self.asked.append((self._clock.mono_s(), command.sequence))
        reply = encode(Frame(command.address, command.sequence, 0x80, bytes(392), reply=True))
        self.dribbling = asyncio.create_task(self._dribble(reply))

    async def _dribble(self, reply: bytes) -> None:
        for at in range(0, len(reply), 50):
            await self._clock.sleep(50 * 10 / 9600)
            self._waiting += reply[at : at + 50]
            self._arrived.set()


@asynccontextmanager
async def table(
    present: set[int], count: int = 2, baud: Baud = 115200
) -> AsyncIterator[tuple[ManualClock, TableLine, list[Report]]]:
    clock, reports = ManualClock(), list[Report]()
    line = TableLine(clock, present)
    readers = tuple(
        OsdpReader(id=f"reader-{number}", address=number, secure_channel=SecureChannel.OFF) for number in range(count)
    )
    config = OsdpBus(driver="osdp", id=BUS, port="none", baud=baud, readers=readers)

    def open_line(_config: OsdpBus, _clock: object) -> Line:
        return line

    line.panel = OsdpControlPanel(config, clock, open_line)
    task = asyncio.create_task(line.panel.run(reports.append))
    line.end = task.cancel
    await clock.settle()
    try:
        yield clock, line, reports
    finally:
        task.cancel()
        await clock.advance(1)
        await asyncio.wait([task])
    assert line.closed


async def test_polls_keep_their_interval_and_never_spin() -> None:
    async with table({0, 1}) as (clock, line, _):
        await clock.advance(1)
        line.asked.clear()
        await clock.advance(2)
        polls = [at for at, address in line.asked if address == 0]
        assert len(polls) == pytest.approx(40, abs=2)


async def test_while_nothing_happens_polls_go_on_and_nobody_waits_for_their_replies() -> None:
    async with table({0, 1}) as (clock, line, _):
        await clock.advance(1)
        line.asked.clear()
        line.reads = 0
        await clock.advance(2)
        assert all(one[1] != other[1] for one, other in itertools.pairwise(line.asked))
        assert len(line.asked) == pytest.approx(80, abs=4)
        assert line.reads <= 4  # at a look for key files


async def test_a_command_that_comes_while_nothing_happens_goes_out_at_once_and_the_polls_after_it() -> None:
    async with table({0, 1}) as (clock, line, _):
        await clock.advance(1)
        while line.asked[-1][1] != 1:
            await clock.advance(0.001)
        await clock.advance(0.02)
        line.commands.clear()
        line.panel.apply(Signal(DeviceId("reader-0"), Cue.GRANTED))
        await clock.settle()
        assert (0, Cmd.LED) in line.commands
        line.commands.clear()
        await clock.advance(0.06)
        assert line.commands[:2] == [(0, Cmd.POLL), (1, Cmd.POLL)]


async def test_a_reader_that_does_not_answer_keeps_nobody_from_the_poll_that_is_due() -> None:
    async with table({0, 1}) as (clock, line, _):
        await clock.advance(1)
        while line.asked[-1][1] != 1:
            await clock.advance(0.001)
        line.present.discard(0)
        line.asked.clear()
        await clock.advance(0.05 + TIMEOUT_S + 0.01)
        assert [address for _, address in line.asked[:2]] == [0, 1]


async def test_a_port_that_is_lost_while_nothing_happens_is_noticed_at_the_next_poll() -> None:
    async with table({0, 1}) as (clock, line, reports):
        await clock.advance(1)
        line.closed = True
        await clock.advance(0.06)
        faults = {r.device for r in reports if isinstance(r, Status) and r.state is DeviceState.FAULT}
        assert faults == {BUS, "reader-0", "reader-1"}


async def test_a_poll_that_fails_for_a_bug_stops_nobody_from_being_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> bool:
        raise RuntimeError("a bug")

    async with table({0, 1}) as (clock, line, _):
        await clock.advance(1)
        with monkeypatch.context() as patched:
            patched.setattr(line, "take_if", fails)
            with pytest.raises(RuntimeError):
                await clock.advance(0.1)
        line.asked.clear()
        await clock.advance(1)
        assert len([address for _, address in line.asked if address == 1]) == pytest.approx(20, abs=2)


async def test_a_reply_that_takes_longer_than_a_time_out_to_arrive_is_read_whole() -> None:
    clock, reports = ManualClock(), list[Report]()
    line = SlowLine(clock, {0})
    readers = (OsdpReader(id="reader-0", address=0, secure_channel=SecureChannel.OFF),)
    config = OsdpBus(driver="osdp", id=BUS, port="none", baud=9600, readers=readers)
    task = asyncio.create_task(OsdpControlPanel(config, clock, lambda _config, _clock: line).run(reports.append))
    await clock.advance(1)
    line.asked.clear()
    await clock.advance(5)
    sequences = [sequence for _, sequence in line.asked]
    assert len(sequences) >= 10
    assert all(first != second for first, second in itertools.pairwise(sequences))
    task.cancel()
    await clock.advance(1)
    assert task.cancelled()
    assert [r.state for r in reports if isinstance(r, Status) and r.device == "reader-0"][-1] is DeviceState.OK


async def test_a_dead_reader_costs_its_bus_at_most_one_time_out_in_five_seconds() -> None:
    async with table({0}) as (clock, line, reports):
        await clock.advance(8)
        assert any(isinstance(r, Status) and (r.device, r.reason) == ("reader-1", "no answer") for r in reports)
        line.asked.clear()
        begun = clock.mono_s()
        await clock.advance(20)
        polls = [at for at, address in line.asked if address == 0]
        late = [second for first, second in itertools.pairwise(polls) if second - first > 0.1]
        assert len(late) <= 4
        tries = [after - at > 0.1 for (at, address), (after, _) in itertools.pairwise(line.asked) if address == 1]
        assert sum(TIMEOUT_S if full else light_s(10 / 115200) for full in tries) <= 20 / 5 * TIMEOUT_S
        assert max(second - first for first, second in itertools.pairwise(polls)) < 0.3
        probes = [begun, *(at for at, address in line.asked if address == 1)]
        assert max(second - first for first, second in itertools.pairwise(probes)) < 1.2


@pytest.mark.parametrize("baud", [9600, 115200])
async def test_a_reader_that_went_away_costs_all_in_all_no_more_than_a_time_out_in_five_seconds(baud: Baud) -> None:
    async with table({0, 1}, baud=baud) as (clock, line, reports):
        await clock.advance(3)
        line.present.discard(1)
        await clock.advance(3)
        assert any(isinstance(r, Status) and (r.device, r.reason) == ("reader-1", "no answer") for r in reports)
        for _ in range(4):
            line.asked.clear()
            await clock.advance(5)
            tries = [after - at for (at, address), (after, _) in itertools.pairwise(line.asked) if address == 1]
            assert max(tries) < 0.1
            assert len(tries) * (9 * 10 / baud + light_s(10 / baud)) <= 0.2


async def test_polls_go_before_feedback() -> None:
    async with table({0, 1}) as (clock, line, _):
        await clock.advance(1)
        for number in range(10):
            line.panel.apply(Signal(DeviceId(f"reader-{number % 2}"), Cue.DENIED))
        line.commands.clear()
        await clock.advance(0.5)
        cycles = "".join("p" if code == Cmd.POLL else "f" for _, code in line.commands).split("p")
        assert max(len(cycle) for cycle in cycles) <= 4


@pytest.mark.parametrize("baud", [9600, 115200])
@pytest.mark.parametrize("outage_s", [10.0, 30.0, 30.3, 45.0])
async def test_a_returning_reader_is_served_within_a_second(outage_s: float, baud: Baud) -> None:
    async with table({0}, baud=baud) as (clock, line, reports):
        await clock.advance(outage_s)
        line.present.add(1)
        await clock.advance(1.0)
        assert Status(DeviceId("reader-1"), DeviceState.OK, 0) in [
            Status(r.device, r.state, 0) for r in reports if isinstance(r, Status)
        ]


async def test_a_reader_whose_answers_come_late_is_found_though_they_fall_into_the_rest_of_a_cycle() -> None:
    async with table({0}) as (clock, line, reports):
        await clock.advance(3)
        line.late_s = 0.03
        line.present.add(1)
        await clock.advance(1.5)
        states = [r.state for r in reports if isinstance(r, Status) and r.device == "reader-1"]
        assert states[-2:] == [DeviceState.FAULT, DeviceState.OK]


async def test_outputs_are_released_without_speaking_into_the_reply_that_is_on_its_way() -> None:
    async with table({0, 1}) as (clock, line, _):
        await clock.advance(1)
        line.panel.apply(Switch(DeviceId("reader-1"), PointId("output-0"), on=True))
        await clock.advance(1)
        line.late_s = 0.03
        line.asked.clear()
        while not line.asked or line.asked[-1][1] != 1:
            await clock.advance(0.01)
        asked = len(line.asked)
        line.commands.clear()
        line.end()
        await clock.advance(0.5)
        (first_s, _), *rest = line.asked[asked - 1 :]
        assert Cmd.OUT in [code for _, code in line.commands]
        assert all(at > first_s + line.late_s for at, _ in rest)


async def test_eight_dead_readers_leave_the_living_one_its_polls() -> None:
    async with table({0}, count=9) as (clock, line, _):
        await clock.advance(15)
        line.asked.clear()
        await clock.advance(10)
        assert len([at for at, address in line.asked if address == 0]) > 80
