"""The simulated readers keep what the tests and scenarios lean on."""

import asyncio
import contextlib
import os
import random
from pathlib import Path

import pytest

from drivers.base import Card, SystemClock
from drivers.osdp import messages
from drivers.osdp.frames import Deframer, Frame, encode
from drivers.osdp.messages import Command, Reply
from simulators.osdp_reader import SimOsdpBus, noisy
from simulators.wire import Pace, Wire

CLOCK = SystemClock()


class Agent:
    """The other end of the wire, in the clear."""

    def __init__(self, wire: Wire) -> None:
        self._fd = os.open(wire.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._deframer = Deframer()

    def send(self, address: int, command: Command, sequence: int) -> None:
        os.write(self._fd, encode(Frame(address, sequence, command.code, command.data)))

    async def reply(self) -> Frame:
        async with CLOCK.timeout(5):
            while True:
                try:
                    data = os.read(self._fd, 4096)
                except BlockingIOError:
                    data = b""
                for frame in self._deframer.feed(data):
                    if frame.reply:
                        return frame
                await CLOCK.sleep(0)

    async def silent(self) -> bool:
        """Whether no reply comes in the time it would take."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await self.reply()
                return False
        return True

    async def ask(self, address: int, command: Command, sequence: int) -> Frame:
        self.send(address, command, sequence)
        return await self.reply()

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def wire(tmp_path: Path) -> Wire:
    return Wire(tmp_path / "tty")


async def test_readers_share_a_wire_and_answer_for_themselves(wire: Wire) -> None:
    async with SimOsdpBus(wire, {"a": (3, None), "b": (4, None)}):
        agent = Agent(wire)
        for address in (3, 4, 3):
            frame = await agent.ask(address, messages.IDENTIFY, 0)
            assert (frame.address, frame.code) == (address, Reply.PDID)
        agent.close()


async def test_a_repeated_command_gets_the_same_reply_and_is_carried_out_once(wire: Wire) -> None:
    async with SimOsdpBus(wire, {"a": (0, None)}) as bus:
        agent = Agent(wire)
        await agent.ask(0, messages.IDENTIFY, 0)
        bus.present_card("a", Card(26, 5))
        first = await agent.ask(0, messages.POLL, 1)
        assert await agent.ask(0, messages.POLL, 1) == first
        assert messages.parse_raw(first.data) == Card(26, 5)
        assert (await agent.ask(0, messages.POLL, 2)).code == Reply.ACK
        for _ in range(2):
            await agent.ask(0, messages.output(1, on=True), 3)
        assert [seen.what for seen in bus.cues] == ["output"]
        agent.close()


async def test_plugged_and_unplugged_many_times(wire: Wire) -> None:
    async with SimOsdpBus(wire, {"a": (0, None), "b": (1, None)}) as bus:
        for _ in range(20):
            agent = Agent(wire)
            assert (await agent.ask(1, messages.IDENTIFY, 0)).code == Reply.PDID
            await bus.unplug()
            assert not wire.path.exists()
            bus.present_card("a", Card(26, 1))
            await bus.unplug()
            agent.close()
            await bus.plug()
        agent = Agent(wire)
        await agent.ask(0, messages.IDENTIFY, 0)
        assert (await agent.ask(0, messages.POLL, 1)).code == Reply.ACK
        agent.close()


async def test_a_reply_on_its_way_is_lost_with_the_plug(wire: Wire) -> None:
    async with SimOsdpBus(wire, {"a": (0, None)}, baud=9600) as bus:
        agent = Agent(wire)
        agent.send(0, messages.IDENTIFY, 0)
        await CLOCK.sleep(0)
        await bus.unplug()
        agent.close()
        await bus.plug()
        again = Agent(wire)
        assert (await again.ask(0, messages.CAPABILITIES, 0)).code == Reply.PDCAP
        again.close()


async def test_silence_faults_and_echo(wire: Wire) -> None:
    async with SimOsdpBus(wire, {"a": (0, None), "b": (1, None)}) as bus:
        agent = Agent(wire)
        bus.silence("a", on=True)
        agent.send(0, messages.IDENTIFY, 0)
        assert (await agent.ask(1, messages.IDENTIFY, 0)).address == 1
        bus.silence("a", on=False)
        assert (await agent.ask(0, messages.IDENTIFY, 0)).address == 0
        bus.to_agent = lambda _: b""
        agent.send(0, messages.CAPABILITIES, 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await agent.reply()
        bus.to_agent = bytes
        bus.echo = True
        assert (await agent.ask(0, messages.CAPABILITIES, 1)).code == Reply.PDCAP
        bus.noise(b"\xff\x00noise")
        assert (await agent.ask(0, messages.POLL, 2)).code == Reply.ACK
        agent.close()


async def test_a_new_key_survives_the_loss_of_power(wire: Wire) -> None:
    async with SimOsdpBus(wire, {"a": (0, None)}) as bus:
        bus.rekey("a", b"k" * 16)
        bus.silence("a", on=True)
        bus.silence("a", on=False)
        assert bus.key_of("a") == b"k" * 16


async def test_a_paced_wire_takes_its_time_and_spoils_what_is_said_into_a_reply(wire: Wire) -> None:
    async with SimOsdpBus(wire, {"a": (0, None)}, 9600, Pace()) as bus:
        agent = Agent(wire)
        begun = CLOCK.mono_s()
        reply = await agent.ask(0, messages.IDENTIFY, 0)
        assert CLOCK.mono_s() - begun >= (9 + 8 + len(reply.data)) * 10 / 9600 + Pace().turnaround_s
        async with CLOCK.timeout(5):
            while not bus.collisions:
                agent.send(0, messages.CAPABILITIES, 1)
                await CLOCK.sleep(0)
        while not await agent.silent():
            pass
        assert (await agent.ask(0, messages.CAPABILITIES, 1)).code == Reply.PDCAP
        agent.close()


def test_a_noisy_cable_spoils_about_its_share_in_every_way() -> None:
    spoil = noisy(0.5, random.Random(1))
    heard = [spoil(b"12345678") for _ in range(400)]
    assert 120 < sum(data != b"12345678" for data in heard) < 280
    assert {b"", b"1234567812345678"} < set(heard)
    assert noisy(0.0, random.Random(1))(b"12345678") == b"12345678"
