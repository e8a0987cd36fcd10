"""Keys given on site, against libosdp's readers: whatever fails in between, a key that works is on disk."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.base import ConfigError, DeviceFault, DeviceId, DeviceState, LinkError, SystemClock
from drivers.osdp.config import OsdpBus, OsdpReader, SecureChannel
from drivers.osdp.cp import OsdpControlPanel
from drivers.osdp.frames import Deframer
from drivers.osdp.keying import Keying, scan
from drivers.osdp.keys import candidate_path, pending_key, promote, propose, read_keys
from drivers.osdp.messages import Cmd, Identity
from drivers.osdp.secure import SCBK_D
from simulators.osdp_reader import SimOsdpBus
from simulators.wire import Wire
from tests.drivers.reports import Reports

CLOCK = SystemClock()
GATE, OTHER = DeviceId("gate"), DeviceId("other")
IDENTITY = Identity("feca00", 0x10, 1, 0x1000, "1.2.3")


@dataclass
class Site:
    sim: SimOsdpBus
    config: OsdpBus
    path: Path

    @property
    def keying(self) -> Keying:
        return Keying(self.config, self.config.readers[0], CLOCK)

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.path.read_text())


@asynccontextmanager
async def site(folder: Path, scbk: bytes | None) -> AsyncIterator[Site]:
    wire = Wire(folder / "tty")
    path = folder / "keys" / "gate.key"
    readers = (OsdpReader(id=GATE, address=0, key_file=path), OsdpReader(id=OTHER, address=9, key_file=path))
    config = OsdpBus(driver="osdp", id="osdp-1", port=str(wire.path), baud=115200, readers=readers)
    async with SimOsdpBus(wire, {GATE: (0, scbk), OTHER: (9, None)}) as sim:
        yield Site(sim, config, path)


def write(path: Path, key: bytes) -> bytes:
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(key.hex())
    return key


async def serve(made: Site) -> None:
    """The service comes up with the reader."""
    reports = Reports()
    config = made.config.model_copy(update={"readers": made.config.readers[:1]})
    task = asyncio.create_task(OsdpControlPanel(config, CLOCK).run(reports.emit))
    await reports.status(DeviceState.OK, GATE)
    task.cancel()
    await asyncio.wait([task])


async def test_a_reader_from_its_box_gets_a_key_of_its_own(tmp_path: Path) -> None:
    async with site(tmp_path, None) as made:
        assert await made.keying.identify() == IDENTITY
        assert await made.keying.install(IDENTITY) == IDENTITY
        assert made.sim.key_of(GATE) == made.key
        assert made.key != SCBK_D
        assert (made.path.stat().st_mode & 0o777, made.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert sorted(path.name for path in made.path.parent.iterdir()) == ["gate.key"]
        assert made.sim.key_of(OTHER) is None
        await serve(made)


async def test_a_key_is_changed_in_the_channel_of_the_old_one_and_never_seen_on_the_cable(tmp_path: Path) -> None:
    old, sent = secrets.token_bytes(16), bytearray()

    def tap(data: bytes) -> bytes:
        sent.extend(data)
        return data

    async with site(tmp_path, old) as made:
        write(made.path, old)
        made.sim.to_readers = tap
        assert await made.keying.rotate() == IDENTITY
        assert made.sim.key_of(GATE) == made.key != old
        assert made.key not in sent
        frames = Deframer().feed(bytes(sent))
        assert [frame.secured for frame in frames if frame.code == Cmd.KEYSET] == [True]
        assert {frame.block_data for frame in frames if frame.code == Cmd.CHLNG} == {b"\x01"}
        await serve(made)


async def test_cut_short_after_the_key_was_sent_the_new_one_is_found_and_takes_its_place(tmp_path: Path) -> None:
    new = secrets.token_bytes(16)
    async with site(tmp_path, new) as made:
        write(made.path, secrets.token_bytes(16))
        write(candidate_path(made.path), new)
        await serve(made)
        assert made.key == new
        assert not candidate_path(made.path).exists()


async def test_cut_short_before_the_key_was_sent_the_old_one_serves_and_the_same_new_one_is_sent_next(
    tmp_path: Path,
) -> None:
    old = secrets.token_bytes(16)
    async with site(tmp_path, old) as made:
        write(made.path, old)
        new = propose(GATE, made.path)
        await serve(made)
        assert (made.key, pending_key(GATE, made.path)) == (old, new)
        await made.keying.rotate()
        assert made.key == made.sim.key_of(GATE) == new


async def test_cut_short_while_installing_it_goes_on_with_the_key_the_reader_has(tmp_path: Path) -> None:
    new = secrets.token_bytes(16)
    async with site(tmp_path, new) as made:
        write(candidate_path(made.path), new)
        await made.keying.install(IDENTITY, 10)
        assert made.key == new


async def test_a_lost_answer_to_the_new_key_is_no_trouble(tmp_path: Path) -> None:
    old, lost = secrets.token_bytes(16), 0

    def lose(data: bytes) -> bytes:
        nonlocal lost
        if made.sim.key_of(GATE) != old and lost < 4:
            lost += 1
            return b""
        return data

    async with site(tmp_path, old) as made:
        write(made.path, old)
        made.sim.to_agent = lose
        await made.keying.rotate()
        assert lost == 4
        assert made.key == made.sim.key_of(GATE) != old


async def test_a_reader_that_has_a_key_is_not_installed_and_nothing_is_written(tmp_path: Path) -> None:
    async with site(tmp_path, secrets.token_bytes(16)) as made:
        with pytest.raises(DeviceFault, match="got no key within 1 s") as caught:
            await made.keying.install(IDENTITY, 1)
        assert "install mode" in caught.value.hint
        assert not made.path.parent.exists()


async def test_another_device_than_the_confirmed_one_gets_no_key(tmp_path: Path) -> None:
    async with site(tmp_path, None) as made:
        with pytest.raises(DeviceFault, match="another device"):
            await made.keying.install(Identity("feca00", 0x10, 1, 0x1001, "1.2.3"), 5)
        assert made.sim.key_of(GATE) is None


async def test_a_reader_that_is_not_there_is_said_to_be_silent(tmp_path: Path) -> None:
    async with site(tmp_path, None) as made:
        made.sim.silence(GATE, on=True)
        with pytest.raises(DeviceFault, match="no answer at address 0"):
            await made.keying.identify()


async def test_a_port_that_the_service_holds_is_refused_with_the_cure(tmp_path: Path) -> None:
    async with site(tmp_path, None) as made:
        reports = Reports()
        task = asyncio.create_task(OsdpControlPanel(made.config, CLOCK).run(reports.emit))
        await reports.status(DeviceState.OK, "osdp-1")
        with pytest.raises(LinkError, match="in use") as caught:
            await made.keying.identify()
        assert caught.value.hint
        task.cancel()
        await asyncio.wait([task])


async def test_scan_finds_every_reader_at_its_rate(tmp_path: Path) -> None:
    async with site(tmp_path, None) as made:
        found = [(f.address, f.baud, f.identity.serial) async for f in scan(made.config, CLOCK, (115200,))]
        assert found == [(0, 115200, 0x1000), (9, 115200, 0x1009)]


def test_a_reader_without_a_secure_channel_takes_no_key(tmp_path: Path) -> None:
    reader = OsdpReader(id=GATE, address=0, secure_channel=SecureChannel.OFF)
    config = OsdpBus(driver="osdp", id="osdp-1", port="none", readers=(reader,))
    with pytest.raises(ConfigError):
        Keying(config, reader, CLOCK)


# ---------------------------------------------------------------- files


def test_a_candidate_is_on_disk_before_it_is_returned_and_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "gate.key"
    key = propose(GATE, path)
    assert bytes.fromhex(candidate_path(path).read_text()) == key == propose(GATE, path)
    assert read_keys(GATE, path) == (key,)
    old = write(path, secrets.token_bytes(16))
    assert read_keys(GATE, path) == (key, old)


def test_only_the_key_that_was_proved_is_promoted(tmp_path: Path) -> None:
    path = tmp_path / "gate.key"
    old, key = write(path, secrets.token_bytes(16)), propose(GATE, path)
    assert not promote(GATE, path, old)
    assert read_keys(GATE, path) == (key, old)
    assert promote(GATE, path, key)
    assert read_keys(GATE, path) == (key,)


def test_a_draft_or_candidate_that_a_power_cut_spoilt_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gate.key"
    old = write(path, secrets.token_bytes(16))
    (tmp_path / "gate.key.draft").write_text("12")
    candidate_path(path).write_text("")
    assert read_keys(GATE, path) == (old,)
    key = propose(GATE, path)
    assert read_keys(GATE, path) == (key, old)


def test_a_key_that_cannot_be_kept_is_never_made(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file where the folder should be")
    with pytest.raises(DeviceFault) as caught:
        propose(GATE, tmp_path / "keys" / "gate.key")
    assert caught.value.hint
