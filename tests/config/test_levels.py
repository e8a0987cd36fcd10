"""What each level may see and write, by the published access list on a real mosquitto with mutual TLS."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from agent.settings import Centre, Protocol
from agent.uplink import Session, Target
from agent.uplink.session import Acked, Message
from drivers.base import SystemClock
from simulators.broker import Broker, Tls
from tests.authority import Authority
from tests.conftest import need

CLOCK = SystemClock()
ACL = Path(__file__).parents[2] / "config" / "brokers" / "mosquitto-levels.acl"

ANSWERING = ("max_queued_messages 1000",)
"""As in the published mosquitto.conf: with 0 it hangs up on whoever it denies a message."""
FENCE = "\npattern read fence/%u\nuser steward\ntopic write fence/#\n"
"""Beside the published list: the last message that each gets."""

NEAR = "610200/610202/610202001/610202001001/gh-near01"
NEXT = "610200/610202/610202001/610202001002/gh-next01"  # another community of the street
AWAY = "610200/610203/610203001/610203001001/gh-away01"  # another county
GATEWAYS = (NEAR, NEXT, AWAY)

UP = {path: f"gatehouse/1/up/{path}/event/alarm/smoke" for path in GATEWAYS}
DOWN = {path: f"gatehouse/1/down/{path}/command/unlock" for path in GATEWAYS}
RECEIPT = {path: f"gatehouse/1/down/{path}/receipt" for path in GATEWAYS}
TOPICS = {*UP.values(), *DOWN.values(), *RECEIPT.values()}

ONE_FILTER = {
    "centre": "gatehouse/1/up/610200/#",
    "city-610200": "gatehouse/1/up/610200/#",
    "county-610202": "gatehouse/1/up/610200/610202/#",
    "street-610202001": "gatehouse/1/up/610200/610202/610202001/#",
    "community-610202001001": "gatehouse/1/up/610200/610202/610202001/610202001001/#",
}
WRITES = {path: {UP[path]} for path in GATEWAYS} | {"centre": {*DOWN.values(), *RECEIPT.values()}}
SEES = {path: {DOWN[path], RECEIPT[path]} for path in GATEWAYS} | {
    "centre": {*UP.values(), *RECEIPT.values()},
    "city-610200": set(UP.values()),
    "county-610202": {UP[NEAR], UP[NEXT]},
    "street-610202001": {UP[NEAR], UP[NEXT]},
    "community-610202001001": {UP[NEAR]},
    "audit-610200": TOPICS,
    "stranger": set[str](),
}


class Person:
    """Somebody with a certificate; `seen` is topic and writer of what came."""

    def __init__(self, name: str, session: Session, wake: asyncio.Event) -> None:
        self.name = name
        self.seen: set[tuple[str, str]] = set()
        self.session = session
        self._acked: set[int] = set()
        self._wake = wake

    async def write(self, *topics: str) -> None:
        """Until the broker has acknowledged all, which says nothing of whether it took them."""
        numbers = {self.session.publish(topic, self.name.encode()) for topic in topics}
        self.session.flush()
        await self.until(lambda: numbers <= self._acked)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with CLOCK.timeout(30.0):
            while not holds():
                await self._wake.wait()
                self._wake.clear()
                for happening in self.session.take():
                    match happening:
                        case Message(topic=topic, payload=payload):
                            self.seen.add((topic, payload.decode()))
                        case Acked(mid=number):
                            self._acked.add(number)
                        case _:
                            pass


@asynccontextmanager
async def everybody(folder: Path, *, narrow: bool) -> AsyncIterator[dict[str, Person]]:
    """All of them, subscribed to everything, or centres to their one filter; and the steward, who ends it."""
    authority = Authority(folder, "authority")
    server = Tls(authority.file, *authority.issue("broker", "127.0.0.1"), client_ca=True)
    async with (
        Broker.mosquitto(folder / "broker", tls=server, acl=ACL.read_text() + FENCE, options=ANSWERING) as broker,
        AsyncExitStack() as stack,
    ):
        people = {}
        for name in (*SEES, "steward"):
            cert, key = authority.issue(name)
            centre = Centre(broker=broker.url, ca_file=authority.file, cert_file=cert, key_file=key)
            wake = asyncio.Event()
            session = Session(Target.of(centre), Protocol.MQTT311, name.replace("/", "."), 30, wake)
            stack.callback(session.abort)
            await session.open(CLOCK)
            session.subscribe([ONE_FILTER.get(name, "#") if narrow else "#", f"fence/{name}"])
            session.flush()
            people[name] = Person(name, session, wake)
        yield people


@pytest.mark.parametrize("narrow", [False, True], ids=["asking for everything", "with one filter each"])
async def test_everybody_sees_and_writes_what_the_level_allows_and_nothing_else(tmp_path: Path, narrow: bool) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    async with everybody(tmp_path, narrow=narrow) as people:
        for name in SEES:
            await people[name].write(*sorted(TOPICS))
        for name in SEES:
            last = (f"fence/{name}", "steward")
            await people["steward"].write(last[0])
            await people[name].until(partial(people[name].seen.__contains__, last))
            people[name].seen.remove(last)
        assert people["audit-610200"].seen == {(topic, name) for name, topics in WRITES.items() for topic in topics}
        for name, sees in SEES.items():
            own = ONE_FILTER[name].removesuffix("#") if narrow and name in ONE_FILTER else ""
            assert {topic for topic, _ in people[name].seen} == {topic for topic in sees if topic.startswith(own)}, name
