"""The serial line on a pty: opened, cut, taken, refused."""

import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from drivers.base import LinkError, SystemClock
from drivers.line import RECEIVE_LIMIT, SEND_LIMIT, SerialLine
from simulators.wire import Wire

CLOCK = SystemClock()


@pytest.fixture
def wire(tmp_path: Path) -> object:
    wire = Wire(tmp_path / "tty")
    wire.plug()
    yield wire
    wire.unplug()


def opened(wire: Wire) -> SerialLine:
    return SerialLine("bus-1", str(wire.path), 115200, CLOCK)


async def soon(line: SerialLine) -> bytes:
    async with CLOCK.timeout(5):
        return await line.read()


async def test_bytes_go_both_ways_untouched(wire: Wire) -> None:
    line, every = opened(wire), bytes(range(256))
    before = CLOCK.mono_s()
    line.write(every)
    assert os.read(wire.fd, 4096) == every
    os.write(wire.fd, every)
    assert await soon(line) == every
    assert before < line.read_mono_s <= CLOCK.mono_s()
    line.close()


async def test_what_was_not_read_is_bounded_and_the_newest_stays(wire: Wire) -> None:
    line = opened(wire)
    for number in range(4):
        os.write(wire.fd, bytes((number,)) * 2048)
        async with CLOCK.timeout(5):
            while line._received[-1:] != bytes((number,)):
                await CLOCK.sleep(0.001)
    data = await soon(line)
    assert len(data) <= RECEIVE_LIMIT
    assert data.endswith(b"\x03" * 2048)
    line.close()


async def test_what_is_to_wait_is_not_sent_before_its_moment_and_never_after_the_end(wire: Wire) -> None:
    line = opened(wire)
    before = CLOCK.mono_s()
    line.write(b"x", before + 0.05)
    with pytest.raises(BlockingIOError):
        os.read(wire.fd, 1)
    sent = asyncio.Event()
    asyncio.get_running_loop().add_reader(wire.fd, sent.set)
    async with CLOCK.timeout(5):
        await sent.wait()
    asyncio.get_running_loop().remove_reader(wire.fd)
    assert CLOCK.mono_s() >= before + 0.05
    assert os.read(wire.fd, 4096) == b"x"
    line.write(b"y", CLOCK.mono_s() + 0.02)
    line.close()
    await CLOCK.sleep(0.03)
    with pytest.raises(BlockingIOError):
        os.read(wire.fd, 1)


async def test_nobody_looks_before_the_moment_and_what_has_come_by_then_is_read_at_once(wire: Wire) -> None:
    line = opened(wire)
    at_s = CLOCK.mono_s() + 0.05
    reading = asyncio.create_task(line.read(lambda arrived: len(arrived) >= 4, at_s))
    for piece in (b"ab", b"cd"):
        await CLOCK.sleep(0.01)
        os.write(wire.fd, piece)
    assert await reading == b"abcd"
    assert line.read_mono_s >= at_s
    assert not line.watched
    os.write(wire.fd, b"between")
    assert await soon(line) == b"between"
    line.close()


async def test_what_comes_after_the_moment_is_read_as_it_comes(wire: Wire) -> None:
    line = opened(wire)
    reading = asyncio.create_task(line.read(lambda arrived: len(arrived) >= 4, CLOCK.mono_s() + 0.01))
    os.write(wire.fd, b"ab")
    while not line.watched:
        await CLOCK.sleep(0.005)
    os.write(wire.fd, b"cd")
    assert await reading == b"abcd"
    line.close()


async def test_what_is_wanted_is_taken_without_waiting_and_anything_else_stays_for_whoever_reads(wire: Wire) -> None:
    line = opened(wire)
    assert not line.take_if(b"ab".__eq__)
    os.write(wire.fd, b"a")
    assert not line.take_if(b"ab".__eq__)
    os.write(wire.fd, b"b")
    assert line.take_if(b"ab".__eq__)
    assert line.take() == b""
    os.write(wire.fd, b"card")
    assert not line.take_if(b"ab".__eq__)
    assert await soon(line) == b"card"
    os.write(wire.fd, b"ab")
    assert line.take_if(b"ab".__eq__)
    assert not line.watched
    wire.unplug()
    assert not line.take_if(b"ab".__eq__)
    with pytest.raises(LinkError):
        line.check()
    line.close()


async def test_what_came_while_nobody_looked_is_taken_and_an_end_is_noticed(wire: Wire) -> None:
    line = opened(wire)
    with pytest.raises(TimeoutError):
        async with CLOCK.timeout(0.01):
            await line.read(len, CLOCK.mono_s() + 5)
    os.write(wire.fd, b"late")
    assert line.take() == b"late"
    wire.unplug()
    assert line.take() == b""
    with pytest.raises(LinkError):
        line.check()
    line.close()


async def test_clear_forgets_what_came_before(wire: Wire) -> None:
    line = opened(wire)
    os.write(wire.fd, b"old")
    await soon(line)
    os.write(wire.fd, b"late")
    async with CLOCK.timeout(5):
        while not line._received:
            await CLOCK.sleep(0.001)
    line.clear()
    os.write(wire.fd, b"new")
    assert await soon(line) == b"new"
    line.close()


async def test_unplugging_wakes_the_reader_at_once(wire: Wire) -> None:
    line = opened(wire)
    reading = asyncio.create_task(line.read())
    await CLOCK.sleep(0)
    begun = CLOCK.mono_s()
    wire.unplug()
    with pytest.raises(LinkError) as caught:
        async with CLOCK.timeout(5):
            await reading
    assert CLOCK.mono_s() - begun < 1
    assert str(wire.path) in caught.value.reason
    assert caught.value.hint
    line.close()


async def test_writing_to_an_unplugged_port_says_so(wire: Wire) -> None:
    line = opened(wire)
    wire.unplug()
    with pytest.raises(LinkError):
        line.write(b"poll")
    with pytest.raises(LinkError):
        line.check()
    with pytest.raises(LinkError):
        await line.read()
    line.close()


async def test_it_opens_again_after_each_plug(wire: Wire) -> None:
    for _ in range(20):
        line = opened(wire)
        os.write(wire.fd, b"here")
        assert await soon(line) == b"here"
        wire.unplug()
        line.close()
        wire.plug()


async def test_a_port_that_takes_nothing_is_given_up_without_blocking(wire: Wire) -> None:
    line = opened(wire)

    def flood() -> None:
        for _ in range(100):
            line.write(bytes(SEND_LIMIT // 4))

    with pytest.raises(LinkError) as caught:
        flood()
    assert "takes no data" in caught.value.reason
    line.close()


async def test_a_write_the_port_takes_in_parts_arrives_whole(wire: Wire) -> None:
    line, sent = opened(wire), b""
    while not line._unsent:
        line.write(b"x" * 512)
        sent += b"x" * 512
    got = b""
    async with CLOCK.timeout(5):
        while len(got) < len(sent):
            try:
                got += os.read(wire.fd, 4096)
            except BlockingIOError:
                await CLOCK.sleep(0)
    assert got == sent
    line.close()


async def test_a_missing_port_is_named_with_what_to_check(tmp_path: Path) -> None:
    with pytest.raises(LinkError) as caught:
        SerialLine("bus-1", str(tmp_path / "nothing"), 9600, CLOCK)
    assert "nothing is missing" in caught.value.reason
    assert "by-path" in caught.value.hint
    assert caught.value.device == "bus-1"


async def test_a_port_in_use_names_who_has_it(wire: Wire) -> None:
    first = opened(wire)
    with pytest.raises(LinkError) as caught:
        opened(wire)
    assert "in use by" in caught.value.reason
    if str(os.getpid()) in Path("/proc/locks").read_text(encoding="ascii"):
        assert f"process {os.getpid()}" in caught.value.reason
    first.close()
    opened(wire).close()


async def test_a_port_locked_by_a_foreign_program_is_busy(wire: Wire) -> None:
    with wire.path.open("rb", buffering=0) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LinkError) as caught:
            opened(wire)
    assert "in use" in caught.value.reason


@pytest.mark.parametrize("port", ["/dev/null", "/etc/hostname", "/tmp"])
async def test_what_is_no_serial_port_is_called_so(port: str) -> None:
    with pytest.raises(LinkError) as caught:
        SerialLine("bus-1", port, 9600, CLOCK)
    assert "no serial port" in caught.value.reason


async def test_a_forbidden_port_asks_for_the_group(monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LinkError) as caught:
        opened(wire)
    assert "dialout" in caught.value.hint
