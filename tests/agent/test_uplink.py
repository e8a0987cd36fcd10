"""From the journal to the centre over real brokers: nothing is lost, and only what is proven is released."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.contract import LaneReceipt, Online, Receipt, event_body
from agent.events import Event, Kind, Lane
from agent.journal import Draft, first_digest
from agent.journal.proof import prove
from agent.settings import Centre as CentreSettings
from agent.settings import Confirm, Protocol
from agent.uplink import LinkPhase, Session, Target, TroubleCode
from drivers.base import SystemClock
from simulators.broker import Broker
from simulators.centre import Centre, Received
from simulators.network import SLOW_BYTES_PER_S, Line, Network
from tests.agent.house import GATEWAY, TOPICS, House, house
from tests.clock import ShiftedClock
from tests.conftest import need

CLOCK = SystemClock()


@pytest.fixture(params=["iotcore", "mosquitto"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    need(Broker.has(request.param), request.param)
    make = {"iotcore": Broker.iotcore, "mosquitto": Broker.mosquitto}[request.param]
    return make(tmp_path / "broker")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Broker:
    need(Broker.has("mosquitto"), "mosquitto")
    return Broker.mosquitto(tmp_path / "broker")


def to(broker: Broker, **more: object) -> CentreSettings:
    return CentreSettings.model_validate({"broker": broker.url} | more)


def is_a(kind: Kind, subject: str) -> Callable[[Received], bool]:
    return lambda received: received.kind is kind and received.subject == subject


def a_day(made: House) -> None:
    """Something in every lane that events have."""
    for number in range(20):
        made.report(Kind.ACCESS_GRANTED, "north-gate", number=number)
        made.read(20 + number / 10)
    made.report(Kind.AGENT_STARTED, "gateway")
    made.report(Kind.SMOKE, "stairwell-1-smoke", value=True)
    made.report(Kind.DEVICE_FAULT, "modbus-1", reason="unplugged")


async def test_events_reach_the_centre_and_are_released_by_its_receipt(broker: Broker, tmp_path: Path) -> None:
    async with broker, Centre(broker.url, clock=CLOCK) as centre, house(tmp_path / "j", to(broker)) as made:
        a_day(made)
        smoke = await centre.wait_for(is_a(Kind.SMOKE, "stairwell-1-smoke"))
        assert (smoke.gateway, smoke.lane, smoke.sequence) == (GATEWAY.id, Lane.ALARM, 1)
        assert smoke.data["value"] is True
        await made.confirmed()
        proof = centre.proof()
        assert (proof.gaps, proof.broken) == (0, 0)
        assert proof.confirmed == sum(state.last for state in made.journal.lanes.values())
        assert made.troubles == []


async def test_a_broker_killed_in_the_middle_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    async with broker, Centre(broker.url, clock=CLOCK) as centre, house(tmp_path / "j", to(broker)) as made:
        await made.linked()
        for round_ in range(3):
            for number in range(100):
                made.report(Kind.ACCESS_GRANTED, f"door-{round_}", number=number)
            if round_ == 1:
                await broker.kill()
                await made.until(lambda: made.uplink.link.phase is LinkPhase.DOWN)
                await broker.start()
        await made.confirmed(20)
        proof = centre.proof()
        assert (proof.gaps, proof.broken) == (0, 0)
        assert len([e for e in centre.received if e.kind is Kind.ACCESS_GRANTED]) == 300


async def test_a_black_hole_is_found_and_survived(mosquitto: Broker, tmp_path: Path) -> None:
    async with mosquitto, Network(mosquitto.port) as network, Centre(mosquitto.url, clock=CLOCK) as centre:
        settings = CentreSettings(broker=f"mqtt://127.0.0.1:{network.port}")
        async with house(tmp_path / "j", settings) as made:
            await made.linked()
            await network.cut(how=Line.BLACK_HOLE)
            made.report(Kind.SMOKE, "stairwell-1-smoke")
            await made.until(lambda: made.uplink.link.phase is LinkPhase.DOWN)
            assert "acknowledged nothing" in made.uplink.link.reason
            await network.mend()
            await centre.wait_for(is_a(Kind.SMOKE, "stairwell-1-smoke"), timeout_s=15)
            await made.confirmed()


async def test_a_slow_line_is_given_time_for_a_large_message(mosquitto: Broker, tmp_path: Path) -> None:
    """It takes longer than the time in which a line without a message so large counts as dead."""
    async with (
        mosquitto,
        Network(mosquitto.port) as network,
        Centre(mosquitto.url, clock=CLOCK) as centre,
        house(tmp_path / "j", CentreSettings(broker=f"mqtt://127.0.0.1:{network.port}")) as made,
    ):
        await made.linked()
        await network.cut(how=Line.SLOW)
        made.report(Kind.DOOR_FORCED, "north-gate", note="x" * 7 * SLOW_BYTES_PER_S)
        await made.confirmed(60)
        assert LinkPhase.DOWN not in {link.phase for link in made.links}
        assert centre.proof().duplicates == 0


async def test_alarms_overtake_a_backlog_of_readings(broker: Broker, tmp_path: Path) -> None:
    async with broker, Centre(broker.url, clock=CLOCK) as centre:
        async with house(tmp_path / "j", to(broker), running=False) as made:
            for number in range(5000):
                made.read(number / 10)
            for number in range(50):
                made.report(Kind.DOOR_FORCED, f"door-{number}")
            await made.until(lambda: made.journal.pending == 0)
        async with house(tmp_path / "j", to(broker)) as made:
            await made.confirmed(20)
        kinds = [received.kind for received in centre.received]
        readings_before_last_alarm = kinds[: 50 + kinds.count(Kind.READINGS)].index(Kind.READINGS)
        assert readings_before_last_alarm >= 50 - 3, "no more than what was in flight at once"
        assert sum(received.readings for received in centre.received) == 5000
        assert kinds.count(Kind.READINGS) < 100


async def test_without_a_receipt_nothing_is_released(mosquitto: Broker, tmp_path: Path) -> None:
    async with mosquitto, Centre(mosquitto.url, clock=CLOCK, receipts=False) as listener:
        async with house(tmp_path / "j", to(mosquitto)) as made:
            made.report(Kind.SMOKE, "stairwell-1-smoke")
            await listener.wait_for(is_a(Kind.SMOKE, "stairwell-1-smoke"))
            assert made.journal.lanes[Lane.ALARM].confirmed == 0
        async with house(tmp_path / "j", to(mosquitto)) as made:
            await listener.wait_until(lambda: listener.proof().duplicates >= 1)
            assert made.journal.lanes[Lane.ALARM].waiting == 1


async def test_pubacks_release_where_the_broker_s_word_is_enough(mosquitto: Broker, tmp_path: Path) -> None:
    async with mosquitto, house(tmp_path / "j", to(mosquitto, confirm=Confirm.BROKER)) as made:
        a_day(made)
        await made.confirmed()


async def test_pubacks_of_3_1_1_prove_nothing(mosquitto: Broker, tmp_path: Path) -> None:
    settings = to(mosquitto, confirm=Confirm.BROKER, protocol=Protocol.MQTT311)
    async with mosquitto, house(tmp_path / "j", settings) as made:
        made.report(Kind.SMOKE, "stairwell-1-smoke")
        await made.until(lambda: made.uplink.link.phase is LinkPhase.LIMITED)
        assert "3.1.1" in made.uplink.link.reason
        async with Centre(mosquitto.url, clock=CLOCK, receipts=False) as listener:
            await listener.wait_until(lambda: GATEWAY.id in listener.gateways)
        assert made.journal.lanes[Lane.ALARM].confirmed == 0


async def test_a_refused_publish_is_not_taken_for_delivered(tmp_path: Path) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    acl = "topic readwrite gatehouse/#\ntopic deny gatehouse/1/up/+/+/+/+/+/event/access/#\n"
    broker = Broker.mosquitto(tmp_path / "broker", acl=acl)
    async with broker, house(tmp_path / "j", to(broker, confirm=Confirm.BROKER)) as made:
        await made.linked()
        made.report(Kind.ACCESS_GRANTED, "north-gate")
        made.report(Kind.SMOKE, "stairwell-1-smoke")
        await made.until(lambda: bool(made.troubles))
        assert made.troubles[0].code is TroubleCode.REFUSED
        assert (made.troubles[0].lane, made.troubles[0].sequence) == (Lane.ACCESS, 1)
        assert made.uplink.link.phase is LinkPhase.LIMITED
        assert "uthorized" in made.uplink.link.reason
        await made.until(lambda: made.journal.lanes[Lane.ALARM].confirmed == 1)
        assert made.journal.lanes[Lane.ACCESS].confirmed == 0


@pytest.mark.parametrize("protocol", [Protocol.MQTT5, Protocol.MQTT311])
async def test_a_message_the_broker_cannot_bear_is_set_aside_and_declared(protocol: Protocol, tmp_path: Path) -> None:
    """On MQTT 5 the broker names its limit; on 3.1.1 it hangs up, and the message has to be found."""
    need(Broker.has("mosquitto"), "mosquitto")
    broker = Broker.mosquitto(tmp_path / "broker", options=["max_packet_size 3000"])
    async with (
        broker,
        Centre(broker.url, clock=CLOCK) as centre,
        house(tmp_path / "j", to(broker, protocol=protocol)) as made,
    ):
        await made.linked()
        for number in range(1, 6):
            made.report(Kind.DOOR_FORCED, f"door-{number}", note="x" * (4000 if number == 3 else 10))
        await made.confirmed(30)
        assert [e.subject for e in centre.received if e.kind is Kind.DOOR_FORCED] == [f"door-{n}" for n in (1, 2, 4, 5)]
        (trouble,) = made.troubles
        assert (trouble.code, trouble.lane, trouble.sequence) == (TroubleCode.SET_ASIDE, Lane.ALARM, 3)
        proof = centre.proof()
        assert (proof.gaps, proof.dropped, proof.broken) == (0, 1, 0)
        assert not (await asyncio.to_thread(prove, tmp_path / "j" / "journal.db")).flaws


async def test_readings_travel_in_messages_as_small_as_the_broker_takes(tmp_path: Path) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    broker = Broker.mosquitto(tmp_path / "broker", options=["max_packet_size 3000"])
    async with broker, Centre(broker.url, clock=CLOCK) as centre, house(tmp_path / "j", to(broker)) as made:
        await made.linked()
        for number in range(300):
            made.read(float(number))
        await made.confirmed(30)
        assert (made.troubles, centre.proof().dropped, centre.proof().gaps) == ([], 0, 0)


async def test_a_kind_that_alone_is_denied_does_not_block_its_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(Broker.has("mosquitto"), "mosquitto")
    monkeypatch.setattr("agent.uplink.policy.DENIED_FIRST_S", 0.1)
    monkeypatch.setattr("agent.uplink.policy.DENIED_CEILING_S", 0.2)
    acl = "topic deny gatehouse/1/up/+/+/+/+/+/event/access/access.denied\ntopic readwrite gatehouse/#\n"
    broker = Broker.mosquitto(tmp_path / "broker", acl=acl)
    async with broker, Centre(broker.url, clock=CLOCK) as centre, house(tmp_path / "j", to(broker)) as made:
        await made.linked()
        for number in range(200):
            made.report(Kind.ACCESS_DENIED if number == 7 else Kind.ACCESS_GRANTED, "north-gate", number=number)
        await made.confirmed(40)
        assert len([e for e in centre.received if e.kind is Kind.ACCESS_GRANTED]) == 199
        assert [trouble.code for trouble in made.troubles] == [TroubleCode.REFUSED, TroubleCode.SET_ASIDE]
        assert (centre.proof().gaps, centre.proof().dropped) == (0, 1)
        assert made.uplink.link.phase is LinkPhase.UP


async def test_states_are_retained_and_latest_wins(broker: Broker, tmp_path: Path) -> None:
    async with broker, house(tmp_path / "j", to(broker)) as made:
        made.uplink.publish_state(
            "device/osdp-1", b'{"device":"osdp-1","state":"starting","boot":"b","uptime":"1.000"}'
        )
        made.uplink.publish_state("device/osdp-1", b'{"device":"osdp-1","state":"ok","boot":"b","uptime":"2.000"}')
        await made.linked()
        async with Centre(broker.url, clock=CLOCK) as late:
            await late.wait_until(lambda: GATEWAY.id in late.gateways and bool(late.gateways[GATEWAY.id].devices))
            book = late.gateways[GATEWAY.id]
            assert book.devices["osdp-1"].state == "ok"
            await late.wait_until(lambda: book.presence is not None and book.status is not None)
            assert book.status is not None
            assert book.status.epoch == made.journal.epoch


async def test_a_clean_stop_publishes_the_rest_and_says_so(broker: Broker, tmp_path: Path) -> None:
    async with broker, Centre(broker.url, clock=CLOCK) as centre:
        async with house(tmp_path / "j", to(broker)) as made:
            await made.linked()
            for number in range(200):
                made.report(Kind.ACCESS_GRANTED, "north-gate", number=number)
            await made.journal.append(last_word(made))
        await centre.wait_for(is_a(Kind.AGENT_STOPPED, "gateway"))
        book = centre.gateways[GATEWAY.id]
        await centre.wait_until(lambda: book.presence is not None and book.presence.state is Online.OFFLINE)
        assert book.presence is not None
        assert book.presence.stopped
        assert centre.proof().gaps == 0


def last_word(made: House) -> Draft:
    event = Event(Kind.AGENT_STOPPED, "gateway", made.clock.mono_s())
    return Draft(Lane.LEDGER, event.kind, event_body(event, boot="b", at=None, name=None, grid=None))


async def test_a_gateway_that_dies_is_said_to_be_offline(broker: Broker, tmp_path: Path) -> None:
    async with (
        broker,
        Network(broker.port) as network,
        Centre(broker.url, clock=CLOCK) as centre,
        house(tmp_path / "j", CentreSettings(broker=f"mqtt://127.0.0.1:{network.port}")) as made,
    ):
        await made.linked()
        await centre.wait_until(lambda: GATEWAY.id in centre.gateways)
        await network.cut()
        book = centre.gateways[GATEWAY.id]
        await centre.wait_until(lambda: book.presence is not None and book.presence.state is Online.OFFLINE)
        assert book.presence is not None
        assert not book.presence.stopped


# ---------------------------------------------------------------- receipts


class Clerk:
    """Writes receipts by hand."""

    def __init__(self, broker: Broker) -> None:
        self.wake = asyncio.Event()
        self.session = Session(Target.of(to(broker)), Protocol.MQTT5, "clerk", 30, self.wake)

    async def __aenter__(self) -> "Clerk":
        await self.session.open(CLOCK)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.session.close()

    def send(self, receipt: Receipt | bytes) -> None:
        payload = receipt if isinstance(receipt, bytes) else receipt.payload()
        self.session.publish(TOPICS.receipt, payload, retain=True)
        self.session.flush()


def receipt(made: House, counter: int, upto: int, digest: str | None = None, **more: object) -> Receipt:
    state = made.journal.lanes[Lane.ALARM]
    said = LaneReceipt.model_validate({"upto": upto, "digest": digest or state.digest.hex()} | more)
    return Receipt(gateway=GATEWAY.id, epoch=made.journal.epoch, counter=counter, lanes={Lane.ALARM: said})


async def test_receipts_of_others_stale_or_unreadable_release_nothing(mosquitto: Broker, tmp_path: Path) -> None:
    async with mosquitto, Clerk(mosquitto) as clerk, house(tmp_path / "j", to(mosquitto)) as made:
        await made.linked()
        made.report(Kind.SMOKE, "stairwell-1-smoke")
        await made.until(lambda: made.journal.lanes[Lane.ALARM].last == 1)
        good, epoch = receipt(made, 9, 1), made.journal.epoch
        clerk.send(good.model_copy(update={"gateway": "gh-other", "counter": 50}))
        clerk.send(good.model_copy(update={"epoch": "another", "counter": 51}))
        clerk.send(receipt(made, 7, 0, first_digest(epoch, Lane.ALARM).hex()))
        clerk.send(receipt(made, 6, 1))
        clerk.send(b'{"gateway":"' + GATEWAY.id.encode() + b'","epoch":3}')
        await made.until(lambda: len(made.troubles) == 1)
        assert made.troubles[0].code is TroubleCode.RECEIPT_UNREADABLE
        assert (made.journal.lanes[Lane.ALARM].confirmed, made.uplink.receipt_counter) == (0, 7)
        clerk.send(good)
        await made.until(lambda: made.journal.lanes[Lane.ALARM].confirmed == 1)
        assert (len(made.troubles), made.journal.epoch) == (1, epoch)


async def test_a_message_too_large_for_the_memory_is_passed_over_and_the_link_goes_on(
    mosquitto: Broker, tmp_path: Path
) -> None:
    async with mosquitto, Clerk(mosquitto) as clerk:
        clerk.send(b"{" * (32 << 20))
        async with house(tmp_path / "j", to(mosquitto)) as made:
            await made.linked()
            made.report(Kind.SMOKE, "stairwell-1-smoke")
            await made.until(lambda: made.journal.lanes[Lane.ALARM].last == 1)
            clerk.send(receipt(made, 1, 1))
            await made.until(lambda: made.journal.lanes[Lane.ALARM].confirmed == 1)
            assert made.troubles == []
            assert [link.phase for link in made.links] == [LinkPhase.UP]


@pytest.mark.parametrize(("upto", "digest"), [(1, "ab" * 32), (2, None)], ids=["another-digest", "beyond-our-last"])
async def test_a_receipt_that_does_not_fit_releases_nothing_and_begins_one_epoch_an_hour(
    mosquitto: Broker, tmp_path: Path, upto: int, digest: str | None
) -> None:
    clock = ShiftedClock()
    async with (
        mosquitto,
        Clerk(mosquitto) as clerk,
        Centre(mosquitto.url, clock=CLOCK, receipts=False) as listener,
        house(tmp_path / "j", to(mosquitto), clock=clock) as made,
    ):
        await made.linked()
        made.report(Kind.SMOKE, "stairwell-1-smoke")
        await made.until(lambda: made.journal.lanes[Lane.ALARM].last == 1)
        epochs = [made.journal.epoch]
        clerk.send(receipt(made, 1, upto, digest))
        await made.until(lambda: len(made.troubles) == 1)
        for counter in (2, 3):  # forged again and again
            clerk.send(receipt(made, counter, upto, digest))
            await made.until(lambda: len(made.troubles) == 2)
        assert {trouble.code for trouble in made.troubles} == {TroubleCode.RECEIPT_MISMATCH}
        assert "nothing is done" in made.troubles[1].reason
        epochs.append(made.journal.epoch)
        assert epochs[0] != epochs[1]
        assert made.journal.lanes[Lane.ALARM].waiting == 1
        seen = await listener.wait_for(lambda r: r.kind is Kind.SMOKE and r.epoch == epochs[1])
        assert seen.sequence == 1
        clerk.send(receipt(made, 1, 1))
        await made.until(lambda: made.journal.lanes[Lane.ALARM].confirmed == 1)
        clock.shift_s += 3601
        clerk.send(receipt(made, 2, upto + 5, "ab" * 32))
        await made.until(lambda: made.journal.epoch not in epochs)
        assert len(made.troubles) == 3


async def test_what_the_centre_rejects_is_released_and_reported_once(mosquitto: Broker, tmp_path: Path) -> None:
    def judge(received: Received) -> str | None:
        return "no such door" if received.subject == "door-2" else None

    async with mosquitto, Centre(mosquitto.url, clock=CLOCK) as centre, house(tmp_path / "j", to(mosquitto)) as made:
        centre.reject(judge)
        for number in range(1, 4):
            made.report(Kind.DOOR_FORCED, f"door-{number}")
        await made.confirmed()
        made.report(Kind.DOOR_FORCED, "door-4")
        await made.confirmed()
        (trouble,) = made.troubles
        assert (trouble.code, trouble.lane, trouble.sequence) == (TroubleCode.REJECTED, Lane.ALARM, 2)
        assert trouble.reason == "no such door"


async def test_a_centre_that_rejects_everything_is_told_of_once_an_hour(mosquitto: Broker, tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with mosquitto, Centre(mosquitto.url, clock=CLOCK) as centre:
        centre.reject(lambda _: "no")
        async with house(tmp_path / "j", to(mosquitto), clock=clock) as made:
            for number in range(20):
                made.report(Kind.DOOR_FORCED, f"door-{number}")
                await made.confirmed()
            told = [trouble for trouble in made.troubles if trouble.lane is Lane.ALARM]
            assert [(trouble.code, trouble.sequence, trouble.count) for trouble in told] == [
                (TroubleCode.REJECTED, 1, 1)
            ]
            assert len(await made.journal.peek(Lane.ALARM, 0, 100)) == 20, "released, and kept locally"
            clock.shift_s += 3601
            made.report(Kind.DOOR_FORCED, "door-20")
            await made.confirmed()
            told = [trouble for trouble in made.troubles if trouble.lane is Lane.ALARM]
            assert [(trouble.sequence, trouble.count) for trouble in told[1:]] == [(21, 20)]


async def test_a_centre_that_lost_everything_asks_again(mosquitto: Broker, tmp_path: Path) -> None:
    async with mosquitto, house(tmp_path / "j", to(mosquitto, heartbeat_s=5)) as made:
        async with Centre(mosquitto.url, clock=CLOCK):
            a_day(made)
            await made.confirmed()
        async with Centre(mosquitto.url, clock=CLOCK) as second:
            made.report(Kind.SMOKE, "another")
            await made.confirmed()
            await second.wait_until(lambda: second.proof().gaps == 0 and second.proof().confirmed > 40)
            assert second.proof().broken == 0


async def test_a_centre_that_was_away_learns_from_the_status_what_it_missed(broker: Broker, tmp_path: Path) -> None:
    """A PUBACK proves no reader: nobody was subscribed when these events were published."""
    listener = Centre(broker.url, clock=CLOCK, receipts=False, client_id="listener")
    async with broker, listener, house(tmp_path / "j", to(broker)) as made:
        a_day(made)
        await made.until(lambda: made.journal.pending == 0)
        await listener.wait_until(lambda: listener.proof().confirmed == made.waiting())
        async with Centre(broker.url, clock=CLOCK) as centre:
            await made.confirmed(20)
            assert (centre.proof().gaps, centre.proof().broken) == (0, 0)
