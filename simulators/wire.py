"""A serial cable that is a pty: a stable path for the agent, a descriptor for the simulator, and a plug to pull."""

import os
import tty
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pace:
    """How a real line hands bytes over: a reply begins after the turn-around and comes `fifo` bytes at a time."""

    turnaround_s: float = 0.003
    fifo: int = 8


class Wire:
    """`path` is what the agent opens (a link to the pty's slave); `fd` is the simulator's end, non-blocking.

    Unplugging closes the simulator's end and takes the path away, as a USB adapter does; plugging in makes a new
    pty behind the same path. The slave is held open here too, so that `fd` is quiet while no agent has the port.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._master: int | None = None
        self._slave: int | None = None

    @property
    def plugged(self) -> bool:
        return self._master is not None

    @property
    def fd(self) -> int:
        if self._master is None:
            raise RuntimeError(f"{self.path} is unplugged")
        return self._master

    def plug(self) -> None:
        self.unplug()
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self.path.symlink_to(os.ttyname(slave))
        self._master, self._slave = master, slave

    def unplug(self) -> None:
        self.path.unlink(missing_ok=True)
        for end in (self._master, self._slave):
            if end is not None:
                os.close(end)
        self._master = self._slave = None
