"""A disk whose power can be cut: an ext4 image on a loop device, shut down without flushing its log."""

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.conftest import need

_SHUTDOWN: Final = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125
"""FS_IOC_SHUTDOWN, `_IOR('X', 125, __u32)` (include/uapi/linux/fs.h, fs/ext4/ext4.h)."""
_NO_LOG_FLUSH: Final = 2
_MB: Final = 64


class PowerCut:
    """`mounted` is there while `powered`."""

    def __init__(self, image: Path, mounted: Path) -> None:
        self.mounted = mounted
        self._image = image
        mounted.mkdir()
        with image.open("wb") as file:
            file.truncate(_MB << 20)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)

    @contextmanager
    def powered(self) -> Iterator[None]:
        """Needs a kernel that mounts images."""
        done = subprocess.run(["mount", "-o", "loop", self._image, self.mounted], capture_output=True, text=True)
        need(done.returncode == 0, f"a loop device ({done.stderr.strip()})")
        try:
            yield
        finally:
            subprocess.run(["umount", self.mounted], check=True)

    def cut(self) -> None:
        cut_power(self.mounted)


def cut_power(mounted: Path) -> None:
    """From now on every access fails, and what was not synchronised is gone at the next mount."""
    folder = os.open(mounted, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
    finally:
        os.close(folder)
