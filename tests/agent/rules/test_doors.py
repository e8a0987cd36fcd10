"""What a door promises."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import RESTORES, Event, Kind
from agent.rules.doors import GRACE_S, RELOCK_S, DoorRule, DoorState
from agent.rules.step import Input, Moment, Order, Step, Tick, Verb
from agent.settings import Door
from drivers.base import Card, Cue, DeviceId, DeviceState, Output, PointId, Quality, Reading, Signal, Status, Switch

KNOWN, STRANGER = Card(26, 4711), Card(26, 815)
UNLOCK_S, HELD_S = 3.0, 8.0


@dataclass(frozen=True)
class Answer:
    granted: bool
    reason: str | None
    reference: str


class OneCard:
    def decide(self, card: Card, door: str, now_utc: datetime | None) -> Answer:
        return Answer(True, None, "aa11") if card == KNOWN else Answer(False, "unknown_card", "bb22")


DOOR = Door.model_validate(
    {
        "id": "north",
        "name": {"zh": "北门", "en": "North"},
        "reader": "reader-1",
        "lock": "gpio/lock",
        "contact": "gpio/contact",
        "rex": "gpio/rex",
        "unlock_s": UNLOCK_S,
        "held_s": HELD_S,
    }
)


def unlock(for_s: float = UNLOCK_S) -> Switch:
    return Switch(DeviceId("gpio"), PointId("lock"), on=True, for_s=for_s)


LOCK = Switch(DeviceId("gpio"), PointId("lock"), on=False)


@dataclass
class Run:
    """Steps the rule as compound does: a Tick whenever the rule asked for one."""

    rule: DoorRule = field(default_factory=lambda: DoorRule(DOOR, OneCard()))
    now_s: float = 100.0
    events: list[Event] = field(default_factory=list)
    actions: list[Output] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.last: Step[DoorState] = self.rule.start(self._moment())
        self.actions += self.last.actions

    def _moment(self) -> Moment:
        return Moment(self.now_s, datetime(2026, 3, 1, tzinfo=UTC))

    def give(self, given: Input) -> None:
        self.last = self.rule.step(self.last.state, given, self._moment())
        self.events += self.last.events
        self.actions += self.last.actions
        assert self.last.wake_at is None or self.last.wake_at > self.now_s, "a wish in the past would spin"

    def wait(self, seconds: float) -> None:
        target = self.now_s + seconds
        while self.last.wake_at is not None and self.last.wake_at <= target:
            self.now_s = self.last.wake_at
            self.give(Tick())
        self.now_s = target

    def read(self, ref: str, value: bool | Card, quality: Quality = Quality.GOOD) -> None:
        device, point = ref.split("/")
        self.give(Reading(DeviceId(device), PointId(point), value, self.now_s, quality))

    def present(self, card: Card) -> None:
        self.read("reader-1/card", card)

    def contact(self, is_open: bool) -> None:
        self.read("gpio/contact", is_open)

    def rex(self, wanted: bool) -> None:
        self.read("gpio/rex", wanted)

    def take(self) -> tuple[list[Kind], list[Output]]:
        kinds, actions = [event.kind for event in self.events], self.actions
        self.events, self.actions = [], []
        return kinds, actions


@pytest.fixture
def run() -> Run:
    run = Run()
    run.contact(False)
    run.rex(False)
    run.take()
    return run


def test_start_locks() -> None:
    assert Run().actions == [LOCK]


def test_a_known_card_unlocks_for_the_unlock_time(run: Run) -> None:
    run.present(KNOWN)
    assert run.events[0].data == {"by": "card", "card": "aa11", "bits": 26, "reader": "reader-1"}
    assert run.take() == ([Kind.ACCESS_GRANTED], [unlock(), Signal(DeviceId("reader-1"), Cue.GRANTED)])
    run.wait(UNLOCK_S - 0.01)
    assert run.take() == ([], [])
    run.wait(0.01)
    assert run.take() == ([], [LOCK])


def test_a_stranger_stays_outside(run: Run) -> None:
    run.present(STRANGER)
    assert run.events[0].data == {"reason": "unknown_card", "card": "bb22", "bits": 26, "reader": "reader-1"}
    assert run.take() == ([Kind.ACCESS_DENIED], [Signal(DeviceId("reader-1"), Cue.DENIED)])


def test_a_stranger_shortens_nobodys_time(run: Run) -> None:
    run.present(KNOWN)
    run.wait(1.0)
    run.take()
    run.present(STRANGER)
    run.wait(UNLOCK_S - 1.01)
    assert LOCK not in run.take()[1]


def test_no_event_carries_the_number(run: Run) -> None:
    run.present(STRANGER)
    run.present(KNOWN)
    assert "4711" not in repr(run.events)
    assert "815" not in repr(run.events)


def test_the_door_relocks_soon_after_the_passage(run: Run) -> None:
    run.present(KNOWN)
    run.wait(0.5)
    run.contact(True)
    run.wait(0.5)
    run.take()
    run.contact(False)
    assert run.take() == ([Kind.DOOR_CLOSED], [])
    run.wait(RELOCK_S)
    assert run.take() == ([], [LOCK])


def test_a_grant_while_the_door_stands_open_outlives_its_closing(run: Run) -> None:
    run.present(KNOWN)
    run.contact(True)
    run.present(KNOWN)
    run.contact(False)
    run.take()
    run.wait(UNLOCK_S - 0.01)
    assert run.take() == ([], [])


def test_opening_after_a_grant_is_no_alarm_even_a_moment_too_late(run: Run) -> None:
    run.present(KNOWN)
    run.wait(UNLOCK_S + GRACE_S)
    run.contact(True)
    assert Kind.DOOR_FORCED not in run.take()[0]


def test_a_late_report_is_judged_by_when_the_door_opened(run: Run) -> None:
    run.present(KNOWN)
    opened_s = run.now_s + UNLOCK_S
    run.wait(UNLOCK_S + 30.0)
    run.give(Reading(DeviceId("gpio"), PointId("contact"), True, opened_s))
    assert run.take()[0] == [Kind.ACCESS_GRANTED, Kind.DOOR_OPENED]


def test_opening_a_locked_door_is_forcing_it(run: Run) -> None:
    run.contact(True)
    assert run.take()[0] == [Kind.DOOR_OPENED, Kind.DOOR_FORCED]
    run.contact(True)
    assert run.take()[0] == []
    run.contact(False)
    assert run.take()[0] == [Kind.DOOR_CLOSED, Kind.DOOR_FORCED_RESTORED]


def test_a_door_open_too_long_is_held_once_and_restored(run: Run) -> None:
    run.present(KNOWN)
    run.contact(True)
    run.wait(HELD_S - 0.01)
    run.take()
    run.wait(100.0)
    assert run.take()[0] == [Kind.DOOR_HELD]
    run.contact(False)
    assert run.take()[0] == [Kind.DOOR_CLOSED, Kind.DOOR_HELD_RESTORED]


def test_a_door_open_at_start_is_not_forced_but_counts_as_held() -> None:
    run = Run()
    run.contact(True)
    assert run.take()[0] == []
    run.wait(HELD_S)
    assert run.take()[0] == [Kind.DOOR_HELD]


def test_a_request_to_exit_unlocks(run: Run) -> None:
    run.rex(True)
    assert run.take() == ([Kind.EGRESS], [unlock()])
    run.rex(False)
    run.contact(True)
    assert run.take()[0] == [Kind.DOOR_OPENED]


def test_a_held_request_keeps_the_door_unlocked_without_a_gap(run: Run) -> None:
    run.rex(True)
    run.take()
    run.wait(10 * UNLOCK_S)
    kinds, actions = run.take()
    assert kinds == []
    assert set(actions) == {unlock()}
    run.rex(False)
    run.wait(UNLOCK_S)
    assert run.take() == ([], [LOCK])


def test_nothing_locks_while_somebody_requests_to_exit(run: Run) -> None:
    run.rex(True)
    run.give(Order("north", Verb.LOCK, "guard"))
    run.contact(True)
    run.contact(False)
    run.present(STRANGER)
    run.wait(20.0)
    assert LOCK not in run.take()[1]


def test_orders_unlock_and_lock(run: Run) -> None:
    run.give(Order("north", Verb.UNLOCK, "guard"))
    assert run.events[0].data == {"by": "order", "origin": "guard"}
    assert run.take() == ([Kind.ACCESS_GRANTED], [unlock()])
    run.give(Order("north", Verb.LOCK, "guard"))
    assert run.take() == ([], [LOCK])
    run.wait(GRACE_S + 0.01)
    run.contact(True)
    assert Kind.DOOR_FORCED in run.take()[0]


def test_a_lock_that_comes_back_is_put_in_order(run: Run) -> None:
    run.present(KNOWN)
    run.wait(1.0)
    run.take()
    run.give(Status(DeviceId("gpio"), DeviceState.OK, run.now_s))
    assert run.take() == ([], [unlock(UNLOCK_S - 1.0)])
    run.wait(UNLOCK_S)
    run.take()
    run.give(Status(DeviceId("gpio"), DeviceState.OK, run.now_s))
    assert run.take() == ([], [LOCK])


def test_a_tampered_reader_is_reported_and_restored(run: Run) -> None:
    run.read("reader-1/tamper", False)
    assert run.take()[0] == []
    run.read("reader-1/tamper", True)
    run.read("reader-1/tamper", True)
    run.read("reader-1/tamper", False)
    assert run.take()[0] == [Kind.READER_TAMPER, Kind.READER_TAMPER_RESTORED]


def test_a_bad_reading_changes_nothing(run: Run) -> None:
    before = run.last.state
    run.read("gpio/contact", True, Quality.BAD)
    run.read("reader-1/card", KNOWN, Quality.BAD)
    assert run.last.state == before
    assert run.take() == ([], [])


def test_only_what_it_knows_reaches_it() -> None:
    rule = DoorRule(DOOR, OneCard())
    assert rule.points == {"reader-1/card", "reader-1/tamper", "gpio/contact", "gpio/rex"}
    assert rule.devices == {"gpio"}
    assert rule.doors == {"north"}
    bare = DoorRule(DOOR.model_copy(update={"reader": None, "contact": None, "rex": None}), OneCard())
    assert bare.points == set()
    assert bare.describe(DoorState())["open"] is None


# ---------------------------------------------------------------- whatever happens

_refs = st.sampled_from(["gpio/contact", "gpio/rex", "reader-1/card", "reader-1/tamper", "gpio/other"])
_values = st.one_of(
    st.booleans(), st.sampled_from([KNOWN, STRANGER]), st.integers(-5, 5), st.floats(), st.text(max_size=3)
)
_qualities = st.sampled_from([Quality.GOOD, Quality.GOOD, Quality.BAD])
_lags = st.sampled_from([0.0, 0.0, 0.01, 2.0, -1.0, float("nan")])


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Read:
    ref: str
    value: bool | int | float | str | Card
    quality: Quality
    lag_s: float


_moves = st.lists(
    st.one_of(
        st.builds(Wait, st.sampled_from([0.0, 0.01, 0.4, RELOCK_S, 1.0, UNLOCK_S, 5.0, HELD_S, 60.0])),
        st.builds(Read, _refs, _values, _qualities, _lags),
        st.builds(Order, st.sampled_from(["north", "elsewhere"]), st.sampled_from(Verb), st.just("guard")),
        st.builds(
            Status, st.sampled_from([DeviceId("gpio"), DeviceId("x")]), st.sampled_from(DeviceState), st.just(1.0)
        ),
        st.just(Tick()),
    ),
    max_size=40,
)


def play(run: Run, moves: list[Wait | Read | Order | Status | Tick]) -> None:
    for move in moves:
        if isinstance(move, Wait):
            run.wait(move.seconds)
        elif isinstance(move, Read):
            device, point = move.ref.split("/")
            at_s = run.now_s - move.lag_s
            run.give(Reading(DeviceId(device), PointId(point), move.value, at_s, move.quality))
        else:
            run.give(move)


@settings(max_examples=100, deadline=None)
@given(_moves)
def test_egress_always_unlocks_whatever_went_before(moves: list[Wait | Read | Order | Status | Tick]) -> None:
    run = Run()
    play(run, moves)
    run.take()
    run.rex(True)
    switches = [action for action in run.take()[1] if isinstance(action, Switch)]
    assert switches[-1] == unlock()
    run.wait(50.0)
    assert LOCK not in run.take()[1]


@settings(max_examples=100, deadline=None)
@given(_moves)
def test_every_alarm_is_raised_once_and_restored_when_its_cause_ends(
    moves: list[Wait | Read | Order | Status | Tick],
) -> None:
    run = Run()
    play(run, moves)
    run.contact(False)
    run.read("reader-1/tamper", False)
    standing: set[Kind] = set()
    for event in run.events:
        if event.info.restored_by is not None:
            assert event.kind not in standing, "raised twice"
            standing.add(event.kind)
        elif event.kind in RESTORES:
            standing.remove(RESTORES[event.kind])
    assert not standing
    run.wait(100.0)
    assert run.last.state.unlocked_until is None or run.last.state.rex


@settings(max_examples=100, deadline=None)
@given(_moves)
def test_no_opening_in_the_unlock_time_is_forced(moves: list[Wait | Read | Order | Status | Tick]) -> None:
    run = Run()
    play(run, moves)
    run.contact(False)
    run.present(KNOWN)
    run.take()
    run.wait(UNLOCK_S / 2)
    run.contact(True)
    assert Kind.DOOR_FORCED not in run.take()[0]
    run.wait(HELD_S)
    assert run.take()[0] == [Kind.DOOR_HELD]


@settings(max_examples=100, deadline=None)
@given(_moves)
def test_the_lock_is_on_exactly_while_the_rule_says_so(moves: list[Wait | Read | Order | Status | Tick]) -> None:
    run = Run()
    play(run, moves)
    switches = [action for action in run.actions if isinstance(action, Switch)]
    assert switches[-1].on == (run.last.state.unlocked_until is not None)
