"""More persons than cards: door and camera together, with the door's own rule telling what it does."""

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.events import Event, Kind
from agent.observations import Observation, Track
from agent.rules.cameras.tailgating import SETTLE_S, TailgatingRule, TailgatingState
from agent.rules.doors import DoorRule, DoorState
from agent.rules.step import Input, Moment, Order, Step, Tick, Verb
from agent.settings import Door
from drivers.base import DeviceId, DeviceState, PointId, Reading, Status
from tests.agent.rules.cameras.street import CAMERA, PICTURE, Always, straight, track
from tests.agent.rules.cameras.test_line import HEIGHT, line
from tests.agent.rules.door import KNOWN, READER, Cards

DOOR = Door.model_validate(
    {
        "id": "north",
        "name": {"zh": "北门", "en": "North"},
        "reader": READER,
        "lock": "gpio/lock",
        "contact": "gpio/contact",
        "rex": "gpio/rex",
        "fire": "gpio/fire",
        "camera": "cam",
        "tailgating": "gate-line",
        "unlock_s": 5,
    }
)
LANES = (60.0, 100.0, 140.0)


class Gate:
    """The door's rule and the counting rule, wired as the compound wires them."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.door = DoorRule(DOOR, Cards(), Always())
        self.rule = TailgatingRule(camera=CAMERA, door="north", line=line(), picture=PICTURE)
        self.events: list[Event] = []
        self.last: Step[TailgatingState] = self.rule.start(self.now)
        self.door_step: Step[DoorState] = Step(DoorState())
        self._take(self.door.start(self.now))
        self.give(Reading(DeviceId("gpio"), PointId("contact"), False, self.now_s))
        self.camera(DeviceState.OK)

    @property
    def now(self) -> Moment:
        return Moment(self.now_s, datetime(2026, 3, 1, tzinfo=UTC))

    @property
    def state(self) -> TailgatingState:
        return self.last.state

    def give(self, given: Input) -> None:
        """To the door, and what it tells to the counting rule at once."""
        self._take(self.door.step(self.door_step.state, given, self.now))

    def card(self) -> None:
        self.give(Reading(READER, PointId("card"), KNOWN, self.now_s))

    def set(self, point: str, on: bool) -> None:
        self.give(Reading(DeviceId("gpio"), PointId(point), on, self.now_s))

    def order(self, verb: Verb) -> None:
        self.give(Order("north", verb, "guard"))

    def camera(self, state: DeviceState) -> None:
        self._judge(Status(CAMERA, state, self.now_s, "" if state is DeviceState.OK else "no pictures for 3 s"))

    def look(self, *tracks: Track, looked: bool = True) -> None:
        self.wait(0.4)
        self._judge(Observation(CAMERA, self.now_s, looked, tracks))

    def walk(self, *numbers: int, inwards: bool = True) -> None:
        """All of them cross the line side by side."""
        ends = (130.0, 190.0) if inwards else (190.0, 130.0)
        for x, _ in straight((ends[0], 0), (ends[1], 0), 5):
            self.look(*(track((x, LANES[n % 3]), number=n, height=HEIGHT) for n in numbers))
        self.look()

    def wait(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while True:
            wishes = [step.wake_at for step in (self.door_step, self.last) if step.wake_at is not None]
            due_s = min(wishes, default=until_s + 1)
            if due_s > until_s:
                break
            self.now_s = max(self.now_s, due_s)
            if self.door_step.wake_at is not None and self.door_step.wake_at <= self.now_s:
                self.give(Tick())
            else:
                self._judge(Tick())
        self.now_s = until_s

    def close(self) -> None:
        """Shut and locked, and everybody counted."""
        self.set("contact", False)
        self.wait(60)

    def take(self) -> list[Kind]:
        kinds, self.events = [event.kind for event in self.events if "tailgating" in event.kind], []
        return kinds

    def _take(self, step: Step[DoorState]) -> None:
        self.door_step = step
        self.events += step.events
        for told in step.tells:
            if told.ref in self.rule.points:
                self._judge(told)

    def _judge(self, given: Input) -> None:
        self.last = self.rule.step(self.last.state, given, self.now)
        self.events += self.last.events


def test_two_on_one_card_are_tailgating_at_once_and_only_once() -> None:
    gate = Gate()
    gate.card()
    gate.set("contact", True)
    gate.walk(1)
    assert gate.take() == []
    gate.walk(2)
    assert gate.events[-1].data == {"camera": "cam", "line": "gate-line", "granted": 1, "entered": 2}
    assert (gate.events[-1].subject, gate.take()) == ("north", [Kind.TAILGATING])
    gate.walk(3)
    gate.close()
    assert gate.take() == []
    assert gate.rule.describe(gate.state)["last"] == "tailgating"


def test_as_many_cards_as_persons_is_nothing_also_when_they_enter_together() -> None:
    gate = Gate()
    gate.card()
    gate.card()
    gate.set("contact", True)
    gate.walk(1, 2)
    gate.close()
    assert gate.take() == []
    assert gate.rule.describe(gate.state)["last"] == "alone"


def test_a_card_buys_one_entry_and_is_used_up_with_its_passage() -> None:
    gate = Gate()
    gate.card()
    gate.set("contact", True)
    gate.close()
    gate.card()
    gate.set("contact", True)
    gate.walk(1, 2)
    assert gate.take() == [Kind.TAILGATING]


def test_who_goes_out_by_the_exit_button_counts_nothing_and_who_slips_in_does() -> None:
    gate = Gate()
    gate.set("rex", True)
    gate.set("rex", False)
    gate.set("contact", True)
    gate.walk(1, inwards=False)
    gate.close()
    assert gate.take() == []
    gate.set("rex", True)
    gate.set("contact", True)
    gate.walk(2, inwards=False)
    gate.walk(3)
    assert gate.take() == [Kind.TAILGATING]


def test_one_who_steps_back_and_in_again_is_one() -> None:
    gate = Gate()
    gate.card()
    gate.set("contact", True)
    for inwards in (True, False, True):
        for x, _ in straight((130 if inwards else 190, 0), (190 if inwards else 130, 0), 5):
            gate.look(track((x, 100), height=HEIGHT))
    gate.close()
    assert gate.take() == []


def test_the_last_steps_behind_a_door_that_has_closed_still_count() -> None:
    gate = Gate()
    gate.card()
    gate.set("contact", True)
    gate.walk(1)
    gate.set("contact", False)
    gate.walk(2)
    assert gate.take() == [Kind.TAILGATING]
    gate.wait(60)
    gate.walk(3)
    assert gate.take() == []


def test_a_door_that_stands_open_to_all_or_was_opened_by_order_is_not_judged() -> None:
    for verb in (Verb.UNLOCK, Verb.KEEP_UNLOCKED):
        gate = Gate()
        gate.order(verb)
        gate.set("contact", True)
        gate.walk(1, 2)
        gate.order(Verb.LOCK)
        gate.close()
        assert gate.take() == []
        assert gate.rule.describe(gate.state)["last"] == "not judged"
    gate = Gate()
    gate.set("fire", True)
    gate.set("contact", True)
    gate.walk(1, 2)
    assert gate.take() == []


def test_without_a_camera_there_is_no_verdict_and_that_is_said_once_and_ended() -> None:
    gate = Gate()
    gate.camera(DeviceState.FAULT)
    for _ in range(3):
        gate.card()
        gate.set("contact", True)
        gate.close()
    assert gate.events[-1].kind is not Kind.TAILGATING
    assert gate.take() == [Kind.TAILGATING_BLIND]
    assert gate.rule.describe(gate.state)["last"] == "unknown"
    gate.camera(DeviceState.OK)
    assert gate.take() == [Kind.TAILGATING_BLIND_RESTORED]


def test_a_camera_that_fails_in_the_middle_has_no_verdict_but_what_it_saw_stands() -> None:
    gate = Gate()
    gate.card()
    gate.set("contact", True)
    gate.walk(1)
    gate.camera(DeviceState.FAULT)
    gate.camera(DeviceState.OK)
    gate.close()
    assert gate.take() == [Kind.TAILGATING_BLIND]
    gate.look()
    gate.take()
    gate.card()
    gate.set("contact", True)
    gate.walk(1)
    gate.camera(DeviceState.FAULT)
    gate.camera(DeviceState.OK)
    gate.walk(1)
    assert gate.take() == [Kind.TAILGATING]


def test_passages_too_quick_to_be_looked_at_are_unknown() -> None:
    gate = Gate()
    gate.look()
    gate.card()
    gate.set("contact", True)
    for _ in range(12):
        gate.look(track((150, 100), height=HEIGHT), looked=False)
    gate.close()
    assert gate.take() == [Kind.TAILGATING_BLIND]


class Day(RuleBasedStateMachine):
    """People come and go with and without cards; the truth is counted beside."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.next = 1
        self.open = self.told = False
        self.granted = self.entered = 0
        self.alarms = self.expected = 0

    @precondition(lambda self: not self.open)
    @rule(cards=st.integers(0, 3), exits=st.booleans())
    def the_door_opens(self, cards: int, exits: bool) -> None:
        for _ in range(cards):
            self.gate.card()
        if exits or not cards:
            self.gate.set("rex", True)
            self.gate.set("rex", False)
        self.gate.set("contact", True)
        self.open, self.told, self.granted, self.entered = True, False, cards, 0

    @precondition(lambda self: self.open)
    @rule()
    def another_card_is_shown(self) -> None:
        self.gate.card()
        self.granted += 1

    @precondition(lambda self: self.open)
    @rule(count=st.integers(1, 3))
    def some_come_in(self, count: int) -> None:
        self._walk(count, inwards=True)
        self.entered += count
        if self.entered > self.granted and not self.told:
            self.told = True
            self.expected += 1

    @precondition(lambda self: self.open)
    @rule(count=st.integers(1, 3))
    def others_go_out(self, count: int) -> None:
        self._walk(count, inwards=False)

    @rule()
    def somebody_walks_about_inside(self) -> None:
        self.gate.look(track((250, 100), number=self.next, height=HEIGHT))
        self.next += 1

    @precondition(lambda self: self.open)
    @rule()
    def the_door_closes(self) -> None:
        self.gate.close()
        self.open = False

    def _walk(self, count: int, *, inwards: bool) -> None:
        self.gate.wait(SETTLE_S / 2)
        self.gate.walk(*range(self.next, self.next + count), inwards=inwards)
        self.next += count

    @invariant()
    def one_alarm_for_each_passage_with_more_persons_than_cards(self) -> None:
        self.alarms += self.gate.take().count(Kind.TAILGATING)
        assert self.alarms == self.expected
        if self.open:
            assert self.gate.rule.describe(self.gate.state)["granted"] == self.granted


TestDay = Day.TestCase
TestDay.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
