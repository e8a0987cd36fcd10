"""One agent a gateway, as the user whose the records are.

A lock in the run folder holds for as long as the process lives: a second agent would take the socket of `gatehouse
status` away from the first, and the broker would end the first's link, since both have one client id. The kernel gives
the lock back however its owner ends; the file stays.
"""

import fcntl
import logging
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drivers.base import ConfigError, GatehouseError
from drivers.locks import lock_holder
from drivers.ownership import own_as_folder

_log = logging.getLogger(__name__)
FILE = "agent.lock"


class AlreadyRunningError(GatehouseError):
    """Another process has what only one may have; when that has ended, a start will do.

    No ConfigError, after which the service would stay down.
    """


def demand_owner(folder: Path, command: str) -> None:
    """Nothing is written yet: root's files in another's folder are files that its owner cannot open.

    `command` is what is to be run as that owner. Raises: ConfigError.
    """
    if os.geteuid() != 0:
        return
    standing = next(path for path in (folder, *folder.parents) if path.exists())
    number = standing.stat().st_uid
    if number == 0:
        return
    name = next((user.pw_name for user in pwd.getpwall() if user.pw_uid == number), f"'#{number}'")
    reason = f"this is root, and {standing} belongs to {name}, who cannot open what root writes there"
    raise ConfigError(reason, hint=f"run it as that user: sudo -u {name} {command}")


@contextmanager
def sole_agent(folder: Path) -> Iterator[None]:
    """Raises: AlreadyRunningError. Where no lock can be made the agent does without, and says so in the log."""
    path = folder / FILE
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as err:
        _log.error("%s: %s; a second agent would not be noticed; correct run.folder", path, err.strerror or err)
        yield
        return
    try:
        own_as_folder(descriptor, folder)
        claim(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def claim(descriptor: int, path: Path) -> None:
    """Lock the file until it is closed. Raises: AlreadyRunningError, naming who has it; OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as err:
        who = lock_holder(path) or "another process"
        hint = "stop it first: systemctl stop gatehouse, or Ctrl-C where it was started by hand"
        raise AlreadyRunningError(f"gatehouse is running already: {who} has {path}", hint=hint) from err
