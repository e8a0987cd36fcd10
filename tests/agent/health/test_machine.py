"""What the kernel tells of the board, read from a folder that looks like it."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.health.machine import Machine
from tests.authority import Authority

FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
MEDIUM = "sys/devices/mmc0/block/mmcblk0"
PI = {
    "sys/class/thermal/thermal_zone0/temp": "48312\n",
    "sys/class/thermal/thermal_zone1/temp": "61250\n",
    FIRMWARE: "50005\n",
    f"{MEDIUM}/device/life_time": "0x02 0x03\n",
    f"{MEDIUM}/stat": "  100 0 800 10   200 5 4096 30 0 40 40\n",
    f"{MEDIUM}/mmcblk0p2/partition": "2\n",
    "sys/fs/ext4/mmcblk0p2/lifetime_write_kbytes": "94371840\n",
    "proc/meminfo": "MemTotal:         948304 kB\nMemFree:    1 kB\nMemAvailable:     612884 kB\n",
    "proc/loadavg": "0.42 0.30 0.25 1/120 999\n",
    "proc/self/status": "Name:\tpython\nVmRSS:\t   51200 kB\n",
    "proc/self/io": "rchar: 1\nwrite_bytes: 20971520\n",
}


@pytest.fixture
def board(tmp_path: Path) -> Machine:
    """A Raspberry Pi with its system on an eMMC, which holds `tmp_path`."""
    for name, text in PI.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    device = tmp_path.stat().st_dev
    link = tmp_path / "sys/dev/block" / f"{os.major(device)}:{os.minor(device)}"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / MEDIUM / "mmcblk0p2")
    return Machine(tmp_path, sys=tmp_path / "sys", proc=tmp_path / "proc")


def test_a_board_tells_all_that_it_can(board: Machine) -> None:
    seen, disk = board.board(), board.disk()
    assert seen.temperature_c == 61.2  # the hottest
    assert (seen.undervoltage, seen.throttled, seen.throttled_before) == (True, True, True)
    assert (seen.load_1m, seen.memory_total_kib, seen.memory_available_kib) == (0.42, 948_304, 612_884)
    assert (seen.agent_memory_kib, disk.agent_written_kib) == (51_200, 20_480)
    assert (disk.written_kib, disk.lifetime_written_kib, disk.worn_percent) == (2048, 94_371_840, 30)
    assert disk.total_kib is not None
    assert disk.free_kib is not None
    assert 0 < disk.free_kib < disk.total_kib


@pytest.mark.parametrize(
    ("word", "now", "before"), [("0", False, False), ("50000", False, True), ("4", True, False), ("80008", True, True)]
)
def test_the_firmwares_word_is_read_bit_by_bit(board: Machine, word: str, now: bool, before: bool) -> None:
    (board.folder / FIRMWARE).write_text(word)
    seen = board.board()
    assert (seen.undervoltage, seen.throttled, seen.throttled_before) == (False, now, before)


def test_a_kernel_that_tells_only_of_the_voltage_is_heard_too(board: Machine) -> None:
    (board.folder / FIRMWARE).unlink()
    chip = board.sys / "class/hwmon/hwmon1"
    chip.mkdir(parents=True)
    (chip / "name").write_text("rpi_volt\n")
    (chip / "in0_lcrit_alarm").write_text("1\n")
    seen = board.board()
    assert (seen.undervoltage, seen.throttled, seen.throttled_before) == (True, None, None)


def test_what_a_board_does_not_tell_is_left_out(tmp_path: Path) -> None:
    bare = Machine(tmp_path / "gone", sys=tmp_path / "sys", proc=tmp_path / "proc")
    said = {**bare.board().model_dump(exclude={"cores"}), **bare.disk().model_dump()}
    assert set(said.values()) == {None}
    assert b"null" not in bare.disk().payload()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(PI)), text=st.binary(max_size=40))
def test_strange_files_cost_no_more_than_their_own_figure(board: Machine, name: str, text: bytes) -> None:
    path = board.folder / name
    path.write_bytes(text)
    try:
        board.look()
    finally:
        path.write_text(PI[name])


def test_the_end_of_the_certificate_is_read_from_its_file(tmp_path: Path) -> None:
    cert, _ = Authority(tmp_path, "authority").issue("gateway", ends=30)
    _, _, ends = Machine(tmp_path, cert).look()
    assert ends is not None
    cert.write_text("no certificate")
    assert Machine(tmp_path, cert).look()[2] is None


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    seen, disk, _ = Machine(tmp_path).look()
    assert seen.memory_total_kib is not None
    assert disk.free_kib is not None
