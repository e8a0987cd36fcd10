"""Files that are written whole or not at all, changed by one process at a time.

A writer holds an advisory lock (flock) on the folder from before it reads until the new file stands. The order of
writing is: new file, flush, rename over the old one, flush of the folder. A power cut leaves the old file or the
new one; a new file that was never renamed is removed by the next writer.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from drivers.base import ConfigError
from drivers.ownership import make_folder, own_as_folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Waits for whoever holds it. Raises: ConfigError when the folder cannot be used."""
    try:
        make_folder(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as err:
        raise _cannot_write(folder, folder, err) from err
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Mode 0600, owned as its folder where root writes. The caller holds the lock. Raises: ConfigError."""
    new = path.with_name(f".{path.name}.new")
    try:
        with suppress(FileNotFoundError):
            new.unlink()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            own_as_folder(descriptor, path.parent)
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.rename(path)
        sync_folder(path.parent)
    except OSError as err:
        with suppress(OSError):
            new.unlink()
        raise _cannot_write(path, path.parent, err) from err


def write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def sync_folder(path: Path) -> None:
    """Only then is a new name durable, or an old one gone."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def permissions(path: Path) -> str:
    return f"see that {path} belongs to the user gatehouse, and run this as root or as gatehouse"


def _cannot_write(path: Path, folder: Path, err: OSError) -> ConfigError:
    return ConfigError(f"{path}: cannot be written: {err.strerror}", hint=permissions(folder))
