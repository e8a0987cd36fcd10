"""Which entry travels next."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import Kind, Lane
from agent.journal import Entry
from agent.uplink.schedule import ALARM_SLOTS, BULK_BYTES, FRESH_BYTES, LINGER_S, Parcel, Schedule

NOW = 100.0
KINDS = {
    Lane.ALARM: Kind.SMOKE,
    Lane.FAULT: Kind.DEVICE_FAULT,
    Lane.LEDGER: Kind.AGENT_STARTED,
    Lane.ACCESS: Kind.ACCESS_GRANTED,
    Lane.TELEMETRY: Kind.READINGS,
    Lane.MEDIA: Kind.READINGS,
}


def entries(lane: Lane, sequences: Sequence[int], size: int = 400) -> list[Entry]:
    return [Entry(lane, n, KINDS[lane], b"x" * size, bytes(32)) for n in sequences]


def fill(schedule: Schedule, lane: Lane, count: int, size: int = 400, first: int = 1) -> None:
    _, generation = schedule.place(lane)
    schedule.offer(lane, generation, count, entries(lane, range(first, first + count), size), NOW)


class Line:
    """Sends what the schedule gives, and counts."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.mid = 0
        self.sent: list[tuple[int, Parcel]] = []

    def pump(self, now: float = NOW + 1, *, hurry: bool = False) -> list[Parcel]:
        fresh = []
        while (parcel := self.schedule.urgent(now)) or (parcel := self.schedule.shared(now, hurry=hurry)):
            self.mid += 1
            self.schedule.sent(self.mid, parcel, sum(len(entry.body) for entry in parcel.entries))
            self.sent.append((self.mid, parcel))
            fresh.append(parcel)
        return fresh

    def ack(self, mid: int) -> int:
        flight = self.schedule.acked(mid)
        assert flight is not None
        return self.schedule.passed(flight)


def connected(window: int = 50, receive_maximum: int = 65535) -> Schedule:
    schedule = Schedule(window)
    schedule.connected(receive_maximum)
    return schedule


def test_alarms_and_faults_overtake_everything() -> None:
    schedule = connected()
    fill(schedule, Lane.ACCESS, 40)
    fill(schedule, Lane.FAULT, 2)
    fill(schedule, Lane.ALARM, 3)
    lanes = [parcel.lane for parcel in Line(schedule).pump()]
    assert lanes[:5] == [Lane.ALARM] * 3 + [Lane.FAULT] * 2


def test_two_slots_are_kept_for_alarms() -> None:
    schedule = connected(window=10)
    line = Line(schedule)
    fill(schedule, Lane.ACCESS, 40)
    assert len(line.pump()) == 10 - ALARM_SLOTS
    fill(schedule, Lane.ALARM, 5)
    assert [parcel.lane for parcel in line.pump()] == [Lane.ALARM] * ALARM_SLOTS


def test_the_window_is_never_above_the_broker_s_receive_maximum() -> None:
    schedule = connected(window=50, receive_maximum=3)
    fill(schedule, Lane.ALARM, 10)
    assert len(Line(schedule).pump()) == 3


def test_bulk_fills_only_part_of_the_line() -> None:
    schedule = connected(window=100)
    fill(schedule, Lane.MEDIA, 50, size=30_000)
    in_flight = sum(len(entry.body) for parcel in Line(schedule).pump() for entry in parcel.entries)
    assert BULK_BYTES <= in_flight < BULK_BYTES + 30_000


def test_readings_share_messages_and_wait_a_little_for_each_other() -> None:
    schedule = connected()
    fill(schedule, Lane.TELEMETRY, 20, size=90)
    line = Line(schedule)
    assert line.pump(NOW + LINGER_S / 2) == []
    assert schedule.wake_s(NOW + LINGER_S / 2) == LINGER_S / 2
    (parcel,) = line.pump(NOW + LINGER_S)
    assert [entry.sequence for entry in parcel.entries] == list(range(1, 21))


def test_a_batch_is_contiguous() -> None:
    schedule = connected()
    _, generation = schedule.place(Lane.TELEMETRY)
    schedule.offer(Lane.TELEMETRY, generation, 9, entries(Lane.TELEMETRY, [1, 2, 3, 7, 8, 9], 90), NOW)
    runs = [[entry.sequence for entry in parcel.entries] for parcel in Line(schedule).pump()]
    assert runs == [[1, 2, 3], [7, 8, 9]]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 60), min_size=4, max_size=4),
    sizes=st.lists(st.integers(50, 4000), min_size=4, max_size=4),
    window=st.integers(5, 100),
)
def test_every_lane_is_sent_once_in_order_and_none_starves(counts: list[int], sizes: list[int], window: int) -> None:
    schedule = connected(window)
    lanes = [Lane.LEDGER, Lane.ACCESS, Lane.TELEMETRY, Lane.MEDIA]
    for lane, count, size in zip(lanes, counts, sizes, strict=True):
        if count:
            fill(schedule, lane, count, size)
    line = Line(schedule)
    while line.pump():
        for mid in [mid for mid, _ in line.sent if mid in schedule._flights]:
            line.ack(mid)
    for lane, count in zip(lanes, counts, strict=True):
        seen = [entry.sequence for _, parcel in line.sent if parcel.lane is lane for entry in parcel.entries]
        assert seen == list(range(1, count + 1))


def test_shares_are_fair_in_bytes() -> None:
    schedule = connected(window=100)
    fill(schedule, Lane.ACCESS, 390, size=500)
    fill(schedule, Lane.TELEMETRY, 2000, size=100)
    line = Line(schedule)
    size = {Lane.ACCESS: 0, Lane.TELEMETRY: 0}
    while size[Lane.ACCESS] < 100_000:
        for parcel in line.pump():
            size[parcel.lane] += sum(len(entry.body) for entry in parcel.entries)
        for mid in list(schedule._flights):
            line.ack(mid)
    assert 0.5 < size[Lane.ACCESS] / size[Lane.TELEMETRY] < 2.0


def test_the_cursor_moves_only_over_what_is_acknowledged_without_a_break() -> None:
    schedule = connected()
    fill(schedule, Lane.ALARM, 4)
    line = Line(schedule)
    line.pump()
    assert line.ack(2) == 0
    assert line.ack(3) == 0
    assert line.ack(1) == 3
    assert line.ack(4) == 4


def test_a_refused_message_is_held_and_sent_again_with_all_that_is_open_before_it() -> None:
    schedule = connected()
    fill(schedule, Lane.ACCESS, 4)
    line = Line(schedule)
    line.pump()
    flight = schedule.acked(3)
    assert flight is not None
    schedule.refused(flight, until=NOW + 10)
    assert schedule.place(Lane.ACCESS)[0] == 0
    late = schedule.acked(4)
    assert late is not None
    schedule.refused(late, until=NOW + 20)  # news of an earlier round
    fill(schedule, Lane.ACCESS, 4)
    assert line.pump(NOW + 5) == []
    assert len(line.pump(NOW + 10)) == 4


def test_a_read_that_crosses_a_rewind_is_thrown_away() -> None:
    schedule = connected()
    _, generation = schedule.place(Lane.ALARM)
    schedule.rewind(Lane.ALARM, 0)
    schedule.offer(Lane.ALARM, generation, 3, entries(Lane.ALARM, [1, 2, 3]), NOW)
    assert Line(schedule).pump() == []
    assert schedule.want(lambda _: 3) is Lane.ALARM


def test_what_the_centre_asks_for_again_says_nothing_about_the_cursor() -> None:
    schedule = connected()
    schedule.offer_again(Lane.ACCESS, entries(Lane.ACCESS, [7]))
    line = Line(schedule)
    (parcel,) = line.pump()
    assert parcel.again
    assert line.ack(1) == 0


def test_what_is_set_aside_is_passed_over() -> None:
    schedule = Schedule(50, {(Lane.ALARM, 2), (Lane.TELEMETRY, 2)})
    schedule.connected(50)
    fill(schedule, Lane.ALARM, 3)
    fill(schedule, Lane.TELEMETRY, 3, size=90)
    sent = [(parcel.lane, [entry.sequence for entry in parcel.entries]) for parcel in Line(schedule).pump()]
    assert sent == [(Lane.ALARM, [1]), (Lane.ALARM, [3]), (Lane.TELEMETRY, [1]), (Lane.TELEMETRY, [3])]


def test_of_a_batch_that_no_broker_bears_smaller_ones_are_made_before_a_reading_is_given_up() -> None:
    schedule = connected()
    fill(schedule, Lane.TELEMETRY, 30, size=1000)
    batches: list[int] = []
    while schedule.halve((Lane.TELEMETRY, 1)) or not batches:
        schedule.rewind(Lane.TELEMETRY, 0)
        schedule.connected(50)
        fill(schedule, Lane.TELEMETRY, 30, size=1000)
        batches.append(len(Line(schedule).pump()[0].entries))
    assert batches == [16, 8, 4, 2, 1]


def test_entries_that_are_gone_do_not_stop_the_lane() -> None:
    schedule = connected()
    after, generation = schedule.place(Lane.ACCESS)
    schedule.offer(Lane.ACCESS, generation, 9, [], NOW)
    assert after == 0
    assert schedule.want(lambda lane: 9 if lane is Lane.ACCESS else 0) is None


def test_what_is_just_committed_goes_on_unless_something_before_it_is_not_yet_read() -> None:
    schedule = connected()
    schedule.offer_fresh(Lane.ALARM, entries(Lane.ALARM, [1, 2]), NOW)
    schedule.offer_fresh(Lane.ALARM, entries(Lane.ALARM, [4]), NOW)
    assert [parcel.mark for parcel in Line(schedule).pump()] == [(Lane.ALARM, 1), (Lane.ALARM, 2)]
    assert schedule.want(lambda lane: 4 if lane is Lane.ALARM else 0) is Lane.ALARM
    assert schedule.place(Lane.ALARM)[0] == 2


def test_a_lane_that_holds_much_is_offered_no_more() -> None:
    schedule = connected()
    for n in range(1, 5):
        schedule.offer_fresh(Lane.ACCESS, entries(Lane.ACCESS, [n], size=FRESH_BYTES // 2), NOW)
    assert schedule.place(Lane.ACCESS)[0] == 2
