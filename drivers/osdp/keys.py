"""Where a reader's key (SCBK) is kept: one file each, 32 hexadecimal digits, readable by the agent alone."""

import logging
from pathlib import Path

from drivers.base import DeviceFault
from drivers.osdp.secure import KEY_LENGTH, SCBK_D

_GROUP_AND_OTHERS = 0o077

_log = logging.getLogger(__name__)


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
