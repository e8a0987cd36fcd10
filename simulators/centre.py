"""A district governance centre: subscribes, removes duplicates, proves that nothing is missing, answers receipts.

It knows gateways only by the published contract. In tests and in the demo it runs inside the process; on its own,
`python -m simulators.centre --broker mqtt://…` prints what arrives, and answers receipts.
"""

import argparse
import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from agent.events import CATALOGUE
from agent.settings import Centre as CentreSettings
from agent.settings import Protocol
from agent.uplink import Cause, LinkDownError, Session, Target
from agent.uplink.session import Closed, Message, Subscribed
from drivers.base import Clock, SystemClock
from simulators.books import Proof
from simulators.registry import RECEIPT_EVERY_S, GatewayBook, Received, Registry

__all__ = ["Centre", "GatewayBook", "Proof", "Received"]

TICK_S: Final = 0.25
RECONNECT_S: Final = 0.1
CONNECT_S: Final = 10.0
KEEPALIVE_S: Final = 30


class Centre:
    """A context manager; the link to the broker is kept up by itself.

    `on_received` is told of each new event, `on_news` of presence, devices and gaps in words. `judge` may reject an
    event by a reason. With `receipts=False` it only listens, as the centres of the other levels do; `below` is the
    part of the city it listens to, `610200/610202`.
    """

    def __init__(
        self,
        broker: str,
        *,
        clock: Clock,
        below: str = "",
        receipts: bool = True,
        ca_file: Path | None = None,
        cert_file: Path | None = None,
        key_file: Path | None = None,
        protocol: Protocol = Protocol.MQTT5,
        client_id: str = "centre",
    ) -> None:
        self.on_received: Callable[[Received], None] = lambda _: None
        self.received: deque[Received] = deque(maxlen=100_000)
        self._registry = Registry()
        self._registry.on_received = self._store
        self._target = Target.of(CentreSettings(broker=broker, ca_file=ca_file, cert_file=cert_file, key_file=key_file))
        self._clock = clock
        self._below = below.strip("/")
        self._receipts = receipts
        self._protocol = protocol
        self._client_id = client_id
        self._wake = asyncio.Event()
        self._connected = asyncio.Event()
        self._lost = False
        self._count = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def gateways(self) -> Mapping[str, GatewayBook]:
        return self._registry.gateways

    @property
    def unreadable(self) -> int:
        """Messages that were none of the contract's."""
        return self._registry.unreadable

    def tell(self, on_news: Callable[[str], None]) -> None:
        """Who hears of presence, devices, gaps and the link, in words."""
        self._registry.on_news = on_news

    def reject(self, judge: Callable[[Received], str | None]) -> None:
        """Reject each event for which `judge` gives a reason."""
        self._registry.judge = judge

    async def __aenter__(self) -> Self:
        """Raises: TimeoutError when the broker is not there."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="centre")
        try:
            async with self._clock.timeout(CONNECT_S):
                await self._connected.wait()
        except TimeoutError:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    # ------------------------------------------------------------ asking

    def mark(self) -> int:
        """A place in the stream, for `wait_for(since=…)`."""
        return self._count

    def since(self, mark: int) -> Sequence[Received]:
        skip = max(0, mark - (self._count - len(self.received)))
        return list(self.received)[skip:]

    async def wait_for(self, fits: Callable[[Received], bool], *, since: int = 0, timeout_s: float = 10.0) -> Received:
        """The first event since then that fits. Raises: TimeoutError."""
        found: list[Received] = []

        def look() -> bool:
            nonlocal since
            fresh, since = self.since(since), self._count
            found.extend(received for received in fresh if fits(received))
            return bool(found)

        await self.wait_until(look, timeout_s=timeout_s)
        return found[0]

    async def wait_until(self, holds: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
        """Asked again whenever something arrives. Raises: TimeoutError."""
        async with self._clock.timeout(timeout_s):
            while not holds():
                waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiters.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiters.discard(waiter)

    def proof(self) -> Proof:
        return self._registry.proof()

    def lose_database(self) -> None:
        """Everything it knew is lost, its count of receipts too; it reconnects, and asks from the first entry on."""
        lost, self._registry = self._registry, Registry()
        self._registry.on_received, self._registry.on_news = self._store, lost.on_news
        self._registry.judge = lost.judge
        self._lost = True
        self._wake.set()

    # ------------------------------------------------------------ the link

    async def _run(self) -> None:
        while True:
            session = Session(self._target, self._protocol, self._client_id, KEEPALIVE_S, self._wake)
            try:
                await session.open(self._clock)
                await self._serve(session)
            except LinkDownError as error:
                self._registry.on_news(f"no link: {error.reason}")
            finally:
                session.abort()
            await self._clock.sleep(RECONNECT_S)

    async def _serve(self, session: Session) -> None:
        below = f"{self._below}/" if self._below else ""
        own = [f"gatehouse/1/down/{'+/' * 5}receipt"] if self._receipts else []
        session.subscribe([*own, f"gatehouse/1/up/{below}#"])
        session.flush()
        self._registry.owe_all()
        self._lost = False
        while not self._lost:
            self._wake.clear()
            now = self._clock.mono_s()
            for happening in session.take():
                match happening:
                    case Message():
                        self._registry.take(happening.topic, happening.payload, now)
                    case Subscribed():
                        self._connected.set()
                    case Closed():
                        raise LinkDownError(Cause.LOST, happening.reason)
                    case _:
                        pass
            if self._receipts:
                for answer in (*self._registry.receipts(now), *self._registry.requests(now)):
                    session.publish(answer.topic, answer.payload, retain=answer.retain)
            session.tick()
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            owing = self._receipts and self._registry.owing
            with suppress(TimeoutError):
                async with self._clock.timeout(RECEIPT_EVERY_S if owing else TICK_S):
                    await self._wake.wait()

    def _store(self, received: Received) -> None:
        self.received.append(received)
        self._count += 1
        self.on_received(received)


# ---------------------------------------------------------------- on its own


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m simulators.centre", description="A centre at the terminal.")
    parser.add_argument("--broker", required=True, help="mqtt://host:port or mqtts://host:port")
    parser.add_argument("--below", default="", help="only this part of the city: 610200/610202")
    parser.add_argument("--ca-file", type=Path)
    parser.add_argument("--cert-file", type=Path, help="for a broker that asks for one; with --key-file")
    parser.add_argument("--key-file", type=Path)
    parser.add_argument("--listen", action="store_true", help="answer no receipts: another centre is of record")
    options = parser.parse_args(arguments)
    with suppress(KeyboardInterrupt):
        asyncio.run(_print_all(options))
    return 0


async def _print_all(options: argparse.Namespace) -> None:
    clock = SystemClock()
    centre = Centre(
        options.broker,
        clock=clock,
        below=options.below,
        receipts=not options.listen,
        ca_file=options.ca_file,
        cert_file=options.cert_file,
        key_file=options.key_file,
    )
    centre.on_received = lambda received: print(_line(received), flush=True)
    centre.tell(lambda words: print(f"  {words}", flush=True))
    async with centre:
        await asyncio.Event().wait()


def _line(received: Received) -> str:
    info = CATALOGUE[received.kind]
    what = f"{received.readings} readings" if received.readings else f"{info.title_zh} {info.title_en}"
    return f"{received.gateway} {received.lane}/{received.sequence} {received.subject} {what}"


if __name__ == "__main__":
    raise SystemExit(main())
