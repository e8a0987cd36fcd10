"""Where a reader's key (SCBK) is kept: one file each, 32 hexadecimal digits, readable by the agent alone.

A key that is to replace it, the candidate, is written beside it as `NAME.new` before it is sent to the reader, and
takes the file's place once the reader has proved that it holds it. Whatever happens in between, one of the two files
holds the reader's key; so the panel tries the candidate first and then the key.
"""

import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

from drivers.base import DeviceFault
from drivers.osdp.secure import KEY_LENGTH, SCBK_D
from drivers.ownership import make_folder

_GROUP_AND_OTHERS = 0o077

_log = logging.getLogger(__name__)


def read_keys(reader: str, path: Path | None) -> tuple[bytes, ...]:
    """Return the candidate, if there is one, and the key. Raises: DeviceFault when there is neither."""
    pending = pending_key(reader, path)
    if pending is None:
        return (read_key(reader, path),)
    if path is None or not path.exists():
        return (pending,)
    return pending, read_key(reader, path)


def pending_key(reader: str, path: Path | None) -> bytes | None:
    """Return the candidate; None when there is none or it cannot be used, which is logged."""
    if path is None or not candidate_path(path).exists():
        return None
    try:
        return read_key(reader, candidate_path(path))
    except DeviceFault as error:
        _log.warning("%s", error)
        return None


def read_key(reader: str, path: Path | None) -> bytes:
    """Return the key in `path`. Raises: DeviceFault with the cure; never says what the file holds."""
    if path is None:
        raise DeviceFault(reader, "it has no key file", hint="name its key_file; the secure channel needs a key")
    try:
        text = path.read_text(encoding="ascii").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else "no text"
        raise DeviceFault(
            reader, f"its key file {path} cannot be read: {what}", hint="put the reader's SCBK there, 32 hex digits"
        ) from error
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_LENGTH:
        raise DeviceFault(reader, f"its key file {path} holds no key", hint="it must hold 32 hexadecimal digits")
    if key == SCBK_D:
        raise DeviceFault(
            reader, f"its key file {path} holds the default key, which everybody knows", hint="give it a key of its own"
        )
    if mode & _GROUP_AND_OTHERS:
        _log.warning("%s: others can read its key file %s; cure: chmod 600 %s", reader, path, path)
    return key


def candidate_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def propose(reader: str, path: Path) -> bytes:
    """Return a candidate that is on disk for good: the one that waits there, or a fresh one.

    Raises: DeviceFault when it cannot be written.
    """
    pending = pending_key(reader, path)
    if pending is not None:
        return pending
    key = secrets.token_bytes(KEY_LENGTH)
    draft = path.with_name(f"{path.name}.draft")
    try:
        make_folder(path.parent, 0o700)
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            _give_to_owner(descriptor, path)
            file.write(f"{key.hex()}\n")
            file.flush()
            os.fsync(descriptor)
        draft.replace(candidate_path(path))
        _sync_folder(path.parent)
    except OSError as error:
        raise DeviceFault(
            reader, f"its new key cannot be kept in {path.parent}: {error.strerror}", hint="run the command as root"
        ) from error
    return key


def promote(reader: str, path: Path, key: bytes) -> bool:
    """Put the candidate in the key file's place, if it is `key`, which the reader has proved; True if it was done.

    Where that fails the candidate stays, and works as well.
    """
    if pending_key(reader, path) != key:
        return False
    try:
        candidate_path(path).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        _log.warning("%s: its new key stays in %s: %s", reader, candidate_path(path), error.strerror)
        return False
    _log.info("%s: proved its new key, now in %s", reader, path)
    return True


def _give_to_owner(descriptor: int, path: Path) -> None:
    """Let root write for the agent's user: the new file belongs to whom the old one, or the folder, belongs."""
    owner = (path if path.exists() else path.parent).stat()
    with suppress(PermissionError):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
