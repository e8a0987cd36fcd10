"""A district governance centre: subscribes, removes duplicates, proves that nothing is missing, answers receipts.

It knows gateways only by the published contract. In tests and in the demo it runs inside the process; on its own it
is `gatehouse centre`. An example for those who build a real one: `registry` decides, `books` proves, `archive` keeps.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from agent.contract import split_up
from agent.contract.commands import CommandReply, Handled, Verb
from agent.events import JsonValue
from agent.settings import Centre as CentreSettings
from agent.settings import Protocol
from agent.uplink import Cause, LinkDownError, Session, Target
from agent.uplink.dial import SLOW
from agent.uplink.session import Closed, Message, Subscribed
from drivers.base import Clock
from simulators.archive import Archive, Arrived
from simulators.books import Proof
from simulators.office import Desk
from simulators.registry import RECEIPT_EVERY_S, Answer, GatewayBook, Received, Registry

__all__ = ["Centre", "GatewayBook", "Proof", "Received"]

TICK_S: Final = 0.25
RECONNECT_S: Final = 0.1
CONNECT_S: Final = 10.0
KEEPALIVE_S: Final = 30
ALL_BUT_EVENTS: Final = ("presence", "status", "device/#", "reply/#")
LEVELS: Final = 5
"""Of a gateway's path: city, county, street, community, gateway."""


def up_filter(below: str, suffix: str) -> str:
    """What all gateways below a part of the city (`610200/610202`, or empty) publish at a suffix."""
    known = [part for part in below.split("/") if part]
    if suffix == "#":
        return "/".join(("gatehouse/1/up", *known, "#"))
    return "/".join(("gatehouse/1/up", *known, *"+" * (LEVELS - len(known)), suffix))


def is_event(topic: str) -> bool:
    place = split_up(topic)
    return place is not None and place[2].startswith("event/")


class Centre:
    """A context manager; the link to the broker is kept up by itself.

    `on_received` is told of each new event, `on_remembered` of those of an earlier life, `on_news` of presence, devices
    and gaps in words. `judge` may reject an event by a reason. With a `desk` it gives orders, and its key set to
    gateways that have not got it. With `receipts=False` it only listens, as the centres of the other levels do; `below`
    is the part of the city it listens to, `610200/610202`.

    With an `archive` it survives its own death: what a receipt speaks of is on disk before the receipt is sent. Where
    `collectors` in other processes fill the archive, this one enters it into the books and answers.
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
        archive: Archive | None = None,
        collectors: bool = False,
        desk: Desk | None = None,
    ) -> None:
        self.on_received: Callable[[Received], None] = lambda _: None
        self.on_remembered: Callable[[Received], None] = lambda _: None
        self.received: deque[Received] = deque(maxlen=100_000)
        self._desk = desk
        self._outbox: deque[Answer] = deque()
        self._registry = Registry(desk)
        self._registry.on_received = self._store
        self._target = Target.of(CentreSettings(broker=broker, ca_file=ca_file, cert_file=cert_file, key_file=key_file))
        self._clock = clock
        self._below = below.strip("/")
        self._receipts = receipts
        self._protocol = protocol
        self._client_id = client_id
        self._archive = archive
        self._collectors = collectors
        self._counted: Mapping[str, int] = {}
        self._fresh: list[Received] = []
        self._wake = asyncio.Event()
        self._connected = asyncio.Event()
        self._refusal: LinkDownError | None = None
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
        """Raises: TimeoutError when the broker is not there, LinkDownError when a human must look."""
        if self._archive is not None:
            self._remember(self._archive)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="centre")
        try:
            async with self._clock.timeout(CONNECT_S):
                await self._connected.wait()
            if self._refusal is not None:
                raise self._refusal
        except (TimeoutError, LinkDownError):
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

    async def ended(self) -> None:
        """Returns never. Raises: sqlite3.Error when the archive fails: nothing is answered from then on."""
        assert self._task is not None
        await asyncio.wait([self._task])
        self._task.result()

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

    async def keyed(self, gateway: str, timeout_s: float = 10.0) -> None:
        """Until the gateway's status says that it has our key set. Raises: TimeoutError."""
        desk = self._desk
        assert desk is not None, "a centre without keys gives no orders"

        def has_them() -> bool:
            book = self.gateways.get(gateway)
            return book is not None and book.status is not None and book.status.keys == desk.version

        await self.wait_until(has_them, timeout_s=timeout_s)

    async def order(
        self, gateway: str, verb: Verb, args: Mapping[str, JsonValue], *, order_id: str = "", timeout_s: float = 10.0
    ) -> CommandReply:
        """Give an order with the challenge of the gateway's status, and wait for the answer. Raises: TimeoutError."""
        book = self.gateways[gateway]
        found, answer = self._registry.order(gateway, verb, args, order_id)
        book.replies.pop(found, None)
        self.publish(answer)
        await self.wait_until(lambda: found in book.replies, timeout_s=timeout_s)
        return book.replies[found]

    async def handle(self, event: Received, state: Handled, note: str = "") -> CommandReply:
        """Tell its gateway how far an alarm is handled (事件处置).

        Raises: TimeoutError, KeyError for a gateway whose status has not been heard.
        """
        args: dict[str, JsonValue] = {"event": event.alarm, "state": state.value, "note": note}
        return await self.order(event.gateway, Verb.HANDLING, args)

    def publish(self, answer: Answer) -> None:
        """Anything at all, as whoever may write to the broker can."""
        self._outbox.append(answer)
        self._wake.set()

    def proof(self) -> Proof:
        return self._registry.proof()

    def lose_database(self) -> None:
        """Everything it knew is lost, its count of receipts too; it reconnects, and asks from the first entry on."""
        lost, self._registry = self._registry, Registry(self._desk)
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
                if error.cause in SLOW and not self._connected.is_set():
                    self._refusal = error
                    self._connected.set()
                    return
                self._registry.on_news(f"no link: {error.reason}")
            finally:
                session.abort()
            await self._clock.sleep(RECONNECT_S)

    async def _serve(self, session: Session) -> None:
        own = [f"gatehouse/1/down/{'+/' * 5}receipt"] if self._receipts else []
        suffixes = ALL_BUT_EVENTS if self._collectors else ["#"]
        session.subscribe([*own, *(up_filter(self._below, suffix) for suffix in suffixes)])
        session.flush()
        self._registry.owe_all()
        self._lost = False
        while not self._lost:
            self._wake.clear()
            now, events = self._clock.mono_s(), list[Arrived]()
            for happening in session.take():
                match happening:
                    case Message() if self._archive is not None and is_event(happening.topic):
                        events.append(Arrived(happening.topic, happening.payload, now))
                    case Message():
                        self._registry.take(happening.topic, happening.payload, now)
                    case Subscribed():
                        self._connected.set()
                    case Closed():
                        raise LinkDownError(Cause.LOST, happening.reason)
                    case _:
                        pass
            if self._archive is not None:
                self._enter(self._archive, events)
            if self._receipts:
                self._answer(session, now)
            while self._outbox:
                answer = self._outbox.popleft()
                session.publish(answer.topic, answer.payload, retain=answer.retain, expiry_s=answer.expiry_s)
            session.tick()
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            owing = self._collectors or (self._receipts and self._registry.owing)
            with suppress(TimeoutError):
                async with self._clock.timeout(RECEIPT_EVERY_S if owing else TICK_S):
                    await self._wake.wait()

    def _answer(self, session: Session, now: float) -> None:
        answers = [*self._registry.receipts(now), *self._registry.requests(now), *self._registry.key_sets()]
        if self._archive is not None:
            counters = {name: gateway.counter for name, gateway in self._registry.gateways.items()}
            if counters != self._counted:
                self._archive.counted(counters.items() - self._counted.items())
                self._counted = counters
        for answer in answers:
            session.publish(answer.topic, answer.payload, retain=answer.retain)

    # ------------------------------------------------------------ the archive

    def _remember(self, archive: Archive) -> None:
        """Enter into the books what was entered in an earlier life."""
        tell, self._registry.on_received = self._registry.on_received, self.on_remembered
        self._registry.count_on(archive.counters())
        for topic, payload, at_s in archive.read_before():
            self._registry.take(topic, payload, at_s)
        self._registry.on_received = tell

    def _enter(self, archive: Archive, events: Sequence[Arrived]) -> None:
        """Keep what has arrived, then enter everything that is kept; it is told of once it is on disk."""
        if events:
            archive.add(events)
        while kept := archive.unread():
            idle = [number for number, (topic, payload, at_s) in kept if not self._registry.take(topic, payload, at_s)]
            fresh, self._fresh = self._fresh, []
            archive.entered(kept[-1].id, fresh, idle)
            for received in fresh:
                self._tell(received)

    def _store(self, received: Received) -> None:
        if self._archive is None:
            self._tell(received)
        else:
            self._fresh.append(received)

    def _tell(self, received: Received) -> None:
        self.received.append(received)
        self._count += 1
        self.on_received(received)
