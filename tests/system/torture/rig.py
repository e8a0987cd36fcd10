"""A gateway's core, a broker, the line between them and a centre, to be broken in every way; and the proof at the end.

What the core has promised (`+ N`: durable) is compared with what the centre has: nothing promised may be missing, no
gap may be left that is not declared, and whatever arrived twice was known by its identity.
"""

import asyncio
import random
import signal
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.events import Lane
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre, Received
from simulators.children import ENDS_WITH_US
from simulators.network import Network
from tests.system.torture.core import Orders

AT_ONCE: Final = 40
A_LIFE: Final = 10_000_000
"""Numbers of one life of the core; the next life counts on from the next multiple."""
STILL_S: Final = 60.0
"""Nothing new has arrived for so long: nothing more will."""
UP_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """`lost`: promised and neither received nor declared; `again`: arrived once more and known by its identity."""

    promised: int
    received: int
    again: int
    dropped: int
    gaps: int
    broken: int
    lost: int
    stored_twice: int

    def __str__(self) -> str:
        return (
            f"accepted {self.promised:,}, received {self.received:,}, duplicates {self.again:,}, declared dropped "
            f"{self.dropped:,}, missing {self.lost}, gaps {self.gaps}, broken chains {self.broken}"
        )


class Rig:
    """With `libfiu` the core's calls can be made to fail (`inject`)."""

    def __init__(
        self, folder: Path, state: Path, broker: Broker, network: Network, centre: Centre, *, libfiu: bool,
        max_bytes: int,
    ) -> None:  # fmt: skip
        self.broker = broker
        self.network = network
        self.centre = centre
        self.clock = SystemClock()
        self.chance = random.Random(20261123)
        self.state = state
        self.deaths: list[str] = []
        """What the core said on the way out, of the lives that ended by themselves."""
        self.told: Counter[str] = Counter()
        """How often its link and its journal were in each state: `link down`, `journal failing`."""
        self._folder = folder
        self._fiu = folder / "fiu"
        self._wrap = ("fiu-run", "-x", "-f", str(self._fiu)) if libfiu else ()
        self._max_bytes = max_bytes
        self._lives = 0
        self._promised: set[int] = set()
        self._arrived: Counter[int] = Counter()
        self._core: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        centre.on_received = self._received

    # ------------------------------------------------------------ the core

    async def start(
        self, *, at_once: int = AT_ONCE, wait: bool = True, dies: tuple[str, bool, int] | None = None
    ) -> None:
        """A new life; with `at_once=0` it only delivers what is left. It `dies` at a step of `dying`."""
        orders = Orders(
            folder=str(self.state),
            broker=f"mqtt://127.0.0.1:{self.network.port}",
            first=self._lives * A_LIFE,
            at_once=at_once,
            max_bytes=self._max_bytes,
            dies=dies,
        )
        path = self._folder / "orders.json"
        orders.write(path)
        self._lives += 1
        self._up.clear()
        command = [*self._wrap, sys.executable, "-m", "tests.system.torture.core", str(path)]
        self._core = await asyncio.create_subprocess_exec(
            *ENDS_WITH_US, *command, stdout=PIPE, stderr=PIPE, cwd=Path(__file__).parents[3]
        )
        self._listening = asyncio.create_task(self._listen(self._core), name="core's promises")
        if wait:
            await self.up()

    async def up(self) -> None:
        """The journal is open. Raises: TimeoutError."""
        await self.until(self._up.is_set, UP_S)

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        """The exit code; every promise made before the end is heard."""
        assert self._core is not None
        assert self._listening is not None
        core, self._core = self._core, None
        if core.returncode is None:
            core.send_signal(how)
        await self._listening
        return await core.wait()

    async def death(self, timeout_s: float = 60.0) -> int:
        """The exit code of a life that ends by itself. Raises: TimeoutError."""
        assert self._core is not None
        async with self.clock.timeout(timeout_s):
            await self._core.wait()
        return await self.kill()

    async def hears(self, what: str, times: int, timeout_s: float = 30.0) -> None:
        """The core has said it so often. Raises: TimeoutError."""
        await self.until(lambda: self.told[what] >= times, timeout_s)

    async def inject(self, order: str) -> None:
        """A command of libfiu for the running core, `enable name=posix/io/sync/fsync`."""
        assert self._core is not None
        command = ("fiu-ctrl", "-f", str(self._fiu), "-c", order, str(self._core.pid))
        assert await (await asyncio.create_subprocess_exec(*command)).wait() == 0

    def send(self, number: signal.Signals) -> None:
        assert self._core is not None
        self._core.send_signal(number)

    @property
    def alive(self) -> bool:
        return self._core is not None and self._core.returncode is None

    async def promises(self, more: int, timeout_s: float = 60.0) -> None:
        """So many further promises have been heard. Raises: TimeoutError."""
        want = len(self._promised) + more
        await self.until(lambda: len(self._promised) >= want, timeout_s)

    async def arrivals(self, more: int, timeout_s: float = 60.0) -> None:
        """So many further events of any kind have reached the centre. Raises: TimeoutError."""
        want = len(self._arrived) + more
        await self.until(lambda: len(self._arrived) >= want, timeout_s)

    async def until(self, holds: Callable[[], bool], timeout_s: float) -> None:
        """Raises: TimeoutError, RuntimeError with what the core said when it ended by itself."""
        async with self.clock.timeout(timeout_s):
            while not holds():
                if self._core is not None and self._core.returncode is not None:
                    raise RuntimeError(f"the core ended with {self._core.returncode}:\n{self.deaths[-1:]}")
                await self.clock.sleep(0.01)

    # ------------------------------------------------------------ the proof

    async def prove(self) -> Result:
        """End the core, let a last life deliver what is left, and compare.

        Raises: AssertionError naming what is missing.
        """
        if self._core is not None:
            await self.kill(signal.SIGTERM)
        await self.start(at_once=0)
        arrived = -1
        while self._open_books() and len(self._arrived) > arrived:
            arrived = len(self._arrived)
            with suppress(TimeoutError):  # the result says what is missing
                await self.until(lambda: not self._open_books(), STILL_S)
        await self.kill(signal.SIGTERM)
        proof = self.centre.proof()
        missing = self._missing()
        result = Result(
            promised=len(self._promised),
            received=len(self._arrived),
            again=proof.duplicates,
            dropped=proof.dropped,
            gaps=proof.gaps,
            broken=proof.broken,
            lost=max(0, len(missing) - proof.dropped),
            stored_twice=sum(count > 1 for count in self._arrived.values()),
        )
        assert (result.lost, result.gaps, result.broken, result.stored_twice) == (0, 0, 0, 0), str(result)
        assert self.centre.unreadable == 0
        return result

    def _open_books(self) -> bool:
        proof = self.centre.proof()
        return bool(proof.gaps) or len(self._missing()) > proof.dropped

    def _missing(self) -> set[int]:
        return self._promised - self._arrived.keys()

    # ------------------------------------------------------------ private

    async def _listen(self, core: asyncio.subprocess.Process) -> None:
        assert core.stdout is not None
        assert core.stderr is not None
        errors = asyncio.create_task(core.stderr.read(), name="core's errors")
        while (line := await core.stdout.readline()).endswith(b"\n"):
            if line.startswith(b"+"):
                self._promised.add(int(line[2:]))
            elif line == b"up\n":
                self._up.set()
            else:
                self.told[line.decode().strip()] += 1
        said = (await errors).decode(errors="replace")
        if await core.wait() > 0:
            self.deaths.append(said)

    def _received(self, received: Received) -> None:
        if received.lane is Lane.TELEMETRY:
            # A batch may overlap another; the books keep them apart by their sequence.
            self._arrived |= Counter({int(reading[1]): 1 for reading in received.data["readings"]})
        elif "n" in received.data:
            self._arrived[int(received.data["n"])] += 1


@asynccontextmanager
async def rig(
    folder: Path,
    *,
    state: Path | None = None,
    broker: Callable[[Path], Broker] = Broker.iotcore,
    libfiu: bool = False,
    max_bytes: int = 512 << 20,
) -> AsyncIterator[Rig]:
    """The whole of it; the core is not yet started."""
    made = broker(folder)
    async with made, Network(made.port) as network, Centre(made.url, clock=SystemClock()) as centre:
        rigged = Rig(folder, state or folder / "state", made, network, centre, libfiu=libfiu, max_bytes=max_bytes)
        try:
            yield rigged
        finally:
            if rigged.alive:
                await rigged.kill()
