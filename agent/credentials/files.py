"""The file with the key of a card list, beside it."""

import re
import stat
from pathlib import Path

from agent.files import permissions
from drivers.base import ConfigError

KEY_BYTES = 32


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
