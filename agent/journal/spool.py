"""Pictures on disk: a JPEG is a file under its SHA-256, and the body of a media entry holds that name.

Blocking, called only in the journal's thread. The file is on disk before its entry is, and goes once no entry that
waits names it any more; what a crash leaves between the two is swept at the next start. A media entry is never lost
with its picture: a file that is gone or damaged reads as None.
"""

import errno
import hashlib
import logging
import os
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.journal.database import StorageError, StorageFullError
from agent.journal.quarantine import sync

_LOG = logging.getLogger(__name__)
_NAME = re.compile(rb'"sha256":"([0-9a-f]{64})"')
_PART = ".part"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_HINT = "Free space on the journal's disk, or lower storage.media_mb."


def name_of(jpeg: bytes) -> str:
    return hashlib.sha256(jpeg).hexdigest()


def named_in(body: bytes) -> str | None:
    """The picture that a media entry's body refers to by `"sha256":"…"`."""
    found = _NAME.search(body)
    return None if found is None else found[1].decode()


class MediaSpool:
    """Files of a folder under a budget; `sweep` comes first, and looks what there is."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._folder = folder
        self._sizes: dict[str, int] = {}

    @property
    def used_bytes(self) -> int:
        return sum(self._sizes.values())

    def size(self, name: str) -> int:
        return self._sizes.get(name, 0)

    def sweep(self, wanted: Container[str]) -> None:
        """Remove what is not wanted. Raises: StorageError."""
        self._sizes.clear()
        with _in_our_words(self._folder):
            if not self._folder.is_dir():
                self._folder.mkdir()
                sync(self._folder.parent)
            for entry in list(os.scandir(self._folder)):
                if entry.name in wanted:
                    self._sizes[entry.name] = entry.stat().st_size
                else:
                    Path(entry.path).unlink()

    def put(self, jpeg: bytes) -> str:
        """The picture's name, once file and folder are on disk. Raises: StorageError, and nothing is left."""
        name = name_of(jpeg)
        if name in self._sizes:
            return name
        part = self._folder / (name + _PART)
        with _in_our_words(self._folder):
            try:
                with part.open("wb") as file:
                    file.write(jpeg)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(self._folder / name)
                sync(self._folder)
            except OSError:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
                raise
        self._sizes[name] = len(jpeg)
        return name

    def read(self, name: str) -> bytes | None:
        """None when it is gone, and when the disk gives back something else."""
        if name not in self._sizes:
            return None
        try:
            jpeg = (self._folder / name).read_bytes()
        except OSError as err:
            _LOG.warning("picture %s: %s", name, err.strerror)
            return None
        if name_of(jpeg) != name:
            _LOG.warning("picture %s: the disk gives back something else", name)
            return None
        return jpeg

    def remove(self, name: str) -> None:
        """Where the disk refuses, the next start does it."""
        if self._sizes.pop(name, None) is not None:
            with suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)


@contextmanager
def _in_our_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        kind = StorageFullError if err.errno in _FULL else StorageError
        raise kind(f"{folder}: {err.strerror}", hint=_HINT) from err
