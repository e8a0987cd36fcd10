"""Who holds the lock on a file or a port."""

import os
from contextlib import suppress
from pathlib import Path


def lock_holder(path: Path) -> str:
    """The process that has locked `path` (flock), by /proc/locks; empty when that does not tell."""
    with suppress(OSError, ValueError):
        found = path.stat()
        place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        for lock in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = lock.split()
            if "FLOCK" in fields and "->" not in fields and fields[-3] == place:
                return _named(int(fields[-4]))
    return ""


def _named(process: int) -> str:
    """By its number alone where /proc shows only one's own processes."""
    with suppress(OSError):
        name = Path("/proc", str(process), "comm").read_text(encoding="utf-8").strip()
        return f"{name} (process {process})"
    return f"process {process}" if process > 0 else ""
