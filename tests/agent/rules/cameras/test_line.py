"""Crossing a line: once each time, the right way, whatever the feet do on it."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent.events import Kind
from agent.rules.cameras.line import COUNTED_EVERY_S, LineRule, LineState
from agent.settings import Line
from agent.settings.cameras import Way
from tests.agent.rules.cameras.street import CAMERA, PICTURE, Always, Run, straight, track

# The line runs along x = 160, from y = 40 to y = 160; inside is to its right.
HEIGHT = 40.0
CLEAR = 0.12 * HEIGHT


def line(**more: object) -> Line:
    shape: dict[str, object] = {
        "id": "gate-line",
        "name": {"zh": "门线", "en": "Gate line"},
        "ends": [[160, 40], [160, 160]],
        "inside": [300, 100],
    }
    return Line.model_validate(shape | more)


def gate(**more: object) -> Run[LineState]:
    return Run(LineRule(camera=CAMERA, line=line(**more), picture=PICTURE, calendar=Always("night")))


def go(run: Run[LineState], start: tuple[float, float], end: tuple[float, float], number: int = 1) -> None:
    for where in straight(start, end, 8):
        run.look(track(where, number=number, height=HEIGHT), after_s=0.4)


def counts(run: Run[LineState]) -> tuple[int, int]:
    found = run.last.state.counts
    assert found is not None
    return found[Way.IN], found[Way.OUT]


def test_each_crossing_counts_once_in_its_direction() -> None:
    run = gate(alarm=["in"])
    go(run, (60, 100), (260, 100))
    go(run, (260, 100), (60, 100))
    go(run, (60, 90), (260, 110), number=2)
    assert counts(run) == (2, 1)
    assert run.events[0].data == {"camera": "cam", "way": "in", "label": "person"}
    assert run.take() == [Kind.LINE_CROSSED] * 2


def test_dancing_on_the_line_counts_nothing_and_then_once() -> None:
    run = gate()
    go(run, (60, 100), (150, 100))
    for x in (158, 163, 157, 164, 156, 162) * 5:
        run.look(track((x, 100), height=HEIGHT))
    assert counts(run) == (0, 0)
    go(run, (163, 100), (240, 100))
    assert counts(run) == (1, 0)


def test_who_passes_beyond_an_end_has_not_crossed() -> None:
    run = gate()
    go(run, (60, 180), (260, 180))
    go(run, (260, 100), (60, 190))
    assert counts(run) == (0, 1)


def test_a_number_that_changes_on_the_way_is_still_one_crossing() -> None:
    run = gate()
    for step, where in enumerate(straight((60, 100), (260, 100), 10)):
        run.look(track(where, number=1 + step // 3, height=HEIGHT), after_s=0.4)
    assert counts(run) == (1, 0)


def test_who_is_hidden_while_crossing_still_counts_once() -> None:
    run = gate()
    for x in (100, 115, 130, 145):
        run.look(track((x, 100), number=1, height=HEIGHT), after_s=0.4)
    run.look(after_s=0.4)
    run.look(after_s=0.4)
    for x in (185, 200, 215):
        run.look(track((x, 100), number=2, height=HEIGHT), after_s=0.4)
    assert counts(run) == (1, 0)


def test_a_camera_that_was_away_counts_nobody_for_its_gap() -> None:
    run = gate()
    go(run, (60, 100), (140, 100))
    run.fail()
    assert run.described == {"in": 0, "out": 0, "blind": "no pictures for 3 s"}
    run.recover()
    go(run, (180, 100), (260, 100))
    assert counts(run) == (0, 0)


def test_predictions_count_nobody() -> None:
    run = gate()
    go(run, (60, 100), (150, 100))
    for x in (160, 175, 190):
        run.look(track((x, 100), height=HEIGHT), looked=False)
    assert counts(run) == (0, 0)


def test_counts_are_readings_at_most_once_a_minute_and_the_last_is_never_lost() -> None:
    run = gate()
    for _ in range(3):
        go(run, (60, 100), (260, 100))
        go(run, (260, 100), (60, 100))
    assert [(r.ref, r.value) for r in run.readings] == [("cam/gate-line-in", 1), ("cam/gate-line-out", 0)]
    run.wait(COUNTED_EVERY_S)
    assert [(r.ref, r.value) for r in run.readings[2:]] == [("cam/gate-line-in", 3), ("cam/gate-line-out", 3)]
    run.wait(10 * COUNTED_EVERY_S)
    assert len(run.readings) == 4


def test_a_schedule_that_does_not_hold_alarms_nobody_and_still_counts() -> None:
    run = gate(alarm=["in", "out"], schedule="night")
    go(run, (60, 100), (260, 100))
    assert (run.take(), counts(run)) == ([], (1, 0))


class People(RuleBasedStateMachine):
    """Two people who wander, jump a little, change numbers and are missed; the truth is where they clearly stand."""

    def __init__(self) -> None:
        super().__init__()
        self.run = gate()
        self.at = {1: 60.0, 2: 240.0}
        self.numbers = {1: 1, 2: 2}
        self.last_side = {1: False, 2: True}
        self.truth = [0, 0]
        self.next_number = 3
        self._look(())

    @rule(who=st.sampled_from([1, 2]), by=st.floats(-60, 60))
    def moves(self, who: int, by: float) -> None:
        self.at[who] = min(max(self.at[who] + by, 20.0), 300.0)
        self._look(())

    @rule(who=st.sampled_from([1, 2]), jitter=st.lists(st.floats(-4, 4), min_size=1, max_size=6))
    def trembles(self, who: int, jitter: list[float]) -> None:
        place = self.at[who]
        for by in jitter:
            self.at[who] = place + by
            self._look(())

    @rule(who=st.sampled_from([1, 2]))
    def is_missed_once(self, who: int) -> None:
        self._look((who,))

    @precondition(lambda self: abs(self.at[1] - self.at[2]) > 60)
    @rule(who=st.sampled_from([1, 2]))
    def changes_number(self, who: int) -> None:
        self.numbers[who], self.next_number = self.next_number, self.next_number + 1
        self._look(())

    def _look(self, missed: tuple[int, ...]) -> None:
        seen = [who for who in self.at if who not in missed]
        for who in seen:
            away = self.at[who] - 160
            if abs(away) >= CLEAR and (away > 0) is not self.last_side[who]:
                self.last_side[who] = away > 0
                self.truth[0 if away > 0 else 1] += 1
        # They walk in lanes of their own, so that nobody is near the other.
        tracks = [track((self.at[who], 20.0 + 60 * who), number=self.numbers[who], height=HEIGHT) for who in seen]
        self.run.look(*tracks, after_s=0.4)

    @invariant()
    def every_crossing_was_counted_once(self) -> None:
        assert counts(self.run) == tuple(self.truth)


TestPeople = People.TestCase
TestPeople.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
