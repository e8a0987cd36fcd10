"""What the kernel tells of the board: /sys, /proc, and the file system of the journal. Blocking: for a thread.

Every file may be missing or strange: then that figure is not known, and nothing else suffers.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from agent.contract.health import BoardHealth, DiskHealth

_UNDERVOLTAGE: Final = 0x1
_SLOWED: Final = 0xE
"""Capped, throttled, at the soft limit of temperature: bits 1 to 3 of the firmware's word."""
_BEFORE: Final = 0xF_0000
_SECTOR: Final = 512
_WRITTEN: Final = 6
"""Sectors written: the seventh number of a block device's `stat`."""


@dataclass(frozen=True, slots=True)
class Machine:
    """`sys` and `proc` are other folders in tests; `folder` is on the disk that counts."""

    folder: Path
    certificate: Path | None = None
    sys: Path = Path("/sys")
    proc: Path = Path("/proc")

    def look(self) -> tuple[BoardHealth, DiskHealth, datetime | None]:
        """The third is when the gateway's certificate ends."""
        return self.board(), self.disk(), self._certificate_ends()

    def board(self) -> BoardHealth:
        throttled = self._throttled()
        memory = self._fields("meminfo")
        return BoardHealth(
            temperature_c=self._temperature_c(),
            undervoltage=self._voltage_alarm() if throttled is None else bool(throttled & _UNDERVOLTAGE),
            throttled=None if throttled is None else bool(throttled & _SLOWED),
            throttled_before=None if throttled is None else bool(throttled & _BEFORE),
            load_1m=_number(_text(self.proc / "loadavg").split(" ")[0]),
            cores=os.cpu_count() or 1,
            memory_total_kib=memory.get("MemTotal"),
            memory_available_kib=memory.get("MemAvailable"),
            agent_memory_kib=self._fields("self/status").get("VmRSS"),
        )

    def disk(self) -> DiskHealth:
        total = free = None
        with suppress(OSError):
            found = os.statvfs(self.folder)
            total, free = found.f_blocks * found.f_frsize // 1024, found.f_bavail * found.f_frsize // 1024
        partition, medium = self._block_devices()
        return DiskHealth(
            total_kib=total,
            free_kib=free,
            written_kib=_written_kib(medium),
            agent_written_kib=_kib(self._fields("self/io").get("write_bytes")),
            lifetime_written_kib=_whole(_text(self.sys / "fs/ext4" / partition.name / "lifetime_write_kbytes")),
            worn_percent=_worn_percent(_text(medium / "device/life_time")),
        )

    def _certificate_ends(self) -> datetime | None:
        if self.certificate is None:
            return None
        from cryptography import x509

        with suppress(OSError, ValueError):
            return x509.load_pem_x509_certificate(self.certificate.read_bytes()).not_valid_after_utc
        return None

    def _temperature_c(self) -> float | None:
        zones = (_whole(_text(path)) for path in sorted(self.sys.glob("class/thermal/thermal_zone*/temp")))
        known = [milli / 1000 for milli in zones if milli is not None and milli > 0]
        return round(max(known), 1) if known else None

    def _throttled(self) -> int | None:
        """The firmware's word, as `vcgencmd get_throttled` gives it."""
        for path in sorted(self.sys.glob("devices/platform/*soc*/*firmware/get_throttled")):
            with suppress(ValueError):
                return int(_text(path), 16)
        return None

    def _voltage_alarm(self) -> bool | None:
        """On kernels that tell only of the voltage."""
        for chip in sorted(self.sys.glob("class/hwmon/hwmon*")):
            if _text(chip / "name") == "rpi_volt":
                alarm = _whole(_text(chip / "in0_lcrit_alarm"))
                return None if alarm is None else bool(alarm)
        return None

    def _block_devices(self) -> tuple[Path, Path]:
        """The partition that holds the folder, and the whole medium; where there is none, paths at which nothing is."""
        with suppress(OSError):
            device = self.folder.stat().st_dev
            partition = (self.sys / "dev/block" / f"{os.major(device)}:{os.minor(device)}").resolve()
            return partition, partition.parent if (partition / "partition").exists() else partition
        return self.sys / "nowhere", self.sys / "nowhere"

    def _fields(self, name: str) -> dict[str, int]:
        """Numbers of lines such as `MemTotal:  948304 kB`."""
        return dict(_fields(_text(self.proc / name)))


def _fields(text: str) -> Iterator[tuple[str, int]]:
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        number = _whole(rest.strip().split(" ")[0])
        if number is not None:
            yield name, number


def _written_kib(medium: Path) -> int | None:
    numbers = _text(medium / "stat").split()
    sectors = _whole(numbers[_WRITTEN]) if len(numbers) > _WRITTEN else None
    return _kib(None if sectors is None else sectors * _SECTOR)


def _worn_percent(text: str) -> int | None:
    """Of `0x01 0x03`: the worse of two estimates in steps of a tenth; 0x0b is beyond the end (JEDEC eMMC)."""
    with suppress(ValueError):
        steps = [int(word, 16) for word in text.split()]
        return 10 * max(steps) if steps and 0 < max(steps) <= 0x0B else None
    return None


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="ascii").strip()
    return ""


def _whole(text: str) -> int | None:
    with suppress(ValueError):
        return int(text)
    return None


def _number(text: str) -> float | None:
    with suppress(ValueError):
        return float(text)
    return None


def _kib(count: int | None) -> int | None:
    return None if count is None else count // 1024
