"""Whose a file is: what root makes for the agent belongs to the agent's user, who is to read and to replace it."""

import os
from pathlib import Path


def own_as_folder(descriptor: int, folder: Path) -> None:
    """The new file belongs to whom the folder belongs. Raises: OSError."""
    if os.geteuid() == 0:
        status = folder.stat()
        os.fchown(descriptor, status.st_uid, status.st_gid)


def give_as_folder(path: Path) -> None:
    """What stands at `path` belongs to whom the folder around it belongs. Raises: OSError."""
    if os.geteuid() == 0:
        status = path.parent.stat()
        os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Where there is none, with those above it; each belongs to whom the one around it belongs. Raises: OSError."""
    if not folder.parent.exists():
        make_folder(folder.parent)
    try:
        folder.mkdir(mode)
    except OSError:
        if not folder.is_dir():
            raise
        return
    give_as_folder(folder)
