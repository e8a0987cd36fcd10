"""What a zone promises."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import RESTORES, Event, Kind
from agent.observations import Box, Label, Observation, Track
from agent.rules.step import Moment, Step, Tick
from agent.rules.zones import GRACE_S, ZoneRule, ZoneState, contains
from agent.settings import Zone
from drivers.base import DeviceId, DeviceState, Status

CAMERA = DeviceId("cam")
INSIDE, OUTSIDE = (50.0, 50.0), (250.0, 50.0)


def zone(**more: object) -> ZoneRule:
    shape: dict[str, object] = {
        "id": "lane",
        "name": {"zh": "通道", "en": "Lane"},
        "polygon": [[0, 0], [100, 0], [100, 100], [0, 100]],
        "labels": ["person", "vehicle", "bicycle"],
        "at_least_s": 2.0,
    }
    return ZoneRule(Zone.model_validate(shape | more), CAMERA, (320, 100))


def track(where: tuple[float, float], label: Label = Label.PERSON, score: float = 0.8) -> Track:
    x, y = where
    return Track(1, label, Box(x - 5, y - 20, x + 5, y), score)


class Run:
    def __init__(self, rule: ZoneRule | None = None) -> None:
        self.rule = rule or zone()
        self.now_s = 20.0
        self.last: Step[ZoneState] = self.rule.start(Moment(self.now_s))
        self.events: list[Event] = []

    def look(self, *tracks: Track, after_s: float = 0.5, looked: bool = True) -> None:
        self.now_s += after_s
        self.give(Observation(CAMERA, self.now_s, looked, tracks))

    def give(self, given: Observation | Status | Tick) -> None:
        self.last = self.rule.step(self.last.state, given, Moment(self.now_s))
        self.events += self.last.events

    def take(self) -> list[Kind]:
        kinds, self.events = [event.kind for event in self.events], []
        return kinds


def raised() -> Run:
    run = Run()
    for _ in range(5):
        run.look(track(INSIDE))
    return run


def test_a_person_who_stays_raises_once() -> None:
    run = Run()
    for _ in range(4):
        run.look(track(INSIDE), track(OUTSIDE))
    assert run.take() == []
    run.look(track(INSIDE), track(OUTSIDE), track(INSIDE, score=0.91234))
    assert run.events[0].subject == "cam/lane"
    assert run.events[0].data == {"camera": "cam", "count": 2, "since_s": 2.0, "score": 0.912}
    run.look(track(INSIDE))
    assert run.take() == [Kind.ZONE_PERSON]


def test_somebody_who_only_passes_raises_nothing() -> None:
    run = Run()
    run.look(track(INSIDE))
    run.look(track(INSIDE))
    for _ in range(10):
        run.look(track(OUTSIDE))
    run.look(track(INSIDE))
    assert run.take() == []


def test_a_missed_detection_is_no_absence() -> None:
    run = Run()
    for _ in range(3):
        run.look(track(INSIDE))
        run.look()
    assert run.take() == [Kind.ZONE_PERSON]


def test_an_empty_zone_is_restored_after_the_grace() -> None:
    run = raised()
    run.take()
    run.look(after_s=GRACE_S)
    assert run.take() == []
    run.look(after_s=0.1)
    assert run.take() == [Kind.ZONE_PERSON_RESTORED]


def test_frames_nobody_looked_at_prove_nothing() -> None:
    run = raised()
    run.take()
    for _ in range(20):
        run.look(looked=False)
    assert run.take() == []
    run = Run()
    run.look(track(INSIDE))
    for _ in range(20):
        run.look(track(INSIDE), looked=False)
    assert run.take() == []


def test_a_camera_that_fails_clears_nothing() -> None:
    run = raised()
    run.take()
    run.now_s += 60.0
    run.give(Status(CAMERA, DeviceState.FAULT, run.now_s))
    run.give(Tick())
    run.look(track(INSIDE))
    assert run.take() == []


def test_a_gap_in_which_nobody_looked_counts_no_more_than_the_grace() -> None:
    run = Run(zone(at_least_s=5.0))
    run.look(track(INSIDE))
    run.look(track(INSIDE), after_s=600.0)
    assert run.take() == []
    run.look(track(INSIDE), after_s=1.5)
    run.look(track(INSIDE), after_s=1.5)
    assert run.take() == [Kind.ZONE_PERSON]


def test_kinds_are_counted_apart_and_unwanted_labels_not_at_all() -> None:
    run = Run(zone(labels=["bicycle", "vehicle", "animal"], at_least_s=0))
    run.look(track(INSIDE, Label.BICYCLE), track(INSIDE, Label.VEHICLE), track(INSIDE))
    assert run.events[0].data["count"] == 2
    assert run.take() == [Kind.ZONE_VEHICLE]
    run.look(track(INSIDE, Label.ANIMAL))
    assert run.take() == [Kind.ZONE_ANIMAL]
    assert run.rule.describe(run.last.state) == {"zone.vehicle": 0, "zone.animal": 1}


def test_feet_on_the_edge_and_below_the_picture_count() -> None:
    for foot in ((50.0, 100.0), (50.0, 130.0), (0.0, 50.0), (-3.0, 50.0), (100.0, 100.0)):
        run = Run(zone(at_least_s=0))
        run.look(track(foot))
        assert run.take() == [Kind.ZONE_PERSON], foot


def test_a_hollow_of_the_polygon_is_outside() -> None:
    hollow = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 4.0), (0.0, 10.0))
    assert contains(hollow, (5.0, 3.0))
    assert contains(hollow, (1.0, 7.0))
    assert not contains(hollow, (5.0, 6.0))
    assert not contains(hollow, (-1.0, 4.0))
    assert not contains(hollow, (11.0, 0.0))


_coordinate = st.floats(-400, 400)
_tracks = st.builds(lambda x, y, label: track((x, y), label), _coordinate, _coordinate, st.sampled_from(Label))
_frames = st.lists(
    st.tuples(st.lists(_tracks, max_size=3), st.booleans(), st.sampled_from([0.0, 0.4, 1.0, 5.0])), max_size=30
)


@settings(max_examples=100, deadline=None)
@given(_frames)
def test_every_zone_alarm_is_raised_once_and_restored_when_the_zone_empties(
    frames: list[tuple[list[Track], bool, float]],
) -> None:
    run = Run(zone(labels=[label.value for label in Label]))
    for tracks, looked, after_s in frames:
        run.look(*tracks, after_s=after_s, looked=looked)
    run.look(after_s=GRACE_S + 0.1)
    standing: set[Kind] = set()
    for kind in run.take():
        if kind in RESTORES:
            standing.remove(RESTORES[kind])
        else:
            assert kind not in standing
            standing.add(kind)
    assert not standing
