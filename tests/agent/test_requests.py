"""What the centre asks for again: what is kept comes again, what is gone is answered as gone, all of it bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.contract import Outcome, Request, RequestReply, Span
from agent.events import Kind, Lane
from agent.journal import Journal, Limits
from agent.settings import Centre as CentreSettings
from agent.settings import Protocol
from agent.uplink import Session, Target
from agent.uplink.requests import MAX_A_MINUTE, MAX_GONE, MAX_WAITING, Requests
from agent.uplink.schedule import LOW_WATER, Parcel, Schedule
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre
from simulators.network import Network
from tests.agent.house import TOPICS, House, house
from tests.clock import ManualClock
from tests.conftest import need
from tests.journal import draft, opened, until

CLOCK = SystemClock()


class Desk:
    """Requests over a journal of which everything has been read, and what comes of them."""

    def __init__(self, journal: Journal, clock: ManualClock) -> None:
        self.journal = journal
        self.schedule = Schedule(100)
        self.schedule.connected(100)
        for lane, state in journal.lanes.items():
            self.schedule.rewind(lane, state.last)
        self.requests = Requests("gh-test01", self.schedule, journal, clock)

    def ask(self, first: int, last: int, *, lane: Lane = Lane.ACCESS, name: str = "r1", epoch: str = "") -> bool:
        request = Request(id=name, epoch=epoch or self.journal.epoch, lane=lane, first=first, last=last)
        return self.requests.received(request.payload())

    async def sent(self) -> list[int]:
        """Serve all; the sequences that go out."""
        found: list[int] = []
        while await self.requests.serve():
            found += self.take()
        return found

    def take(self) -> list[int]:
        found: list[int] = []
        while parcel := self.schedule.shared(0.0, hurry=True):
            assert isinstance(parcel, Parcel)
            assert parcel.again
            found += [entry.sequence for entry in parcel.entries]
        return found

    def replies(self) -> list[RequestReply]:
        found = [RequestReply.model_validate_json(payload) for _, payload in self.requests.replies]
        self.requests.replies.clear()
        return found


@asynccontextmanager
async def desk(
    folder: Path, entries: int = 50, limits: Limits | None = None, lane: Lane = Lane.ACCESS
) -> AsyncIterator[Desk]:
    async with opened(folder, limits) as journal:
        for number in range(1, entries + 1):
            journal.append_nowait(draft(lane, number))
        await until(journal, lambda: journal.pending == 0)
        yield Desk(journal, ManualClock())


async def test_what_is_kept_is_sent_again_and_the_reply_names_nothing_gone(tmp_path: Path) -> None:
    async with desk(tmp_path, 1000) as made:
        assert made.ask(11, 900)
        assert await made.sent() == list(range(11, 901))
        (reply,) = made.replies()
        assert (reply.id, reply.outcome, reply.first, reply.last) == ("r1", Outcome.ANSWERED, 11, 900)
        assert (reply.epoch, reply.gone) == (made.journal.epoch, ())


async def test_what_was_released_or_dropped_is_answered_as_gone(tmp_path: Path) -> None:
    limits = Limits(keep_confirmed=10, max_entries=80, chunk=5)
    async with desk(tmp_path, 40, limits) as made:
        journal = made.journal
        (last,) = await journal.peek(Lane.ACCESS, 29, 1)
        await journal.confirm(Lane.ACCESS, 30, last.digest)
        await until(journal, lambda: journal.lanes[Lane.ACCESS].oldest == 21)
        assert made.ask(1, 1 << 40)
        assert await made.sent() == list(range(21, 41))
        (reply,) = made.replies()
        assert reply.gone == (Span(first=1, last=20),), "what is above our last is neither kept nor gone"
        for number in range(100):
            await journal.append(draft(Lane.ACCESS, 100 + number))
        later = Desk(journal, ManualClock())
        later.ask(1, journal.lanes[Lane.ACCESS].last)
        sent = await later.sent()
        (reply,) = later.replies()
        gone = [n for span in reply.gone for n in range(span.first, span.last + 1)]
        assert sorted(sent + gone) == list(range(1, journal.lanes[Lane.ACCESS].last + 1))


async def test_a_lane_full_of_holes_is_answered_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path, 3 * MAX_GONE) as made:
        peek = made.journal.peek

        async def every_other(lane: Lane, after: int, limit: int, max_bytes: int = 131072) -> tuple[object, ...]:
            return tuple(entry for entry in await peek(lane, after, 20, max_bytes) if entry.sequence % 2)

        monkeypatch.setattr(made.journal, "peek", every_other)
        made.ask(1, 3 * MAX_GONE - 1)
        await made.sent()
        (reply,) = made.replies()
        assert len(reply.gone) >= MAX_GONE
        assert reply.last < 3 * MAX_GONE - 1, "the centre asks again from there"


async def test_another_epoch_is_not_known(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        assert not made.ask(1, 5, epoch="another")
        (reply,) = made.replies()
        assert (reply.outcome, reply.epoch) == (Outcome.UNKNOWN_EPOCH, made.journal.epoch)
        made.ask(1, 5)
        await made.journal.renew("restored")
        made.requests.begin_anew()
        (reply,) = made.replies()
        assert reply.outcome is Outcome.UNKNOWN_EPOCH
        assert await made.sent() == []


async def test_requests_are_bounded_in_number_and_rate(tmp_path: Path) -> None:
    async with desk(tmp_path, 5 * LOW_WATER) as made:
        assert made.ask(1, 5 * LOW_WATER)
        assert not made.ask(7, 9), "on its way already"
        for number in range(2 * MAX_WAITING):
            made.ask(1, number + 1, lane=Lane.ALARM)
        assert sum(made.ask(1, n, lane=Lane.FAULT) for n in range(1, MAX_WAITING)) == 0
        while await made.requests.serve():
            pass
        assert len(made.take()) < 4 * LOW_WATER, "no more is read than can be sent soon"
        assert await made.sent()
        asked = 0
        while made.ask(1, 1, lane=Lane.MEDIA):
            asked += 1
            await made.sent()
        assert MAX_A_MINUTE // 2 < asked <= MAX_A_MINUTE
        made.requests.received(b"{")


async def test_no_alarm_waits_for_alarms_asked_again(tmp_path: Path) -> None:
    async with desk(tmp_path, 50, lane=Lane.ALARM) as made:
        made.ask(1, 50, lane=Lane.ALARM)
        await made.requests.serve()
        fresh = await made.journal.append(draft(Lane.ALARM, 51))
        made.schedule.offer_fresh(Lane.ALARM, [fresh], 0.0)
        first, second = made.schedule.urgent(0.0), made.schedule.urgent(0.0)
        assert first is not None
        assert second is not None
        assert (first.entries[0].sequence, first.again) == (51, False)
        assert (second.entries[0].sequence, second.again) == (1, True)


# ---------------------------------------------------------------- a centre that lost its database


@pytest.fixture
def mosquitto(tmp_path: Path) -> Broker:
    need(Broker.has("mosquitto"), "mosquitto")
    return Broker.mosquitto(tmp_path / "broker")


async def forget_retained(broker: Broker) -> None:
    session = Session(Target.of(CentreSettings(broker=broker.url)), Protocol.MQTT5, "clerk", 30, asyncio.Event())
    await session.open(CLOCK)
    session.publish(TOPICS.receipt, b"", retain=True)
    session.flush()
    session.close()


def whole(centre: Centre, made: House) -> bool:
    """The books account for every number of every lane."""
    proof, last = centre.proof(), sum(state.last for state in made.journal.lanes.values())
    return proof.gaps == 0 and proof.confirmed + proof.dropped + proof.gone == last


@pytest.mark.parametrize("counted", [True, False], ids=["receipt-retained", "count-lost"])
async def test_a_centre_that_lost_its_database_proves_its_books_again(
    mosquitto: Broker, tmp_path: Path, counted: bool
) -> None:
    async with mosquitto, Network(mosquitto.port) as network, Centre(mosquitto.url, clock=CLOCK) as centre:
        settings = CentreSettings(broker=f"mqtt://127.0.0.1:{network.port}", heartbeat_s=5)
        limits = Limits(keep_confirmed=600, chunk=50)
        async with house(tmp_path / "j", settings, limits=limits) as made:
            for number in range(500):
                made.report(Kind.ACCESS_GRANTED, "north-gate", number=number)
                made.read(number / 10)
            made.report(Kind.SMOKE, "stairwell-1-smoke")
            await made.confirmed()
            await made.until(lambda: made.journal.lanes[Lane.TELEMETRY].oldest > 100)
            assert whole(centre, made)
            if not counted:
                await forget_retained(mosquitto)
            mark = centre.mark()
            centre.lose_database()
            made.report(Kind.SMOKE, "after")
            await centre.wait_until(lambda: centre.proof().gaps > 0)
            await network.cut()
            await network.mend()
            await centre.wait_until(lambda: whole(centre, made), timeout_s=30)
            await made.confirmed(30)
            proof = centre.proof()
            assert proof.gone == sum(state.oldest - 1 for state in made.journal.lanes.values()) > 100
            assert (proof.broken, proof.conflicts) == (0, 0)
            again = [one for one in centre.since(mark) if one.kind is Kind.ACCESS_GRANTED]
            assert [one.sequence for one in sorted(again, key=lambda one: one.sequence)] == list(range(1, 501))
            assert made.troubles == []
