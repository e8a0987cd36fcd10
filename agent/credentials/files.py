"""Files that hold secrets: written whole or not at all, changed by one process at a time.

A writer holds an advisory lock (flock) on the folder from before it reads until the new file stands. The order of
writing is: new file, flush, rename over the old one, flush of the folder. A power cut leaves the old file or the
new one; a new file that was never renamed is removed by the next writer.
"""

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from drivers.base import ConfigError

KEY_BYTES = 32


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Waits for whoever holds it. Raises: ConfigError when the folder cannot be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as err:
        raise _cannot_write(folder, folder, err) from err
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Mode 0600, owned as its folder where root writes. The caller holds the lock."""
    new = path.with_name(f".{path.name}.new")
    try:
        with suppress(FileNotFoundError):
            new.unlink()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if os.geteuid() == 0:
                folder = path.parent.stat()
                os.fchown(descriptor, folder.st_uid, folder.st_gid)
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.rename(path)
        _sync_folder(path.parent)
    except OSError as err:
        with suppress(OSError):
            new.unlink()
        raise _cannot_write(path, path.parent, err) from err


def key_path(path: Path) -> Path:
    """The file with the key of the list at `path`."""
    return path.with_name(f"{path.name}.key")


def read_key(path: Path) -> bytes:
    """The key of the list at `path`. Raises: ConfigError naming the file and the cure."""
    file = key_path(path)
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="ascii").strip()
    except FileNotFoundError as err:
        hint = f"put it back from a copy, or remove {path} and enter the cards again"
        raise ConfigError(f"{file}: the key of the card list is missing", hint=hint) from err
    except UnicodeDecodeError:
        mode, text = 0, ""
    except OSError as err:
        raise ConfigError(f"{file}: {err.strerror}", hint=permissions(file)) from err
    if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
        raise ConfigError(f"{file}: not a key of {KEY_BYTES} bytes in hexadecimal", hint="put it back from a copy")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{file}: the key may be read by others", hint=f"chmod 600 {file}")
    return bytes.fromhex(text)


def permissions(path: Path) -> str:
    return f"see that {path} belongs to the user gatehouse, and run this as root or as gatehouse"


def _sync_folder(folder: Path) -> None:
    """Only then is the new name durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot_write(path: Path, folder: Path, err: OSError) -> ConfigError:
    return ConfigError(f"{path}: cannot be written: {err.strerror}", hint=permissions(folder))
