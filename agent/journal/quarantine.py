"""A damaged file is set aside under another name, never deleted; a crash at any moment leaves that to be finished.

`journal.damaged` says what is wrong, and once a name has been chosen, which; it goes when the new epoch has begun.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARKER = "journal.damaged"
_INFIX = ".damaged-"
_SIDES = ("-wal", "-shm", "")
"""The file itself last: while it stands there, nothing has begun in its place."""


@dataclass(frozen=True, slots=True)
class Damage:
    """`aside` is empty until the file's new name is chosen."""

    reason: str
    aside: str = ""


def mark_damaged(folder: Path, reason: str) -> None:
    """The next opening sets the file aside; where this cannot be written, it finds the damage itself."""
    with suppress(OSError):
        _write(folder, Damage(reason))


def marked(folder: Path) -> Damage | None:
    """Raises: OSError."""
    try:
        reason, _, aside = (folder / MARKER).read_text().partition("\n")
    except FileNotFoundError:
        return None
    return Damage(reason or "damage was met while running", aside.strip())


def set_aside(path: Path, damage: Damage, now: str) -> Damage:
    """Give the file and what belongs to it another name, or finish doing so. Raises: OSError."""
    if not damage.aside:
        damage = Damage(damage.reason, _free_name(path, now))
        _write(path.parent, damage)
    if not (path.parent / damage.aside).exists():
        for side in _SIDES:
            with suppress(FileNotFoundError):
                path.with_name(path.name + side).rename(path.with_name(damage.aside + side))
        sync(path.parent)
    return damage


def finished(folder: Path) -> None:
    """Raises: OSError."""
    (folder / MARKER).unlink()


def kept(folder: Path) -> Iterator[Path]:
    """What was set aside and is still there, without the files beside each."""
    return (path for path in folder.glob(f"*{_INFIX}*") if not path.name.endswith(("-wal", "-shm")))


def sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _free_name(path: Path, now: str) -> str:
    name, number = f"{path.name}{_INFIX}{now}", 1
    while (path.parent / name).exists():
        number += 1
        name = f"{path.name}{_INFIX}{now}-{number}"
    return name


def _write(folder: Path, damage: Damage) -> None:
    part = folder / f"{MARKER}.part"
    with part.open("w") as file:
        file.write(f"{' '.join(damage.reason.split())}\n{damage.aside}")
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / MARKER)
