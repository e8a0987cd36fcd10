"""The centre's books: every entry once, every gap seen, every break of the chain found."""

import json
import random
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract import (
    LaneStatus,
    Outcome,
    Receipt,
    Request,
    RequestReply,
    Span,
    StatusMessage,
    Topics,
    batch_payload,
    clock_offset,
    event_body,
    event_payload,
    reading_body,
    tombstone,
)
from agent.events import Event, Kind, Lane
from agent.journal import first_digest, next_digest
from agent.settings import Name
from drivers.base import DeviceId, PointId, Reading
from simulators.books import MAX_WAITING_BYTES, LaneBook
from simulators.registry import GRACE_S, PICTURES, RECEIPT_EVERY_S, Received, Registry

TOPICS = Topics("610200/610202/610202001/610202001001/gh-test01")
EPOCH = "epoch-1"


class Gateway:
    """Makes what a gateway would send."""

    def __init__(self, epoch: str = EPOCH) -> None:
        self.epoch = epoch
        self.last = dict.fromkeys(Lane, 0)
        self.digests: dict[tuple[Lane, int], bytes] = {(lane, 0): first_digest(epoch, lane) for lane in Lane}

    def event(self, event: Event) -> tuple[str, bytes]:
        body = event_body(event, boot="b", at=None, name=None, grid=None)
        lane, sequence, digest = self._chain(event.info.lane, body)
        return TOPICS.event(lane, event.kind), event_payload("gh-test01", self.epoch, lane, sequence, digest, body)

    def smoke(self, subject: str = "s") -> tuple[str, bytes]:
        return self.event(Event(Kind.SMOKE, subject, 1.0))

    def readings(self, count: int) -> list[bytes]:
        bodies = []
        for number in range(count):
            reading = Reading(DeviceId("d"), PointId("p"), number, 1.0)
            bodies.append(reading_body(reading, "", boot="b", at=None))
            self._chain(Lane.TELEMETRY, bodies[-1])
        return bodies

    def batch(self, bodies: list[bytes], first: int, last: int) -> tuple[str, bytes]:
        digest = self.digests[Lane.TELEMETRY, last]
        payload = batch_payload("gh-test01", self.epoch, first, bodies[first - 1 : last], digest)
        return TOPICS.event(Lane.TELEMETRY, Kind.READINGS), payload

    def status(self, counter: int = 0) -> tuple[str, bytes]:
        lanes = {
            lane: LaneStatus(last=last, confirmed=0, oldest=1, digest=self.digests[lane, last].hex())
            for lane, last in self.last.items()
        }
        message = StatusMessage(
            gateway="gh-test01", version="0", boot="b", epoch=self.epoch, uptime="1.000", configuration="0" * 64,
            name=Name(zh="测试", en="Test"), lanes=lanes,
            receipt_counter=counter,
        )  # fmt: skip
        return TOPICS.status, message.payload()

    def _chain(self, lane: Lane, body: bytes) -> tuple[Lane, int, bytes]:
        sequence = self.last[lane] = self.last[lane] + 1
        digest = next_digest(self.digests[lane, sequence - 1], body)
        self.digests[lane, sequence] = digest
        return lane, sequence, digest


def receipt_of(registry: Registry, now: float) -> Receipt:
    (answer,) = registry.receipts(now)
    assert answer.retain
    assert answer.topic == TOPICS.receipt
    return Receipt.model_validate_json(answer.payload)


def requests_of(registry: Registry, now: float) -> list[tuple[Lane, int, int]]:
    asked = [Request.model_validate_json(answer.payload) for answer in registry.requests(now)]
    return [(request.lane, request.first, request.last) for request in asked]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 25))
def test_whatever_the_order_and_however_often_everything_is_counted_once(seed: int, count: int) -> None:
    gateway, registry, dice = Gateway(), Registry(), random.Random(seed)
    seen: list[Received] = []
    registry.on_received = seen.append
    messages = [gateway.smoke(f"s-{number}") for number in range(1, count + 1)]
    stream = messages + [dice.choice(messages) for _ in range(count // 2)]
    dice.shuffle(stream)
    for topic, payload in stream:
        registry.take(topic, payload, 1.0)
    proof = registry.proof()
    assert sorted(received.sequence for received in seen) == list(range(1, count + 1))
    assert (proof.confirmed, proof.gaps, proof.broken) == (count, 0, 0)
    assert proof.duplicates == len(stream) - count
    said = receipt_of(registry, 10.0).lanes[Lane.ALARM]
    assert (said.upto, said.digest) == (count, gateway.digests[Lane.ALARM, count].hex())


def test_a_gap_stops_the_receipt_and_is_asked_for_after_a_while() -> None:
    gateway, registry = Gateway(), Registry()
    messages = [gateway.smoke() for _ in range(5)]
    for index in (0, 1, 4):
        registry.take(*messages[index], 1.0)
    assert registry.proof().gaps == 2
    assert receipt_of(registry, 1.0).lanes[Lane.ALARM].upto == 2
    assert requests_of(registry, 1.0) == []
    assert requests_of(registry, 1.0 + GRACE_S) == [(Lane.ALARM, 3, 4)]
    assert requests_of(registry, 1.1 + GRACE_S) == [], "once in each grace period"
    for index in (3, 2):
        registry.take(*messages[index], 3.0)
    assert registry.proof().gaps == 0
    assert receipt_of(registry, 3.0).lanes[Lane.ALARM].upto == 5
    assert registry.proof().broken == 0


def test_the_status_tells_of_entries_that_never_came() -> None:
    gateway, registry = Gateway(), Registry()
    gateway.smoke()
    gateway.smoke()
    registry.take(*gateway.status(), 1.0)
    assert registry.proof().gaps == 2
    requests_of(registry, 1.0)
    assert requests_of(registry, 1.0 + GRACE_S) == [(Lane.ALARM, 1, 2)]


def test_a_changed_entry_breaks_the_chain() -> None:
    gateway, registry = Gateway(), Registry()
    topic, payload = gateway.smoke("stairwell-1")
    registry.take(topic, payload.replace(b"stairwell-1", b"stairwell-2"), 1.0)
    assert registry.proof().broken == 1


def test_another_entry_with_the_same_identity_is_a_conflict_and_the_receipt_keeps_the_first() -> None:
    honest, cloned, registry = Gateway(), Gateway(), Registry()
    news: list[str] = []
    registry.on_news = news.append
    for number in range(20):
        registry.take(*honest.smoke(f"a-{number}"), 1.0)
    registry.take(*cloned.smoke("b"), 1.0)
    proof = registry.proof()
    assert (proof.conflicts, proof.duplicates, proof.broken, proof.confirmed) == (1, 0, 0, 20)
    assert any("another entry" in words for words in news)
    said = receipt_of(registry, 1.0).lanes[Lane.ALARM]
    assert (said.upto, said.digest) == (20, honest.digests[Lane.ALARM, 20].hex())


def test_readings_of_another_history_are_no_repetition_of_those_we_have() -> None:
    honest, restored, registry = Gateway(), Gateway(), Registry()
    registry.take(*honest.batch(honest.readings(20), 1, 20), 1.0)
    other = restored.readings(12) + restored.readings(28)
    registry.take(*restored.batch(other, 13, 40), 1.0)
    assert (registry.proof().conflicts, registry.proof().confirmed) == (8, 20)
    assert receipt_of(registry, 1.0).lanes[Lane.TELEMETRY].upto == 20


def test_readings_that_follow_another_chain_break_it_though_their_numbers_are_new() -> None:
    honest, restored, registry = Gateway(), Gateway(), Registry()
    registry.take(*honest.batch(honest.readings(10), 1, 10), 1.0)
    other = restored.readings(5) + restored.readings(10)
    registry.take(*restored.batch(other, 11, 15), 1.0)
    assert registry.proof().broken == 1


def test_an_old_tail_beyond_a_gap_is_not_mistaken_for_the_new_one() -> None:
    """Of the first life 1..12 and 20 arrived; the restored one sends 13..22, and hears that 20 is not its own."""
    lost, restored, registry = Gateway(), Gateway(), Registry()
    first = [lost.smoke(f"a-{n}") for n in range(20)]
    for message in (*first[:12], first[19]):
        registry.take(*message, 1.0)
    for n in range(12):
        restored.smoke(f"a-{n}")
    second = [restored.smoke(f"b-{n}") for n in range(10)]
    for message in second[::-1]:
        registry.take(*message, 2.0)
    said = receipt_of(registry, 2.0).lanes[Lane.ALARM]
    assert (said.upto, said.digest) == (20, lost.digests[Lane.ALARM, 20].hex())
    assert registry.proof().conflicts >= 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_batches_of_any_cut_and_order_are_proven(seed: int) -> None:
    gateway, registry, dice = Gateway(), Registry(), random.Random(seed)
    bodies = gateway.readings(30)
    cuts = [tuple(sorted((dice.randint(1, 30), dice.randint(1, 30)))) for _ in range(25)]
    for first, last in (*cuts, (1, 12), (10, 30)):
        registry.take(*gateway.batch(bodies, first, last), 1.0)
    proof = registry.proof()
    assert (proof.confirmed, proof.gaps, proof.broken, proof.conflicts) == (30, 0, 0, 0)
    said = receipt_of(registry, 1.0).lanes[Lane.TELEMETRY]
    assert (said.upto, said.digest) == (30, gateway.digests[Lane.TELEMETRY, 30].hex())


def test_batches_may_overlap_and_every_reading_counts_once() -> None:
    gateway, registry = Gateway(), Registry()
    counts: list[int] = []
    registry.on_received = lambda received: counts.append(received.readings)
    bodies = gateway.readings(15)
    for first, last in ((1, 5), (11, 15), (4, 12)):
        registry.take(*gateway.batch(bodies, first, last), 1.0)
    assert counts == [5, 5, 5]
    proof = registry.proof()
    assert (proof.confirmed, proof.duplicates, proof.gaps) == (15, 4, 0)
    said = receipt_of(registry, 1.0).lanes[Lane.TELEMETRY]
    assert (said.upto, said.digest) == (15, gateway.digests[Lane.TELEMETRY, 15].hex())


def test_a_tombstone_closes_the_books_over_what_was_dropped() -> None:
    gateway, registry = Gateway(), Registry()
    bodies = gateway.readings(10)
    registry.take(*gateway.batch(bodies, 8, 10), 1.0)
    digest = gateway.digests[Lane.TELEMETRY, 7]
    gone = tombstone(
        epoch=EPOCH, lane=Lane.TELEMETRY, first=1, last=7, count=7, reason="room", digest=digest, mono_s=1.0
    )
    registry.take(*gateway.event(gone), 1.0)
    proof = registry.proof()
    assert (proof.gaps, proof.dropped, proof.confirmed) == (0, 7, 4)
    assert receipt_of(registry, 1.0).lanes[Lane.TELEMETRY].upto == 10


def test_receipts_are_batched_and_their_counter_rises() -> None:
    gateway, registry = Gateway(), Registry()
    registry.take(*gateway.smoke(), 1.0)
    first = receipt_of(registry, 1.0)
    registry.take(*gateway.smoke(), 1.0)
    assert list(registry.receipts(1.0 + RECEIPT_EVERY_S / 2)) == []
    second = receipt_of(registry, 1.0 + RECEIPT_EVERY_S)
    assert second.counter == first.counter + 1
    assert list(registry.receipts(2.0)) == [], "nothing new"


def test_a_new_centre_counts_on_from_the_retained_receipt() -> None:
    gateway, registry = Gateway(), Registry()
    registry.take(*gateway.smoke(), 1.0)
    old = Receipt(gateway="gh-test01", epoch=EPOCH, counter=41)
    registry.take(TOPICS.receipt, old.payload(), 1.0)
    assert receipt_of(registry, 1.0).counter == 42


def reply(gateway: Gateway, lane: Lane, first: int, last: int, gone: list[tuple[int, int]]) -> tuple[str, bytes]:
    spans = tuple(Span(first=a, last=b) for a, b in gone)
    message = RequestReply(
        id="r1", gateway="gh-test01", epoch=gateway.epoch, outcome=Outcome.ANSWERED, lane=lane, first=first, last=last,
        gone=spans,
    )  # fmt: skip
    return TOPICS.reply("r1"), message.payload()


def test_what_is_answered_as_gone_is_no_gap() -> None:
    gateway, registry = Gateway(), Registry()
    for _ in range(9):
        gateway.smoke()
    registry.take(*gateway.status(), 1.0)
    requests_of(registry, 1.0)
    assert requests_of(registry, 1.0 + GRACE_S) == [(Lane.ALARM, 1, 9)]
    registry.take(*reply(gateway, Lane.ALARM, 1, 9, [(1, 9)]), 3.0)
    said = receipt_of(registry, 3.0).lanes[Lane.ALARM]
    assert (said.upto, said.digest) == (9, gateway.digests[Lane.ALARM, 9].hex()), "the status told the digest"
    registry.take(*gateway.smoke(), 3.0)
    proof = registry.proof()
    assert (proof.gaps, proof.gone, proof.confirmed) == (0, 9, 1)
    assert receipt_of(registry, 4.0).lanes[Lane.ALARM].upto == 10


def test_a_centre_that_lost_its_count_goes_on_from_the_status() -> None:
    gateway, registry = Gateway(), Registry()
    registry.take(*gateway.smoke(), 1.0)
    registry.take(*gateway.status(counter=41), 1.0)
    assert receipt_of(registry, 1.0).counter == 42


def test_an_epoch_that_has_ended_leaves_unknowns_and_no_gaps() -> None:
    old, new, registry = Gateway("epoch-1"), Gateway("epoch-2"), Registry()
    for _ in range(5):
        old.smoke()
    registry.take(*old.smoke(), 1.0)
    registry.take(*new.event(Event(Kind.EPOCH_STARTED, "journal", 1.0, {"previous": "epoch-1"})), 1.0)
    assert (registry.proof().gaps, registry.proof().unknown) == (0, 5)
    registry.take(*old.smoke(), 1.0)
    assert registry.proof().gaps == 5, "a copy of the gateway lives on in it"


def test_a_tombstone_entered_again_speaks_of_its_own_epoch() -> None:
    old, new, registry = Gateway("epoch-1"), Gateway("epoch-2"), Registry()
    new.readings(10)
    gone = tombstone(
        epoch="epoch-1", lane=Lane.TELEMETRY, first=1, last=7, count=7, reason="room", digest=bytes(32), mono_s=1.0
    )
    old.readings(10)
    registry.take(*old.status(), 1.0)
    registry.take(*new.status(), 1.0)
    registry.take(*new.event(gone), 1.0)
    proof = registry.proof()
    assert (proof.dropped, proof.gaps) == (7, 13)


def test_an_event_without_a_time_finds_its_place_by_the_offset_of_its_boot() -> None:
    gateway, registry = Gateway(), Registry()
    seen: list[Received] = []
    registry.on_received = seen.append
    registry.take(*gateway.event(Event(Kind.SMOKE, "s", 60.0)), 1.0)
    book = registry.gateways["gh-test01"]
    assert book.when(seen[0]) is None
    began = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    registry.take(*gateway.event(clock_offset(began=began, mono_s=90.0, step_s=None)), 1.0)
    assert book.when(seen[0]) == began + timedelta(seconds=60)


def test_epochs_have_separate_books() -> None:
    old, new, registry = Gateway("epoch-1"), Gateway("epoch-2"), Registry()
    registry.take(*old.smoke(), 1.0)
    registry.take(*new.smoke(), 1.0)
    assert registry.proof().confirmed == 2
    told = [Receipt.model_validate_json(answer.payload) for answer in registry.receipts(1.0)]
    assert [receipt.epoch for receipt in told] == ["epoch-1", "epoch-2"], "the last one is retained"
    assert told[0].counter < told[1].counter


def test_an_event_that_is_rejected_stands_in_the_receipt() -> None:
    gateway, registry = Gateway(), Registry()
    registry.judge = lambda received: "no such door" if received.sequence == 2 else None
    for _ in range(3):
        registry.take(*gateway.smoke(), 1.0)
    said = receipt_of(registry, 1.0).lanes[Lane.ALARM]
    assert said.upto == 3
    assert [(rejected.sequence, rejected.reason) for rejected in said.rejected] == [(2, "no such door")]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"source":5}',
        b'{"source":"gatehouse/gh-test01/e","id":"alarm/inf","sequence":1e999,"digest":"00","data":{}}',
        b'{"source":"gatehouse/gh-test01/\\ud800","id":"alarm/1","sequence":"1","digest":"00","data":{}}',
        b'{"source":"gatehouse/gh-other/e","id":"alarm/1","sequence":"1","digest":"00","data":{}}',
    ],
)
def test_what_cannot_be_read_is_counted_and_harms_nothing(payload: bytes) -> None:
    registry = Registry()
    registry.take(TOPICS.event(Lane.ALARM, Kind.SMOKE), payload, 1.0)
    assert registry.unreadable == 1
    assert registry.proof().confirmed == 0


def test_a_kind_of_tomorrow_is_rejected_and_stops_nothing() -> None:
    gateway, registry = Gateway(), Registry()
    body = json.dumps({"type": "gatehouse.of.tomorrow", "data": {}}, separators=(",", ":")).encode()
    digest = next_digest(gateway.digests[Lane.ALARM, 0], body)
    topic = TOPICS.event(Lane.ALARM, Kind.SMOKE)
    registry.take(topic, event_payload("gh-test01", EPOCH, Lane.ALARM, 1, digest, body), 1.0)
    said = receipt_of(registry, 1.0).lanes[Lane.ALARM]
    assert said.upto == 1
    assert "of.tomorrow" in said.rejected[0].reason
    assert registry.proof().broken == 0


@pytest.mark.parametrize(
    "body",
    [
        {"type": "gatehouse.smoke", "uptime": "soon", "data": {}},
        {"type": "gatehouse.smoke", "uptime": "nan", "data": {}},
        {"type": "gatehouse.smoke", "data": 5},
        {"type": "gatehouse.entries.dropped", "data": {"epoch": EPOCH, "lane": "access"}},
        {"type": "gatehouse.entries.dropped", "data": {"epoch": EPOCH, "lane": "access", "from": 1, "to": 10**12,
                                                       "digest": "00"}},
        {"type": f"gatehouse.{'x' * 1000}", "data": {}},
    ],
)  # fmt: skip
def test_an_entry_that_is_of_no_use_is_rejected_and_not_taken_for_one_that_is_kept(body: dict[str, Any]) -> None:
    gateway, registry = Gateway(), Registry()
    text = json.dumps(body, separators=(",", ":")).encode()
    digest = next_digest(gateway.digests[Lane.ALARM, 0], text)
    topic = TOPICS.event(Lane.ALARM, Kind.SMOKE)
    assert registry.take(topic, event_payload("gh-test01", EPOCH, Lane.ALARM, 1, digest, text), 1.0)
    said = receipt_of(registry, 1.0).lanes[Lane.ALARM]
    assert (said.upto, [rejected.sequence for rejected in said.rejected]) == (1, [1])


def test_a_counter_that_leaves_no_room_to_count_on_is_passed_over() -> None:
    gateway, registry = Gateway(), Registry()
    registry.take(*gateway.smoke(), 1.0)
    registry.take(*gateway.status(counter=(1 << 63) - 1), 1.0)
    lie = Receipt(gateway="gh-test01", epoch=EPOCH, counter=(1 << 63) - 1)
    registry.take(TOPICS.receipt, lie.payload(), 1.0)
    assert receipt_of(registry, 1.0).counter == 1


def test_of_pictures_the_latest_are_kept() -> None:
    registry = Registry()
    for number in range(PICTURES + 5):
        registry.take(TOPICS.media(f"p-{number}"), b"jpeg", 1.0)
    kept = registry.gateways["gh-test01"].pictures
    assert (len(kept), "p-4" in kept, "p-5" in kept) == (PICTURES, False, True)


def test_missing_ranges_are_named() -> None:
    book = LaneBook("e", Lane.ACCESS)
    for first, last in ((3, 4), (7, 7)):
        book.enter(first, last, bytes(32), [b"{}"] * (last - first + 1))
    book.hear_of(9, bytes(32))
    assert list(book.missing()) == [(1, 2), (5, 6), (8, 9)]


def test_a_leap_of_sequence_numbers_takes_no_room_and_is_a_gap_like_any_other() -> None:
    gateway, registry, leap = Gateway(), Registry(), 1 << 53
    registry.take(*gateway.smoke(), 1.0)
    for lane, last in ((Lane.ALARM, leap - 1), (Lane.ACCESS, leap)):
        gateway.last[lane], gateway.digests[lane, last] = last, bytes(32)
    tracemalloc.start()
    try:
        registry.take(*gateway.status(), 1.0)
        registry.take(*gateway.smoke(), 1.0)
        dropped = tombstone(
            epoch=EPOCH, lane=Lane.ACCESS, first=1, last=leap, count=leap, reason="room", digest=bytes(32), mono_s=1.0
        )
        registry.take(*gateway.event(dropped), 1.0)
        assert (registry.proof().gaps, registry.proof().dropped) == (leap - 2, leap)
        assert requests_of(registry, 1.0) == []
        assert requests_of(registry, 1.0 + GRACE_S) == [(Lane.ALARM, 2, leap - 1)]
        registry.take(*reply(gateway, Lane.ALARM, 2, leap - 1, [(2, leap - 1)]), 3.0)
        assert receipt_of(registry, 3.0).lanes[Lane.ALARM].upto == leap
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert registry.proof().gaps == 0
    assert registry.unreadable == 0


def test_a_sequence_the_contract_does_not_know_ends_no_centre() -> None:
    gateway, registry, last = Gateway(), Registry(), (1 << 63) - 1
    gateway.last[Lane.ALARM], gateway.digests[Lane.ALARM, last] = last, bytes(32)
    registry.take(*gateway.status(), 1.0)
    registry.take(*gateway.smoke(), 1.0)
    beyond = tombstone(
        epoch=EPOCH, lane=Lane.ALARM, first=1, last=last + 9, count=last + 9, reason="", digest=bytes(32), mono_s=1.0
    )
    registry.take(*gateway.event(beyond), 1.0)
    assert registry.unreadable == 1
    assert Lane.ALARM not in receipt_of(registry, 1.0).lanes


def test_what_waits_above_a_gap_is_bounded_and_comes_again_when_it_is_closed() -> None:
    body, count = b"x" * (1 << 20), (MAX_WAITING_BYTES >> 20) + 5
    digests = [first_digest(EPOCH, Lane.ACCESS)]
    for _ in range(count):
        digests.append(next_digest(digests[-1], body))
    book = LaneBook(EPOCH, Lane.ACCESS)
    taken = [book.enter(n, n, digests[n], [body]) for n in range(2, count + 1)]
    assert taken == [1] * (count - 5) + [0] * 4
    book.hear_of(count, digests[count])
    assert list(book.missing()) == [(1, 1), (count - 3, count)]
    for n in (1, *range(count - 3, count + 1)):
        assert book.enter(n, n, digests[n], [body]) == 1
    assert (book.upto, book.proof().duplicates, book.proof().broken) == (count, 0, 0)
