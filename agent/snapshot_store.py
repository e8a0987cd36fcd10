"""Pictures of people at rest: sealed, short-lived, and gone when their time is over.

Each picture is sealed with a key of its own (AES-256-GCM), and that key with the installation's, in one file:

    {"v":1,"id":"…","camera":"…","taken":"…","boot":"…","expires_mono_s":…,"expires":"…","hidden":false,"key":"…"}
    nonce, 12 bytes | sealed picture

Deleting the file deletes the only key: another copy of the sealed picture, as it waits for the centre in the journal's
spool, is noise from then on. Before its name is removed the file is overwritten. On flash the old blocks may outlive
that until the controller erases them; whoever reads them needs the installation's key as well.

Blocking: in the loop it is called by `agent.blocking.in_thread`.
"""

import json
import os
import re
import secrets
import stat
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from agent.files import locked, permissions, sync_folder, write_whole
from drivers.base import Clock, ConfigError, GatehouseError

KEY_FILE: Final = "snapshots.key"
"""In the storage folder, where the settings name none."""
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SNAPSHOT_ID: Final = re.compile(r"[A-Za-z0-9-]{1,40}")
_SUFFIX = ".snap"
_UNFINISHED = f".*{_SUFFIX}.new"
"""As `write_whole` names them."""


class SnapshotError(GatehouseError):
    """A picture cannot be kept, shown or deleted."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands beside a sealed picture. `taken` and `expires` are RFC 3339, empty without a trusted clock.

    `hidden`: it belongs to something silent and is not listed where it happened.
    """

    id: str
    camera: str
    taken: str
    expires: str
    boot: str
    expires_mono_s: float
    hidden: bool


_KEPT = TypeAdapter(Kept)


class SnapshotStore:
    """The folder of sealed pictures, within `max_bytes`: the oldest go first."""

    def __init__(self, folder: Path, key_file: Path, clock: Clock, boot: str, max_bytes: int) -> None:
        self._folder = folder
        self._key_file = key_file
        self._clock = clock
        self._boot = boot
        self._max_bytes = max_bytes
        self._begun_s = clock.mono_s()

    def put(self, kept: Kept, jpeg: bytes) -> bytes:
        """Keep it; the sealed picture comes back, which only this store can open.

        Raises: SnapshotError, also when one of that name is kept: an order names its picture, and may replace none.
        """
        key = secrets.token_bytes(KEY_BYTES)
        sealed = _seal(key, jpeg, kept.id)
        head = {"v": 1, **asdict(kept), "key": _seal(self._key(), key, kept.id).hex()}
        try:
            with locked(self._folder):
                if self._path(kept.id).exists():
                    raise SnapshotError(f"there is a snapshot {kept.id} already", hint="give it another name")
                write_whole(self._path(kept.id), json.dumps(head).encode() + b"\n" + sealed)
        except ConfigError as err:
            raise SnapshotError(str(err), hint=err.hint) from err
        self._bound()
        return sealed

    def open(self, snapshot: str, sealed: bytes | None = None) -> bytes:
        """The picture; `sealed` is a copy of it kept elsewhere. Raises: SnapshotError when its time is over."""
        kept, key, body = self._read(self._path(snapshot))
        if self._is_over(kept):
            raise _gone(snapshot)
        return _unseal(_unseal(self._key(), bytes.fromhex(key), kept.id), sealed or body, kept.id)

    def kept(self) -> Iterator[Kept]:
        """What may be shown here, the oldest first. Raises: SnapshotError."""
        for path, _ in self._files():
            with suppress(SnapshotError):  # gone meanwhile, or no snapshot: `sweep` sees to it
                kept, _, _ = self._read(path)
                if not kept.hidden and not self._is_over(kept):
                    yield kept

    def sweep(self, keep_s: float, cameras: Container[str]) -> int:
        """Delete what is over, or of other cameras; how many that were.

        What is left of another boot is over `keep_s` after our start, whatever the clock says.

        Raises: SnapshotError when one cannot be deleted, after the others.
        """
        outlived = self._clock.mono_s() - self._begun_s >= keep_s

        def is_over(path: Path) -> bool:
            try:
                kept, _, _ = self._read(path)
            except SnapshotError:
                return True
            return self._is_over(kept) or (outlived and kept.boot != self._boot) or kept.camera not in cameras

        over = [path for path, _ in self._files() if is_over(path)]
        return self._delete_all(over) + self._delete_unfinished()

    # ------------------------------------------------------------ files

    def _delete_all(self, paths: Iterable[Path]) -> int:
        deleted, refusals = 0, list[SnapshotError]()
        for path in paths:
            try:
                self._delete(path)
                deleted += 1
            except SnapshotError as err:
                refusals.append(err)
        if refusals:
            raise refusals[0]
        return deleted

    def _delete_unfinished(self) -> int:
        """What a power cut left of a picture that was being written; while we hold the lock nobody writes."""
        if not any(self._folder.glob(_UNFINISHED)):
            return 0
        try:
            with locked(self._folder):
                return self._delete_all(list(self._folder.glob(_UNFINISHED)))
        except ConfigError as err:
            raise SnapshotError(str(err), hint=err.hint) from err

    def _path(self, snapshot: str) -> Path:
        if not SNAPSHOT_ID.fullmatch(snapshot):
            raise SnapshotError(f"{snapshot!r} is no snapshot", hint="see: gatehouse snapshots list")
        return self._folder / f"{snapshot}{_SUFFIX}"

    def _files(self) -> list[tuple[Path, int]]:
        """The pictures and their sizes, the oldest first. Raises: SnapshotError."""
        found = []
        try:
            for path in self._folder.iterdir():
                if path.suffix == _SUFFIX:
                    with suppress(FileNotFoundError):  # deleted meanwhile
                        status = path.lstat()
                        found.append((status.st_mtime_ns, path, status.st_size))
        except FileNotFoundError:
            return []  # none was ever taken
        except OSError as err:
            raise SnapshotError(f"{self._folder}: {err.strerror}", hint=permissions(self._folder)) from err
        return [(path, size) for _, path, size in sorted(found)]

    def _read(self, path: Path) -> tuple[Kept, str, bytes]:
        try:
            head, _, body = path.read_bytes().partition(b"\n")
            kept, key = _KEPT.validate_json(head, strict=True), json.loads(head)["key"]
            _moment(kept.expires)
            return kept, str(key), body
        except FileNotFoundError:
            raise _gone(path.stem) from None
        except OSError as err:
            raise SnapshotError(f"{path}: {err.strerror}", hint=permissions(path)) from err
        except (ValueError, TypeError, KeyError, OverflowError) as err:
            raise SnapshotError(f"{path} is no snapshot", hint="it is deleted with the next sweep") from err

    def _is_over(self, kept: Kept) -> bool:
        now = self._clock.utc()
        if kept.boot == self._boot and self._clock.mono_s() >= kept.expires_mono_s:
            return True
        expires = _moment(kept.expires)
        if expires is not None and now is not None:
            return now >= expires
        # Taken in another boot while the clock was not trusted: nobody knows how long ago.
        return expires is None and kept.boot != self._boot

    def _bound(self) -> None:
        files = self._files()
        used = sum(size for _, size in files)
        for path, size in files[:-1]:
            if used <= self._max_bytes:
                return
            used -= size
            self._delete(path)

    def _delete(self, path: Path) -> None:
        """Overwritten, removed, and seen to be gone. Raises: SnapshotError."""
        try:
            with suppress(FileNotFoundError):
                with path.open("r+b", buffering=0) as file:
                    file.write(bytes(os.fstat(file.fileno()).st_size))
                    os.fsync(file.fileno())
                path.unlink()
                sync_folder(self._folder)
            gone = not path.exists()
        except OSError as err:
            raise SnapshotError(f"{path} cannot be deleted: {err.strerror}", hint=permissions(path)) from err
        if not gone:
            raise SnapshotError(f"{path} is still there after it was deleted", hint="check the disk")

    def _key(self) -> bytes:
        """The installation's, made with the first picture. Raises: SnapshotError."""
        file = self._key_file
        try:
            with locked(file.parent):
                if not file.exists():
                    write_whole(file, secrets.token_hex(KEY_BYTES).encode() + b"\n")
                mode, text = file.stat().st_mode, file.read_text("ascii").strip()
        except (ConfigError, OSError, UnicodeDecodeError) as err:
            raise SnapshotError(f"{file} cannot be used: {err}", hint=permissions(file)) from err
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SnapshotError(f"{file}: the key may be read by others", hint=f"chmod 600 {file}")
        if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
            hint = "put it back from a copy; without one, remove it: pictures sealed with it are lost"
            raise SnapshotError(f"{file}: not a key of {KEY_BYTES} bytes in hexadecimal", hint=hint)
        return bytes.fromhex(text)


def lasting(snapshot: str, camera: str, clock: Clock, boot: str, keep_s: float, *, hidden: bool) -> Kept:
    """A picture taken now, to be kept for so long."""
    now = clock.utc()
    return Kept(
        id=snapshot,
        camera=camera,
        taken="" if now is None else now.isoformat(timespec="seconds"),
        expires="" if now is None else (now + timedelta(seconds=keep_s)).isoformat(timespec="seconds"),
        boot=boot,
        expires_mono_s=clock.mono_s() + keep_s,
        hidden=hidden,
    )


def _moment(text: str) -> datetime | None:
    """None for an empty text. Raises: ValueError, OverflowError."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _seal(key: bytes, content: bytes, name: str) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, name.encode())


def _unseal(key: bytes, sealed: bytes, name: str) -> bytes:
    """Raises: SnapshotError when it was sealed with another key or is damaged."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
    except (InvalidTag, ValueError) as err:
        hint = "the file is damaged, or the installation's key is another than when it was taken"
        raise SnapshotError(f"the snapshot {name} cannot be opened", hint=hint) from err


def _gone(snapshot: str) -> SnapshotError:
    return SnapshotError(f"the snapshot {snapshot} is gone", hint="its time is over; see: gatehouse snapshots list")
